//! The normal form of paths (RFC 3986 §6.2.2), in which routes compare them.

/// Why no route is chosen by a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// It leads out of all that could be meant.
    #[error("the path climbs above its root")]
    AboveRoot,
    /// An application may read it as another path than it stands here, which takes another route.
    #[error("the path can be read in two ways")]
    Ambiguous,
}

/// `pchar` of RFC 3986 §3.3, percent-encodings aside.
const fn allowed_table() -> [bool; 256] {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        allowed[byte] = is_unreserved(b)
            || matches!(
                b,
                b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@'
            );
        byte += 1;
    }
    allowed
}

static ALLOWED: [bool; 256] = allowed_table();

/// What nobody reads in another way than it stands: `;` may stand in a path, but not all take it for a part of it.
const fn plain_table() -> [bool; 256] {
    let mut plain = allowed_table();
    plain[b';' as usize] = false;
    plain
}

static PLAIN: [bool; 256] = plain_table();

const fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')
}

/// Whether a path is surely in normal form already, and read by everybody as it stands, as nearly all are: nothing
/// encoded, no empty or dot segment, no `;`.
pub fn is_normal(path: &[u8]) -> bool {
    let mut after_slash = false;
    for (at, &b) in path.iter().enumerate() {
        if b == b'/' {
            if after_slash {
                return false;
            }
            after_slash = true;
            continue;
        }
        let dot_segment = after_slash
            && b == b'.'
            && matches!(&path[at + 1..], [] | [b'/', ..] | [b'.'] | [b'.', b'/', ..]);
        if dot_segment || !PLAIN[usize::from(b)] {
            return false;
        }
        after_slash = false;
    }
    true
}

/// Writes the normal form of a path (which begins with `/`) to `out`: unreserved characters decoded, all else that
/// a path may not hold encoded in capitals, repeated slashes merged, `.` and `..` resolved. Encoded slashes stay
/// encoded. Normalising twice changes nothing.
///
/// # Errors
/// When the path climbs above its root. `out` then holds nothing of use.
pub fn normalise(path: &[u8], out: &mut Vec<u8>) -> Result<(), BadPath> {
    out.clear();
    let mut segments = path.strip_prefix(b"/").unwrap_or(path).split(|b| *b == b'/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        let start = out.len();
        out.push(b'/');
        normalise_segment(segment, out);
        match &out[start + 1..] {
            b"" | b"." => out.truncate(start),
            b".." => {
                let parent = out[..start].iter().rposition(|b| *b == b'/').ok_or(BadPath::AboveRoot)?;
                out.truncate(parent);
            }
            _ => continue,
        }
        // What ends with such a segment is a directory: `/a/.` is `/a/`.
        if last {
            out.push(b'/');
        }
    }
    Ok(())
}

/// Appends the normal form of one segment.
pub(super) fn normalise_segment(segment: &[u8], out: &mut Vec<u8>) {
    let mut rest = segment;
    while let Some((&b, after)) = rest.split_first() {
        rest = after;
        match (b, decode(after)) {
            (b'%', Some(decoded)) => {
                rest = &after[2..];
                push(decoded, is_unreserved(decoded), out);
            }
            _ => push(b, ALLOWED[usize::from(b)], out),
        }
    }
}

fn push(b: u8, plain: bool, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if plain {
        out.push(b);
    } else {
        out.extend_from_slice(&[b'%', DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]);
    }
}

/// The byte that two hexadecimal digits at the front stand for.
pub(crate) fn decode(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| (*digits.get(at)? as char).to_digit(16);
    Some((digit(0)? << 4 | digit(1)?) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn normal(path: &str) -> Result<String, BadPath> {
        let mut out = Vec::new();
        normalise(path.as_bytes(), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn paths_take_their_normal_form() {
        for (path, expected) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("/%61%2Db%7e", "/a-b~"),
            ("/a%2fb", "/a%2Fb"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/café", "/caf%C3%A9"),
            ("/a|b c", "/a%7Cb%20c"),
            ("//a///b//", "/a/b/"),
            ("/a/./b/.", "/a/b/"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/..", "/"),
            ("/a/%2e%2E/b", "/b"),
            ("/.well-known/x", "/.well-known/x"),
            ("/...", "/..."),
            ("/100%", "/100%25"),
            ("/%zz", "/%25zz"),
            ("/%%34%31", "/%2541"),
        ] {
            assert_eq!(normal(path).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn nothing_climbs_above_the_root() {
        for path in ["/..", "/../a", "/a/../..", "/a/../../b", "/%2e%2e/", "/./..", "//.."] {
            assert_eq!(normal(path), Err(BadPath::AboveRoot), "{path}");
        }
    }

    #[test]
    fn ordinary_paths_are_known_as_normal() {
        for path in ["/", "/a/b.c", "/a/", "/.well-known/acme", "/a.b/..c/.d", "/@x:y!z=1,2"] {
            assert!(is_normal(path.as_bytes()), "{path}");
        }
        for path in
            ["//", "/a//b", "/.", "/./a", "/..", "/a/../b", "/%61", "/é", "/a b", "/a/..", "/a|b", "/a;b"]
        {
            assert!(!is_normal(path.as_bytes()), "{path}");
        }
    }

    proptest! {
        #[test]
        fn the_normal_form_is_stable_and_recognised(
            path in prop::collection::vec(prop::sample::select(b"/.%2eEfF4a1\xc3 b".to_vec()), 0..24)
        ) {
            let path = [b"/".to_vec(), path].concat();
            let (mut once, mut twice) = (Vec::new(), Vec::new());
            if normalise(&path, &mut once).is_ok() {
                prop_assert!(once.starts_with(b"/"));
                normalise(&once, &mut twice).unwrap();
                prop_assert_eq!(&once, &twice);
                prop_assert_eq!(is_normal(&once), !once.contains(&b'%'));
                if is_normal(&path) {
                    prop_assert_eq!(&path, &once);
                }
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(path in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = normalise(&path, &mut Vec::new());
            let _ = is_normal(&path);
        }
    }
}
