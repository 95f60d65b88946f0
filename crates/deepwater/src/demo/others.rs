//! Other programs on this machine: what they take of its cores the demo does not have, and its figures are theirs, too.

use std::collections::HashMap;
use std::fs;
use std::time::Instant;

/// Ticks a second in which the kernel tells CPU time: `USER_HZ`, 100 on every Linux since 2.6.
const TICKS: f64 = 100.0;
/// Share of the cores from which what others take is worth a word.
const MATTERS: f64 = 0.15;

/// CPU time up to a moment.
pub(super) struct Work {
    at: Instant,
    cores: f64,
    /// Of the machine, and of this process and those it started.
    all: f64,
    own: f64,
}

impl Work {
    /// Up to now; none where the system does not tell.
    pub(super) fn now() -> Option<Self> {
        let (all, cores) = machine(&fs::read_to_string("/proc/stat").ok()?)?;
        let mut processes = HashMap::new();
        for entry in fs::read_dir("/proc").ok()?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // Whoever has ended meanwhile is counted with its parent.
            let Ok(text) = fs::read_to_string(entry.path().join("stat")) else { continue };
            processes.extend(process(&text).map(|process| (pid, process)));
        }
        let own = family(&processes, std::process::id()) / TICKS;
        Some(Self { at: Instant::now(), cores, all: all / TICKS, own })
    }

    /// What others have taken of the cores since, of how many, if it matters.
    pub(super) fn others_since(&self, earlier: &Self) -> Option<(f64, f64)> {
        let seconds = self.at.saturating_duration_since(earlier.at).as_secs_f64();
        let others = ((self.all - earlier.all) - (self.own - earlier.own)) / seconds.max(0.1);
        (others >= MATTERS * self.cores).then_some((others.min(self.cores), self.cores))
    }
}

/// Ticks that the cores have worked, and how many cores there are; of `/proc/stat`.
fn machine(text: &str) -> Option<(f64, f64)> {
    let mut fields = text.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let mut next = || fields.next()?.parse::<f64>().ok();
    let (user, nice, system) = (next()?, next()?, next()?);
    let cores = text.lines().skip(1).take_while(|line| line.starts_with("cpu")).count();
    Some((user + nice + system, cores as f64))
}

/// A process's parent, and the ticks that it and its children that have ended have worked; of `/proc/<pid>/stat`.
fn process(text: &str) -> Option<(u32, f64)> {
    // The name may hold anything, also parentheses.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<f64>().ok());
    Some((fields.get(1)?.parse().ok()?, ticks.sum()))
}

/// The ticks of a process and all below it.
fn family(processes: &HashMap<u32, (u32, f64)>, root: u32) -> f64 {
    let is_of_it = |pid: u32| {
        let above = std::iter::successors(Some(pid), |pid| Some(processes.get(pid)?.0));
        // Parents that change while they are read could go round.
        above.take(processes.len()).any(|pid| pid == root)
    };
    processes.iter().filter(|(pid, _)| is_of_it(**pid)).map(|(_, (_, ticks))| ticks).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_are_understood() {
        assert_eq!(
            machine("cpu  10 2 3 100 5 0 0 0 0 0\ncpu0 5 1 2 50\ncpu1 5 1 1 50\nintr 1\n"),
            Some((15.0, 2.0))
        );
        let stat = "7 (a) b) S 3 7 7 0 -1 4194560 1 2 3 4 11 12 13 14 20 0 1";
        assert_eq!(process(stat), Some((3, 50.0)));
        assert_eq!(process("nonsense"), None);
    }

    #[test]
    fn a_process_counts_with_all_below_it() {
        let processes =
            [(1, (0, 100.0)), (5, (1, 10.0)), (6, (5, 4.0)), (7, (6, 1.0)), (8, (1, 50.0))].into();
        assert_eq!(family(&processes, 5), 15.0);
    }

    #[test]
    fn only_what_matters_is_told() {
        let earlier = Work { at: Instant::now(), cores: 2.0, all: 100.0, own: 50.0 };
        let later =
            |all, own| Work { at: earlier.at + std::time::Duration::from_secs(10), cores: 2.0, all, own };
        assert_eq!(later(118.0, 66.0).others_since(&earlier), None);
        assert_eq!(later(120.0, 58.0).others_since(&earlier), Some((1.2, 2.0)));
    }

    #[test]
    fn this_machine_tells() {
        let before = Work::now().unwrap();
        assert!(before.cores >= 1.0 && before.all > 0.0);
        assert!(Work::now().unwrap().own >= before.own);
    }
}
