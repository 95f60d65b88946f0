//! Passive outlier ejection: a target is judged by the requests it serves (after Envoy's outlier
//! detection).

use std::time;

use deepwater_core::config::{Duration, Percent};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::log_mean::Typical;

/// When a target that misbehaves is left out, and for how long. The only target, and the last one left,
/// never is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Outlier {
    /// Failures in a row, in number, that eject a target; 0 for never.
    pub consecutive_failures: u32,
    /// A target is ejected when its typical latency (geometric mean over `interval`) is this many times the
    /// median of the others'; 0 for never.
    #[schemars(range(min = 0.0))]
    pub latency_factor: f64,
    /// Below this typical latency a target is never ejected for being slow.
    pub latency_floor: Duration,
    /// Answers, in number, a target must give within `interval` for its latency to be judged.
    pub min_requests: u32,
    /// Time between two comparisons of latencies.
    pub interval: Duration,
    /// How long the first ejection lasts, plus up to 10 % so that targets do not return together. The
    /// second in a row lasts twice as long, the third three times; each such time of good behaviour takes
    /// one back.
    pub base_ejection: Duration,
    /// No ejection lasts longer than this, plus up to 10 %.
    pub max_ejection: Duration,
    /// Share of the targets that may be ejected at the same time, but at least one; `"0%"` for never.
    pub max_ejected: Percent,
}

impl Default for Outlier {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            latency_factor: 5.0,
            latency_floor: Duration::from_millis(100),
            min_requests: 20,
            interval: Duration::from_secs(10),
            base_ejection: Duration::from_secs(30),
            max_ejection: Duration::from_secs(300),
            max_ejected: Percent::new(50),
        }
    }
}

/// Sweeps closer together than this would judge by nothing.
const SHORTEST_INTERVAL: time::Duration = time::Duration::from_millis(100);
/// How much longer than due an ejection may last.
const JITTER: f64 = 0.1;

impl Outlier {
    /// Time between two sweeps; `None` when latencies are not compared.
    pub(crate) fn sweep_interval(&self) -> Option<time::Duration> {
        (self.latency_factor > 0.0).then(|| self.interval.get().max(SHORTEST_INTERVAL))
    }

    /// How many of so many targets may be ejected at the same time.
    pub(crate) fn ejectable(&self, targets: usize) -> usize {
        if targets < 2 || self.max_ejected.ratio() <= 0.0 {
            return 0;
        }
        ((targets as f64 * self.max_ejected.ratio()) as usize).max(1)
    }

    /// The targets that are slower than their peers by far, slowest first, with the reason.
    pub(crate) fn slow(&self, windows: &[Option<Typical>]) -> Vec<(usize, String)> {
        let judged: Vec<(usize, f64)> = windows
            .iter()
            .enumerate()
            .filter_map(|(position, window)| Some((position, (*window)?)))
            .filter(|(_, window)| window.count >= u64::from(self.min_requests))
            .map(|(position, window)| (position, window.geometric_mean))
            .collect();
        let floor = self.latency_floor.get().as_secs_f64() * 1e9;
        let mut slow: Vec<(usize, f64, f64)> = judged
            .iter()
            .filter_map(|(position, mean)| {
                let others = judged.iter().filter(|(other, _)| other != position).map(|(_, mean)| *mean);
                let median = median(others.collect())?;
                (*mean > floor && *mean > median * self.latency_factor).then_some((*position, *mean, median))
            })
            .collect();
        slow.sort_by(|a, b| b.1.total_cmp(&a.1));
        let reason = |mean: f64, median: f64| {
            format!("latency about {:.0} ms, the others about {:.1} ms", mean / 1e6, median / 1e6)
        };
        slow.into_iter().map(|(position, mean, median)| (position, reason(mean, median))).collect()
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    // Of an even number the lower: with one fast and one slow peer, the slow one is no excuse.
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// The ejections of one target.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ejections {
    /// When the present one ends; nanoseconds since the pool's epoch.
    pub(crate) until: Option<u64>,
    /// All there were.
    pub(crate) total: u64,
    /// How many times the base the last one lasted.
    multiplier: u32,
    returned_at: u64,
}

impl Ejections {
    /// Begins an ejection and returns how long it lasts. `chance` in `[0, 1)` is its share of the jitter.
    pub(crate) fn begin(&mut self, now: u64, settings: &Outlier, chance: f64) -> time::Duration {
        let base = settings.base_ejection.get();
        let good = now.saturating_sub(self.returned_at);
        let forgiven = good.checked_div(nanos(base)).unwrap_or(0);
        self.multiplier = self.multiplier.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
        self.multiplier = self.multiplier.saturating_add(1);
        self.total += 1;
        let due = base.saturating_mul(self.multiplier).min(settings.max_ejection.get());
        let lasts = due.mul_f64(1.0 + JITTER * chance);
        self.until = Some(now.saturating_add(nanos(lasts)));
        lasts
    }

    /// Ends an ejection.
    pub(crate) fn end(&mut self, now: u64) {
        self.until = None;
        self.returned_at = now;
    }
}

fn nanos(duration: time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn windows(means_ms: &[f64]) -> Vec<Option<Typical>> {
        means_ms.iter().map(|ms| Some(Typical { count: 100, geometric_mean: ms * 1e6 })).collect()
    }

    #[test]
    fn ejections_grow_are_capped_and_are_forgiven() {
        let settings = Outlier::default();
        let mut ejections = Ejections::default();
        let mut now = 0;
        let mut lasts = Vec::new();
        for _ in 0..12 {
            lasts.push(ejections.begin(now, &settings, 0.0).as_secs());
            now = ejections.until.unwrap();
            ejections.end(now);
        }
        assert_eq!(lasts, [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]);
        now += 30 * 9 * SECOND;
        assert_eq!(ejections.begin(now, &settings, 0.0).as_secs(), 120, "nine of twelve were forgiven");
        let mut fresh = Ejections::default();
        assert_eq!(fresh.begin(0, &settings, 0.5).as_millis(), 31_500);
    }

    #[test]
    fn at_least_one_and_never_the_only_one() {
        let settings = Outlier::default();
        let counts: Vec<usize> = [0, 1, 2, 3, 4, 5, 10].map(|n| settings.ejectable(n)).into();
        assert_eq!(counts, [0, 0, 1, 1, 2, 2, 5]);
        let never = Outlier { max_ejected: Percent::new(0), ..settings };
        assert_eq!(never.ejectable(10), 0);
    }

    #[test]
    fn only_the_slow_by_far_are_slow() {
        let slow = |means: &[f64]| -> Vec<usize> {
            let found = Outlier::default().slow(&windows(means));
            found.into_iter().map(|(position, _)| position).collect()
        };
        assert_eq!(slow(&[30.0, 30.0, 160.0]), [2]);
        assert!(slow(&[30.0, 30.0, 140.0]).is_empty(), "less than five times the others");
        assert!(slow(&[1.0, 1.0, 90.0]).is_empty(), "below the floor");
        assert_eq!(slow(&[1.0, 300.0, 400.0, 1.0, 1.0]), [2, 1], "the slowest first");
        assert!(slow(&[500.0]).is_empty(), "nobody to compare with");
        assert_eq!(slow(&[5.0, 500.0]), [1]);
        let few = [Some(Typical { count: 19, geometric_mean: 9e9 }), None];
        assert!(Outlier::default().slow(&few).is_empty());
    }
}
