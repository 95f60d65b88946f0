//! Other programs on this machine: what they take of its cores the demo does not have, and its figures are theirs, too.

use std::time::{Duration, Instant};

use deepwater_host::{Cpu, Roots, cpu_with_descendants};

/// Share of the cores from which what others take is worth a word.
const MATTERS: f64 = 0.15;

/// CPU time up to a moment.
pub(super) struct Work {
    at: Instant,
    cores: f64,
    /// Seconds of all programs, and of this process and those it started.
    all: f64,
    own: f64,
}

impl Work {
    /// Up to now; none where the system does not tell.
    pub(super) fn now() -> Option<Self> {
        let roots = Roots::default();
        // The source's time tells when to read anew what seldom changes; this one reads once.
        let machine = Cpu::new(&roots).read(Duration::ZERO);
        let (all, cores) = machine.all.zip(machine.cores_online)?;
        let programs = all.user.saturating_add(all.system.saturating_sub(all.interrupts));
        let own = cpu_with_descendants(&roots, std::process::id())?;
        let (all, own) = (programs.as_secs_f64(), own.as_secs_f64());
        Some(Self { at: Instant::now(), cores: f64::from(cores), all, own })
    }

    /// What others have taken of the cores since, of how many, if it matters.
    pub(super) fn others_since(&self, earlier: &Self) -> Option<(f64, f64)> {
        let seconds = self.at.saturating_duration_since(earlier.at).as_secs_f64();
        let others = ((self.all - earlier.all) - (self.own - earlier.own)) / seconds.max(0.1);
        (others >= MATTERS * self.cores).then_some((others.min(self.cores), self.cores))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_matters_is_told() {
        let earlier = Work { at: Instant::now(), cores: 2.0, all: 100.0, own: 50.0 };
        let later = |all, own| Work { at: earlier.at + Duration::from_secs(10), cores: 2.0, all, own };
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
