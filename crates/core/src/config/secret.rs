//! Values that must never be printed.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::format::{ParseError, SECRET};

const REDACTED: &str = "<redacted>";

/// A secret file larger than this is a mistake: 64 KiB.
const LIMIT_BYTES: u64 = 64 * 1024;

/// A secret as the configuration names it: `env:NAME`, `file:PATH`, or the secret itself.
///
/// Serialises and prints as the reference; a literal as `<redacted>`. A configuration that was printed so
/// and read back decodes, but the secret does not resolve: `<redacted>` is never taken for a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Source);

#[derive(Clone, PartialEq, Eq)]
enum Source {
    Literal(String),
    Environment(String),
    File(PathBuf),
    Redacted,
}

/// A secret in clear. Prints as `<redacted>`; only [`SecretValue::expose`] shows it.
#[derive(Clone)]
pub struct SecretValue(String);

/// Why a secret has no value. Names the reference, never a content.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable does not exist.
    #[error("the environment variable `{0}` is not set")]
    NotSet(String),
    /// The variable or file exists and holds nothing.
    #[error("the secret `{0}` is empty")]
    Empty(Secret),
    /// The variable or file holds bytes that are not text.
    #[error("the secret `{0}` is not UTF-8 text")]
    NotText(Secret),
    /// The file cannot be read.
    #[error("cannot read the secret file `{}`: {error}", path.display())]
    Unreadable {
        /// The file, relative paths already resolved.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The file is larger than 64 KiB.
    #[error("the secret file `{}` is larger than 64 KiB", .0.display())]
    TooLarge(PathBuf),
    /// The configuration is a print of the effective one.
    #[error("the secret was redacted when this configuration was printed")]
    Redacted,
}

impl SecretError {
    /// What to do about it.
    pub fn fix(&self) -> String {
        match self {
            Self::NotSet(name) => {
                format!("set {name} in the environment that Deepwater starts in, or write \"file:PATH\"")
            }
            Self::Empty(secret) => match &secret.0 {
                Source::Environment(name) => format!("set {name} to the secret where Deepwater starts"),
                _ => "write the secret into it".to_owned(),
            },
            Self::NotText(_) => "write it as text; encode bytes, such as in base64".to_owned(),
            Self::Unreadable { .. } => {
                "write it there, and let the user that Deepwater runs as read it; relative paths start at the \
                 configuration's folder"
                    .to_owned()
            }
            Self::TooLarge(_) => "name a file that holds the secret alone".to_owned(),
            Self::Redacted => "write \"env:NAME\", \"file:PATH\" or the secret itself".to_owned(),
        }
    }
}

impl Secret {
    /// Fetches the secret: from the environment, or from a file whose relative path starts at `directory`
    /// (that of the configuration file). One line ending at the end of a file is dropped.
    ///
    /// # Errors
    /// When the reference leads to nothing, to an empty value, or to something that is not text.
    pub fn resolve(&self, directory: &Path) -> Result<SecretValue, SecretError> {
        self.resolve_with(directory, |name| std::env::var_os(name))
    }

    fn resolve_with(
        &self,
        directory: &Path,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<SecretValue, SecretError> {
        let value = match &self.0 {
            Source::Literal(literal) => literal.clone(),
            Source::Environment(name) => {
                let value = environment(name).ok_or_else(|| SecretError::NotSet(name.clone()))?;
                value.into_string().map_err(|_| SecretError::NotText(self.clone()))?
            }
            Source::File(path) => self.read(directory.join(path))?,
            Source::Redacted => return Err(SecretError::Redacted),
        };
        if value.is_empty() { Err(SecretError::Empty(self.clone())) } else { Ok(SecretValue(value)) }
    }

    fn read(&self, path: PathBuf) -> Result<String, SecretError> {
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(LIMIT_BYTES + 1).read_to_end(&mut bytes));
        match read {
            Err(error) => Err(SecretError::Unreadable { path, error }),
            Ok(length) if length as u64 > LIMIT_BYTES => Err(SecretError::TooLarge(path)),
            Ok(_) => {
                let text = String::from_utf8(bytes).map_err(|_| SecretError::NotText(self.clone()))?;
                let line = text.strip_suffix('\n').unwrap_or(&text);
                Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
            }
        }
    }
}

impl FromStr for Secret {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let source = if let Some(name) = text.strip_prefix("env:") {
            if name.is_empty() || name.contains(|c: char| c == '=' || c == '\0' || c.is_whitespace()) {
                return Err(ParseError::new("`env:` is not followed by the name of a variable")
                    .fix("write it like \"env:JWT_SECRET\""));
            }
            Source::Environment(name.to_owned())
        } else if let Some(path) = text.strip_prefix("file:") {
            if path.is_empty() {
                return Err(ParseError::new("`file:` is not followed by a path")
                    .fix("write it like \"file:secrets/jwt\""));
            }
            Source::File(PathBuf::from(path))
        } else if text.is_empty() {
            return Err(ParseError::new("a secret must not be empty")
                .fix("write \"env:NAME\", \"file:PATH\" or the secret itself"));
        } else if text == REDACTED {
            Source::Redacted
        } else {
            Source::Literal(text.to_owned())
        };
        Ok(Self(source))
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Literal(_) | Source::Redacted => f.write_str(REDACTED),
            Source::Environment(name) => write!(f, "env:{name}"),
            Source::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        /// Serde's own message for a wrong type quotes the value.
        fn wrong_type<E: de::Error>() -> Result<Secret, E> {
            Err(E::custom("a secret is written as a string"))
        }

        impl de::Visitor<'_> for Visitor {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&SECRET.expected())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Secret, E> {
                wrong_type()
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Secret, E> {
                wrong_type()
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Secret, E> {
                wrong_type()
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Secret, E> {
                wrong_type()
            }
        }

        // Asked for a string, serde_json would itself refuse a number, and quote it.
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        concat!(module_path!(), "::Secret").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> schemars::Schema {
        SECRET.schema()
    }
}

impl SecretValue {
    /// The secret in clear: for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        text.parse().expect("a secret")
    }

    fn resolve(text: &str, directory: &Path) -> Result<String, String> {
        let environment = |name: &str| match name {
            "JWT_SECRET" => Some(OsString::from("from the environment")),
            "EMPTY" => Some(OsString::new()),
            _ => None,
        };
        let value = secret(text).resolve_with(directory, environment);
        value.map(|value| value.expose().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn comes_from_the_text_the_environment_or_a_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |name: &str, content: &[u8]| {
            std::fs::write(directory.path().join(name), content).expect("written");
        };
        write("one", b"from a file\n");
        write("windows", b"from a file\r\n");
        write("two lines", b"first\nsecond\n\n");
        let resolve = |text: &str| resolve(text, directory.path());
        let absolute = format!("file:{}", directory.path().join("one").display());

        assert_eq!(resolve("hunter2").as_deref(), Ok("hunter2"));
        assert_eq!(resolve("env:JWT_SECRET").as_deref(), Ok("from the environment"));
        assert_eq!(resolve("file:one").as_deref(), Ok("from a file"));
        assert_eq!(resolve("file:windows").as_deref(), Ok("from a file"));
        assert_eq!(resolve("file:two lines").as_deref(), Ok("first\nsecond\n"), "one line ending");
        assert_eq!(resolve(&absolute).as_deref(), Ok("from a file"));
    }

    #[test]
    fn says_why_it_has_no_value() {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |name: &str, content: &[u8]| {
            std::fs::write(directory.path().join(name), content).expect("written");
        };
        write("empty", b"\n");
        write("binary", &[0xff, 0xfe]);
        write("large", &vec![b'x'; LIMIT_BYTES as usize + 1]);
        for (text, why) in [
            ("env:MISSING", "the environment variable `MISSING` is not set"),
            ("env:EMPTY", "the secret `env:EMPTY` is empty"),
            ("file:missing", "cannot read the secret file"),
            ("file:empty", "the secret `file:empty` is empty"),
            ("file:binary", "the secret `file:binary` is not UTF-8 text"),
            ("file:large", "larger than 64 KiB"),
            ("<redacted>", "the secret was redacted when this configuration was printed"),
        ] {
            let error = resolve(text, directory.path()).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
        for text in ["", "env:", "env: JWT", "env:A=B", "file:"] {
            assert!(text.parse::<Secret>().is_err(), "{text}");
        }
    }

    #[test]
    fn is_never_printed() {
        let literal = secret("hunter2");
        let value = literal.resolve(Path::new("")).expect("a literal is its own value");
        let printed = format!(
            "{literal} {literal:?} {value} {value:?} {}",
            serde_json::to_string(&literal).expect("a string")
        );
        assert_eq!(printed, "<redacted> \"<redacted>\" <redacted> <redacted> \"<redacted>\"");

        for reference in ["env:JWT_SECRET", "file:secrets/jwt"] {
            assert_eq!(secret(reference).to_string(), reference);
            assert_eq!(format!("{:?}", secret(reference)), format!("{reference:?}"));
        }
        let error = serde_json::from_str::<Secret>("31337").expect_err("a number is no secret");
        assert!(!error.to_string().contains("31337"), "{error}");
    }
}
