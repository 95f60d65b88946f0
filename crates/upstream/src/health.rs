//! Active checks: when to ask, and what a series of answers means. What to ask is the caller's
//! [`Probe`](crate::Probe).

use deepwater_core::config::{Duration, Percent};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When targets are checked, and how many answers it takes to believe them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HealthCheck {
    /// Time from the end of one check of a target to the next. The first is made at once.
    pub every: Duration,
    /// A check without an answer in this time has failed.
    pub timeout: Duration,
    /// How far each wait varies either way, as a share of `every`, so that checks do not arrive together.
    pub jitter: Percent,
    /// Checks in a row, in number, an unhealthy target must pass to be used again.
    pub healthy_threshold: u32,
    /// Checks in a row, in number, a target must fail to be used no longer.
    pub unhealthy_threshold: u32,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            jitter: Percent::new(10),
            healthy_threshold: 2,
            unhealthy_threshold: 3,
        }
    }
}

/// What the checks so far say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Verdict {
    /// Not enough of them: the target is used until proven bad.
    #[default]
    Unknown,
    Healthy,
    Unhealthy,
}

/// A series of answers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Series {
    pub(crate) verdict: Verdict,
    pub(crate) passed_in_a_row: u32,
    pub(crate) failed_in_a_row: u32,
}

impl Series {
    /// Takes one more answer; the new verdict if it changed. The first check passed settles an unknown
    /// target.
    pub(crate) fn record(&mut self, passed: bool, settings: &HealthCheck) -> Option<Verdict> {
        let verdict = if passed {
            self.passed_in_a_row = self.passed_in_a_row.saturating_add(1);
            self.failed_in_a_row = 0;
            let enough = self.passed_in_a_row >= settings.healthy_threshold;
            (enough || self.verdict == Verdict::Unknown).then_some(Verdict::Healthy)
        } else {
            self.failed_in_a_row = self.failed_in_a_row.saturating_add(1);
            self.passed_in_a_row = 0;
            (self.failed_in_a_row >= settings.unhealthy_threshold).then_some(Verdict::Unhealthy)
        };
        let changed = verdict.filter(|verdict| *verdict != self.verdict)?;
        self.verdict = changed;
        Some(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_decide() {
        let settings = HealthCheck::default();
        let mut series = Series::default();
        let mut after = |answers: &[bool]| {
            answers.iter().filter_map(|passed| series.record(*passed, &settings)).collect::<Vec<_>>()
        };
        assert_eq!(after(&[false, false]), [], "two failures prove nothing");
        assert_eq!(after(&[true]), [Verdict::Healthy], "one answer settles the unknown");
        assert_eq!(after(&[false, false, true, false, false]), [], "failures must be in a row");
        assert_eq!(after(&[false]), [Verdict::Unhealthy]);
        assert_eq!(after(&[true, false, true]), [], "and so must the checks passed");
        assert_eq!(after(&[true]), [Verdict::Healthy]);
    }

    #[test]
    fn a_target_that_never_answers_is_found_out() {
        let settings = HealthCheck { unhealthy_threshold: 1, ..HealthCheck::default() };
        assert_eq!(Series::default().record(false, &settings), Some(Verdict::Unhealthy));
    }
}
