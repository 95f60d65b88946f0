//! A process: its CPU time and its hottest thread, its memory, its descriptors.

mod descriptors;
mod family;
mod resident;
mod stat;
mod threads;

#[cfg(test)]
mod tests;

pub(crate) use descriptors::Descriptors;
pub use family::{Family, FamilyReading};
pub(crate) use stat::Stat;
pub use threads::HotThread;
pub(crate) use {descriptors::limit, resident::proportional, threads::schedstat};

use std::fmt;
use std::time::Duration;

use resident::Resident;
use threads::Threads;

use crate::file::{Kept, Reader};
use crate::finder::Pid;
use crate::roots::Roots;
use crate::unknown::Unknown;

/// Threads a process has looked at in one reading. The hottest ones are looked at every time, the others in
/// turn.
pub(crate) const THREADS_A_TICK: usize = 256;

/// What is read of a process. Counters are since it began.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProcessReading {
    /// The process that began it.
    pub parent: u32,
    /// CPU time of all its threads, those that have ended too.
    pub cpu: Duration,
    /// Time its threads wanted to run and waited for a core, since it was first read: grows by what is seen
    /// of each thread when its turn comes.
    pub run_delay: Option<Duration>,
    /// Threads.
    pub threads: u64,
    /// The thread that used most CPU lately; `None` until a thread was read twice.
    pub hottest: Option<HotThread>,
    /// Memory held, pages shared with others in full.
    pub resident_bytes: u64,
    /// Memory held, pages shared with others in proportion; at most ten seconds old.
    pub proportional_bytes: Option<u64>,
    /// Pages it had to read from disk.
    pub major_faults: u64,
    /// Open descriptors.
    pub descriptors: Option<u64>,
    /// Descriptors it may have.
    pub descriptor_limit: Option<u64>,
}

/// What one short file tells of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    /// CPU time of all its threads, those that have ended too.
    pub cpu: Duration,
    /// Memory held, pages shared with others in full.
    pub resident_bytes: u64,
}

/// The process has ended; another may have its number by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone(pub Pid);

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} has ended", self.0.number)
    }
}

impl std::error::Error for Gone {}

/// The source for one process.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    reader: Reader,
    stat: Kept,
    threads: Threads,
    resident: Resident,
    descriptors: Descriptors,
}

impl Process {
    /// The process of that number, as it is now.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(roots: &Roots, number: u32) -> Result<Self, Gone> {
        let mut process = Self::of(roots, Pid { number, started: 0 });
        match process.reader.parse_bytes(&mut process.stat, Stat::parse) {
            Some(stat) => {
                process.pid.started = stat.started;
                Ok(process)
            }
            None => Err(Gone(process.pid)),
        }
    }

    /// The process that a [`Finder`](crate::Finder) found. Whether it still is shows in the first reading.
    pub fn of(roots: &Roots, pid: Pid) -> Self {
        let path = roots.proc(pid.number.to_string());
        Self {
            pid,
            reader: Reader::default(),
            stat: Kept::new(path.join("stat"), "process").reopened(),
            threads: Threads::new(&path),
            resident: Resident::new(&path),
            descriptors: Descriptors::new(roots, &pid.number.to_string()),
        }
    }

    /// Which it is.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Reads it all.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn read(&mut self, now: Duration) -> Result<ProcessReading, Gone> {
        let mut reading = self.read_bounded(now, THREADS_A_TICK)?;
        reading.proportional_bytes = self.resident.proportional(now, &mut self.reader);
        reading.descriptors = self.descriptors.count(now, &mut self.reader);
        reading.descriptor_limit = self.descriptors.limit(now, &mut self.reader);
        Ok(reading)
    }

    /// Reads what costs next to nothing.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn glance(&mut self) -> Result<Glance, Gone> {
        let stat = self.stat()?;
        Ok(Glance { cpu: stat.cpu, resident_bytes: stat.resident_bytes() })
    }

    fn stat(&mut self) -> Result<Stat, Gone> {
        let stat = self.reader.parse_bytes(&mut self.stat, Stat::parse);
        stat.filter(|stat| stat.started == self.pid.started).ok_or(Gone(self.pid))
    }

    /// What is read each second of every process of a family: CPU and threads, so many of them.
    fn read_bounded(&mut self, now: Duration, threads: usize) -> Result<ProcessReading, Gone> {
        let stat = self.stat()?;
        self.threads.read(now, threads, &mut self.reader);
        Ok(ProcessReading {
            parent: stat.parent,
            cpu: stat.cpu,
            run_delay: self.threads.run_delay(),
            threads: stat.threads,
            hottest: self.threads.hottest(),
            resident_bytes: stat.resident_bytes(),
            proportional_bytes: self.resident.last(),
            major_faults: stat.major_faults,
            descriptors: None,
            descriptor_limit: None,
        })
    }

    /// What it does not know at present.
    pub fn unknown(&self) -> impl Iterator<Item = &Unknown> {
        self.reader.unknown()
    }
}
