//! Path patterns with `{names}`, and percent-decoding (RFC 3986 §2.1).

use std::borrow::Cow;

/// A path pattern such as `/api/edge/pools/{pool}/targets/{target}/drain`.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    text: &'static str,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    Literal(&'static str),
    Parameter,
}

/// A parameter of the path holds a broken escape or bytes that are not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl Pattern {
    pub(super) fn new(text: &'static str) -> Self {
        let segments = segments(text)
            .map(|segment| match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(_) => Segment::Parameter,
                None => Segment::Literal(segment),
            })
            .collect();
        Self { text, segments }
    }

    /// As it was written.
    pub(super) fn text(&self) -> &'static str {
        self.text
    }

    /// Whether the two match the same paths.
    pub(super) fn equals(&self, other: &Self) -> bool {
        self.segments == other.segments
    }

    /// How many segments are spelt out: the more, the more specific.
    pub(super) fn literals(&self) -> usize {
        self.segments.iter().filter(|segment| matches!(segment, Segment::Literal(_))).count()
    }

    /// The decoded parameters when the raw path matches; a slash at the end makes no difference.
    ///
    /// Segments are split before they are decoded, so a parameter may hold an escaped `/`.
    pub(super) fn matches(&self, path: &str) -> Option<Result<Vec<String>, Malformed>> {
        let mut given = segments(path);
        let mut parameters = Vec::new();
        for segment in &self.segments {
            match (segment, given.next()?) {
                (Segment::Literal(literal), text) if *literal != text => return None,
                (Segment::Literal(_), _) => {}
                (Segment::Parameter, text) => parameters.push(text),
            }
        }
        if given.next().is_some() {
            return None;
        }
        Some(parameters.into_iter().map(|text| decode(text).map(Cow::into_owned).ok_or(Malformed)).collect())
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.trim_matches('/').split('/')
}

/// Replaces `%XX`; `None` for a broken escape or a result that is not UTF-8.
pub(super) fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' { hex(rest.next()?)? << 4 | hex(rest.next()?)? } else { byte });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The value of a key in a query string, decoded as a form (`+` is a space). A key without `=` has the
/// value `""`; a key that is absent or malformed has none.
pub(crate) fn query_value(query: &str, key: &str) -> Option<String> {
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(name, _)| *name == key)
        .and_then(|(_, value)| decode(&value.replace('+', " ")).map(Cow::into_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_decoded_and_in_order() {
        let pattern = Pattern::new("/api/edge/pools/{pool}/targets/{target}/drain");
        let found = pattern.matches("/api/edge/pools/a%2Fb/targets/127.0.0.1%3A3000/drain");
        assert_eq!(found, Some(Ok(vec!["a/b".into(), "127.0.0.1:3000".into()])));
        assert_eq!(pattern.matches("/api/edge/pools/a/targets/b"), None);
        assert_eq!(pattern.matches("/api/edge/pools/a/targets/b/drain/now"), None);
    }

    #[test]
    fn a_broken_escape_is_malformed() {
        for bad in ["%", "%4", "%zz", "%ff", "%+1"] {
            let found = Pattern::new("/x/{y}").matches(&format!("/x/{bad}"));
            assert_eq!(found, Some(Err(Malformed)), "{bad}");
        }
    }

    #[test]
    fn the_root_and_a_slash_at_the_end() {
        assert!(Pattern::new("/").matches("/").is_some());
        assert!(Pattern::new("/").matches("/api").is_none());
        assert!(Pattern::new("/api/").matches("/api").is_some());
    }

    #[test]
    fn query_values_are_form_decoded() {
        assert_eq!(query_value("rows=5&pretty", "rows").as_deref(), Some("5"));
        assert_eq!(query_value("rows=5&pretty", "pretty").as_deref(), Some(""));
        assert_eq!(query_value("token=a%20b+c", "token").as_deref(), Some("a b c"));
        assert_eq!(query_value("prettyprint=1", "pretty"), None);
    }
}
