//! Where the kernel's files are.

use std::path::{Path, PathBuf};

/// As which the proc file system knows the process that asks.
pub(crate) const OWN: &str = "self";

/// The directories everything is read below; those of a test are fixtures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// The proc file system, `/proc` on every Linux.
    pub proc: PathBuf,
    /// The sys file system with the control groups, `/sys` on every Linux.
    pub sys: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { proc: PathBuf::from("/proc"), sys: PathBuf::from("/sys") }
    }
}

impl Roots {
    pub(crate) fn proc(&self, path: impl AsRef<Path>) -> PathBuf {
        self.proc.join(path)
    }

    pub(crate) fn sys(&self, path: impl AsRef<Path>) -> PathBuf {
        self.sys.join(path)
    }
}
