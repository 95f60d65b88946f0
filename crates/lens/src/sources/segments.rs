//! TCP segments of this machine, and how many of them were sent again.

use std::collections::VecDeque;
use std::time::Duration;

/// Time that the share is taken over.
const OVER: Duration = Duration::from_secs(60);
/// Segments in that time, below which the share is chance: a few lost ones are a third of hardly any.
const LEAST: u64 = 1_000;

/// Counters of the last minute, the oldest first: when they were read, segments sent, and sent again.
#[derive(Default)]
pub(super) struct Segments(VecDeque<(Duration, u64, u64)>);

impl Segments {
    /// The share of segments that were sent again; none when too few were sent to tell. `now` is time since any start.
    pub(super) fn again(&mut self, now: Duration, counters: Option<(u64, u64)>) -> Option<f64> {
        let (sent, again) = counters?;
        // Counters that went back, or a clock that did, begin anew.
        if self.0.back().is_some_and(|last| last.0 > now || last.1 > sent || last.2 > again) {
            self.0.clear();
        }
        self.0.push_back((now, sent, again));
        while self.0.front().is_some_and(|first| now.saturating_sub(first.0) > OVER) {
            self.0.pop_front();
        }
        let (_, sent_before, again_before) = *self.0.front()?;
        let sent = sent - sent_before;
        (sent >= LEAST).then(|| (again - again_before) as f64 / sent as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(seconds: u64, counters: impl Fn(u64) -> (u64, u64)) -> Option<f64> {
        let mut segments = Segments::default();
        (0..=seconds).map(|at| segments.again(Duration::from_secs(at), Some(counters(at)))).last().flatten()
    }

    #[test]
    fn a_few_lost_ones_of_hardly_any_are_no_share() {
        assert_eq!(last(60, |at| (at / 10 * 6, at / 10 * 2)), None);
    }

    #[test]
    fn the_share_is_that_of_a_minute() {
        // Three in a hundred, all of them in one second of ten.
        let share = last(600, |at| (at * 100, at / 10 * 30)).unwrap();
        assert!((share - 0.03).abs() < 1e-9, "{share}");
        let share = last(600, |at| (at * 100, if at < 500 { at * 50 } else { 25_000 })).unwrap();
        assert_eq!(share, 0.0, "what was lost long ago");
    }

    #[test]
    fn counters_that_begin_anew_are_none() {
        assert_eq!(last(20, |at| if at < 20 { (at * 1_000, at * 500) } else { (5, 0) }), None);
        let mut segments = Segments::default();
        assert_eq!(segments.again(Duration::ZERO, None), None);
    }
}
