//! Open descriptors against their limit.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::every::Every;
use crate::file::{Kept, Reader};
use crate::roots::Roots;
use crate::unknown::Why;

/// Counting them one by one, where the kernel does not tell the number, costs a microsecond for each.
const COUNT_EVERY: Duration = Duration::from_secs(10);
const LIMIT_EVERY: Duration = Duration::from_secs(10);
/// No more than these are counted one by one.
const MOST: usize = 65_536;
const WHAT: &str = "descriptors";

#[derive(Debug)]
pub(crate) struct Descriptors {
    directory: PathBuf,
    count_every: Every,
    counted: Option<u64>,
    limits: Kept,
    limit_every: Every,
    limit: Option<u64>,
}

impl Descriptors {
    /// `process` is a process id or [`OWN`](crate::roots::OWN).
    pub(crate) fn new(roots: &Roots, process: &str) -> Self {
        let path = roots.proc(process);
        Self {
            directory: path.join("fd"),
            count_every: Every::new(COUNT_EVERY),
            counted: None,
            limits: Kept::new(path.join("limits"), "descriptor limit").reopened(),
            limit_every: Every::new(LIMIT_EVERY),
            limit: None,
        }
    }

    /// How many are open: from Linux 6.2 on the size of the directory.
    pub(crate) fn count(&mut self, now: Duration, reader: &mut Reader) -> Option<u64> {
        if let Some(count) = told(&self.directory) {
            return Some(count);
        }
        if self.count_every.due(now) {
            self.counted = match fs::read_dir(&self.directory) {
                Ok(entries) => {
                    reader.unknowns().clear(WHAT, &self.directory);
                    Some(entries.take(MOST).count() as u64)
                }
                Err(error) => {
                    reader.unknowns().note(WHAT, &self.directory, "", Why::from(&error));
                    None
                }
            };
        }
        self.counted
    }

    /// How many there may be, the soft limit.
    pub(crate) fn limit(&mut self, now: Duration, reader: &mut Reader) -> Option<u64> {
        if self.limit_every.due(now) {
            self.limit = reader.parse(&mut self.limits, limit).flatten();
        }
        self.limit
    }
}

/// The size is the number on proc only: elsewhere (fixtures) it is the size.
fn told(directory: &Path) -> Option<u64> {
    let size = u64::try_from(rustix::fs::stat(directory).ok()?.st_size).ok().filter(|size| *size > 0)?;
    let kind = rustix::fs::statfs(directory).ok()?.f_type;
    (kind == rustix::fs::PROC_SUPER_MAGIC).then_some(size)
}

/// `/proc/PID/limits`; the inner `None` is no limit.
pub(crate) fn limit(text: &str) -> Option<Option<u64>> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    }
}
