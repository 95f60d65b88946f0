//! Points in time, as PgBouncer writes them: `2026-01-31 23:59:59 UTC`.

use std::time::{Duration, SystemTime};

use crate::shared::Shared;

/// A time of the system's clock, in UTC.
pub(super) fn written(at: SystemTime) -> String {
    humantime::format_rfc3339_seconds(at).to_string().replace('T', " ").replace('Z', " UTC")
}

/// A time of the process's own count, in microseconds; the given one where there is none.
pub(super) fn written_micros(shared: &Shared, micros: u64, otherwise: SystemTime) -> String {
    if micros == 0 {
        return written(otherwise);
    }
    let ago = shared.began.elapsed().saturating_sub(Duration::from_micros(micros));
    written(SystemTime::now().checked_sub(ago).unwrap_or(otherwise))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_utc_to_the_second() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_709_251_199_999);
        assert_eq!(written(at), "2024-02-29 23:59:59 UTC");
    }
}
