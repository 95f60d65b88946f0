//! Disks: how busy they are, and how much room a directory has.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::file::{Kept, Reader};
use crate::pressure::{self, Pressure};
use crate::roots::Roots;
use crate::text::take_numbers;
use crate::unknown::Unknown;

/// The kernel counts in these, whatever the device's own size is.
const SECTOR: u64 = 512;
/// More devices than these are not looked at.
const MOST_DEVICES: usize = 256;

/// A block device, a partition too. Counters are since boot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Device {
    /// As the kernel calls it.
    pub name: String,
    /// Its number: what [`Space::device`] tells of a directory.
    pub number: (u32, u32),
    /// Reads done.
    pub reads: u64,
    /// Writes done.
    pub writes: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Time in which at least one request was under way. A device that works on many at once is not full
    /// when this is the whole time.
    pub busy: Duration,
    /// The sum of all requests' time: its growth per second is the mean queue.
    pub queued: Duration,
}

/// What the disk source reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DiskReading {
    /// Devices that have done anything.
    pub devices: Vec<Device>,
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
    /// Files there can be; `None` where the file system has no such limit.
    pub inodes: Option<u64>,
    /// Files there can still be.
    pub inodes_available: Option<u64>,
    /// The number of the device it is on.
    pub device: (u32, u32),
}

impl Space {
    /// Asks the file system.
    ///
    /// # Errors
    /// When there is no such directory, or it may not be looked at.
    pub fn of(directory: &Path) -> io::Result<Self> {
        let found = rustix::fs::statvfs(directory)?;
        let device = rustix::fs::stat(directory)?.st_dev;
        let inodes = (found.f_files > 0).then_some(found.f_files);
        Ok(Self {
            total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
            available_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            inodes,
            inodes_available: inodes.map(|_| found.f_favail),
            device: (rustix::fs::major(device), rustix::fs::minor(device)),
        })
    }
}

/// The disk source.
#[derive(Debug)]
pub struct Disk {
    reader: Reader,
    diskstats: Kept,
    pressure: Kept,
}

impl Disk {
    /// The machine's disks.
    pub fn new(roots: &Roots) -> Self {
        Self {
            reader: Reader::default(),
            diskstats: Kept::new(roots.proc("diskstats"), "disks"),
            pressure: Kept::with_hint(roots.proc("pressure/io"), "disk pressure", pressure::HINT),
        }
    }

    /// Reads it all.
    pub fn read(&mut self, _now: Duration) -> DiskReading {
        DiskReading {
            devices: self.reader.parse(&mut self.diskstats, diskstats).unwrap_or_default(),
            pressure: self.reader.parse(&mut self.pressure, pressure::parse),
        }
    }

    /// What it does not know at present.
    pub fn unknown(&self) -> impl Iterator<Item = &Unknown> {
        self.reader.unknown()
    }
}

/// `/proc/diskstats`. A machine without disks has an empty one.
pub(crate) fn diskstats(text: &str) -> Option<Vec<Device>> {
    let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let devices: Vec<_> = lines.filter_map(device).filter(|it| it.reads > 0 || it.writes > 0).collect();
    let understood =
        !devices.is_empty() || text.is_empty() || text.lines().any(|line| device(line).is_some());
    understood.then_some(devices).map(|mut devices| {
        devices.truncate(MOST_DEVICES);
        devices
    })
}

/// major minor name, then reads merged sectors ms, writes merged sectors ms, in flight, busy ms, queued ms.
fn device(line: &str) -> Option<Device> {
    let mut words = line.split_ascii_whitespace();
    let number = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let name = words.next()?;
    let [reads, _, sectors_read, _, writes, _, sectors_written, _, _, busy, queued] =
        take_numbers(&mut words)?;
    Some(Device {
        name: name.to_owned(),
        number,
        reads,
        writes,
        read_bytes: sectors_read.saturating_mul(SECTOR),
        written_bytes: sectors_written.saturating_mul(SECTOR),
        busy: Duration::from_millis(busy),
        queued: Duration::from_millis(queued),
    })
}

#[cfg(test)]
mod tests;
