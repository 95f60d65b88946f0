//! Who may wait, and for how long.

use deepwater_core::config::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who is served first, and turned away last.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Turned away first.
    Low,
    /// What has no other.
    #[default]
    Normal,
    /// Before the normal.
    High,
    /// Before all others.
    Critical,
}

impl Priority {
    /// Every priority, the lowest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Critical];

    /// The word used in the configuration and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// The waiting room of a pool with a limit. Higher priorities are served first; the first to come first
/// within one, the last to come first under overload and in a long queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WaitingRoom {
    /// Requests, in number, that may wait; 0 for none. Beyond it, a request of a higher priority takes the
    /// place of the last to come of the lowest.
    pub max_waiting: u32,
    /// Nobody waits for longer than this.
    pub max_wait: Duration,
    /// A queue that is longer than this for 100 ms on end is overload: whoever waited twice as long is then
    /// turned away. `"0s"` for never.
    pub target_wait: Duration,
}

impl Default for WaitingRoom {
    fn default() -> Self {
        Self { max_waiting: 1_000, max_wait: Duration::from_secs(1), target_wait: Duration::from_millis(5) }
    }
}
