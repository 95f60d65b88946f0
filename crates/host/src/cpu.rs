//! CPU: time by kind, tasks that want to run, pressure, and how many cores there really are.

use std::time::Duration;

use crate::cgroup::{CgroupCpu, CpuGroup};
use crate::every::Every;
use crate::file::{Kept, Reader};
use crate::pressure::{self, Pressure};
use crate::roots::Roots;
use crate::text::{list_length, ticks};
use crate::unknown::Unknown;

/// More cores than these are counted in the sum only.
const MOST_CORES: usize = 1_024;
/// Which cores this process may use changes seldom.
const AFFINITY_EVERY: Duration = Duration::from_secs(10);

/// CPU time since boot, by kind (`/proc/stat`). A kind that an old kernel does not tell is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CpuTimes {
    /// Programs, also the nice ones and guests.
    pub user: Duration,
    /// The kernel, also for interrupts.
    pub system: Duration,
    /// Of `system`: for interrupts, which may be on no program's account.
    pub interrupts: Duration,
    /// Nothing to do.
    pub idle: Duration,
    /// Nothing to do but wait for the disk.
    pub iowait: Duration,
    /// Wanted to run, while the hypervisor ran someone else.
    pub steal: Duration,
}

/// One core's times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Core {
    /// Its number; those that are offline are left out.
    pub number: u32,
    /// What it did.
    pub times: CpuTimes,
}

/// What the CPU source reads.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CpuReading {
    /// All cores together.
    pub all: Option<CpuTimes>,
    /// Each core that is online.
    pub cores: Vec<Core>,
    /// Tasks that run or want to, at this instant (`/proc/loadavg`).
    pub running: Option<u64>,
    /// Mean of the last minute of tasks that run, want to, or wait for the disk.
    pub load_1m: Option<f64>,
    /// Time in which a task waited for a core.
    pub pressure: Option<Pressure>,
    /// Cores that are online.
    pub cores_online: Option<u32>,
    /// Cores this process may run on.
    pub cores_allowed: Option<u32>,
    /// The control group's quota and throttling.
    pub cgroup: Option<CgroupCpu>,
    /// Cores of CPU time that can be had: the least of those online, those allowed and the quota.
    pub effective_cores: Option<f64>,
}

/// The CPU source.
#[derive(Debug)]
pub struct Cpu {
    reader: Reader,
    stat: Kept,
    load: Kept,
    pressure: Kept,
    affinity: Kept,
    affinity_every: Every,
    allowed: Option<u32>,
    group: CpuGroup,
}

impl Cpu {
    /// The CPU as this process sees it.
    pub fn new(roots: &Roots) -> Self {
        Self {
            reader: Reader::default(),
            stat: Kept::new(roots.proc("stat"), "cpu time"),
            load: Kept::new(roots.proc("loadavg"), "running tasks"),
            pressure: Kept::with_hint(roots.proc("pressure/cpu"), "cpu pressure", pressure::HINT),
            affinity: Kept::new(roots.proc("self/status"), "allowed cores"),
            affinity_every: Every::new(AFFINITY_EVERY),
            allowed: None,
            group: CpuGroup::new(roots),
        }
    }

    /// Reads it all.
    pub fn read(&mut self, now: Duration) -> CpuReading {
        let mut reading = CpuReading::default();
        if let Some((all, cores)) = self.reader.parse(&mut self.stat, stat) {
            reading.all = Some(all);
            reading.cores_online = u32::try_from(cores.len()).ok().filter(|cores| *cores > 0);
            reading.cores = cores;
        }
        if let Some((load, running)) = self.reader.parse(&mut self.load, loadavg) {
            reading.running = Some(running);
            reading.load_1m = Some(load);
        }
        reading.pressure = self.reader.parse(&mut self.pressure, pressure::parse);
        if self.affinity_every.due(now) {
            self.allowed = self.reader.parse(&mut self.affinity, allowed);
        }
        reading.cores_allowed = self.allowed;
        reading.cgroup = self.group.read(now);
        reading.effective_cores = effective(&reading);
        reading
    }

    /// What it does not know at present.
    pub fn unknown(&self) -> impl Iterator<Item = &Unknown> {
        self.reader.unknown().chain(self.group.unknown())
    }
}

fn effective(reading: &CpuReading) -> Option<f64> {
    let quota = reading.cgroup.as_ref().and_then(|group| group.quota_cores);
    let cores = [reading.cores_online, reading.cores_allowed].into_iter().flatten().map(f64::from);
    cores.chain(quota).reduce(f64::min)
}

/// `/proc/stat`: the sum and each core. Lines that are cut short are left out.
pub(crate) fn stat(text: &str) -> Option<(CpuTimes, Vec<Core>)> {
    let mut all = None;
    let mut cores = Vec::new();
    for line in text.split_inclusive('\n') {
        let Some((name, times)) = line.strip_suffix('\n').and_then(|line| line.split_once(' ')) else {
            break;
        };
        match name.strip_prefix("cpu") {
            Some("") => all = times_of(times),
            Some(number) if cores.len() < MOST_CORES => {
                let core = number.parse().ok().zip(times_of(times));
                cores.extend(core.map(|(number, times)| Core { number, times }));
            }
            Some(_) => {}
            // The cores come first; the interrupts after them can be long.
            None => break,
        }
    }
    Some((all?, cores))
}

/// user nice system idle iowait irq softirq steal guest guest_nice; user includes guest.
fn times_of(text: &str) -> Option<CpuTimes> {
    let mut fields = [0_u64; 8];
    let mut found = 0;
    for (field, word) in fields.iter_mut().zip(text.split_ascii_whitespace()) {
        *field = word.parse().ok()?;
        found += 1;
    }
    let [user, nice, system, idle, iowait, irq, softirq, steal] = fields;
    (found >= 4).then(|| CpuTimes {
        user: ticks(user) + ticks(nice),
        system: ticks(system) + ticks(irq) + ticks(softirq),
        interrupts: ticks(irq) + ticks(softirq),
        idle: ticks(idle),
        iowait: ticks(iowait),
        steal: ticks(steal),
    })
}

/// `/proc/loadavg`: the mean of one minute and the tasks that want to run.
pub(crate) fn loadavg(text: &str) -> Option<(f64, u64)> {
    let mut words = text.split_ascii_whitespace();
    let load = words.next()?.parse().ok().filter(|load: &f64| load.is_finite() && *load >= 0.0)?;
    let (running, _) = words.nth(2)?.split_once('/')?;
    Some((load, running.parse().ok()?))
}

fn allowed(text: &str) -> Option<u32> {
    list_length(text.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?)
}

#[cfg(test)]
mod tests;
