//! One line of a trace, in each of the formats.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// How a trace is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The common or combined log format, with or without a host in front.
    Common,
    /// One JSON object a line: Deepwater's own access log and its like (`method`, `host`, `target` or `uri` or
    /// `path` or `url`, `status`, `sent_bytes` or `bytes` or `body_bytes_sent`), or `key` and `size`.
    Json,
    /// `key size`, with spaces or tabs between.
    Plain,
}

/// All, in the order in which they are tried.
pub(super) const FORMATS: [Format; 3] = [Format::Json, Format::Common, Format::Plain];

impl Format {
    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Common => "common log",
            Self::Json => "JSON lines",
            Self::Plain => "key and size",
        }
    }

    pub(super) fn parse<'a>(self, line: &'a [u8]) -> Line<'a> {
        match self {
            Self::Common => common(line),
            Self::Json => json(line),
            Self::Plain => plain(line),
        }
        .unwrap_or(Line::Bad)
    }
}

/// What a line is.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// A request that a cache could answer.
    Access(Found<'a>),
    /// A request that it could not.
    Skipped,
    /// Not of this format.
    Bad,
}

/// What is in it.
#[derive(Debug, PartialEq)]
pub(super) struct Found<'a> {
    pub(super) host: Cow<'a, [u8]>,
    pub(super) key: Cow<'a, [u8]>,
    pub(super) size_bytes: u64,
    pub(super) whole: bool,
}

/// `192.0.2.1 - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" 200 2326`, and whatever follows.
fn common(line: &[u8]) -> Option<Line<'_>> {
    let opening = line.windows(3).position(|window| window == b"] \"")? + 3;
    let rest = &line[opening..];
    let closing = closing_quote(rest)?;
    let mut fields = rest.get(closing + 1..)?.split(|b| *b == b' ').filter(|field| !field.is_empty());
    let status = number(fields.next()?).filter(|status| (100..1000).contains(status))?;
    let size_bytes = match fields.next()? {
        b"-" => 0,
        size => number(size)?,
    };
    let mut request = rest[..closing].split(|b| *b == b' ');
    let (Some(method), Some(target)) = (request.next(), request.next()) else { return Some(Line::Skipped) };
    Some(request_line(method, b"".into(), target.into(), status, size_bytes))
}

/// The first quote that no backslash makes part of the text.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|b| {
        let closes = *b == b'"' && !escaped;
        escaped = *b == b'\\' && !escaped;
        closes
    })
}

fn plain(line: &[u8]) -> Option<Line<'_>> {
    let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let (key, size) = (fields.next()?, fields.next()?);
    let size_bytes = number(size)?;
    let found = Found { host: b"".into(), key: key.into(), size_bytes, whole: true };
    fields.next().is_none().then_some(Line::Access(found))
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow, default)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    host: Option<Cow<'a, str>>,
    #[serde(borrow, default, alias = "uri", alias = "path", alias = "url", alias = "request_uri")]
    target: Option<Cow<'a, str>>,
    #[serde(default)]
    status: Option<Number>,
    #[serde(default, alias = "sent_bytes", alias = "bytes", alias = "bytes_sent", alias = "body_bytes_sent")]
    size: Option<Number>,
}

fn json(line: &[u8]) -> Option<Line<'_>> {
    let object: Object<'_> = serde_json::from_slice(line).ok()?;
    let size_bytes = object.size.map(|Number(size)| size);
    if let Some(key) = object.key {
        return Some(Line::Access(Found {
            host: b"".into(),
            key: bytes(key),
            size_bytes: size_bytes?,
            whole: true,
        }));
    }
    let method = object.method.as_deref().unwrap_or("GET");
    let status = object.status.map_or(200, |Number(status)| status);
    let host = object.host.map_or(b"".into(), bytes);
    Some(request_line(method.as_bytes(), host, bytes(object.target?), status, size_bytes.unwrap_or(0)))
}

fn bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// Whether a cache could have answered: GET or HEAD that succeeded, was redirected or found nothing newer.
fn request_line<'a>(
    method: &[u8],
    host: Cow<'a, [u8]>,
    key: Cow<'a, [u8]>,
    status: u64,
    size_bytes: u64,
) -> Line<'a> {
    if !matches!(method, b"GET" | b"HEAD") || !(200..400).contains(&status) || key.is_empty() {
        return Line::Skipped;
    }
    let whole = method == b"GET" && !matches!(status, 206 | 304);
    Line::Access(Found { host, key, size_bytes, whole })
}

fn number(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A number, or one in quotes as nginx writes it.
struct Number(u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number that is not negative")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Number, E> {
                // A cast saturates.
                if value >= 0.0 { Ok(Number(value as u64)) } else { Err(E::custom("negative")) }
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Number, E> {
                if value == "-" || value.is_empty() {
                    return Ok(Number(0));
                }
                number(value.as_bytes()).map(Number).ok_or_else(|| E::custom("not a number"))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn access(format: Format, line: &str) -> Option<(String, u64, bool)> {
        match format.parse(line.as_bytes()) {
            Line::Access(found) => {
                let name = [found.host.as_ref(), found.key.as_ref()].concat();
                Some((String::from_utf8(name).unwrap(), found.size_bytes, found.whole))
            }
            _ => None,
        }
    }

    fn is_skipped(format: Format, line: &str) -> bool {
        format.parse(line.as_bytes()) == Line::Skipped
    }

    fn is_bad(format: Format, line: &str) -> bool {
        format.parse(line.as_bytes()) == Line::Bad
    }

    #[test]
    fn common_and_combined() {
        let found = |key: &str, size, whole| Some((key.to_owned(), size, whole));
        let access = |line: &str| access(Format::Common, line);
        let start = "192.0.2.1 - - [10/Oct/2000:13:55:36 -0700]";
        assert_eq!(access(&format!("{start} \"GET /a?b=1 HTTP/1.0\" 200 2326")), found("/a?b=1", 2326, true));
        let combined =
            format!("shop:80 {start} \"GET /\\\"a\\\" HTTP/1.1\" 200 5 \"http://x/\" \"agent \\\" 1\"");
        assert_eq!(access(&combined), found("/\\\"a\\\"", 5, true));
        assert_eq!(access(&format!("{start} \"GET /a HTTP/1.1\" 304 -")), found("/a", 0, false));
        assert_eq!(access(&format!("{start} \"HEAD /a HTTP/1.1\" 200 0")), found("/a", 0, false));
        assert_eq!(access(&format!("{start} \"GET /a HTTP/1.1\" 206 100")), found("/a", 100, false));
        assert!(is_skipped(Format::Common, &format!("{start} \"POST /a HTTP/1.1\" 200 1")));
        assert!(is_skipped(Format::Common, &format!("{start} \"GET /a HTTP/1.1\" 404 1")));
        assert!(is_skipped(Format::Common, &format!("{start} \"-\" 408 -")));
        for bad in ["", "a 1", "{}", start, &format!("{start} \"GET /a 200 1")] {
            assert!(is_bad(Format::Common, bad), "{bad}");
        }
        for bad in ["\"GET /a HTTP/1.1\" x 1", "\"GET /a HTTP/1.1\" 200", "\"GET /a HTTP/1.1\" 200 -1"] {
            assert!(is_bad(Format::Common, &format!("{start} {bad}")), "{bad}");
        }
    }

    #[test]
    fn json_of_several_kinds() {
        let found = |key: &str, size, whole| Some((key.to_owned(), size, whole));
        let access = |line: &str| access(Format::Json, line);
        let own = r#"{"time":"1970-01-01T00:00:00.000Z","client_ip":"10.0.0.1","method":"GET","target":"/a?\"b\"","version":"1.1","status":200,"sent_bytes":7,"received_bytes":9,"duration_ms":12.034,"route":"/a","host":"shop.example"}"#;
        assert_eq!(access(own), found("shop.example/a?\"b\"", 7, true));
        let nginx = r#"{"status":"304","request_uri":"/a","body_bytes_sent":"0"}"#;
        assert_eq!(access(nginx), found("/a", 0, false));
        assert_eq!(access(r#"{"key":"k","size":12,"method":"PUT"}"#), found("k", 12, true));
        assert_eq!(access(r#"{"path":"/a","bytes":1e3}"#), found("/a", 1000, true));
        assert!(is_skipped(Format::Json, r#"{"method":"POST","target":"/a","status":200,"sent_bytes":7}"#));
        assert!(is_skipped(Format::Json, r#"{"method":"GET","target":"/a","status":500}"#));
        for bad in [
            "",
            "{",
            "[]",
            "1",
            r#"{"key":"k"}"#,
            r#"{"size":1}"#,
            r#"{"key":"k","size":-1}"#,
            r#"{"key":1,"size":1}"#,
        ] {
            assert!(is_bad(Format::Json, bad), "{bad}");
        }
    }

    #[test]
    fn plain_lines() {
        assert_eq!(access(Format::Plain, "k 12"), Some(("k".to_owned(), 12, true)));
        assert_eq!(access(Format::Plain, " /a\t 0 "), Some(("/a".to_owned(), 0, true)));
        for bad in ["", "k", "k x", "k 1 2", "k -1", "k 1.5", "k 99999999999999999999"] {
            assert!(is_bad(Format::Plain, bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_line_breaks_a_parser(line in prop::collection::vec(any::<u8>(), 0..200)) {
            for format in FORMATS {
                let _ = format.parse(&line);
            }
        }

        #[test]
        fn nothing_is_of_two_formats(line in r#"(\{"key":"[a-z]*","size":[0-9]+\}|[ -~]*|[a-z]+ [0-9]+|.* \[x\] "GET /a [A-Z]+" 200 [0-9]*)"#) {
            let fits = FORMATS.iter().filter(|format| format.parse(line.as_bytes()) != Line::Bad).count();
            prop_assert!(fits <= 1, "{fits}");
        }
    }
}
