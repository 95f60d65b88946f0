//! The last seconds of a histogram, for pages that show how it is now.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::Distribution;

/// How far back "now" reaches.
const WINDOW: Duration = Duration::from_secs(10);
/// Moments closer together than this are one.
const STEP: Duration = Duration::from_millis(500);

/// Remembers a histogram's earlier moments, as often as it is asked.
#[derive(Debug, Default)]
pub struct Recent {
    moments: Mutex<VecDeque<(Instant, Distribution)>>,
}

impl Recent {
    /// What was observed in about the last ten seconds; since the last call when that was longer ago, and since the
    /// start at the first call.
    pub fn of(&self, now: Instant, total: Distribution) -> Distribution {
        let mut moments = self.moments.lock().expect("no panic while moments are held");
        while moments.len() > 1 && now.duration_since(moments[1].0) >= WINDOW {
            moments.pop_front();
        }
        let recent = match moments.front() {
            Some((_, earlier)) => total.since(earlier),
            None => total.clone(),
        };
        if moments.back().is_none_or(|(at, _)| now.duration_since(*at) >= STEP) {
            moments.push_back((now, total));
        }
        recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Registry;

    #[test]
    fn old_observations_are_forgotten() {
        let registry = Registry::default();
        let histogram = registry.histogram("x_seconds", "X.", &[]);
        let (recent, start) = (Recent::default(), Instant::now());
        histogram.observe(Duration::from_secs(1));
        let at = |seconds| {
            recent.of(start + Duration::from_secs(seconds), registry.distribution("x_seconds", &[]))
        };
        assert_eq!(at(0).count(), 1);
        histogram.observe(Duration::from_millis(1));
        for second in 1..30 {
            let count = at(second).count();
            assert_eq!(count, u64::from(second <= 10), "second {second}");
        }
    }
}
