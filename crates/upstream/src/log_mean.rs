//! The typical latency of many requests, in one word that every core adds to.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Where the number of observations starts in the packed sum.
const COUNT_SHIFT: u32 = 40;
/// Fixed-point scale of [`log2`].
const LOG_SCALE: f64 = 256.0;

/// Sum of `log2` of latencies, and how many there were. Adding is one atomic addition.
#[derive(Debug, Default)]
pub(crate) struct LogMean(AtomicU64);

/// What is typical of some latencies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Typical {
    /// How many there were.
    pub(crate) count: u64,
    /// Their geometric mean, nanoseconds: one slow page among many fast ones hardly moves it.
    pub(crate) geometric_mean: f64,
}

impl LogMean {
    /// Adds a latency of at least one nanosecond, and returns how many there are.
    #[inline]
    pub(crate) fn add(&self, nanos: u64) -> u64 {
        let before = self.0.fetch_add((1 << COUNT_SHIFT) | log2(nanos.max(1)), Relaxed);
        (before >> COUNT_SHIFT) + 1
    }

    /// Takes what was added since the last call.
    pub(crate) fn take(&self) -> Option<Typical> {
        let packed = self.0.swap(0, Relaxed);
        let (count, sum) = (packed >> COUNT_SHIFT, packed & ((1 << COUNT_SHIFT) - 1));
        let mean_of_logs = sum as f64 / LOG_SCALE / count as f64;
        (count > 0).then(|| Typical { count, geometric_mean: mean_of_logs.exp2() })
    }

    /// Forgets what was added.
    pub(crate) fn clear(&self) {
        self.0.store(0, Relaxed);
    }
}

/// `log2` in 1/256, linear between powers of two (off by at most 0.09): at most 2^14, so that 2^24
/// observations fit below the count.
fn log2(value: u64) -> u64 {
    let exponent = value.ilog2();
    let fraction = if exponent >= 8 { value >> (exponent - 8) } else { value << (8 - exponent) } & 0xff;
    (u64::from(exponent) << 8) | fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_page_hardly_moves_it() {
        let mean = LogMean::default();
        (0..19).for_each(|_| assert!(mean.add(5_000_000) <= 19));
        assert_eq!(mean.add(2_000_000_000), 20);
        let typical = mean.take().unwrap();
        assert_eq!(typical.count, 20);
        assert!((6e6..8e6).contains(&typical.geometric_mean), "{typical:?}");
        assert_eq!(mean.take(), None);
    }

    #[test]
    fn the_logarithm_is_close_and_monotone() {
        let mut last = 0;
        for shift in 0..63 {
            for step in 0..16_u64 {
                let value = (1_u64 << shift) + ((1_u64 << shift) >> 4) * step;
                let log = log2(value);
                assert!(log >= last, "{value}");
                assert!((log as f64 / LOG_SCALE - (value as f64).log2()).abs() < 0.1, "{value}");
                last = log;
            }
        }
    }
}
