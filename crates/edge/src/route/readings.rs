//! How else an application may read a path.
//!
//! Some decode a path before they split it, so that `%2F` is a slash to them (WSGI, CGI); some take a backslash for one
//! (IIS); some leave out of each segment what follows a `;` (Java's servlets), of the path as it was sent or decoded. Which
//! of it an application does nobody tells us, so all of it is tried, each alone and together. Each way is one that a server
//! has for all of a path, so they are few however long the path is.

use super::normal::{decode, normalise};

/// The longest path that is read in more than one way, bytes. Nobody shall have a long one read a dozen times.
const MAX_BYTES: usize = 4_096;

/// One way to read a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    /// `%2F` is a slash.
    slash: bool,
    /// A backslash is a slash, encoded or not.
    backslash: bool,
    parameters: Parameters,
}

/// What becomes of `;` and what follows it in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parameters {
    Kept,
    /// Left out, up to the next slash as it was sent.
    OfSent,
    /// Left out, up to whatever is a slash to this reading.
    OfRead,
}

/// Whether all other ways to read a path lead to paths, in normal form, that `agrees` holds for. Of a path that cannot be
/// read in another way there are none; one that can be and is longer than 4 KiB counts as one that does not agree.
pub(super) fn agree(path: &[u8], agrees: impl Fn(&[u8]) -> bool) -> bool {
    let (mut read, mut resolved) = (Vec::new(), Vec::new());
    ways(path).all(|reading| {
        if path.len() > MAX_BYTES {
            return false;
        }
        reading.read(path, &mut read);
        // What climbs above the root is a path of somebody else.
        normalise(&read, &mut resolved).is_ok() && agrees(&resolved)
    })
}

/// What stands at the front of a path, if it can be read in two ways, and how long it is.
fn doubtful(path: &[u8]) -> Option<(u8, usize)> {
    match path {
        [b @ (b'\\' | b';'), ..] => Some((*b, 1)),
        [b'%', digits @ ..] => {
            decode(digits).filter(|b| matches!(b, b'/' | b'\\' | b';')).map(|decoded| (decoded, 3))
        }
        _ => None,
    }
}

/// The ways to read a path that differ from how it stands.
fn ways(path: &[u8]) -> impl Iterator<Item = Reading> {
    let found = (0..path.len()).filter_map(|at| doubtful(&path[at..]));
    let (mut slash, mut backslash, mut parameters) = (false, false, false);
    for (b, _) in found {
        match b {
            b'/' => slash = true,
            b'\\' => backslash = true,
            _ => parameters = true,
        }
    }
    let or_not = |there: bool| if there { &[false, true][..] } else { &[false] };
    let parameters = match (parameters, slash || backslash) {
        (false, _) => &[Parameters::Kept][..],
        (true, false) => &[Parameters::Kept, Parameters::OfSent],
        (true, true) => &[Parameters::Kept, Parameters::OfSent, Parameters::OfRead],
    };
    let as_it_stands = Reading { slash: false, backslash: false, parameters: Parameters::Kept };
    or_not(slash)
        .iter()
        .flat_map(move |slash| or_not(backslash).iter().map(move |backslash| (*slash, *backslash)))
        .flat_map(move |(slash, backslash)| {
            parameters.iter().map(move |parameters| Reading { slash, backslash, parameters: *parameters })
        })
        .filter(move |reading| *reading != as_it_stands)
}

impl Reading {
    /// Writes the path as it is read, its segments still to be resolved.
    fn read(self, path: &[u8], out: &mut Vec<u8>) {
        out.clear();
        let mut rest = path;
        let mut leaves_out = false;
        while let Some(&first) = rest.first() {
            let (byte, length) = match doubtful(rest) {
                Some((b'/', length)) if self.slash => (b'/', length),
                Some((b'\\', length)) if self.backslash => (b'/', length),
                // Decoded first, it begins parameters like any other.
                Some((b';', length)) if self.parameters != Parameters::Kept => (b';', length),
                _ => (first, 1),
            };
            match byte {
                b'/' if first == b'/' || self.parameters == Parameters::OfRead => leaves_out = false,
                b';' => leaves_out |= self.parameters != Parameters::Kept,
                _ => {}
            }
            if !leaves_out {
                out.push(byte);
            }
            rest = &rest[length..];
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// All paths that one can be read as, besides itself.
    fn readings(path: &str) -> Vec<String> {
        let mut normal = Vec::new();
        let _ = normalise(path.as_bytes(), &mut normal);
        let found = std::cell::RefCell::new(BTreeSet::new());
        let all = agree(path.as_bytes(), |reading| {
            found.borrow_mut().insert(String::from_utf8(reading.to_vec()).unwrap());
            true
        });
        let mut found: Vec<_> =
            found.into_inner().into_iter().filter(|one| one.as_bytes() != normal).collect();
        if !all {
            found.push("above the root".into());
        }
        found
    }

    #[test]
    fn paths_are_read_as_applications_may_read_them() {
        for (path, expected) in [
            ("/a/b", &[][..]),
            ("/a%20b/%7Ec", &[]),
            ("/a%2fb", &["/a/b"]),
            ("/a%2Fb", &["/a/b"]),
            ("/a%5cb", &["/a/b"]),
            ("/a\\b", &["/a/b"]),
            ("/a%2f%2fb", &["/a/b"]),
            ("/a/b%2f..%2fc", &["/a/c"]),
            ("/a/%2e%2e%2fb", &["/b"]),
            ("/a/..%5cb", &["/b"]),
            ("/a;x", &["/a"]),
            ("/a;x/b", &["/a/b"]),
            ("/a%3bx/b", &["/a/b"]),
            ("/;x/a", &["/a"]),
            ("/a/..;/b", &["/b"]),
            ("/a/..;x=1/b;y", &["/b"]),
            ("/a/;/b", &["/a/b"]),
            ("/a/.;x", &["/a/"]),
            // Decoded first or last, parameters end elsewhere.
            ("/a;x%2fb", &["/a", "/a/b", "/a;x/b"]),
            ("/a%2fb%5cc", &["/a%2Fb/c", "/a/b%5Cc", "/a/b/c"]),
            // Once is how often any of them decodes.
            ("/a%252fb", &[]),
            ("/a/%2e%2e%2f..%2fb", &["above the root"]),
            // A segment that is two to others takes as many to be left.
            ("/a/b%2Fc/../../d", &["/a/d"]),
            ("/a/b;/../c", &[]),
        ] {
            assert_eq!(readings(path), expected, "{path}");
        }
    }

    #[test]
    fn a_long_path_is_not_read_again_and_again() {
        let long = |doubtful: &str| format!("/{}{doubtful}", "a".repeat(MAX_BYTES));
        assert!(agree(long("").as_bytes(), |_| false));
        assert!(!agree(long("%2f").as_bytes(), |_| true));
        assert!(agree(long("%2f").as_bytes()[..MAX_BYTES].as_ref(), |_| false));
    }

    proptest! {
        #[test]
        fn there_are_few_ways_and_each_is_a_path(
            path in prop::collection::vec(prop::sample::select(b"/.%2fF5cC3bB;a\\\xc3".to_vec()), 0..40)
        ) {
            let path = [&b"/"[..], &path].concat();
            prop_assert!(ways(&path).count() <= 11);
            let all = agree(&path, |_| true);
            prop_assert!(agree(&path, |reading| reading.starts_with(b"/")) == all);
        }
    }
}
