//! Which signals durations tell.

use crate::signal::{self, Signal};

/// What durations tell.
pub(super) struct TimeSignals {
    pub(super) rate: Option<&'static Signal>,
    pub(super) mean: Option<&'static Signal>,
    /// Mean number under way: their durations, summed up, in each second.
    pub(super) level: Option<&'static Signal>,
    /// How many are under way at the moment.
    pub(super) active: Option<&'static Signal>,
    pub(super) p95: Option<&'static Signal>,
    /// Quantiles of all labels together alone: each series takes room.
    pub(super) quantiles_of_all: &'static [(f64, &'static Signal)],
    /// Variance over the square of the mean.
    pub(super) variation: Option<&'static Signal>,
    /// Whether there is one of all labels together.
    pub(super) total: bool,
}

const NONE: TimeSignals = TimeSignals {
    rate: None,
    mean: None,
    level: None,
    active: None,
    p95: None,
    quantiles_of_all: &[],
    variation: None,
    total: false,
};

pub(super) static ANSWERED: TimeSignals = TimeSignals {
    rate: Some(&signal::REQUESTS),
    mean: Some(&signal::LATENCY),
    p95: Some(&signal::LATENCY_P95),
    quantiles_of_all: &[(0.5, &signal::LATENCY_P50), (0.99, &signal::LATENCY_P99)],
    total: true,
    ..NONE
};
pub(super) static UPSTREAM: TimeSignals = TimeSignals {
    rate: Some(&signal::UPSTREAM_RATE),
    mean: Some(&signal::UPSTREAM_SECONDS),
    level: Some(&signal::UPSTREAM_BUSY),
    active: Some(&signal::UPSTREAM_ACTIVE),
    ..NONE
};
pub(super) static UPSTREAM_WAIT: TimeSignals = TimeSignals { level: Some(&signal::UPSTREAM_WAITING), ..NONE };
pub(super) static POOL_USE: TimeSignals = TimeSignals {
    rate: Some(&signal::POOL_RATE),
    mean: Some(&signal::POOL_HOLD),
    level: Some(&signal::POOL_BUSY),
    active: Some(&signal::POOL_ACTIVE),
    variation: Some(&signal::POOL_HOLD_VARIATION),
    ..NONE
};
pub(super) static POOL_WAITED: TimeSignals = TimeSignals {
    mean: Some(&signal::POOL_WAIT),
    level: Some(&signal::POOL_WAITING),
    active: Some(&signal::POOL_QUEUE),
    p95: Some(&signal::POOL_WAIT_P95),
    ..NONE
};

/// Of these the number under way is told even where none has ended yet.
pub(super) static HELD: [&TimeSignals; 3] = [&UPSTREAM, &POOL_USE, &POOL_WAITED];
