//! Latency histograms with buckets of at most 12.5 % width (HDR-style: powers of two, eight steps each).

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::OneWriter;

/// Steps within a power of two.
const STEPS: usize = 8;
/// The first bucket ends here: 1.024 µs.
const FLOOR_SHIFT: u32 = 10;
/// Powers of two above the floor: up to 2^37 ns ≈ 137 s; longer lands in the last bucket.
const POWERS: usize = 27;
const BUCKETS: usize = 1 + POWERS * STEPS;

/// The numbers behind a histogram.
#[derive(Debug)]
pub(super) struct Cells {
    buckets: [AtomicU64; BUCKETS],
    sum_ns: AtomicU64,
}

impl Default for Cells {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; BUCKETS], sum_ns: AtomicU64::new(0) }
    }
}

/// Durations observed by the one thread that registered it.
#[derive(Debug)]
pub struct Histogram {
    cells: Arc<Cells>,
    one_writer: OneWriter,
}

impl Histogram {
    pub(super) fn new(cells: Arc<Cells>) -> Self {
        Self { cells, one_writer: PhantomData }
    }

    /// Counts one duration.
    #[inline]
    pub fn observe(&self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        bump(&self.cells.buckets[index(ns)], 1);
        bump(&self.cells.sum_ns, ns);
    }
}

#[inline]
fn bump(cell: &AtomicU64, n: u64) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

#[inline]
fn index(ns: u64) -> usize {
    if ns < 1 << FLOOR_SHIFT {
        return 0;
    }
    let power = 63 - ns.leading_zeros();
    let step = (ns >> (power - 3)) as usize & (STEPS - 1);
    (1 + (power - FLOOR_SHIFT) as usize * STEPS + step).min(BUCKETS - 1)
}

/// Exclusive upper end of a bucket, in nanoseconds.
fn upper_ns(index: usize) -> u64 {
    if index == 0 {
        return 1 << FLOOR_SHIFT;
    }
    let (power, step) = ((index - 1) / STEPS, (index - 1) % STEPS);
    let base = 1u64 << (FLOOR_SHIFT as usize + power);
    base + base / STEPS as u64 * (step as u64 + 1)
}

/// What histograms held at one moment; adds up over cells.
#[derive(Debug, Clone)]
pub struct Distribution {
    buckets: Vec<u64>,
    sum_ns: u64,
}

impl Default for Distribution {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], sum_ns: 0 }
    }
}

impl Distribution {
    pub(super) fn absorb(&mut self, cells: &Cells) {
        for (total, cell) in self.buckets.iter_mut().zip(&cells.buckets) {
            *total += cell.load(Ordering::Relaxed);
        }
        self.sum_ns = self.sum_ns.wrapping_add(cells.sum_ns.load(Ordering::Relaxed));
    }

    /// Adds another distribution to this one.
    pub fn merge(&mut self, other: &Self) {
        for (total, n) in self.buckets.iter_mut().zip(&other.buckets) {
            *total += n;
        }
        self.sum_ns = self.sum_ns.wrapping_add(other.sum_ns);
    }

    /// What was observed since an earlier moment.
    pub fn since(&self, earlier: &Self) -> Self {
        let pairs = self.buckets.iter().zip(&earlier.buckets);
        let buckets = pairs.map(|(now, before)| now.wrapping_sub(*before)).collect();
        Self { buckets, sum_ns: self.sum_ns.wrapping_sub(earlier.sum_ns) }
    }

    /// Observations.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Total of all observations, in seconds.
    pub fn sum_seconds(&self) -> f64 {
        self.sum_ns as f64 / 1e9
    }

    /// An upper bound of the quantile (0 ≤ q ≤ 1), at most 12.5 % too high; none without observations.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = ((q * count as f64).ceil() as u64).clamp(1, count);
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|n| {
            seen += n;
            seen >= rank
        })?;
        Some(Duration::from_nanos(upper_ns(bucket)))
    }

    /// The squared coefficient of variation, variance over the square of the mean, to the width of the buckets: 0 when all are
    /// alike, 1 for exponential times. None with fewer than two observations.
    pub fn variation(&self) -> Option<f64> {
        let count = self.count();
        if count < 2 {
            return None;
        }
        let middle = |bucket: usize| {
            let lower = if bucket == 0 { 0 } else { upper_ns(bucket - 1) };
            (lower as f64 + upper_ns(bucket) as f64) / 2.0
        };
        let (mut sum, mut squares) = (0.0, 0.0);
        for (bucket, n) in self.buckets.iter().enumerate().filter(|(_, n)| **n > 0) {
            let (middle, n) = (middle(bucket), *n as f64);
            sum += n * middle;
            squares += n * middle * middle;
        }
        let (mean, n) = (sum / count as f64, count as f64);
        (mean > 0.0).then(|| ((squares - n * mean * mean) / (n - 1.0) / (mean * mean)).max(0.0))
    }

    /// Upper ends in seconds with cumulative counts, at the powers of two from 2^17 ns (131 µs) up: as many buckets as
    /// others are shown.
    pub fn exposed(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let mut seen = 0;
        self.buckets.iter().enumerate().filter_map(move |(bucket, n)| {
            seen += n;
            let end_of_power = bucket % STEPS == 0;
            (end_of_power && bucket >= 7 * STEPS).then(|| (upper_ns(bucket) as f64 / 1e9, seen))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_falls_below_the_end_of_its_bucket() {
        let mut random = crate::random::Random::from_seed(11);
        for _ in 0..100_000 {
            let ns = random.next_u64() >> (27 + random.below(37));
            let bucket = index(ns);
            assert!(ns < upper_ns(bucket) || bucket == BUCKETS - 1, "{ns} in {bucket}");
            assert!(bucket == 0 || ns >= upper_ns(bucket - 1), "{ns} in {bucket}");
        }
    }

    #[test]
    fn quantiles_are_within_an_eighth() {
        let cells = Arc::new(Cells::default());
        let histogram = Histogram::new(Arc::clone(&cells));
        for ms in 1..=1_000 {
            histogram.observe(Duration::from_millis(ms));
        }
        let mut all = Distribution::default();
        all.absorb(&cells);
        assert_eq!(all.count(), 1_000);
        assert!((all.sum_seconds() - 500.5).abs() < 1e-6);
        for (q, exact_ms) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0)] {
            let ms = all.quantile(q).unwrap().as_secs_f64() * 1e3;
            assert!(ms >= exact_ms && ms <= exact_ms * 1.13, "{q}: {ms}");
        }
        // Of a uniform distribution from 0: (1/12) / (1/2)².
        let variation = all.variation().unwrap();
        assert!((variation - 1.0 / 3.0).abs() < 0.01, "{variation}");
        assert_eq!(Distribution::default().quantile(0.5), None);
        let last = all.exposed().last().unwrap();
        assert_eq!(last.1, 1_000);
    }
}
