//! When a breaker opens, and for how long.

use deepwater_core::config::{Duration, Percent};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When nothing is sent for a time because too much of it failed. There is no breaker unless configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Breaker {
    /// Share of the requests within `window` that must have failed for the breaker to open; `"0%"` for
    /// never.
    pub failure_share: Percent,
    /// An answer that takes this long or longer is slow; `"0s"` for none is.
    pub slow_after: Duration,
    /// Share of the requests within `window` that must have been slow for the breaker to open; `"0%"` for
    /// never.
    pub slow_share: Percent,
    /// Time over which requests are counted; it moves on by a tenth at a time.
    pub window: Duration,
    /// Requests, in number, that must have ended within `window` for the breaker to open.
    pub min_requests: u32,
    /// How long it stays open the first time, plus up to 10 % so that many do not probe together. Each time
    /// it opens again before it was closed for a whole `window`, twice as long as the last.
    pub open_for: Duration,
    /// It never stays open for longer than this, plus up to 10 %.
    pub max_open: Duration,
    /// Requests, in number, that are let through after that. When all have ended, the same shares of them
    /// decide whether it closes or opens again.
    #[schemars(range(min = 1))]
    pub probes: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failure_share: Percent::new(50),
            slow_after: Duration::from_secs(0),
            slow_share: Percent::new(100),
            window: Duration::from_secs(10),
            min_requests: 20,
            open_for: Duration::from_secs(5),
            max_open: Duration::from_secs(60),
            probes: 3,
        }
    }
}

impl Breaker {
    /// Why so many failures and slow answers of so many requests are too many, if they are.
    pub(super) fn too_bad(&self, requests: u64, failures: u64, slow: u64) -> Option<String> {
        if reaches(failures, requests, self.failure_share) {
            return Some(format!("{failures} of {requests} requests failed"));
        }
        let slow_after = self.slow_after;
        reaches(slow, requests, self.slow_share)
            .then(|| format!("{slow} of {requests} requests took {slow_after} or longer"))
    }
}

fn reaches(part: u64, whole: u64, share: Percent) -> bool {
    part > 0 && share.ratio() > 0.0 && part as f64 >= share.ratio() * whole as f64
}
