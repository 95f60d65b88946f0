//! What is told.

use std::time::SystemTime;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::cliffs::{self, Level};

/// A cliff's level is another than before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The cliff as it is now, as in `/api/cliffs`; or how the answers are, in the same form.
    pub cliff: Value,
    /// Its level before, such as `clear`.
    pub was: &'static str,
    /// Its level now, such as `near`.
    pub is: &'static str,
    /// When it was noticed, in civil time.
    #[serde(serialize_with = "rfc3339")]
    pub at: SystemTime,
}

impl Change {
    /// What somebody wants to know of a change: that a cliff can be told at last, and is far away, is no news.
    pub(crate) fn of(change: &cliffs::Change, at: SystemTime) -> Option<Self> {
        let (was, is) = (change.was, change.cliff.level);
        let cliff = serde_json::to_value(&change.cliff).ok()?;
        (was.max(is) > Level::Clear).then(|| Self { cliff, was: word(was), is: word(is), at })
    }
}

/// As `/api/cliffs` writes it.
fn word(level: Level) -> &'static str {
    match level {
        Level::Unknown => "unknown",
        Level::Clear => "clear",
        Level::Watch => "watch",
        Level::Near => "near",
        Level::Over => "over",
    }
}

fn rfc3339<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(*at))
}
