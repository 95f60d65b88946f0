//! Slow start: a target that comes back is given its full share only by and by, so that cold caches and
//! connection pools fill before the load arrives.

use std::time::Duration;

/// What a target gets of its weight at first.
const FLOOR: f64 = 0.1;
/// Weights change in this many steps: each is a new rotation.
const STEPS: u32 = 20;
/// Shorter steps than this would only make work.
const SHORTEST_STEP: Duration = Duration::from_millis(50);

/// The share of its weight a target has, `elapsed` after it came back: from 10 % to 100 %, linearly.
pub(crate) fn share(elapsed: Duration, slow_start: Duration) -> f64 {
    if elapsed >= slow_start {
        return 1.0;
    }
    FLOOR + (1.0 - FLOOR) * elapsed.as_secs_f64() / slow_start.as_secs_f64()
}

/// How long a step of the ramp takes.
pub(crate) fn step(slow_start: Duration) -> Duration {
    (slow_start / STEPS).max(SHORTEST_STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ramp_is_linear_from_a_tenth() {
        let slow_start = Duration::from_secs(10);
        for (elapsed, expected) in [(0, 0.1), (5, 0.55), (10, 1.0), (11, 1.0)] {
            assert!((share(Duration::from_secs(elapsed), slow_start) - expected).abs() < 1e-9, "{elapsed}");
        }
        assert!((share(Duration::ZERO, Duration::ZERO) - 1.0).abs() < f64::EPSILON);
        assert_eq!(step(slow_start), Duration::from_millis(500));
    }
}
