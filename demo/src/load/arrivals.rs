//! When the next request is due.

use std::time::Duration;

use tokio::time::Instant;

use crate::random::SplitMix64;

/// The driver was stopped in its tracks (a suspended machine) when it is this late: what was missed is
/// forgotten and not sent in one burst.
const MAX_LATENESS: Duration = Duration::from_secs(1);

/// Where the schedule stands when nothing is due.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// A Poisson process: independent customers, so many a second on average.
#[derive(Debug)]
pub(super) struct Arrivals {
    rate: f64,
    next: Instant,
    random: SplitMix64,
}

impl Arrivals {
    pub(super) fn new(rate: f64, random: SplitMix64) -> Self {
        let now = Instant::now();
        let mut arrivals = Self { rate: 0.0, next: now, random };
        arrivals.set_rate(rate, now);
        arrivals
    }

    /// Changes the rate, in arrivals per second. The process has no memory, so the next arrival is drawn anew.
    pub(super) fn set_rate(&mut self, rate: f64, now: Instant) {
        self.rate = if rate.is_finite() { rate.max(0.0) } else { 0.0 };
        self.next = now + self.gap();
    }

    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// The moments up to `now` at which requests were due.
    pub(super) fn take_due(&mut self, now: Instant) -> impl Iterator<Item = Instant> {
        if now.saturating_duration_since(self.next) > MAX_LATENESS {
            self.next = now;
        }
        std::iter::from_fn(move || {
            let due = self.next;
            (due <= now).then(|| {
                self.next = due + self.gap();
                due
            })
        })
    }

    /// Exponentially distributed, by inversion.
    fn gap(&mut self) -> Duration {
        let seconds = -(1.0 - self.random.unit()).ln() / self.rate;
        Duration::try_from_secs_f64(seconds).map_or(NEVER, |gap| gap.min(NEVER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_a_second_on_average() {
        let mut arrivals = Arrivals::new(0.0, SplitMix64::new(7));
        let mut now = arrivals.next() - NEVER;
        assert_eq!(arrivals.take_due(now).count(), 0, "nothing comes at rate 0");

        arrivals.set_rate(100.0, now);
        let mut total = 0;
        for _ in 0..1_000 {
            now += Duration::from_millis(100);
            total += arrivals.take_due(now).count();
        }
        // 10,000 expected, standard deviation 100; the seed is fixed.
        assert!((9_600..10_400).contains(&total), "{total} arrivals");
    }

    #[test]
    fn a_suspended_driver_does_not_catch_up() {
        let mut arrivals = Arrivals::new(1_000.0, SplitMix64::new(7));
        let later = arrivals.next() + Duration::from_secs(3600);
        assert!(arrivals.take_due(later).count() <= 2);
    }

    #[test]
    fn rates_that_make_no_sense_pause() {
        for rate in [f64::NAN, f64::INFINITY, -5.0] {
            let mut arrivals = Arrivals::new(rate, SplitMix64::new(7));
            let soon = Instant::now() + Duration::from_secs(3600);
            assert_eq!(arrivals.take_due(soon).count(), 0);
        }
    }
}
