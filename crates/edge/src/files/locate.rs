//! From the path of a URL to an open file, and nowhere else.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::route::decode_percent;

/// What a path leads to.
#[derive(Debug)]
pub(super) enum Found {
    File(Opened),
    /// A directory asked for without the slash at its end.
    Directory,
}

/// An open regular file.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    /// Bytes in it.
    pub(super) len: u64,
    pub(super) modified: SystemTime,
    pub(super) content_type: String,
}

/// The relative path that the path of a URL stands for, each segment percent-decoded. `None` when a segment is
/// malformed, begins with a dot (`..` among them), or decodes to what no name holds: a slash, a backslash, NUL.
pub fn decode_path(below: &[u8]) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    let mut name = Vec::new();
    for segment in below.split(|b| *b == b'/').filter(|segment| !segment.is_empty()) {
        name.clear();
        let mut rest = segment;
        while let Some((&b, after)) = rest.split_first() {
            rest = after;
            name.push(if b == b'%' {
                rest = after.get(2..)?;
                decode_percent(after)?
            } else {
                b
            });
        }
        if name.starts_with(b".") || name.iter().any(|b| matches!(b, b'/' | b'\\' | 0)) {
            return None;
        }
        path.push(OsStr::from_bytes(&name));
    }
    Some(path)
}

/// Opens the file at a path below the root, or the index of the directory there. Links are followed as long as
/// they stay within the root.
///
/// # Errors
/// When there is no such file, it may not be read, or the system fails. Blocks.
pub(super) fn open(root: &Path, path: &Path, named_directory: bool, index: &str) -> io::Result<Found> {
    let root = root.canonicalize()?;
    let within = |path: PathBuf| {
        let path = path.canonicalize()?;
        if path.starts_with(&root) { Ok(path) } else { Err(io::Error::from(Errno::NOENT)) }
    };
    let mut name = path;
    let mut real = within(root.join(path))?;
    match (real.metadata()?.is_dir(), named_directory) {
        (true, false) => return Ok(Found::Directory),
        (true, true) => {
            name = Path::new(index);
            real = within(real.join(index))?;
        }
        (false, true) => return Err(Errno::NOTDIR.into()),
        (false, false) => {}
    }
    // The real path has no links left; one put there since is not followed. A pipe would block without NONBLOCK.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(&real)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Errno::NOENT.into());
    }
    let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
    Ok(Found::File(Opened { file, len: metadata.len(), modified, content_type: content_type(name) }))
}

/// By the extension of the name that was asked for. Text is taken to be UTF-8.
fn content_type(name: &Path) -> String {
    let guess = mime_guess::from_path(name);
    match guess.first_raw() {
        Some(text) if text.starts_with("text/") => format!("{text}; charset=utf-8"),
        Some(other) => other.to_owned(),
        None => "application/octet-stream".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    #[test]
    fn segments_are_decoded() {
        for (below, path) in [
            ("", ""),
            ("a/b.txt", "a/b.txt"),
            ("a//b/", "a/b"),
            ("a%20b/caf%C3%A9", "a b/café"),
            ("%2541", "%41"),
        ] {
            assert_eq!(decode_path(below.as_bytes()), Some(PathBuf::from(path)), "{below}");
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_refused() {
        for below in [
            "..",
            "a/../b",
            "%2e%2e/etc/passwd",
            ".%2E",
            ".env",
            "a/.git/config",
            "%2eenv",
            "a%2fb",
            "a%5cb",
            "a\\b",
            "a%00",
            "a%0",
            "a%zz",
            "%",
        ] {
            assert_eq!(decode_path(below.as_bytes()), None, "{below}");
        }
    }

    #[test]
    fn types_are_known_by_extension() {
        for (name, expected) in [
            ("a.html", "text/html; charset=utf-8"),
            ("a.CSS", "text/css; charset=utf-8"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.png", "image/png"),
            ("a.json", "application/json"),
            ("a.wasm", "application/wasm"),
            ("a", "application/octet-stream"),
        ] {
            assert_eq!(content_type(Path::new(name)), expected);
        }
    }

    proptest! {
        #[test]
        fn every_decoded_path_stays_below(below in prop::collection::vec(prop::sample::select(b"./%2eEfF0\\5cCa".to_vec()), 0..30)) {
            if let Some(path) = decode_path(&below) {
                prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(below in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode_path(&below);
        }
    }
}
