//! How much a pool was used, minute by minute.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::ledger::PoolKey;
use crate::measure::names;
use crate::shared::Shared;

/// How long is measured at once.
const MINUTE: Duration = Duration::from_secs(60);
/// Minutes kept.
const KEPT: usize = 60;

/// What a pool did in one period, of a minute or so.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Minute {
    pub seconds: f64,
    pub queries: u64,
    pub transactions: u64,
    /// Times a server connection was handed out.
    pub assignments: u64,
    /// Time that server connections were held, summed up.
    pub used_seconds: f64,
    /// Time that clients waited for one, summed up.
    pub waited_seconds: f64,
}

impl Minute {
    /// Server connections that were held or waited for, on average (Little's law: what is summed up over a period,
    /// divided by the period).
    pub(crate) fn wanted(&self) -> f64 {
        if self.seconds > 0.0 { (self.used_seconds + self.waited_seconds) / self.seconds } else { 0.0 }
    }
}

/// What a pool had done by one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    at: Instant,
    queries: u64,
    transactions: u64,
    assignments: u64,
    used_seconds: f64,
    waited_micros: u64,
}

pub(super) fn read(shared: &Shared, key: &PoolKey, at: Instant) -> Reading {
    let metrics = &shared.context.metrics;
    let labels = [("database", &*key.database), ("user", &*key.user)];
    Reading {
        at,
        queries: metrics.sum(names::QUERIES, &labels),
        transactions: metrics.sum(names::TRANSACTIONS, &labels),
        assignments: metrics.sum(names::ASSIGNMENTS, &labels),
        used_seconds: metrics.distribution(names::USE, &labels).sum_seconds(),
        waited_micros: metrics.sum(names::WAIT_MICROS, &labels),
    }
}

/// The last hour of a pool.
#[derive(Debug, Default)]
pub(super) struct Minutes {
    last: Option<Reading>,
    minutes: VecDeque<Minute>,
}

impl Minutes {
    /// Whether a minute is over, or none has begun.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.last.is_none_or(|last| now.saturating_duration_since(last.at) >= MINUTE)
    }

    pub(super) fn note(&mut self, now: Reading) {
        if let Some(last) = self.last.replace(now) {
            self.minutes.push_back(Minute {
                seconds: now.at.saturating_duration_since(last.at).as_secs_f64(),
                queries: now.queries.saturating_sub(last.queries),
                transactions: now.transactions.saturating_sub(last.transactions),
                assignments: now.assignments.saturating_sub(last.assignments),
                used_seconds: (now.used_seconds - last.used_seconds).max(0.0),
                waited_seconds: now.waited_micros.saturating_sub(last.waited_micros) as f64 / 1e6,
            });
        }
        if self.minutes.len() > KEPT {
            self.minutes.pop_front();
        }
    }

    pub(super) fn latest(&self) -> Option<Minute> {
        self.minutes.back().copied()
    }

    pub(super) fn busiest(&self) -> Option<Minute> {
        self.minutes.iter().copied().max_by(|a, b| a.wanted().total_cmp(&b.wanted()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_busiest_minute_of_the_last_hour_counts() {
        let start = Instant::now();
        let reading = |minute: u64, used_seconds: f64| Reading {
            at: start + Duration::from_secs(60 * minute),
            queries: minute * 300,
            transactions: minute * 100,
            assignments: minute * 100,
            used_seconds,
            waited_micros: 0,
        };
        let mut minutes = Minutes::default();
        assert_eq!(minutes.busiest(), None);
        minutes.note(reading(0, 0.0));
        assert_eq!(minutes.busiest(), None, "nothing was measured between two moments yet");
        minutes.note(reading(1, 600.0));
        minutes.note(reading(2, 660.0));
        let busiest = minutes.busiest().unwrap();
        assert_eq!((busiest.transactions, busiest.wanted()), (100, 10.0));
        for minute in 3..=62 {
            minutes.note(reading(minute, 660.0 + minute as f64));
        }
        assert_eq!(minutes.latest().unwrap().queries, 300);
        assert!(minutes.busiest().unwrap().wanted() < 2.0, "an hour later it is forgotten");
        assert_eq!(minutes.minutes.len(), KEPT);
    }
}
