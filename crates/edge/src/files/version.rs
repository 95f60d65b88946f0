//! What tells one version of a file from another (RFC 9110 §8.8).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use deepwater_cache::rules::{EntityTag, Validators};

/// A file changed as recently as this may change again without its time of change telling.
const FRESHLY_WRITTEN: Duration = Duration::from_secs(1);
/// The last second of the year 9999, beyond which HTTP has no dates.
const LAST_SECOND: u64 = 253_402_300_799;

/// One version of a file.
#[derive(Debug)]
pub(super) struct Version {
    /// The entity tag, as in `ETag`.
    pub(super) etag: String,
    /// The time of change, as in `Last-Modified`.
    pub(super) last_modified: String,
    /// The same, Unix seconds.
    modified: u64,
    /// Whether that second is over long enough for the date to be a strong validator (§8.8.2.2).
    settled: bool,
}

impl Version {
    /// Of a file of that length. The tag is weak while the file is so fresh that it could change unnoticed; nodes
    /// that serve copies with the same times agree on it.
    pub(super) fn new(modified: SystemTime, len: u64, now: SystemTime) -> Self {
        let since_epoch = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let age = |since| now.duration_since(since).unwrap_or_default();
        let weak = if age(modified) >= FRESHLY_WRITTEN { "" } else { "W/" };
        let etag = format!("{weak}\"{:x}-{len:x}\"", since_epoch.as_nanos());
        // RFC 9110 §8.8.2.1: never later than the message itself.
        let now_seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let seconds = since_epoch.as_secs().min(now_seconds).min(LAST_SECOND);
        let date = UNIX_EPOCH + Duration::from_secs(seconds);
        let settled = age(date) > FRESHLY_WRITTEN;
        Self { etag, last_modified: httpdate::fmt_http_date(date), modified: seconds, settled }
    }

    /// As conditions are compared with them.
    pub(super) fn validators(&self) -> Validators<'_> {
        Validators {
            etag: EntityTag::parse(self.etag.as_bytes()),
            last_modified: Some(self.modified),
            settled: self.settled,
            date: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Fields;
    use deepwater_cache::rules::{Outcome, evaluate, is_conditional};

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const NOW_MS: u64 = 784_111_837_000;

    /// A file changed on [`DATE`], a little after the full second.
    fn version(age: Duration) -> Version {
        let modified = httpdate::parse_http_date(DATE).unwrap() + Duration::from_millis(250);
        Version::new(modified, 10, modified + age)
    }

    fn outcome(version: &Version, conditions: &[(&str, &str)]) -> Outcome {
        let mut fields = Fields::default();
        for (name, value) in conditions {
            fields.add(name.as_bytes(), value.replace("TAG", version.etag.trim_matches('"')).as_bytes());
        }
        assert!(is_conditional(&fields) != conditions.is_empty());
        evaluate(&fields, &version.validators(), NOW_MS)
    }

    #[test]
    fn conditions() {
        use Outcome::{Failed, NotModified, Proceed};
        let settled = version(Duration::from_secs(60));
        let later = "Sun, 06 Nov 1994 08:49:38 GMT";
        let earlier = "Sunday, 06-Nov-94 08:49:36 GMT";
        for (conditions, expected) in [
            (&[][..], Proceed),
            (&[("If-None-Match", "\"TAG\"")], NotModified),
            (&[("If-None-Match", "W/\"TAG\"")], NotModified),
            (&[("If-None-Match", "\"a,b\" , W/\"c\",\"TAG\"")], NotModified),
            (&[("If-None-Match", "\"a\""), ("If-None-Match", "\"TAG\"")], NotModified),
            (&[("If-None-Match", "*")], NotModified),
            (&[("If-None-Match", "\"other\"")], Proceed),
            (&[("If-None-Match", "TAG")], Proceed),
            (&[("If-None-Match", "")], Proceed),
            (&[("If-Modified-Since", DATE)], NotModified),
            (&[("If-Modified-Since", later)], NotModified),
            (&[("If-Modified-Since", earlier)], Proceed),
            (&[("If-Modified-Since", "yesterday")], Proceed),
            // The tag decides where both are given.
            (&[("If-None-Match", "\"other\""), ("If-Modified-Since", DATE)], Proceed),
            (&[("If-Match", "\"TAG\"")], Proceed),
            (&[("If-Match", "*")], Proceed),
            (&[("If-Match", "W/\"TAG\"")], Failed),
            (&[("If-Match", "\"other\"")], Failed),
            (&[("If-Unmodified-Since", DATE)], Proceed),
            (&[("If-Unmodified-Since", earlier)], Failed),
            (&[("If-Match", "\"TAG\""), ("If-Unmodified-Since", earlier)], Proceed),
            (&[("If-Match", "\"other\""), ("If-None-Match", "\"TAG\"")], Failed),
        ] {
            assert_eq!(outcome(&settled, conditions), expected, "{conditions:?}");
        }
    }

    #[test]
    fn a_file_just_written_has_no_strong_validator() {
        let fresh = version(Duration::from_millis(300));
        let names =
            |version: &Version, value: &str| version.validators().match_if_range(value.as_bytes(), NOW_MS);
        assert!(fresh.etag.starts_with("W/\""));
        assert!(!names(&fresh, &fresh.etag));
        assert!(!names(&fresh, DATE));
        assert_eq!(outcome(&fresh, &[("If-None-Match", &fresh.etag)]), Outcome::NotModified);

        let settled = version(Duration::from_secs(5));
        assert!(names(&settled, &settled.etag));
        assert!(names(&settled, DATE));
        assert!(!names(&settled, "Sun, 06 Nov 1994 08:49:38 GMT"));
        assert!(!names(&settled, &format!("W/{}", settled.etag)));
    }

    #[test]
    fn times_no_date_can_say_are_brought_into_range() {
        let now = httpdate::parse_http_date(DATE).unwrap();
        let ancient = Version::new(UNIX_EPOCH - Duration::from_secs(5), 1, now);
        assert_eq!(ancient.last_modified, "Thu, 01 Jan 1970 00:00:00 GMT");
        let future = Version::new(now + Duration::from_secs(1 << 40), 1, now);
        assert_eq!(future.last_modified, DATE);
        assert!(future.etag.starts_with("W/"));
    }
}
