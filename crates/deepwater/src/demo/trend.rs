//! How fast counters grow: the last seconds of what was counted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How far shares look back: long enough to be steady, short enough to show a kill.
const LONG: Duration = Duration::from_secs(5);
/// How far rates look back.
const SHORT: Duration = Duration::from_secs(2);

/// Everything counted since the start, at one moment.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub at: Instant,
    /// Requests that ended.
    pub finished: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Good answers of each instance.
    pub answers: Vec<u64>,
    /// Requests that reached an instance.
    pub reached: u64,
    /// Requests that were turned away because the shop was full.
    pub turned_away: u64,
    /// Requests to routes that cache, and those of them that were answered without one of their own to an instance.
    pub cache: Answered,
}

/// How many of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Answered {
    pub asked: u64,
    pub answered: u64,
}

impl Answered {
    /// The share, 0 to 1; none of none.
    pub(super) fn share(self) -> Option<f64> {
        (self.asked > 0).then(|| self.answered as f64 / self.asked as f64)
    }
}

/// The last samples, oldest first.
#[derive(Debug, Default)]
pub(super) struct Trend(VecDeque<Sample>);

/// What the samples come to.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Recent {
    /// Requests that ended, per second.
    pub finished_per_second: f64,
    /// Requests that failed, per second.
    pub failed_per_second: f64,
    /// Each instance's part of the good answers, 0 to 1.
    pub shares: Vec<f64>,
    /// Requests that reached an instance, per second.
    pub reached_per_second: f64,
    /// Requests that were turned away because the shop was full, per second.
    pub turned_away_per_second: f64,
    /// The cache's part of the answers, 0 to 1.
    pub hit_ratio: Option<f64>,
}

impl Trend {
    /// Adds a sample and forgets those too old to matter.
    pub(super) fn add(&mut self, sample: Sample) {
        let now = sample.at;
        self.0.push_back(sample);
        // The first sample at or before the window's start is still its baseline.
        while self.0.get(1).is_some_and(|second| now.duration_since(second.at) >= LONG) {
            self.0.pop_front();
        }
    }

    pub(super) fn recent(&self) -> Recent {
        let (Some(last), Some(oldest)) = (self.0.back(), self.0.front()) else { return Recent::default() };
        let short = self.0.iter().rev().find(|sample| last.at.duration_since(sample.at) >= SHORT);
        let short = short.unwrap_or(oldest);
        let seconds = last.at.duration_since(short.at).as_secs_f64();
        let rate =
            |then: u64, now: u64| if seconds > 0.0 { now.saturating_sub(then) as f64 / seconds } else { 0.0 };

        let grown = last.answers.iter().zip(&oldest.answers).map(|(now, then)| now.saturating_sub(*then));
        let grown: Vec<u64> = grown.collect();
        let all: u64 = grown.iter().sum();
        Recent {
            finished_per_second: rate(short.finished, last.finished),
            failed_per_second: rate(short.failed, last.failed),
            reached_per_second: rate(short.reached, last.reached),
            turned_away_per_second: rate(short.turned_away, last.turned_away),
            hit_ratio: Answered {
                asked: last.cache.asked.saturating_sub(oldest.cache.asked),
                answered: last.cache.answered.saturating_sub(oldest.cache.answered),
            }
            .share(),
            shares: grown.iter().map(|answers| *answers as f64 / all.max(1) as f64).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_last_two_seconds_and_shares_of_the_last_five() {
        let start = Instant::now();
        let mut trend = Trend::default();
        assert_eq!(trend.recent(), Recent::default());
        for second in 0..=20_u64 {
            let at = start + Duration::from_secs(second);
            // The first instance answers until the 17th second, the second from then on.
            let answers = vec![10 * second.min(17), 10 * second.saturating_sub(17)];
            // The cache knows everything from the 18th second on.
            let cache = Answered { asked: 10 * second, answered: 10 * second.saturating_sub(18) };
            let reached = 10 * second.min(18);
            let turned_away = 3 * second;
            trend.add(Sample {
                at,
                finished: 10 * second,
                failed: second,
                answers,
                reached,
                turned_away,
                cache,
            });
        }
        let recent = trend.recent();
        assert_eq!((recent.finished_per_second, recent.failed_per_second), (10.0, 1.0));
        assert_eq!(recent.shares, [0.4, 0.6]);
        assert_eq!((recent.reached_per_second, recent.hit_ratio), (0.0, Some(0.4)));
        assert_eq!(recent.turned_away_per_second, 3.0);
        assert_eq!(trend.0.len(), 6);
    }
}
