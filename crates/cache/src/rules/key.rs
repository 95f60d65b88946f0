//! The key a response is stored under (RFC 9111 §2).

use smallvec::SmallVec;

use super::uri::{without_default_port, write_normalised};

/// Ends a part of a key.
const END: u8 = 0;
/// Precedes what stands for a byte that has a meaning in keys.
const ESCAPE: u8 = 1;

/// How the query takes part in keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyOptions {
    /// Whether the order of parameters with different names does not count.
    pub sort_query: bool,
    /// Names of parameters that do not count, such as `gclid`, or the beginnings of names, such as `utm_*`.
    pub drop_params: Vec<String>,
}

impl KeyOptions {
    /// A query without the parameters that do not count; `None` if it has none of them. What no key holds is not to be
    /// sent on: the answer could depend on it.
    pub fn counted(&self, query: &[u8]) -> Option<Vec<u8>> {
        let drops = |parameter: &&[u8]| {
            let mut normal = Vec::new();
            write_normalised(parameter, &mut normal);
            self.drops(&normal)
        };
        if self.drop_params.is_empty() || !query.split(|b| *b == b'&').any(|parameter| drops(&parameter)) {
            return None;
        }
        let kept: Vec<&[u8]> = query.split(|b| *b == b'&').filter(|parameter| !drops(parameter)).collect();
        Some(kept.join(&b'&'))
    }

    fn drops(&self, parameter: &[u8]) -> bool {
        let name = name_of(parameter);
        self.drop_params.iter().any(|drop| match drop.strip_suffix('*') {
            Some(start) => name.starts_with(start.as_bytes()),
            None => name == drop.as_bytes(),
        })
    }
}

/// Appends the key of a request for a URL, under named versions. Two keys are the same if, and only if, all of it is,
/// save for: the letter case of scheme and authority, the port that the scheme implies, `/` for an empty path,
/// percent-encoding that is not needed (RFC 3986 §6.2.2), and what the options leave out. Dot segments stay.
///
/// The key starts with scheme, authority, path and query, each ended by a byte 0, as [`KeyParts`] reads them.
pub fn write_key(
    out: &mut Vec<u8>,
    scheme: &[u8],
    authority: &[u8],
    path: &[u8],
    query: Option<&[u8]>,
    options: &KeyOptions,
    versions: &[(&str, u64)],
) {
    let start = out.len();
    out.extend_from_slice(scheme);
    out[start..].make_ascii_lowercase();
    end_part(out, start);

    let start = out.len();
    out.extend_from_slice(without_default_port(scheme, authority));
    out[start..].make_ascii_lowercase();
    end_part(out, start);

    let start = out.len();
    write_normalised(if path.is_empty() { b"/" } else { path }, out);
    end_part(out, start);

    let start = out.len();
    if let Some(query) = query {
        write_query(out, query, options);
    }
    end_part(out, start);

    for (name, version) in versions {
        let start = out.len();
        out.extend_from_slice(name.as_bytes());
        end_part(out, start);
        out.extend_from_slice(&version.to_le_bytes());
    }
}

/// Writes a query with the `?` before it; if parameters were dropped and none is left, nothing.
fn write_query(out: &mut Vec<u8>, query: &[u8], options: &KeyOptions) {
    let start = out.len();
    out.push(b'?');
    write_normalised(query, out);
    if !options.sort_query && options.drop_params.is_empty() {
        return;
    }
    let query = out.split_off(start);
    let mut parameters: SmallVec<[&[u8]; 16]> = query[1..].split(|b| *b == b'&').collect();
    parameters.retain(|parameter| !options.drops(parameter));
    if parameters.is_empty() {
        return;
    }
    if options.sort_query {
        // The order of values of one name may have a meaning: it stays.
        parameters.sort_by(|a, b| name_of(a).cmp(name_of(b)));
    }
    for (at, parameter) in parameters.iter().enumerate() {
        out.push(if at == 0 { b'?' } else { b'&' });
        out.extend_from_slice(parameter);
    }
}

fn name_of(parameter: &[u8]) -> &[u8] {
    let end = parameter.iter().position(|&b| b == b'=').unwrap_or(parameter.len());
    &parameter[..end]
}

/// Ends the part that starts there. Bytes that have a meaning in keys, which no valid URL holds, are escaped.
fn end_part(out: &mut Vec<u8>, start: usize) {
    if out[start..].iter().any(|b| *b <= ESCAPE) {
        for byte in out.split_off(start) {
            match byte {
                END | ESCAPE => out.extend_from_slice(&[ESCAPE, b'0' + byte]),
                _ => out.push(byte),
            }
        }
    }
    out.push(END);
}

/// The URL a key was made of, normalised and, if it was invalid, escaped: two are the same if their parts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyParts<'a> {
    /// In lower case.
    pub scheme: &'a [u8],
    /// In lower case, without the port that the scheme implies.
    pub authority: &'a [u8],
    /// Normalised; never empty.
    pub path: &'a [u8],
    /// Without the question mark.
    pub query: Option<&'a [u8]>,
}

impl KeyParts<'_> {
    /// Reads the start of a key; `None` if it is none.
    pub fn read(key: &[u8]) -> Option<KeyParts<'_>> {
        let mut parts = key.splitn(5, |b| *b == END);
        let mut part = || parts.next();
        let parts = KeyParts {
            scheme: part()?,
            authority: part()?,
            path: part()?,
            query: part()?.strip_prefix(b"?"),
        };
        part().map(|_| parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(url: &str, options: &KeyOptions) -> Vec<u8> {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (rest, query) =
            rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query.as_bytes())));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let mut out = Vec::new();
        write_key(&mut out, scheme.as_bytes(), authority.as_bytes(), path.as_bytes(), query, options, &[]);
        out
    }

    #[test]
    fn same_resource_same_key() {
        let options = KeyOptions::default();
        for (one, other) in [
            ("http://a/b", "HTTP://A:80/b"),
            ("https://a", "https://a:443/"),
            ("http://a/%7eb", "http://a/~b"),
            ("http://a/%c3%bc?%61", "http://a/%C3%BC?a"),
        ] {
            assert_eq!(key(one, &options), key(other, &options), "{one} {other}");
        }
        for (one, other) in [
            ("http://a/b", "https://a/b"),
            ("http://a/b", "http://a:81/b"),
            ("http://a/b", "http://b/b"),
            ("http://a/b", "http://a/B"),
            ("http://a/b", "http://a/b/"),
            ("http://a/b", "http://a/b?"),
            ("http://a/b?c", "http://a/b?d"),
            ("http://a/b?c", "http://a/b%3Fc"),
            ("http://a/b%2Fc", "http://a/b/c"),
            ("http://a/b?x=1&y=2", "http://a/b?y=2&x=1"),
            ("http://a/b?x=+", "http://a/b?x=%20"),
            ("http://a/./b", "http://a/b"),
        ] {
            assert_ne!(key(one, &options), key(other, &options), "{one} {other}");
        }
    }

    #[test]
    fn queries_by_option() {
        let drop_params = vec!["utm_*".to_owned(), "gclid".to_owned()];
        let drops = KeyOptions { drop_params, sort_query: false };
        let sorts = KeyOptions { sort_query: true, drop_params: Vec::new() };
        for (options, one, other) in [
            (&drops, "http://a/b?utm_source=x&c=1&gclid=2", "http://a/b?c=1"),
            (&drops, "http://a/b?%75tm_source=x", "http://a/b"),
            (&drops, "http://a/b?gclid", "http://a/b"),
            (&sorts, "http://a/b?y=2&x=1", "http://a/b?x=1&y=2"),
        ] {
            assert_eq!(key(one, options), key(other, options), "{one} {other}");
        }
        for (options, one, other) in [
            (&drops, "http://a/b?gclids=1", "http://a/b"),
            (&drops, "http://a/b?utm=1", "http://a/b"),
            (&drops, "http://a/b?", "http://a/b"),
            (&drops, "http://a/b?y=2&x=1", "http://a/b?x=1&y=2"),
            (&sorts, "http://a/b?x=2&x=1", "http://a/b?x=1&x=2"),
            (&sorts, "http://a/b?x=1&&y", "http://a/b?x=1&y"),
        ] {
            assert_ne!(key(one, options), key(other, options), "{one} {other}");
        }
    }

    #[test]
    fn what_does_not_count_is_left_out() {
        let options =
            KeyOptions { drop_params: vec!["utm_*".into(), "gclid".into()], ..KeyOptions::default() };
        let counted =
            |query: &str| options.counted(query.as_bytes()).map(|kept| String::from_utf8(kept).unwrap());
        assert_eq!(counted("a=1&b=%41"), None);
        assert_eq!(counted("a=1&utm_x=2&b=%41&gclid"), Some("a=1&b=%41".into()));
        assert_eq!(counted("%75tm_x=2"), Some(String::new()));
        assert_eq!(KeyOptions::default().counted(b"gclid"), None);
    }

    #[test]
    fn keys_are_read() {
        let mut key = b"http\0a\0/b\0?c\0v\0".to_vec();
        let url = KeyParts { scheme: b"http", authority: b"a", path: b"/b", query: Some(b"c") };
        assert_eq!(KeyParts::read(&key), Some(url));
        key.clear();
        write_key(&mut key, b"https", b"A:443", b"", None, &KeyOptions::default(), &[("pricing", 0)]);
        assert_eq!(key, b"https\0a\0/\0\0pricing\0\0\0\0\0\0\0\0\0");
        let url = KeyParts { scheme: b"https", authority: b"a", path: b"/", query: None };
        assert_eq!(KeyParts::read(&key), Some(url));
        assert_eq!(KeyParts::read(b"http\0a\0/b\0?c"), None);
    }

    #[test]
    fn bytes_with_a_meaning_in_keys_stay_apart() {
        let key = |path: &[u8]| {
            let mut key = Vec::new();
            write_key(&mut key, b"http", b"a", path, None, &KeyOptions::default(), &[]);
            key
        };
        let keys =
            [key(b"\0"), key(b"\x010"), key(b"\x01"), key(b"\x011"), key(b"\x01\x01"), key(b"0"), key(b"1")];
        for (at, one) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(one), "{one:?}");
        }
    }

    type Tuple = (Vec<u8>, Vec<u8>, Vec<u8>, Option<Vec<u8>>, Vec<(String, u64)>);

    fn write((scheme, authority, path, query, versions): &Tuple) -> Vec<u8> {
        let versions: Vec<_> = versions.iter().map(|(name, version)| (name.as_str(), *version)).collect();
        let mut out = Vec::new();
        write_key(&mut out, scheme, authority, path, query.as_deref(), &KeyOptions::default(), &versions);
        out
    }

    /// Bytes that normalisation leaves alone, those with a meaning in keys among them.
    fn part() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(vec![0u8, 1, 2, b'0', b'1', b'?', b'a', b'/']), 1..4)
    }

    fn tuple() -> impl Strategy<Value = Tuple> {
        let versions = prop::collection::vec(("[\\x00\\x01a]{0,2}", 0u64..3), 0..3);
        (part(), part(), part(), prop::option::of(part()), versions)
    }

    proptest! {
        #[test]
        fn different_tuples_have_different_keys(one in tuple(), other in tuple()) {
            prop_assert_eq!(write(&one) == write(&other), one == other);
        }

        #[test]
        fn joined_differently_they_stay_apart(bytes in part(), at in 0usize..3) {
            let (a, b) = bytes.split_at(at.min(bytes.len()));
            let split: Tuple = (b"s".to_vec(), [b"x", a].concat(), [b, b"y"].concat(), None, vec![]);
            let whole: Tuple = (b"s".to_vec(), [b"x", &bytes[..]].concat(), b"y".to_vec(), None, vec![]);
            prop_assert_eq!(write(&split) == write(&whole), split == whole);
        }

        #[test]
        fn arbitrary_bytes_never_panic(
            part in prop::collection::vec(any::<u8>(), 0..40), sort_query: bool,
        ) {
            let options = KeyOptions { sort_query, drop_params: vec!["a*".to_owned(), String::new()] };
            let mut key = Vec::new();
            write_key(&mut key, &part, &part, &part, Some(&part), &options, &[("v", 1)]);
            prop_assert!(KeyParts::read(&key).is_some());
            KeyParts::read(&part);
        }
    }
}
