//! A group's memory: what it uses, what it may use, and how it is held back.

use std::path::Path;
use std::time::Duration;

use super::place::Place;
use super::{Locator, Version};
use crate::file::{Kept, Reader};
use crate::pressure::{self, Pressure};
use crate::roots::Roots;
use crate::text::{keyed, number};
use crate::unknown::Unknown;

/// Version 1 writes "no limit" as the largest number of whole pages, just below 2^63.
const NO_LIMIT: u64 = 1 << 62;

/// Memory of a control group, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CgroupMemory {
    /// What the group uses, its page cache included.
    pub usage_bytes: Option<u64>,
    /// Page cache that is easy to give back.
    pub inactive_file_bytes: Option<u64>,
    /// Beyond it the group is slowed down and made to give back: the least over its path. Version 2 only.
    pub high_bytes: Option<u64>,
    /// Beyond it processes are killed: the least over its path. `None` when there is no limit.
    pub limit_bytes: Option<u64>,
    /// What is left below the limits, the least over the path: a neighbour under the same limit uses it too.
    pub headroom_bytes: Option<u64>,
    /// Times the group was made to give back because it was above `high`. Version 2 only.
    pub high_events: Option<u64>,
    /// Times the group was about to pass its limit (version 1: `failcnt`).
    pub limit_events: Option<u64>,
    /// Times the limit was passed and nothing could be given back. Version 2 only.
    pub oom_events: Option<u64>,
    /// Processes of the group killed for memory.
    pub oom_kills: Option<u64>,
    /// Pages read again soon after they had been given back.
    pub refaults: Option<u64>,
    /// Pages that had to be read from disk.
    pub major_faults: Option<u64>,
    /// Time in which tasks of the group waited for memory. Version 2 only.
    pub pressure: Option<Pressure>,
}

/// The limits of one level.
#[derive(Debug)]
struct Level {
    usage: Kept,
    limit: Kept,
    high: Option<Kept>,
}

impl Level {
    fn new(version: Version, path: &Path) -> Self {
        let (usage, limit, high) = match version {
            Version::V1 => ("memory.usage_in_bytes", "memory.limit_in_bytes", None),
            Version::V2 => ("memory.current", "memory.max", Some("memory.high")),
        };
        Self {
            usage: Kept::new(path.join(usage), "memory of the control group"),
            limit: Kept::new(path.join(limit), "memory limit"),
            high: high.map(|high| Kept::new(path.join(high), "memory high mark")),
        }
    }
}

/// What is read of the group itself, not of those above it.
#[derive(Debug)]
struct Leaf {
    stat: Kept,
    /// Version 2.
    events: Kept,
    pressure: Kept,
    /// Version 1.
    failures: Kept,
    oom_control: Kept,
}

impl Leaf {
    fn new(path: &Path) -> Self {
        Self {
            stat: Kept::new(path.join("memory.stat"), "memory statistics of the group"),
            events: Kept::new(path.join("memory.events"), "memory events of the group"),
            pressure: Kept::new(path.join("memory.pressure"), "memory pressure of the group"),
            failures: Kept::new(path.join("memory.failcnt"), "memory events of the group"),
            oom_control: Kept::new(path.join("memory.oom_control"), "kills of the group"),
        }
    }
}

/// The source for this process's group.
#[derive(Debug)]
pub(crate) struct MemoryGroup {
    reader: Reader,
    locator: Locator,
    version: Version,
    levels: Vec<Level>,
    leaf: Option<Leaf>,
}

impl MemoryGroup {
    pub(crate) fn new(roots: &Roots) -> Self {
        Self {
            reader: Reader::default(),
            locator: Locator::new(roots, "memory", "memory control group"),
            version: Version::V2,
            levels: Vec::new(),
            leaf: None,
        }
    }

    pub(crate) fn read(&mut self, now: Duration) -> Option<CgroupMemory> {
        if let Some(place) = self.locator.moved(now, &mut self.reader) {
            self.enter(place.as_ref());
        }
        let mut reading = CgroupMemory::default();
        self.read_levels(&mut reading);
        self.read_leaf(&mut reading);
        (reading != CgroupMemory::default()).then_some(reading)
    }

    fn enter(&mut self, place: Option<&Place>) {
        self.levels.clear();
        self.leaf = None;
        let Some(place) = place else { return };
        self.version = place.version;
        self.levels.extend(place.levels.iter().map(|path| Level::new(place.version, path)));
        self.leaf = place.levels.first().map(|path| Leaf::new(path));
    }

    fn read_levels(&mut self, reading: &mut CgroupMemory) {
        let least = |known: Option<u64>, new: Option<u64>| known.into_iter().chain(new).min();
        for (depth, level) in self.levels.iter_mut().enumerate() {
            let usage = self.reader.parse_if_there(&mut level.usage, number);
            if depth == 0 {
                reading.usage_bytes = usage;
            }
            let limit = self.reader.parse_if_there(&mut level.limit, limit).flatten();
            reading.limit_bytes = least(reading.limit_bytes, limit);
            let left = limit.zip(usage).map(|(limit, usage)| limit.saturating_sub(usage));
            reading.headroom_bytes = least(reading.headroom_bytes, left);
            if let Some(high) = &mut level.high {
                let high = self.reader.parse_if_there(high, self::limit).flatten();
                reading.high_bytes = least(reading.high_bytes, high);
            }
        }
    }

    fn read_leaf(&mut self, reading: &mut CgroupMemory) {
        let Some(leaf) = &mut self.leaf else { return };
        self.reader.parse_if_there(&mut leaf.stat, |text| statistics(text, reading));
        match self.version {
            Version::V1 => {
                reading.limit_events = self.reader.parse_if_there(&mut leaf.failures, number);
                let kills =
                    |text: &str| Some(keyed(text).find(|(key, _)| *key == "oom_kill").map(|(_, n)| n));
                reading.oom_kills = self.reader.parse_if_there(&mut leaf.oom_control, kills).flatten();
            }
            Version::V2 => {
                self.reader.parse_if_there(&mut leaf.events, |text| events(text, reading));
                reading.pressure = self.reader.parse_if_there(&mut leaf.pressure, pressure::parse);
            }
        }
    }

    pub(crate) fn unknown(&self) -> impl Iterator<Item = &Unknown> {
        self.reader.unknown()
    }
}

/// A limit in bytes; the inner `None` is no limit.
pub(crate) fn limit(text: &str) -> Option<Option<u64>> {
    if text.trim() == "max" {
        return Some(None);
    }
    number(text).map(|limit| Some(limit).filter(|limit| *limit < NO_LIMIT))
}

fn statistics(text: &str, reading: &mut CgroupMemory) -> Option<()> {
    let mut ancestors = None;
    for (key, value) in keyed(text) {
        match key {
            "inactive_file" | "total_inactive_file" => reading.inactive_file_bytes = Some(value),
            "pgmajfault" | "total_pgmajfault" => reading.major_faults = Some(value),
            // Version 2 tells the two kinds, version 1 their sum.
            "workingset_refault_anon" | "workingset_refault_file" => {
                reading.refaults = Some(reading.refaults.unwrap_or(0).saturating_add(value));
            }
            "workingset_refault" | "total_workingset_refault" => reading.refaults = Some(value),
            // Version 1 tells in a container of the limits above it, which are not shown there.
            "hierarchical_memory_limit" => ancestors = Some(value).filter(|limit| *limit < NO_LIMIT),
            _ => {}
        }
    }
    reading.limit_bytes = reading.limit_bytes.into_iter().chain(ancestors).min();
    Some(())
}

fn events(text: &str, reading: &mut CgroupMemory) -> Option<()> {
    for (key, value) in keyed(text) {
        match key {
            "high" => reading.high_events = Some(value),
            "max" => reading.limit_events = Some(value),
            "oom" => reading.oom_events = Some(value),
            "oom_kill" => reading.oom_kills = Some(value),
            _ => {}
        }
    }
    Some(())
}
