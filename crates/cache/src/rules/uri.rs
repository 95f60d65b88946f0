//! Parts of URIs (RFC 3986).

/// Percent-encoded bytes that need not be encoded are decoded, the digits of the others written in upper case
/// (RFC 3986 §6.2.2): what is the same resource by all rules gets the same bytes. A `%` without digits stays.
pub(crate) fn write_normalised(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&b| b == b'%') {
        let (plain, encoded) = rest.split_at(at);
        out.extend_from_slice(plain);
        let digits = encoded.get(1..3).and_then(|digits| Some((digit(digits[0])?, digit(digits[1])?)));
        let Some((high, low)) = digits else {
            out.push(b'%');
            rest = &encoded[1..];
            continue;
        };
        let byte = high << 4 | low;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', encoded[1].to_ascii_uppercase(), encoded[2].to_ascii_uppercase()]);
        }
        rest = &encoded[3..];
    }
    out.extend_from_slice(rest);
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// An authority without the port that the scheme implies. Its letters are as written.
pub(crate) fn without_default_port<'a>(scheme: &[u8], authority: &'a [u8]) -> &'a [u8] {
    // In an IPv6 address a bracket follows the last colon: that is no port.
    let Some(at) = authority.iter().rposition(|&b| b == b':') else { return authority };
    let implied = match &authority[at + 1..] {
        b"" => true,
        b"80" => scheme.eq_ignore_ascii_case(b"http"),
        b"443" => scheme.eq_ignore_ascii_case(b"https"),
        _ => false,
    };
    if implied { &authority[..at] } else { authority }
}

/// A URI reference in its five parts, the fragment dropped (RFC 3986, appendix B).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    pub(crate) scheme: Option<&'a [u8]>,
    pub(crate) authority: Option<&'a [u8]>,
    pub(crate) path: &'a [u8],
    pub(crate) query: Option<&'a [u8]>,
}

impl<'a> Reference<'a> {
    pub(crate) fn parse(text: &'a [u8]) -> Self {
        let until =
            |text: &[u8], ends: &[u8]| text.iter().position(|b| ends.contains(b)).unwrap_or(text.len());
        let text = &text[..until(text, b"#")];
        let colon = until(text, b":/?");
        let is_scheme = text.get(colon) == Some(&b':')
            && text[0].is_ascii_alphabetic()
            && text[..colon].iter().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b));
        let (scheme, rest) =
            if is_scheme { (Some(&text[..colon]), &text[colon + 1..]) } else { (None, text) };
        let (authority, rest) = match rest.strip_prefix(b"//") {
            Some(rest) => {
                let (authority, rest) = rest.split_at(until(rest, b"/?"));
                (Some(authority), rest)
            }
            None => (None, rest),
        };
        let (path, query) = rest.split_at(until(rest, b"?"));
        Self { scheme, authority, path, query: query.strip_prefix(b"?") }
    }
}

/// The path of a relative reference beside a base path (RFC 3986 §5.2.3).
pub(crate) fn merged(base: &[u8], path: &[u8]) -> Vec<u8> {
    let folder = base.iter().rposition(|&b| b == b'/').map_or(&b"/"[..], |at| &base[..=at]);
    [folder, path].concat()
}

/// A path without its `.` and `..` segments (RFC 3986 §5.2.4).
pub(crate) fn without_dots(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut segments = path.split(|b| *b == b'/').peekable();
    // What precedes the first slash: nothing, in an absolute path.
    out.extend_from_slice(segments.next().unwrap_or_default());
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            b"." | b".." => {
                if segment == b".." {
                    out.truncate(out.iter().rposition(|&b| b == b'/').unwrap_or(0));
                }
                if last {
                    out.push(b'/');
                }
            }
            _ => {
                out.push(b'/');
                out.extend_from_slice(segment);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn normalised(text: &str) -> String {
        let mut out = Vec::new();
        write_normalised(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn normalisation() {
        for (text, expected) in [
            ("/a/b", "/a/b"),
            ("/%61%2d%7E", "/a-~"),
            ("/%2f%c3%bc%20", "/%2F%C3%BC%20"),
            ("/%", "/%"),
            ("/%4", "/%4"),
            ("/%zz%41", "/%zzA"),
            ("/%2541", "/%2541"),
            ("/%%341", "/%41"),
            ("/../%2e%2E/a", "/../../a"),
            ("/A%2Ba+b", "/A%2Ba+b"),
        ] {
            assert_eq!(normalised(text), expected);
        }
    }

    #[test]
    fn ports() {
        for (scheme, authority, expected) in [
            ("http", "a:80", "a"),
            ("http", "a:443", "a:443"),
            ("https", "a:443", "a"),
            ("HTTPS", "a:443", "a"),
            ("http", "a:", "a"),
            ("http", "a", "a"),
            ("http", "[::1]", "[::1]"),
            ("http", "[::80]", "[::80]"),
            ("http", "[::1]:80", "[::1]"),
            ("http", "", ""),
        ] {
            let found = without_default_port(scheme.as_bytes(), authority.as_bytes());
            assert_eq!(found, expected.as_bytes(), "{scheme} {authority}");
        }
    }

    #[test]
    fn references() {
        let reference = |text: &'static str| {
            let Reference { scheme, authority, path, query } = Reference::parse(text.as_bytes());
            let text = |bytes: &'static [u8]| std::str::from_utf8(bytes).unwrap();
            (scheme.map(text), authority.map(text), text(path), query.map(text))
        };
        assert_eq!(reference("http://a:1/b?c#d"), (Some("http"), Some("a:1"), "/b", Some("c")));
        assert_eq!(reference("//a?c"), (None, Some("a"), "", Some("c")));
        assert_eq!(reference("b:c"), (Some("b"), None, "c", None));
        assert_eq!(reference("./b:c"), (None, None, "./b:c", None));
        assert_eq!(reference("1:b"), (None, None, "1:b", None));
        assert_eq!(reference("?"), (None, None, "", Some("")));
        assert_eq!(reference(""), (None, None, "", None));
        assert_eq!(reference(":"), (None, None, ":", None));
    }

    #[test]
    fn dots() {
        for (path, expected) in [
            ("/a/b/c/./../../g", "/a/g"),
            ("/a/b/.", "/a/b/"),
            ("/a/b/..", "/a/"),
            ("/../a", "/a"),
            ("/..", "/"),
            ("/a//b", "/a//b"),
            ("/a/...", "/a/..."),
            ("/", "/"),
            ("", ""),
        ] {
            assert_eq!(without_dots(path.as_bytes()), expected.as_bytes(), "{path}");
        }
        assert_eq!(merged(b"/a/b", b"c"), b"/a/c");
        assert_eq!(merged(b"", b"c"), b"/c");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(text in prop::collection::vec(any::<u8>(), 0..40)) {
            write_normalised(&text, &mut Vec::new());
            without_default_port(b"http", &text);
            let reference = Reference::parse(&text);
            without_dots(&merged(&text, reference.path));
        }

        #[test]
        fn nothing_climbs_out(text in "(/|\\.|a){0,20}") {
            let path = without_dots(&merged(b"/x/y", text.as_bytes()));
            prop_assert!(path.starts_with(b"/"));
            prop_assert!(!path.split(|b| *b == b'/').any(|segment| segment == b".." || segment == b"."));
        }
    }
}
