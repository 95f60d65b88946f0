//! Entity tags (RFC 9110 §8.8.3).

/// An entity tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntityTag<'a> {
    /// Whether it stands for equivalent versions too.
    pub weak: bool,
    /// What is within the quotes.
    pub text: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// Reads the value of `ETag`. What is not in quotes is none.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let value = value.trim_ascii();
        let (tag, rest) = split(value)?;
        rest.is_empty().then_some(tag)
    }

    /// Whether both name the same bytes (RFC 9110 §8.8.3.2).
    pub fn strong_eq(self, other: EntityTag<'_>) -> bool {
        !self.weak && !other.weak && self.text == other.text
    }

    /// Whether both name equivalent versions.
    pub fn weak_eq(self, other: EntityTag<'_>) -> bool {
        self.text == other.text
    }
}

/// The entity tags of a list, whose texts may hold commas. Ends at the first thing that is none.
pub fn entity_tags(list: &[u8]) -> impl Iterator<Item = EntityTag<'_>> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let start = rest.iter().position(|b| !matches!(b, b' ' | b'\t' | b','))?;
        let (tag, after) = split(&rest[start..])?;
        rest = after;
        Some(tag)
    })
}

/// The tag at the start, and what follows it.
fn split(text: &[u8]) -> Option<(EntityTag<'_>, &[u8])> {
    let (weak, quoted) = match text.strip_prefix(b"W/") {
        Some(quoted) => (true, quoted),
        None => (false, text),
    };
    let text = quoted.strip_prefix(b"\"")?;
    let end = text.iter().position(|&b| b == b'"')?;
    Some((EntityTag { weak, text: &text[..end] }, &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tags_are_read() {
        let tag = |weak, text: &'static str| Some(EntityTag { weak, text: text.as_bytes() });
        for (value, expected) in [
            ("\"a\"", tag(false, "a")),
            ("\"\"", tag(false, "")),
            ("W/\"a\"", tag(true, "a")),
            (" \"a,b\" ", tag(false, "a,b")),
            ("\"a\\\"", tag(false, "a\\")),
            ("\"\u{fc}\"", tag(false, "\u{fc}")),
            ("a", None),
            ("w/\"a\"", None),
            ("W\\\"a\"", None),
            ("W\"a\"", None),
            ("\"a", None),
            ("\"a\"b", None),
            ("\"a\", \"b\"", None),
            ("", None),
        ] {
            assert_eq!(EntityTag::parse(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn lists_are_read() {
        let texts =
            |list: &'static str| -> Vec<_> { entity_tags(list.as_bytes()).map(|tag| tag.text).collect() };
        assert_eq!(texts("\"a,b\" , W/\"c\",,\"d\""), [&b"a,b"[..], b"c", b"d"]);
        assert_eq!(texts("\"a\", b, \"c\""), [b"a"]);
        assert!(texts("").is_empty() && texts("*").is_empty());
    }

    #[test]
    fn comparison() {
        let [strong, weak, other] =
            [&b"\"1\""[..], b"W/\"1\"", b"\"2\""].map(|tag| EntityTag::parse(tag).unwrap());
        assert!(strong.strong_eq(strong) && !strong.strong_eq(weak) && !weak.strong_eq(weak));
        assert!(strong.weak_eq(weak) && weak.weak_eq(weak) && !strong.weak_eq(other));
        assert!(!strong.strong_eq(other));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(list in prop::collection::vec(any::<u8>(), 0..60)) {
            entity_tags(&list).for_each(drop);
            EntityTag::parse(&list);
        }
    }
}
