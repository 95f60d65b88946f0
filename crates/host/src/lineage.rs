//! Which process began which, and what one costs with all it has started.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use foldhash::{HashMap, HashMapExt as _, HashSet};

use crate::file::read_once;
use crate::finder::Pid;
use crate::process::Stat;
use crate::roots::Roots;

#[cfg(test)]
mod tests;

/// Processes that are looked at.
const MOST_PROCESSES: usize = 16_384;

/// Every process and its parent's number.
#[derive(Debug, Default)]
pub(crate) struct Lineage {
    processes: Vec<(Pid, u32)>,
    /// Whether there are more than are looked at.
    pub(crate) cut_short: bool,
}

impl Lineage {
    /// All there are now, each shown to `each` when its turn comes.
    pub(crate) fn read(proc: &Path, mut each: impl FnMut(Pid, &Stat)) -> io::Result<Self> {
        let mut lineage = Self::default();
        let mut buffer = Vec::new();
        for entry in fs::read_dir(proc)? {
            let Some(number) = entry.ok().and_then(|entry| entry.file_name().to_str()?.parse().ok()) else {
                continue;
            };
            if lineage.processes.len() == MOST_PROCESSES {
                lineage.cut_short = true;
                break;
            }
            let stat =
                read_once(&proc.join(format!("{number}/stat")), &mut buffer).ok().and_then(Stat::parse);
            let Some(stat) = stat else { continue };
            let pid = Pid { number, started: stat.started };
            lineage.processes.push((pid, stat.parent));
            each(pid, &stat);
        }
        Ok(lineage)
    }

    /// These and all they have started.
    pub(crate) fn with_descendants(&self, mut family: Vec<Pid>) -> Vec<Pid> {
        let mut children: HashMap<u32, Vec<Pid>> = HashMap::new();
        for (pid, parent) in &self.processes {
            children.entry(*parent).or_default().push(*pid);
        }
        let mut known: HashSet<u32> = family.iter().map(|pid| pid.number).collect();
        let mut at = 0;
        while let Some(pid) = family.get(at).copied() {
            at += 1;
            let Some(children) = children.get(&pid.number) else { continue };
            // A child is not older than its parent; where it seems so, the number has been used again.
            let new =
                children.iter().filter(|child| child.started >= pid.started && known.insert(child.number));
            family.extend(new);
        }
        family.sort_unstable();
        family
    }
}

/// CPU time that a process and all it has started have had, those that have ended too; `None` when there is no such
/// process. It reads of every process there is: not for every second.
pub fn cpu_with_descendants(roots: &Roots, number: u32) -> Option<Duration> {
    let mut had = HashMap::new();
    let lineage = Lineage::read(&roots.proc, |pid, stat| {
        had.insert(pid, stat.cpu.saturating_add(stat.ended_cpu));
    });
    let root = had.keys().find(|pid| pid.number == number).copied()?;
    let family = lineage.ok()?.with_descendants(vec![root]);
    Some(
        family
            .iter()
            .filter_map(|pid| had.get(pid))
            .fold(Duration::ZERO, |sum, cpu| sum.saturating_add(*cpu)),
    )
}
