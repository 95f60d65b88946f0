//! Control groups, both versions: where this process's group is, its limits over the whole path, what it lacks.

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

use std::path::PathBuf;
use std::time::Duration;

use place::Place;

use crate::every::Every;
use crate::file::Reader;
use crate::roots::{OWN, Roots};
use crate::unknown::Why;

/// Which of the two kinds of control groups a controller is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Version {
    /// A hierarchy per controller.
    V1,
    /// One hierarchy for all.
    V2,
}

/// A process can be moved, by its supervisor.
const LOCATE_EVERY: Duration = Duration::from_secs(10);

/// Looks where this process's group for a controller is, now and then.
#[derive(Debug)]
struct Locator {
    cgroup: PathBuf,
    mountinfo: PathBuf,
    sys: PathBuf,
    controller: &'static str,
    what: &'static str,
    every: Every,
    place: Option<Place>,
}

impl Locator {
    fn new(roots: &Roots, controller: &'static str, what: &'static str) -> Self {
        Self {
            cgroup: roots.proc(OWN).join("cgroup"),
            mountinfo: roots.proc(OWN).join("mountinfo"),
            sys: roots.sys.clone(),
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
                place::locate(self.controller, &text, &mounts, &self.sys).ok_or(Why::Missing)
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
