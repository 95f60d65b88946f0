//! From a counter to a rate.

use std::time::Duration;

/// Over a longer gap than this a mean says nothing about now: the counter starts anew.
const LONGEST_GAP: Duration = Duration::from_secs(60);

/// What a counter grew by per second, between readings of it. No sample is given, rather than a wrong one:
/// at the first reading, when the counter went back (a reset, another process of the same name), when the
/// clock stood still or went back, and after a long silence. A few missed readings are bridged by the mean.
#[derive(Debug, Clone, Default)]
pub struct Rate {
    last: Option<(Duration, u64)>,
}

impl Rate {
    /// A rate that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a reading of the counter at `now`, on a monotonic clock; gives the growth per second since the
    /// last one. A reading that is unknown changes nothing.
    pub fn per_second(&mut self, now: Duration, counter: Option<u64>) -> Option<f64> {
        let counter = counter?;
        let last = self.last.replace((now, counter));
        let (then, before) = last?;
        if now == then {
            // Two readings of one instant: the earlier stays the base, lest what grew between them be lost.
            self.last = last.filter(|_| counter >= before).or(self.last);
            return None;
        }
        let gap = now.checked_sub(then).filter(|gap| *gap <= LONGEST_GAP)?;
        let grown = counter.checked_sub(before)?;
        Some(grown as f64 / gap.as_secs_f64())
    }

    /// The same for a counter of time: seconds per second, 1.0 is one core or one waiter all the time.
    pub fn seconds_per_second(&mut self, now: Duration, counter: Option<Duration>) -> Option<f64> {
        let nanos = counter.map(|counter| u64::try_from(counter.as_nanos()).unwrap_or(u64::MAX));
        self.per_second(now, nanos).map(|nanos_per_second| nanos_per_second / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use deepwater_core::random::Random;

    use super::*;

    fn second(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_counter_gives_its_growth_per_second() {
        let mut rate = Rate::new();
        assert_eq!(rate.per_second(second(1), Some(1_000)), None, "the first reading is no growth");
        assert_eq!(rate.per_second(second(2), Some(1_100)), Some(100.0));
        assert_eq!(rate.per_second(second(4), Some(1_100)), Some(0.0));
    }

    #[test]
    fn a_missed_reading_is_bridged_and_a_long_silence_is_not() {
        let mut rate = Rate::new();
        rate.per_second(second(1), Some(0));
        assert_eq!(rate.per_second(second(2), None), None);
        assert_eq!(rate.per_second(second(5), Some(40)), Some(10.0));
        assert_eq!(rate.per_second(second(66), Some(50)), None);
        assert_eq!(rate.per_second(second(67), Some(60)), Some(10.0));
    }

    #[test]
    fn a_reset_gives_no_sample() {
        let mut rate = Rate::new();
        rate.per_second(second(1), Some(u64::MAX));
        assert_eq!(rate.per_second(second(2), Some(5)), None);
        assert_eq!(rate.per_second(second(3), Some(7)), Some(2.0));
    }

    #[test]
    fn a_clock_that_stands_or_goes_back_gives_no_sample() {
        let mut rate = Rate::new();
        rate.per_second(second(10), Some(0));
        assert_eq!(rate.per_second(second(10), Some(50)), None);
        assert_eq!(rate.per_second(second(11), Some(60)), Some(60.0), "nothing is lost");
        assert_eq!(rate.per_second(second(3), Some(70)), None);
        assert_eq!(rate.per_second(second(4), Some(80)), Some(10.0));
    }

    #[test]
    fn whatever_comes_no_rate_is_negative_or_above_what_was_counted() {
        let seed = u64::from_ne_bytes(*b"deepwatr");
        let mut random = Random::from_seed(seed);
        let mut rate = Rate::new();
        let mut most = 0;
        for step in 0..100_000 {
            let counter = random.below(1_000) as u64;
            most = most.max(counter);
            let at = Duration::from_millis(random.below(100_000) as u64);
            let sample = rate.per_second(at, (random.below(10) > 0).then_some(counter));
            if let Some(sample) = sample {
                assert!(
                    (0.0..=most as f64 * 1_000.0).contains(&sample),
                    "seed {seed}, step {step}: {sample}"
                );
            }
        }
    }

    #[test]
    fn time_is_counted_in_seconds_per_second() {
        let mut rate = Rate::new();
        rate.seconds_per_second(second(1), Some(second(100)));
        assert_eq!(rate.seconds_per_second(second(3), Some(second(101))), Some(0.5));
    }
}
