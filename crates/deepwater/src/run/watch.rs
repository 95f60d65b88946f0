//! Noticing that a file has changed.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// What tells one content of a file from another, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Look {
    /// None for a file that is not there. Links are followed: a mounted directory may be exchanged as a whole.
    fn at(file: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(file).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

/// Watches a file, or nothing.
pub(super) struct Watch {
    file: Option<PathBuf>,
    ticks: Interval,
    seen: Option<Look>,
    /// Another look, that may still be in the middle of being written.
    pending: Option<Look>,
}

impl Watch {
    /// From how the file is now.
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let seen = file.as_deref().and_then(Look::at);
        Self { file, ticks, seen, pending: None }
    }

    /// Resolves when the file has changed, and has stayed as it is from one look to the next.
    pub(super) async fn changed(&mut self) {
        let Some(file) = &self.file else { return std::future::pending().await };
        loop {
            self.ticks.tick().await;
            let now = Look::at(file);
            if now.is_none() || now == self.seen {
                // One that has gone is being replaced.
                self.pending = None;
            } else if now == self.pending {
                self.seen = now;
                return;
            } else {
                self.pending = now;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_file_is_told_once_it_has_settled() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "one").unwrap();
        let mut watch = Watch::new(Some(file.clone()));
        assert!(tokio::time::timeout(EVERY * 10, watch.changed()).await.is_err(), "nothing has changed");

        std::fs::remove_file(&file).unwrap();
        assert!(tokio::time::timeout(EVERY * 10, watch.changed()).await.is_err(), "it will come back");

        std::fs::write(&file, "another").unwrap();
        watch.changed().await;
        assert!(tokio::time::timeout(EVERY * 10, watch.changed()).await.is_err(), "it is told once");
        let nothing = tokio::time::timeout(EVERY * 10, async { Watch::new(None).changed().await });
        assert!(nothing.await.is_err());
    }
}
