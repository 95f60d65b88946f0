//! How long to wait before trying again.

use std::time;

use deepwater_core::config::Duration;
use deepwater_core::random::Random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long to wait before a retry: drawn evenly between nothing and a bound that doubles ("full jitter",
/// which the AWS Architecture Blog found to need the fewest calls).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Backoff {
    /// Bound before the first retry; each further one has twice that.
    pub base: Duration,
    /// The bound grows no further than this.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_millis(25), max: Duration::from_secs(1) }
    }
}

impl Backoff {
    /// The wait before a retry; the first is number 0.
    pub fn delay(&self, retry: u32, random: &mut Random) -> time::Duration {
        let bound = self.base.get().saturating_mul(2_u32.saturating_pow(retry)).min(self.max.get());
        bound.mul_f64(random.unit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_fill_a_range_that_doubles_up_to_its_cap() {
        let backoff = Backoff::default();
        let mut random = Random::from_seed(1);
        for (retry, bound_ms) in [(0, 25), (1, 50), (2, 100), (5, 800), (6, 1_000), (u32::MAX, 1_000)] {
            let waits: Vec<u128> =
                (0..2_000).map(|_| backoff.delay(retry, &mut random).as_micros() / 10).collect();
            let (bound, mean) = (bound_ms * 100, waits.iter().sum::<u128>() / 2_000);
            assert!(waits.iter().all(|wait| *wait < bound), "{retry}");
            assert!(*waits.iter().max().unwrap() > bound * 95 / 100, "{retry}");
            assert!((bound * 47 / 100..bound * 53 / 100).contains(&mean), "{retry}: {mean}");
        }
    }

    #[test]
    fn no_wait_is_too_long_to_compute() {
        let forever = Backoff { base: Duration::from_secs(u64::MAX), max: Duration::from_secs(u64::MAX) };
        let half = Duration::from_secs(u64::MAX / 4).get();
        let mut random = Random::from_seed(1);
        assert!((0..100).any(|_| forever.delay(9, &mut random) > half));
    }
}
