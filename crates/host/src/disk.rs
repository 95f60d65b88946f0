//! Disks: whether they are waited for, and how much room a directory has.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::file::{Kept, Reader};
use crate::pressure::{self, Pressure};
use crate::roots::Roots;
use crate::unknown::Unknown;

/// What the disk source reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DiskReading {
    /// Time in which tasks waited for the disk.
    pub pressure: Option<Pressure>,
}

/// Room in the file system of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// All of it.
    pub total_bytes: u64,
    /// What programs without privileges may still use.
    pub available_bytes: u64,
}

impl Space {
    /// Asks the file system.
    ///
    /// # Errors
    /// When there is no such directory, or it may not be looked at.
    pub fn of(directory: &Path) -> io::Result<Self> {
        let found = rustix::fs::statvfs(directory)?;
        Ok(Self {
            total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
            available_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        })
    }
}

/// The disk source.
#[derive(Debug)]
pub struct Disk {
    reader: Reader,
    pressure: Kept,
}

impl Disk {
    /// The machine's disks.
    pub fn new(roots: &Roots) -> Self {
        Self {
            reader: Reader::default(),
            pressure: Kept::with_hint(roots.proc("pressure/io"), "disk pressure", pressure::HINT),
        }
    }

    /// Reads it all.
    pub fn read(&mut self, _now: Duration) -> DiskReading {
        DiskReading { pressure: self.reader.parse(&mut self.pressure, pressure::parse) }
    }

    /// What it does not know at present.
    pub fn unknown(&self) -> impl Iterator<Item = &Unknown> {
        self.reader.unknown()
    }
}

#[cfg(test)]
mod tests;
