//! What reading a configuration needs of the system, so that tests and fuzzers can stand in for it.

use std::io::{self, Read};
use std::path::Path;

/// Files of a configuration are small: 16 MiB, all of them together.
pub(super) const LIMIT_BYTES: u64 = 16 << 20;

/// Access to files.
pub trait Files: Send + Sync {
    /// The bytes of a file.
    ///
    /// # Errors
    /// When it cannot be read, or is larger than a configuration may be.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Whether there is something at this path.
    fn exists(&self, path: &Path) -> bool;
}

/// The files of the machine.
#[derive(Debug, Clone, Copy)]
pub struct SystemFiles;

impl Files for SystemFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = std::fs::File::open(path)?.take(LIMIT_BYTES + 1).read_to_end(&mut bytes)?;
        if read as u64 > LIMIT_BYTES {
            return Err(io::Error::other("it is larger than 16 MiB"));
        }
        Ok(bytes)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
}
