//! Latencies in buckets of fixed relative width.

use std::time::Duration;

/// Each power of two is cut into this many buckets, so a reading is at most 1/32 (3 %) too high.
const SUB_BUCKETS: u64 = 32;
const SUB_BITS: u32 = SUB_BUCKETS.trailing_zeros();
/// 2^24 µs are 16.8 s, beyond every deadline of the driver. What is longer counts as that.
const MAX_EXPONENT: u32 = 24;
const MAX_MICROS: u64 = (1 << MAX_EXPONENT) - 1;
const BUCKETS: usize = ((MAX_EXPONENT - SUB_BITS + 1) as usize) * SUB_BUCKETS as usize;

/// A log-linear histogram from 1 µs to 16.8 s (the layout of HdrHistogram).
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    counts: Box<[u32; BUCKETS]>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]), total: 0 }
    }
}

impl Histogram {
    pub(super) fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(MAX_MICROS).min(MAX_MICROS);
        self.counts[bucket_of(micros)] += 1;
        self.total += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts.iter()) {
            *count += more;
        }
        self.total += other.total;
    }

    pub(super) fn count(&self) -> u64 {
        self.total
    }

    /// The latency that a `share` (0 to 1) of all readings does not exceed; `None` without readings.
    pub(super) fn quantile(&self, share: f64) -> Option<Duration> {
        let rank = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        self.counts.iter().enumerate().find_map(|(bucket, &count)| {
            seen += u64::from(count);
            (seen >= rank).then(|| Duration::from_micros(highest_in(bucket)))
        })
    }
}

fn bucket_of(micros: u64) -> usize {
    let exponent = micros.max(1).ilog2();
    // Below 32 µs every microsecond has its bucket.
    let shift = exponent.saturating_sub(SUB_BITS);
    (u64::from(shift) * SUB_BUCKETS + (micros >> shift)) as usize
}

fn highest_in(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / SUB_BUCKETS).saturating_sub(1);
    let base = bucket - shift * SUB_BUCKETS;
    ((base + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_one_another_and_stay_narrow() {
        let mut last = 0;
        for micros in (0..5_000).chain((5_000..MAX_MICROS).step_by(977)).chain([MAX_MICROS]) {
            let bucket = bucket_of(micros);
            assert!(bucket < BUCKETS && bucket >= last, "{micros} µs");
            let high = highest_in(bucket);
            assert!(high >= micros && high - micros <= micros / SUB_BUCKETS, "{micros} µs reads as {high}");
            last = bucket;
        }
        assert_eq!(last, BUCKETS - 1);
    }

    #[test]
    fn quantiles_of_a_ramp() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        (1..=1_000).for_each(|ms| histogram.record(Duration::from_millis(ms)));
        for (share, expected_ms) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0), (1.0, 1_000.0)] {
            let read_ms = histogram.quantile(share).unwrap().as_secs_f64() * 1_000.0;
            assert!((expected_ms..expected_ms * 1.04).contains(&read_ms), "{share}: {read_ms} ms");
        }
    }
}
