//! Which requests a response answers beside the one it was made for (RFC 9111 §4.1).

mod accept;

use smallvec::SmallVec;

use super::fields::Fields;
use super::list::{is_token, members};
use super::refusal::NotStored;

/// A response that depends on more request fields is made for one client.
const MAX_NAMES: usize = 16;
/// Longer names are none that clients send.
const MAX_NAME: usize = 128;
/// What the request fields may come to, in bytes.
const MAX_KEY: usize = 4 * 1024;

/// The request fields a response depends on: in lower case, sorted, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Vary {
    names: SmallVec<[Box<str>; 2]>,
}

impl Vary {
    /// Of a response. `*`, what is no field name, and more than 16 names are refused.
    pub fn of<F: Fields + ?Sized>(response: &F) -> Result<Self, NotStored> {
        let mut names: SmallVec<[Box<str>; 2]> = SmallVec::new();
        for name in response.values("vary").flat_map(members) {
            if name == b"*" {
                return Err(NotStored::VaryAny);
            }
            let readable = std::str::from_utf8(name).ok().filter(|name| is_token(name.as_bytes()));
            let name = readable.ok_or(NotStored::VaryAny)?.to_ascii_lowercase().into_boxed_str();
            let Err(place) = names.binary_search(&name) else { continue };
            if names.len() == MAX_NAMES || name.len() > MAX_NAME {
                return Err(NotStored::VaryTooLong);
            }
            names.insert(place, name);
        }
        Ok(Self { names })
    }

    /// Whether it depends on none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// Appends the secondary key of a request: that of two requests is the same if, and only if, a response that
    /// varies so answers both. False when it would be longer than 4 KiB: such a request is answered by nothing stored,
    /// and its response is not stored.
    ///
    /// Field lines of a name are joined, blanks around commas do not count. `Accept-Encoding` counts as the set of
    /// codings it accepts, whatever their weights; `Accept-Language` in lower case, its order kept, since origins
    /// prefer the first of equals. An absent field is like an absent one only.
    pub fn write_key<F: Fields + ?Sized>(&self, request: &F, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        for name in &self.names {
            let mut values = request.values(name).peekable();
            if values.peek().is_none() {
                out.push(0);
                continue;
            }
            out.push(1);
            let length = out.len();
            out.extend_from_slice(&[0; 2]);
            match &**name {
                "accept-encoding" => accept::write_encodings(request, name, out),
                "accept-language" => {
                    write_joined(values, out);
                    out[length + 2..].make_ascii_lowercase();
                }
                _ => write_joined(values, out),
            }
            if out.len() - start > MAX_KEY {
                out.truncate(start);
                return false;
            }
            // It fits: the bound is far less.
            let written = (out.len() - length - 2) as u16;
            out[length..length + 2].copy_from_slice(&written.to_le_bytes());
        }
        true
    }
}

/// Writes the members of all lines with single commas between them.
fn write_joined<'a>(lines: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    let start = out.len();
    for member in lines.flat_map(members) {
        if out.len() > start {
            out.push(b',');
        }
        if out.len() - start > MAX_KEY {
            return;
        }
        out.extend_from_slice(member);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(lines: &[&str]) -> Result<Vec<String>, NotStored> {
        let lines: Vec<_> = lines.iter().map(|line| ("Vary", line)).collect();
        Ok(Vary::of(&lines)?.names().map(str::to_owned).collect())
    }

    #[test]
    fn names_are_read() {
        assert_eq!(names(&[]).unwrap(), [""; 0]);
        assert_eq!(names(&["Foo, bar", "", ",Baz, FOO"]).unwrap(), ["bar", "baz", "foo"]);
        for lines in
            [&["*"][..], &["*, *"], &["*", "*"], &[", *"], &["", "*"], &["*, Foo"], &["Foo, *"], &["a b"]]
        {
            assert_eq!(names(lines), Err(NotStored::VaryAny), "{lines:?}");
        }
        let many = |count: usize| (0..count).map(|at| format!("x{at}")).collect::<Vec<_>>().join(",");
        assert_eq!(names(&[&many(16), &many(16)]).unwrap().len(), 16);
        assert_eq!(names(&[&many(17)]), Err(NotStored::VaryTooLong));
        assert_eq!(names(&[&"x".repeat(200)]), Err(NotStored::VaryTooLong));
    }

    type List<'a> = &'a [(&'a str, &'a str)];

    fn key(vary: &str, request: List<'_>) -> Vec<u8> {
        let mut out = b"before".to_vec();
        assert!(Vary::of([("vary", vary)].as_slice()).unwrap().write_key(request, &mut out));
        assert!(out.starts_with(b"before"));
        out
    }

    #[test]
    fn requests_that_match() {
        for (vary, one, other) in [
            ("foo", &[("Foo", "1")][..], &[("foo", "1"), ("Other", "2")][..]),
            ("foo", &[("Foo", "1,2")], &[("Foo", " 1 ,\t2 ")]),
            ("foo", &[("Foo", "1, 2")], &[("Foo", "1"), ("Foo", "2")]),
            ("foo, bar, baz", &[("Foo", "1"), ("Baz", "3")], &[("Baz", "3"), ("Foo", "1")]),
            ("foo", &[], &[("Other", "2")]),
            ("accept-language", &[("Accept-Language", "en, de")], &[("Accept-Language", " eN ,   De")]),
            ("accept-encoding", &[("Accept-Encoding", "gzip, br")], &[("Accept-Encoding", "BR;q=0.5,GZIP")]),
        ] {
            assert_eq!(key(vary, one), key(vary, other), "{vary} {one:?} {other:?}");
        }
    }

    #[test]
    fn requests_that_differ() {
        for (vary, one, other) in [
            ("foo", &[("Foo", "1")][..], &[("Foo", "2")][..]),
            ("foo", &[("Foo", "1")], &[]),
            ("foo", &[("Foo", "")], &[]),
            ("foo", &[("Foo", "a")], &[("Foo", "A")]),
            ("foo", &[("Foo", "1,2")], &[("Foo", "2,1")]),
            ("foo", &[("Foo", "\"1,2\"")], &[("Foo", "\"1, 2\"")]),
            ("foo, bar", &[("Foo", "1")], &[("Bar", "1")]),
            ("foo, bar", &[("Foo", "1"), ("Bar", "2")], &[("Foo", "2"), ("Bar", "1")]),
            ("foo, bar", &[("Foo", "ab"), ("Bar", "c")], &[("Foo", "a"), ("Bar", "bc")]),
            ("accept-language", &[("Accept-Language", "en, de")], &[("Accept-Language", "de, en")]),
            ("accept-encoding", &[("Accept-Encoding", "gzip")], &[("Accept-Encoding", "br")]),
            ("accept-encoding", &[("Accept-Encoding", "")], &[]),
        ] {
            assert_ne!(key(vary, one), key(vary, other), "{vary} {one:?} {other:?}");
        }
    }

    #[test]
    fn keys_are_bounded() {
        let vary = Vary::of([("vary", "a, b")].as_slice()).unwrap();
        let mut out = b"before".to_vec();
        for long in ["x".repeat(MAX_KEY), "x,".repeat(1 << 20)] {
            assert!(!vary.write_key([("a", "1"), ("b", &long)].as_slice(), &mut out));
            assert_eq!(out, b"before");
        }
    }

    proptest! {
        #[test]
        fn equal_keys_mean_equal_values(
            one in prop::collection::vec(prop::option::of("[ab]{0,3}"), 3),
            other in prop::collection::vec(prop::option::of("[ab]{0,3}"), 3),
        ) {
            let list = |values: &[Option<String>]| -> Vec<(String, String)> {
                let named = ["x", "y", "z"].iter().zip(values);
                named.filter_map(|(name, value)| Some(((*name).to_owned(), value.clone()?))).collect()
            };
            let vary = Vary::of([("vary", "x, y, z")].as_slice()).unwrap();
            let (mut a, mut b) = (Vec::new(), Vec::new());
            prop_assert!(vary.write_key(&list(&one), &mut a) && vary.write_key(&list(&other), &mut b));
            prop_assert_eq!(a == b, one == other);
        }

        #[test]
        fn arbitrary_bytes_never_panic(value in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Vary::of([("vary", value.as_slice())].as_slice());
            let vary = Vary::of([("vary", "accept-encoding, accept-language, x")].as_slice()).unwrap();
            let request = [("x", value.as_slice()), ("accept-encoding", &value), ("accept-language", &value)];
            prop_assert!(vary.write_key(request.as_slice(), &mut Vec::new()));
        }
    }
}
