//! What a gate looks like from outside.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

/// Why a request was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shed {
    /// The room was full.
    Full,
    /// The room was full, and a request of a higher priority took its place.
    Displaced,
    /// Under overload it waited for too long to be served well.
    Overloaded,
    /// It waited for as long as it may.
    WaitedTooLong,
    /// It left before it was served.
    Left,
}

impl Shed {
    /// Every reason.
    pub const ALL: [Self; 5] =
        [Self::Full, Self::Displaced, Self::Overloaded, Self::WaitedTooLong, Self::Left];

    /// The word used in reasons and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Displaced => "displaced",
            Self::Overloaded => "overloaded",
            Self::WaitedTooLong => "waited_too_long",
            Self::Left => "left",
        }
    }
}

/// How many were turned away for each reason.
#[derive(Debug, Default)]
pub(super) struct ShedCounts([AtomicU64; Shed::ALL.len()]);

impl ShedCounts {
    pub(super) fn count(&self, why: Shed) {
        self.0[why as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn all(&self) -> [u64; Shed::ALL.len()] {
        std::array::from_fn(|why| self.0[why].load(Relaxed))
    }
}

/// A gate at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateStatus {
    /// Requests that may be in flight.
    pub limit: u32,
    /// Requests in flight; more than the limit for a while after it went down.
    pub in_flight: u32,
    /// Requests that wait, in the order of [`Priority::ALL`](crate::Priority::ALL).
    pub waiting: [u32; 4],
    /// Whether the queue is a standing one.
    pub overloaded: bool,
    /// Requests turned away so far, in the order of [`Shed::ALL`].
    pub shed: [u64; 5],
}
