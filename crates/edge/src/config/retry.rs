//! `[pools.<name>.retry]`.

use deepwater_core::config::{Duration, Percent, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a request is sent again, to another server if there is one. Only requests that do no more when they arrive twice
/// (GET, HEAD, OPTIONS, TRACE, PUT, DELETE) are, unless nothing of them was sent; and never once the client has seen
/// something of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// How often a request is sent again at most, beyond the servers tried when connecting fails. 0 for never.
    pub attempts: u32,
    /// Statuses of servers after which it is: `[502, 503, 504]`. None by default: the client sees what the server said.
    pub statuses: Vec<u16>,
    /// Whether it is when no answer came within `timeouts.response`. The first server may still be working on it.
    pub on_timeout: bool,
    /// Share of the requests of the last 10 seconds that may be sent again, so that an outage is not multiplied.
    pub budget: Percent,
    /// Requests in each second that may be sent again whatever the share, so that quiet services can, too.
    pub min_per_second: u32,
    /// The longest pause before the first time; each further one doubles it. The pause is drawn between 0 and that.
    pub backoff: Duration,
    /// No pause is longer.
    pub max_backoff: Duration,
    /// Request bodies up to this size are kept to be sent again; longer ones are sent once.
    pub max_body: Size,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 1,
            statuses: Vec::new(),
            on_timeout: false,
            budget: Percent::new(20),
            min_per_second: 3,
            backoff: Duration::from_millis(25),
            max_backoff: Duration::from_secs(1),
            max_body: Size::from_kib(64),
        }
    }
}
