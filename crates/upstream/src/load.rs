//! What a target is doing right now: the few numbers every core writes.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::log_mean::{LogMean, Typical};

/// Time constant of the latency estimate: a past observation has lost 63 % of its say after this.
const DECAY_NS: f64 = 10e9;
/// Idle for less than this, an estimate has not visibly decayed; the exponential is spared.
const FRESH_NS: u64 = 100_000_000;
/// Share of a new observation in the mean.
const MEAN_STEP: f64 = 1.0 / 16.0;

/// Counters of one target, in one cache line of their own. All are independent, so all are relaxed.
///
/// Times are nanoseconds since the pool's epoch.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Load {
    in_flight: AtomicU32,
    consecutive_failures: AtomicU32,
    /// Bits of an `f64`, nanoseconds; 0 while nothing was observed. Estimate and time are two atomics: a
    /// race between cores loses an observation or misjudges its age once, which the next one mends.
    estimate: AtomicU64,
    estimated_at: AtomicU64,
    /// Bits of an `f64`, nanoseconds: what people are shown.
    mean: AtomicU64,
    picked_at: AtomicU64,
    /// Latencies of the successes since the last sweep.
    window: LogMean,
    successes: AtomicU64,
    failures: AtomicU64,
    cancelled: AtomicU64,
}

impl Load {
    #[inline]
    pub(crate) fn begin(&self, now: u64) {
        self.in_flight.fetch_add(1, Relaxed);
        self.picked_at.store(now, Relaxed);
    }

    #[inline]
    pub(crate) fn end(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// Requests under way.
    #[inline]
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// When it was last chosen.
    #[inline]
    pub(crate) fn picked_at(&self) -> u64 {
        self.picked_at.load(Relaxed)
    }

    pub(crate) fn succeed(&self, now: u64, latency: Duration) {
        self.successes.fetch_add(1, Relaxed);
        if self.consecutive_failures.load(Relaxed) != 0 {
            self.consecutive_failures.store(0, Relaxed);
        }
        let nanos = nanos(latency);
        self.window.add(nanos);
        let mean = f64::from_bits(self.mean.load(Relaxed));
        let step = if mean == 0.0 { 1.0 } else { MEAN_STEP };
        self.mean.store((mean + (nanos as f64 - mean) * step).to_bits(), Relaxed);
        self.observe(now, nanos as f64);
    }

    /// The mean latency of the last successes or so (exponentially weighted, [`MEAN_STEP`]), nanoseconds.
    pub(crate) fn mean(&self) -> Option<f64> {
        let mean = f64::from_bits(self.mean.load(Relaxed));
        (mean > 0.0).then_some(mean)
    }

    /// Counts a failure and returns how many there were in a row. Failing fast is not being fast: the
    /// latency only counts where it is worse than the estimate.
    pub(crate) fn fail(&self, now: u64, latency: Duration) -> u32 {
        self.failures.fetch_add(1, Relaxed);
        self.observe_at_least(now, latency);
        self.consecutive_failures.fetch_add(1, Relaxed).wrapping_add(1)
    }

    /// Counts a request nobody waited for any longer: the answer would have taken at least that long.
    pub(crate) fn cancel(&self, now: u64, waited: Duration) {
        self.cancelled.fetch_add(1, Relaxed);
        self.observe_at_least(now, waited);
    }

    /// Peak EWMA: jumps up to a worse latency at once, comes down with the time constant (Finagle's
    /// `PeakEwma`).
    fn observe(&self, now: u64, sample: f64) {
        let old = f64::from_bits(self.estimate.load(Relaxed));
        let new = if sample > old {
            sample
        } else {
            let elapsed = now.saturating_sub(self.estimated_at.load(Relaxed));
            let keep = (-(elapsed as f64) / DECAY_NS).exp();
            old * keep + sample * (1.0 - keep)
        };
        self.estimate.store(new.to_bits(), Relaxed);
        self.estimated_at.fetch_max(now, Relaxed);
    }

    fn observe_at_least(&self, now: u64, latency: Duration) {
        let sample = nanos(latency) as f64;
        if sample > f64::from_bits(self.estimate.load(Relaxed)) {
            self.observe(now, sample);
        }
    }

    /// The latency estimate as last observed, nanoseconds; `None` while there is none.
    #[inline]
    pub(crate) fn estimate(&self) -> Option<f64> {
        let estimate = f64::from_bits(self.estimate.load(Relaxed));
        (estimate > 0.0).then_some(estimate)
    }

    /// The estimate as of now: without observations it drifts towards the fastest peer's, and where there
    /// never was one it is the fastest peer's.
    #[inline]
    pub(crate) fn estimate_among(&self, now: u64, fastest: f64) -> f64 {
        let Some(estimate) = self.estimate() else { return fastest };
        let idle = now.saturating_sub(self.estimated_at.load(Relaxed));
        if idle < FRESH_NS || estimate <= fastest {
            return estimate;
        }
        fastest + (estimate - fastest) * (-(idle as f64) / DECAY_NS).exp()
    }

    /// Forgets what a target that was away was like before.
    pub(crate) fn forget(&self) {
        self.estimate.store(0, Relaxed);
        self.mean.store(0, Relaxed);
        self.window.clear();
        self.consecutive_failures.store(0, Relaxed);
    }

    /// Takes the latencies of the successes since the last call.
    pub(crate) fn take_window(&self) -> Option<Typical> {
        self.window.take()
    }

    pub(crate) fn consecutive_failures(&self) -> u32 {
        self.consecutive_failures.load(Relaxed)
    }

    pub(crate) fn successes(&self) -> u64 {
        self.successes.load(Relaxed)
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    pub(crate) fn cancelled(&self) -> u64 {
        self.cancelled.load(Relaxed)
    }
}

/// At least one, because 0 stands for "no estimate"; over five centuries is five centuries.
fn nanos(latency: Duration) -> u64 {
    u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn the_estimate_jumps_up_and_comes_down_slowly() {
        let load = Load::default();
        assert_eq!(load.estimate(), None);
        load.succeed(0, Duration::from_millis(10));
        load.succeed(SECOND, Duration::from_millis(100));
        assert_eq!(load.estimate(), Some(100e6));
        load.succeed(11 * SECOND, Duration::from_millis(10));
        let expected = 100e6 / std::f64::consts::E + 10e6 * (1.0 - 1.0 / std::f64::consts::E);
        assert!((load.estimate().unwrap() - expected).abs() < 1.0);
    }

    #[test]
    fn the_mean_follows_both_ways() {
        let load = Load::default();
        assert_eq!(load.mean(), None);
        load.succeed(0, Duration::from_millis(10));
        assert_eq!(load.mean(), Some(10e6));
        load.succeed(1, Duration::from_millis(26));
        assert_eq!(load.mean(), Some(11e6));
    }

    #[test]
    fn an_idle_estimate_drifts_towards_the_fastest_peer() {
        let load = Load::default();
        load.succeed(0, Duration::from_millis(100));
        assert!(load.estimate_among(SECOND, 1e6) > 85e6);
        assert!(load.estimate_among(60 * SECOND, 1e6) < 1.3e6);
        assert!(load.estimate_among(60 * SECOND, 1e6) > 1e6);
        load.forget();
        assert!((load.estimate_among(60 * SECOND, 1e6) - 1e6).abs() < f64::EPSILON);
    }

    #[test]
    fn failing_fast_does_not_look_fast() {
        let load = Load::default();
        load.succeed(0, Duration::from_millis(50));
        assert_eq!(load.fail(20 * SECOND, Duration::from_micros(1)), 1);
        assert_eq!(load.estimate(), Some(50e6));
        assert_eq!(load.fail(20 * SECOND, Duration::from_secs(2)), 2);
        assert_eq!(load.estimate(), Some(2e9));
        load.succeed(21 * SECOND, Duration::from_millis(50));
        assert_eq!(load.consecutive_failures(), 0);
    }
}
