//! The key itself: a Structured Field String (RFC 9651 §3.3.3), or the same characters bare, as most clients send it.

use std::fmt;

/// Longest key, as Stripe has it.
const MOST_CHARACTERS: usize = 255;

/// An idempotency key, without quotes and escapes.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Box<str>);

/// Why a field value is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// There is nothing in it.
    #[error("the key is empty")]
    Empty,
    /// It is too long.
    #[error("the key is longer than 255 characters")]
    TooLong,
    /// It holds something else than printable ASCII.
    #[error("the key holds characters that are not printable ASCII")]
    Character,
    /// The quoted form does not end where it should, or escapes what needs no escape.
    #[error("the key begins with a quote and is not a quoted string")]
    Quoting,
    /// A bare key with a character that only a quoted one may hold.
    #[error("the key holds a blank, a comma or a quote: write it as a quoted string")]
    Bare,
    /// The field came twice.
    #[error("there is more than one key")]
    Repeated,
}

impl Key {
    /// Reads the values of the key's field; none if there is no field.
    ///
    /// # Errors
    /// When there are several, or it is not a key.
    pub fn of_values<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Result<Option<Self>, KeyFault> {
        let mut values = values.into_iter();
        let Some(first) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(KeyFault::Repeated);
        }
        Self::parse(first).map(Some)
    }

    /// Reads a field value. Quoted strings have no parameters here: none are defined for keys.
    ///
    /// # Errors
    /// When it is not a key.
    pub fn parse(value: &[u8]) -> Result<Self, KeyFault> {
        let value = value.trim_ascii();
        // Twice for escapes, and the quotes: beyond that it is too long whatever it says.
        if value.len() > 2 * MOST_CHARACTERS + 2 {
            return Err(KeyFault::TooLong);
        }
        let key = match value.strip_prefix(b"\"") {
            Some(rest) => unquote(rest)?,
            None => bare(value)?,
        };
        match key.len() {
            0 => Err(KeyFault::Empty),
            1..=MOST_CHARACTERS => Ok(Self(key.into_boxed_str())),
            _ => Err(KeyFault::TooLong),
        }
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    /// As a Structured Field String.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for character in self.0.chars() {
            let escape = if matches!(character, '"' | '\\') { "\\" } else { "" };
            write!(f, "{escape}{character}")?;
        }
        f.write_str("\"")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// What follows the opening quote (RFC 9651 §4.2.5).
fn unquote(rest: &[u8]) -> Result<String, KeyFault> {
    let mut key = String::with_capacity(rest.len());
    let mut bytes = rest.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if bytes.as_slice().is_empty() => return Ok(key),
            b'"' => return Err(KeyFault::Quoting),
            b'\\' => match bytes.next() {
                Some(escaped @ (b'"' | b'\\')) => key.push(char::from(*escaped)),
                _ => return Err(KeyFault::Quoting),
            },
            b' '..=b'~' => key.push(char::from(*byte)),
            _ => return Err(KeyFault::Character),
        }
    }
    Err(KeyFault::Quoting)
}

/// A comma may be where some proxy has joined two fields, and a blank or a quote is a quoted string gone wrong.
fn bare(value: &[u8]) -> Result<String, KeyFault> {
    let character = |byte: &u8| match byte {
        b' ' | b',' | b'"' => Err(KeyFault::Bare),
        b'!'..=b'~' => Ok(char::from(*byte)),
        _ => Err(KeyFault::Character),
    };
    value.iter().map(character).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(value: &str) -> Result<String, KeyFault> {
        Key::parse(value.as_bytes()).map(|key| key.as_str().to_owned())
    }

    #[test]
    fn quoted_and_bare_are_the_same_key() {
        let uuid = "8e03978e-40d5-43dd-bc93-6894a57f9324";
        assert_eq!(read(uuid).as_deref(), Ok(uuid));
        assert_eq!(read(&format!("\"{uuid}\"")).as_deref(), Ok(uuid));
        assert_eq!(read(&format!("  \"{uuid}\" ")).as_deref(), Ok(uuid));
        assert_eq!(read(r#""a \"b\" \\ c, d""#).as_deref(), Ok(r#"a "b" \ c, d"#));
        assert_eq!(read("order:17/abc+def==;x").as_deref(), Ok("order:17/abc+def==;x"));
    }

    #[test]
    fn what_is_no_key_says_why() {
        for (value, fault) in [
            ("", KeyFault::Empty),
            ("\"\"", KeyFault::Empty),
            ("   ", KeyFault::Empty),
            ("\"abc", KeyFault::Quoting),
            ("\"", KeyFault::Quoting),
            ("\"abc\\\"", KeyFault::Quoting),
            ("\"a\\bc\"", KeyFault::Quoting),
            ("\"abc\";p=1", KeyFault::Quoting),
            ("\"abc\" \"def\"", KeyFault::Quoting),
            ("a b", KeyFault::Bare),
            ("abc, def", KeyFault::Bare),
            ("abc\"", KeyFault::Bare),
            ("caf\u{e9}", KeyFault::Character),
            ("\"caf\u{e9}\"", KeyFault::Character),
            ("a\tb", KeyFault::Character),
            ("a\0b", KeyFault::Character),
        ] {
            assert_eq!(read(value), Err(fault), "{value:?}");
        }
    }

    #[test]
    fn length_counts_without_quotes_and_escapes() {
        let longest = "k".repeat(255);
        assert!(read(&longest).is_ok() && read(&format!("\"{longest}\"")).is_ok());
        assert_eq!(read(&format!("{longest}k")), Err(KeyFault::TooLong));
        assert_eq!(read(&format!("\"{longest}k\"")), Err(KeyFault::TooLong));
        assert!(read(&format!("\"{}\"", "\\\"".repeat(255))).is_ok());
        assert_eq!(read(&"k".repeat(1 << 20)), Err(KeyFault::TooLong));
    }

    #[test]
    fn one_field_has_one_key() {
        assert_eq!(Key::of_values([]), Ok(None));
        assert_eq!(Key::of_values([&b"a"[..]]).unwrap().unwrap().as_str(), "a");
        assert_eq!(Key::of_values([&b"a"[..], b"a"]), Err(KeyFault::Repeated));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(text in "[ -~]{1,255}") {
            let key = Key(text.clone().into_boxed_str());
            prop_assert_eq!(read(&key.to_string()), Ok(text));
        }

        #[test]
        fn whatever_comes_is_a_key_of_the_right_form_or_none(value in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(key) = Key::parse(&value) {
                prop_assert!((1..=255).contains(&key.as_str().len()));
                prop_assert!(key.as_str().bytes().all(|byte| (b' '..=b'~').contains(&byte)));
                prop_assert_eq!(Key::parse(key.to_string().as_bytes()), Ok(key));
            }
        }
    }
}
