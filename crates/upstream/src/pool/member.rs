//! A target as control sees it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::health::{Series, Verdict};
use crate::outlier::Ejections;
use crate::probe::Report;
use crate::ramp;
use crate::status::State;
use crate::target::Target;

/// A target and why it is, or is not, available.
pub(super) struct Member {
    pub(super) target: Arc<Target>,
    pub(super) draining: bool,
    pub(super) series: Series,
    pub(super) last_check: Option<(SystemTime, Report)>,
    pub(super) ejections: Ejections,
    pub(super) ejected_because: String,
    /// Why it fails, where it could not be ejected since no other is left.
    pub(super) failing_because: Option<String>,
    /// When its slow start began; nanoseconds since the pool's epoch.
    pub(super) ramp_from: Option<u64>,
    /// When its state last changed.
    pub(super) since: SystemTime,
}

impl Member {
    pub(super) fn new(target: Arc<Target>, since: SystemTime) -> Self {
        Self {
            target,
            draining: false,
            series: Series::default(),
            last_check: None,
            ejections: Ejections::default(),
            ejected_because: String::new(),
            failing_because: None,
            ramp_from: None,
            since,
        }
    }

    pub(super) fn is_ejected(&self) -> bool {
        self.ejections.until.is_some()
    }

    pub(super) fn is_available(&self) -> bool {
        !self.draining && !self.is_ejected() && self.series.verdict != Verdict::Unhealthy
    }

    /// Whether it was failing and has answered since.
    pub(super) fn has_recovered(&self) -> bool {
        self.failing_because.is_some() && self.target.load.consecutive_failures() == 0
    }

    /// It comes back: what it was like before says nothing, and its share grows from small.
    pub(super) fn start_over(&mut self, now: u64) {
        self.target.load.forget();
        self.ramp_from = Some(now);
    }

    /// The weight in force; ends the slow start when it is over.
    pub(super) fn effective_weight(&mut self, now: u64, slow_start: Duration) -> f64 {
        let share = self
            .ramp_from
            .map_or(1.0, |from| ramp::share(Duration::from_nanos(now.saturating_sub(from)), slow_start));
        if share >= 1.0 {
            self.ramp_from = None;
        }
        f64::from(self.target.weight()) * share
    }

    /// The state, and what there is to say about it.
    pub(super) fn state(&self) -> (State, Option<String>) {
        if self.draining {
            return (State::Draining, None);
        }
        if self.is_ejected() {
            return (State::Ejected, Some(self.ejected_because.clone()));
        }
        match self.series.verdict {
            Verdict::Unhealthy => {
                (State::Unhealthy, self.last_check.as_ref().map(|(_, report)| describe(report)))
            }
            _ if self.failing_because.is_some() => (State::Failing, self.failing_because.clone()),
            _ if self.ramp_from.is_some() => (State::SlowStart, None),
            Verdict::Healthy => (State::Healthy, None),
            Verdict::Unknown if self.target.load.successes() > 0 => (State::Healthy, None),
            Verdict::Unknown => (State::Unknown, None),
        }
    }
}

/// A report in a few words, failing checks included.
pub(super) fn describe(report: &Report) -> String {
    if report.failing.is_empty() {
        return report.detail.clone();
    }
    format!("{} (failing: {})", report.detail, report.failing.join(", "))
}
