//! Control groups, both versions: where a process's group is, its limits over the whole path, what it lacks.

mod cpu;
mod memory;
mod place;

#[cfg(test)]
mod tests;

pub use cpu::CgroupCpu;
pub(crate) use cpu::CpuGroup;
pub use memory::CgroupMemory;
pub(crate) use memory::MemoryGroup;
pub(crate) use {memory::limit, place::locate};

use std::path::{Path, PathBuf};
use std::time::Duration;

use place::Place;

use crate::every::Every;
use crate::file::Reader;
use crate::finder::Pid;
use crate::roots::Roots;
use crate::unknown::{Unknown, Why};

/// Which of the two kinds of control groups a controller is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Version {
    /// A hierarchy per controller.
    V1,
    /// One hierarchy for all.
    V2,
}

/// As which the proc file system knows the process that asks.
pub(crate) const OWN: &str = "self";
/// A process can be moved, by its supervisor.
const LOCATE_EVERY: Duration = Duration::from_secs(10);

/// What is read of a process's control groups.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CgroupReading {
    /// CPU.
    pub cpu: Option<CgroupCpu>,
    /// Memory.
    pub memory: Option<CgroupMemory>,
}

/// The source for the control groups of another process: those of this one are read with [`Cpu`](crate::Cpu)
/// and [`Memory`](crate::Memory).
#[derive(Debug)]
pub struct Cgroup {
    cpu: CpuGroup,
    memory: MemoryGroup,
}

impl Cgroup {
    /// The groups a process is in.
    pub fn of(roots: &Roots, pid: Pid) -> Self {
        let process = pid.number.to_string();
        Self { cpu: CpuGroup::new(roots, &process), memory: MemoryGroup::new(roots, &process) }
    }

    /// Reads it all; what its container does not show here is unknown.
    pub fn read(&mut self, now: Duration) -> CgroupReading {
        CgroupReading { cpu: self.cpu.read(now), memory: self.memory.read(now) }
    }

    /// What it does not know at present.
    pub fn unknown(&self) -> impl Iterator<Item = &Unknown> {
        self.cpu.unknown().chain(self.memory.unknown())
    }
}

/// Looks where a process's group for a controller is, now and then.
#[derive(Debug)]
struct Locator {
    cgroup: PathBuf,
    mountinfo: PathBuf,
    sys: PathBuf,
    own: bool,
    controller: &'static str,
    what: &'static str,
    every: Every,
    place: Option<Place>,
}

impl Locator {
    /// `process` is a process id or [`OWN`].
    fn new(roots: &Roots, process: &str, controller: &'static str, what: &'static str) -> Self {
        Self {
            cgroup: roots.proc(Path::new(process).join("cgroup")),
            mountinfo: roots.proc("self/mountinfo"),
            sys: roots.sys.clone(),
            own: process == OWN,
            controller,
            what,
            every: Every::new(LOCATE_EVERY),
            place: None,
        }
    }

    /// The place, if it is another than before.
    fn moved(&mut self, now: Duration, reader: &mut Reader) -> Option<Option<Place>> {
        if !self.every.due(now) {
            return None;
        }
        let place = match reader.text_once(&self.cgroup) {
            Ok(text) => {
                // Without mounts the usual places are tried.
                let mounts = reader.text_once(&self.mountinfo).unwrap_or_default();
                place::locate(self.controller, self.own, &text, &mounts, &self.sys).ok_or(Why::Missing)
            }
            Err(error) => Err(Why::from(&error)),
        };
        let moved = place.as_ref().ok() != self.place.as_ref();
        if moved {
            reader.unknowns().keep_only(self.what);
        }
        match &place {
            Ok(_) => reader.unknowns().clear(self.what, &self.cgroup),
            Err(why) => {
                reader.unknowns().note(self.what, &self.cgroup, "the process is in no such group", *why);
            }
        }
        self.place = place.ok();
        moved.then(|| self.place.clone())
    }
}
