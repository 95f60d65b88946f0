//! Threads: which is hottest, and how long they all waited for a core.
//!
//! A Node event loop or a Python interpreter that has one core to itself is at its end while the machine is
//! half idle: only its thread shows it. Reading a thousand threads every second would cost more than it
//! tells, so a tick reads the few hottest, and of the others as many as fit, in turn.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use foldhash::{HashMap, HashMapExt as _};
use rustix::fs::{CWD, Mode, OFlags, openat};

use super::Stat;
use crate::file::Reader;
use crate::unknown::Why;

/// Threads that are read every time.
const HOT: usize = 8;
/// More threads than these a process may have, but no others are looked at.
const MOST_THREADS: usize = 16_384;
/// A thread's files are short: one `read` gets them whole.
const MOST_BYTES: usize = 1_024;
const WHAT: &str = "threads";

/// The busiest thread of a process, lately.
#[derive(Debug, Clone, PartialEq)]
pub struct HotThread {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// CPU seconds per second between the last two looks at it: 1.0 is a core to itself.
    pub cpu: f64,
}

/// What a thread has had and waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) cpu: Duration,
    /// Unknown where the kernel keeps no scheduler statistics.
    pub(crate) delay: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Duration,
    ran: Ran,
    /// The round in which the thread was last listed.
    round: u32,
}

#[derive(Debug)]
pub(super) struct Threads {
    directory: PathBuf,
    /// Threads of this round, and how far it has come.
    listed: Vec<u32>,
    next: usize,
    round: u32,
    seen: HashMap<u32, Seen>,
    /// The hottest, with the CPU seconds per second of their last look.
    hot: Vec<(u32, f64)>,
    delay: Option<Duration>,
    buffer: Vec<u8>,
}

impl Threads {
    pub(super) fn new(process: &Path) -> Self {
        Self {
            directory: process.join("task"),
            listed: Vec::new(),
            next: 0,
            round: 0,
            seen: HashMap::new(),
            hot: Vec::with_capacity(HOT + 1),
            delay: None,
            buffer: Vec::new(),
        }
    }

    /// Looks at no more than `most` threads.
    pub(super) fn read(&mut self, now: Duration, most: usize, reader: &mut Reader) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = match openat(CWD, &self.directory, flags, Mode::empty()) {
            Ok(directory) => fs::File::from(directory),
            Err(error) => {
                let why = Why::from(&std::io::Error::from(error));
                reader.unknowns().note(WHAT, &self.directory, "", why);
                return;
            }
        };
        reader.unknowns().clear(WHAT, &self.directory);
        let before = std::mem::take(&mut self.hot);
        for (thread, _) in &before {
            self.look(&directory, *thread, now);
        }
        if self.next >= self.listed.len() {
            self.list(reader);
        }
        let end = self.listed.len().min(self.next + most.saturating_sub(before.len()));
        for at in self.next..end {
            let thread = self.listed[at];
            if !before.iter().any(|(hot, _)| *hot == thread) {
                self.look(&directory, thread, now);
            }
        }
        self.next = end;
    }

    /// Begins a round; threads that were not listed in the last one are forgotten.
    fn list(&mut self, reader: &mut Reader) {
        let last = self.round;
        self.round += 1;
        self.listed.clear();
        self.next = 0;
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        self.listed.extend(numbers.take(MOST_THREADS + 1));
        if self.listed.len() > MOST_THREADS {
            self.listed.truncate(MOST_THREADS);
            reader.unknowns().note(WHAT, &self.directory, "", Why::TooMany);
        }
        self.seen.retain(|_, seen| seen.round >= last);
    }

    fn look(&mut self, directory: &fs::File, thread: u32, now: Duration) {
        let Some(ran) = ran(directory, thread, &mut self.buffer) else {
            self.seen.remove(&thread);
            return;
        };
        let before = self.seen.insert(thread, Seen { at: now, ran, round: self.round });
        if let Some(delay) = ran.delay {
            // A thread that is new after the first round has begun since; one of the first round has a past
            // that is not this reading's.
            let past = match before {
                Some(before) => before.ran.delay,
                None if self.round <= 1 => Some(delay),
                None => Some(Duration::ZERO),
            };
            let more = past.and_then(|past| delay.checked_sub(past)).unwrap_or_default();
            self.delay = Some(self.delay.unwrap_or_default().saturating_add(more));
        }
        if let Some(cpu) = before.and_then(|before| rate(&before, &ran, now)) {
            let place = self.hot.partition_point(|(_, hotter)| *hotter >= cpu);
            if place < HOT {
                self.hot.insert(place, (thread, cpu));
                self.hot.truncate(HOT);
            }
        }
    }

    pub(super) fn run_delay(&self) -> Option<Duration> {
        self.delay
    }

    pub(super) fn hottest(&self) -> Option<HotThread> {
        let (id, cpu) = *self.hot.first()?;
        let name = fs::read(self.directory.join(id.to_string()).join("comm")).unwrap_or_default();
        Some(HotThread { id, name: String::from_utf8_lossy(name.trim_ascii_end()).into_owned(), cpu })
    }
}

/// CPU seconds per second since the last look. Another thread of the same number, whose counter went back,
/// has none yet; nor has one that would have had more than a core.
fn rate(before: &Seen, ran: &Ran, now: Duration) -> Option<f64> {
    let gap = now.checked_sub(before.at).filter(|gap| !gap.is_zero())?;
    let cpu = ran.cpu.checked_sub(before.ran.cpu)?.as_secs_f64() / gap.as_secs_f64();
    // Ticks and clocks are coarse: a full core can seem to be a little more.
    (cpu <= 1.25).then_some(cpu.min(1.0))
}

/// A thread's time from its `schedstat`, or else its `stat`, which counts ticks and no delay.
fn ran(directory: &fs::File, thread: u32, buffer: &mut Vec<u8>) -> Option<Ran> {
    read(directory, thread, "schedstat", buffer)
        .and_then(|()| schedstat(std::str::from_utf8(buffer).ok()?))
        .or_else(|| {
            read(directory, thread, "stat", buffer)?;
            Stat::parse(buffer).map(|stat| Ran { cpu: stat.cpu, delay: None })
        })
}

/// Reads a file of a thread; opening it from the directory at hand saves most of the way to it.
fn read(directory: &fs::File, thread: u32, name: &str, buffer: &mut Vec<u8>) -> Option<()> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat(directory, format!("{thread}/{name}"), flags, Mode::empty()).ok()?;
    buffer.resize(MOST_BYTES, 0);
    let read = rustix::io::read(&file, buffer.as_mut_slice()).ok()?;
    buffer.truncate(read);
    Some(())
}

/// `/proc/PID/task/TID/schedstat`: nanoseconds on a core, nanoseconds waiting for one, times. All zero where
/// the kernel has the file but keeps no statistics, as for a thread that never ran: neither says anything.
pub(crate) fn schedstat(text: &str) -> Option<Ran> {
    let [cpu, delay, _] = crate::text::numbers(text.strip_suffix('\n')?)?;
    let ran = Ran { cpu: Duration::from_nanos(cpu), delay: Some(Duration::from_nanos(delay)) };
    (cpu > 0).then_some(ran)
}
