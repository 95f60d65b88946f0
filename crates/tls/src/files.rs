//! Noticing that files have changed.

use std::path::PathBuf;
use std::time::SystemTime;

/// What tells one state of a file from another without reading it. Links are followed, so pointing one elsewhere, as
/// Kubernetes does with mounted secrets, is a change too.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    /// Device, inode and time of the last change to either: they differ even when a copy keeps the time of the
    /// original.
    #[cfg(unix)]
    node: (u64, u64, i64, i64),
}

/// The state of several files; a missing one is a state too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamps(Vec<Option<Stamp>>);

impl Stamps {
    /// The state now. Taken before the files are read, so that a change in between is noticed next time.
    pub(super) fn of(files: &[PathBuf]) -> Self {
        Self(files.iter().map(|file| Some(Stamp::of(&std::fs::metadata(file).ok()?))).collect())
    }
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Self {
            modified: metadata.modified().ok(),
            len: metadata.len(),
            #[cfg(unix)]
            node: (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}
