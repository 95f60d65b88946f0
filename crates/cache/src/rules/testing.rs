//! What tests share.

use std::time::{Duration, UNIX_EPOCH};

use super::meta::{Flags, Meta};

/// A moment in 2026, Unix milliseconds.
pub(crate) const NOW: u64 = 1_795_478_400_000;

/// A 200 that arrived [`NOW`] at age 0 and is stale.
pub(crate) fn meta() -> Meta {
    Meta {
        response_ms: NOW,
        initial_age_ms: 0,
        lifetime_ms: 0,
        stale_while_revalidate_ms: 0,
        stale_if_error_ms: 0,
        fetch_ms: 100,
        status: http::StatusCode::OK,
        flags: Flags::default(),
    }
}

/// The date that many seconds after [`NOW`].
pub(crate) fn date(seconds: i64) -> String {
    let now = UNIX_EPOCH + Duration::from_millis(NOW);
    let distance = Duration::from_secs(seconds.unsigned_abs());
    httpdate::fmt_http_date(if seconds < 0 { now - distance } else { now + distance })
}

/// Header fields whose values may be `@` and a number of seconds from [`NOW`]: a date.
pub(crate) fn fields(list: &[(&str, &str)]) -> Vec<(String, String)> {
    let value = |text: &str| match text.strip_prefix('@').and_then(|seconds| seconds.parse().ok()) {
        Some(seconds) => date(seconds),
        None => text.to_owned(),
    };
    list.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect()
}
