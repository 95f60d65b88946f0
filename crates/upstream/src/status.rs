//! What a pool looks like from outside: a snapshot for pages, detectors and tests.

use serde::{Deserialize, Serialize};

use crate::balance::Balance;
use crate::target::TargetId;

/// A pool at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoolStatus {
    /// Its name.
    pub name: String,
    /// How it chooses.
    pub balance: Balance,
    /// Whether unavailable targets are used too, because nearly all are.
    pub panic: bool,
    /// Targets available in their own right.
    pub available: usize,
    /// All targets, in the configured order.
    pub targets: Vec<TargetStatus>,
    /// Configured targets that are DNS names.
    pub names: Vec<NameStatus>,
}

/// A target at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetStatus {
    /// Its identity.
    pub id: TargetId,
    /// As configured.
    pub name: String,
    /// What is dialled.
    pub address: String,
    /// What may be expected of it.
    pub state: State,
    /// Why it is in that state, where there is more to say.
    pub reason: Option<String>,
    /// Since when, RFC 3339.
    pub since: String,
    /// Configured weight.
    pub weight: u32,
    /// Weight in force; less than configured during slow start.
    pub effective_weight: f64,
    /// Requests under way.
    pub in_flight: u32,
    /// Requests ended in any way.
    pub requests: u64,
    /// Requests it failed.
    pub failures: u64,
    /// Requests nobody waited for any longer.
    pub cancelled: u64,
    /// Failures since the last success.
    pub consecutive_failures: u32,
    /// Mean latency of the last sixteen successes or so, milliseconds.
    pub latency_ms: Option<f64>,
    /// Ejections so far.
    pub ejections: u64,
    /// What is left of the present ejection, seconds.
    pub ejected_for_seconds: Option<f64>,
    /// The last active check.
    pub check: Option<CheckStatus>,
}

/// What may be expected of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Neither checked nor used yet; used until proven bad.
    Unknown,
    /// Serves.
    Healthy,
    /// Serves a share that grows to its full one.
    SlowStart,
    /// Fails requests; used, since no other is left.
    Failing,
    /// Failed its checks; not used.
    Unhealthy,
    /// Failed requests or was far too slow; not used for a time.
    Ejected,
    /// Finishes what is under way; not used, as asked.
    Draining,
}

impl State {
    /// The word used in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::SlowStart => "slow_start",
            Self::Failing => "failing",
            Self::Unhealthy => "unhealthy",
            Self::Ejected => "ejected",
            Self::Draining => "draining",
        }
    }
}

/// The last active check of a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckStatus {
    /// When it ended, RFC 3339.
    pub at: String,
    /// Whether it passed.
    pub healthy: bool,
    /// Why, or why not.
    pub detail: String,
    /// The target's own checks that fail, as it names them.
    pub failing: Vec<String>,
    /// How long it took, milliseconds.
    pub latency_ms: f64,
    /// Checks passed in a row.
    pub passed_in_a_row: u32,
    /// Checks failed in a row.
    pub failed_in_a_row: u32,
}

/// A target that is a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NameStatus {
    /// As configured.
    pub name: String,
    /// The addresses in use.
    pub addresses: Vec<String>,
    /// Why the last lookup failed, or the name is not one.
    pub error: Option<String>,
}
