//! What an error must carry so that code far away can act on it.

use serde::Serialize;

/// Whose fault a failure is. Decides the status a client sees and whether a target is blamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The client sent something wrong, too much, too late, or left.
    Client,
    /// The server behind us failed, lied or was too slow.
    Upstream,
    /// Ours: a limit of our own, or a fault.
    Us,
}

impl Blame {
    /// The word used in logs and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Us => "us",
        }
    }
}
