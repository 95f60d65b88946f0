//! Memory: what is there, what is left, what has to be given back, who waited for it.

use std::time::Duration;

use crate::cgroup::{CgroupMemory, MemoryGroup};
use crate::file::{Kept, Reader};
use crate::pressure::{self, Pressure};
use crate::roots::Roots;
use crate::text::keyed;
use crate::unknown::Unknown;

/// What the memory source reads, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemoryReading {
    /// The machine's memory.
    pub total_bytes: Option<u64>,
    /// What programs could still have without swapping, as the kernel estimates it.
    pub available_bytes: Option<u64>,
    /// Swap space.
    pub swap_total_bytes: Option<u64>,
    /// Swap space that is free.
    pub swap_free_bytes: Option<u64>,
    /// Counters of the work to find free memory.
    pub reclaim: Reclaim,
    /// Time in which tasks waited for memory.
    pub pressure: Option<Pressure>,
    /// The control group.
    pub cgroup: Option<CgroupMemory>,
    /// The least of the machine's memory and the limits over the control group's path.
    pub limit_bytes: Option<u64>,
    /// What is left below that: the least of what is available and the control group's headroom.
    pub headroom_bytes: Option<u64>,
}

/// Counters since boot (`/proc/vmstat`), in pages or times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reclaim {
    /// Pages of programs read again soon after they had been swapped out.
    pub refaults_anon: Option<u64>,
    /// Pages of files read again soon after they had been given back.
    pub refaults_file: Option<u64>,
    /// Pages that had to be read from disk.
    pub major_faults: Option<u64>,
    /// Times a program had to wait and find memory itself.
    pub stalls: Option<u64>,
    /// Pages programs looked at while they did.
    pub direct_scans: Option<u64>,
    /// Pages swapped out.
    pub swapped_out: Option<u64>,
    /// Processes killed for memory.
    pub oom_kills: Option<u64>,
}

/// The memory source.
#[derive(Debug)]
pub struct Memory {
    reader: Reader,
    meminfo: Kept,
    vmstat: Kept,
    pressure: Kept,
    group: MemoryGroup,
}

impl Memory {
    /// Memory as this process sees it.
    pub fn new(roots: &Roots) -> Self {
        Self {
            reader: Reader::default(),
            meminfo: Kept::new(roots.proc("meminfo"), "memory"),
            vmstat: Kept::new(roots.proc("vmstat"), "memory reclaim"),
            pressure: Kept::with_hint(roots.proc("pressure/memory"), "memory pressure", pressure::HINT),
            group: MemoryGroup::new(roots),
        }
    }

    /// Reads it all.
    pub fn read(&mut self, now: Duration) -> MemoryReading {
        let mut reading = self.reader.parse(&mut self.meminfo, meminfo).unwrap_or_default();
        reading.reclaim = self.reader.parse(&mut self.vmstat, vmstat).unwrap_or_default();
        reading.pressure = self.reader.parse(&mut self.pressure, pressure::parse);
        reading.cgroup = self.group.read(now);
        let of_group = |value: fn(&CgroupMemory) -> Option<u64>| reading.cgroup.as_ref().and_then(value);
        let (limit, headroom) = (of_group(|group| group.limit_bytes), of_group(|group| group.headroom_bytes));
        reading.limit_bytes = reading.total_bytes.into_iter().chain(limit).min();
        reading.headroom_bytes = reading.available_bytes.into_iter().chain(headroom).min();
        reading
    }

    /// What it does not know at present.
    pub fn unknown(&self) -> impl Iterator<Item = &Unknown> {
        self.reader.unknown().chain(self.group.unknown())
    }
}

/// `/proc/meminfo`, in KiB.
pub(crate) fn meminfo(text: &str) -> Option<MemoryReading> {
    let mut reading = MemoryReading::default();
    for (key, kibibytes) in keyed(text) {
        let field = match key {
            "MemTotal" => &mut reading.total_bytes,
            "MemAvailable" => &mut reading.available_bytes,
            "SwapTotal" => &mut reading.swap_total_bytes,
            "SwapFree" => &mut reading.swap_free_bytes,
            _ => continue,
        };
        *field = kibibytes.checked_mul(1_024);
    }
    reading.total_bytes.is_some().then_some(reading)
}

/// `/proc/vmstat`. Before 5.9 refaults were not told apart: they were those of files.
pub(crate) fn vmstat(text: &str) -> Option<Reclaim> {
    let mut reading = Reclaim::default();
    for (key, value) in keyed(text) {
        let field = match key {
            "workingset_refault_anon" => &mut reading.refaults_anon,
            "workingset_refault_file" | "workingset_refault" => &mut reading.refaults_file,
            "pgmajfault" => &mut reading.major_faults,
            "pgscan_direct" => &mut reading.direct_scans,
            "pswpout" => &mut reading.swapped_out,
            "oom_kill" => &mut reading.oom_kills,
            // One for each zone.
            _ if key.starts_with("allocstall") => {
                reading.stalls = Some(reading.stalls.unwrap_or(0).saturating_add(value));
                continue;
            }
            _ => continue,
        };
        *field = Some(value);
    }
    (reading != Reclaim::default()).then_some(reading)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Machine, second};

    const MEMINFO: &str =
        "MemTotal:  1000 kB\nMemFree: 10 kB\nMemAvailable:  600 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n";

    #[test]
    fn the_machine_and_its_reclaim_are_read() {
        let read = meminfo(MEMINFO).expect("a meminfo");
        assert_eq!((read.total_bytes, read.available_bytes), (Some(1_024_000), Some(614_400)));
        assert_eq!(read.swap_total_bytes, Some(0));
        assert_eq!(meminfo("MemFree: 1 kB\n"), None);
        assert_eq!(meminfo("MemTotal: 18446744073709551615 kB\n"), None, "no such machine");
        let reclaim = vmstat("allocstall_dma 1\nallocstall_normal 4\noom_kill 2\nworkingset_refault 9\n");
        let reclaim = reclaim.expect("a vmstat");
        assert_eq!((reclaim.stalls, reclaim.oom_kills, reclaim.refaults_file), (Some(5), Some(2), Some(9)));
        assert_eq!(vmstat("nr_free_pages 1\n"), None);
    }

    #[test]
    fn the_limit_is_the_least_of_machine_and_group() {
        let machine = Machine::empty();
        machine.write("proc/meminfo", MEMINFO);
        let read = |now| Memory::new(&machine.roots()).read(second(now));
        assert_eq!((read(1).limit_bytes, read(1).headroom_bytes), (Some(1_024_000), Some(614_400)));
        machine
            .write("proc/self/cgroup", "0::/app\n")
            .write("sys/fs/cgroup/cgroup.controllers", "memory\n")
            .write("sys/fs/cgroup/app/memory.max", "500000\n")
            .write("sys/fs/cgroup/app/memory.current", "450000\n");
        assert_eq!((read(2).limit_bytes, read(2).headroom_bytes), (Some(500_000), Some(50_000)));
        machine.write("sys/fs/cgroup/app/memory.max", "max\n");
        assert_eq!((read(3).limit_bytes, read(3).headroom_bytes), (Some(1_024_000), Some(614_400)));
    }

    #[test]
    fn without_files_nothing_is_known() {
        let machine = Machine::empty();
        let mut memory = Memory::new(&machine.roots());
        assert_eq!(memory.read(second(1)), MemoryReading::default());
        let unknown: Vec<_> = memory.unknown().map(|unknown| unknown.what).collect();
        assert_eq!(unknown, ["memory", "memory reclaim", "memory pressure", "memory control group"]);
    }
}
