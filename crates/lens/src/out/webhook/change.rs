//! What is told.

use std::time::SystemTime;

use serde::{Serialize, Serializer};
use serde_json::Value;

/// A cliff's level is another than before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The cliff as it is now, as in `/api/cliffs`.
    pub cliff: Value,
    /// Its level before, such as `clear`.
    pub was: &'static str,
    /// Its level now, such as `near`.
    pub is: &'static str,
    /// When it was noticed, in civil time.
    #[serde(serialize_with = "rfc3339")]
    pub at: SystemTime,
}

fn rfc3339<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(*at))
}
