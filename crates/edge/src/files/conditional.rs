//! Validators and conditional requests (RFC 9110 §8.8 and §13).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::head::{Fields, Name};

/// A file changed as recently as this may change again without its time of change telling.
const FRESHLY_WRITTEN: Duration = Duration::from_secs(1);
/// The last second of the year 9999, beyond which HTTP has no dates.
const LAST_SECOND: u64 = 253_402_300_799;

/// What tells one version of a file from another.
#[derive(Debug)]
pub(super) struct Validators {
    /// The entity tag, as in `ETag`.
    pub(super) etag: String,
    /// The time of change, as in `Last-Modified`.
    pub(super) last_modified: String,
    /// The same, in whole seconds.
    pub(super) modified: SystemTime,
}

impl Validators {
    /// Of a file of that length. The tag is weak while the file is so fresh that it could change unnoticed; nodes
    /// that serve copies with the same times agree on it.
    pub(super) fn new(modified: SystemTime, len: u64, now: SystemTime) -> Self {
        let since_epoch = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let settled = now.duration_since(modified).is_ok_and(|age| age >= FRESHLY_WRITTEN);
        let weak = if settled { "" } else { "W/" };
        let etag = format!("{weak}\"{:x}-{len:x}\"", since_epoch.as_nanos());
        // RFC 9110 §8.8.2.1: never later than the message itself.
        let now_seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let seconds = since_epoch.as_secs().min(now_seconds).min(LAST_SECOND);
        let modified = UNIX_EPOCH + Duration::from_secs(seconds);
        Self { etag, last_modified: httpdate::fmt_http_date(modified), modified }
    }

    fn is_weak(&self) -> bool {
        self.etag.starts_with("W/")
    }

    /// Whether an entity tag names this version byte for byte.
    fn match_strongly(&self, tag: EntityTag<'_>) -> bool {
        !tag.weak && !self.is_weak() && tag.text == self.opaque()
    }

    /// Whether an entity tag names this version or an equivalent one.
    fn match_weakly(&self, tag: EntityTag<'_>) -> bool {
        tag.text == self.opaque()
    }

    fn opaque(&self) -> &[u8] {
        self.etag.strip_prefix("W/").unwrap_or(&self.etag).trim_matches('"').as_bytes()
    }

    /// Whether the value of `If-Range` names this version byte for byte (RFC 9110 §13.1.5).
    pub(super) fn match_if_range(&self, value: &[u8], now: SystemTime) -> bool {
        if value.contains(&b'"') {
            return entity_tags(value).next().is_some_and(|tag| self.match_strongly(tag));
        }
        // A date is a strong validator only if the file cannot have changed twice in that second (§8.8.2.2).
        let settled = now.duration_since(self.modified).is_ok_and(|age| age > FRESHLY_WRITTEN);
        settled && parse_date(value) == Some(self.modified)
    }
}

/// An entity tag (RFC 9110 §8.8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntityTag<'a> {
    /// Whether it stands for equivalent versions too.
    pub weak: bool,
    /// What is within the quotes.
    pub text: &'a [u8],
}

/// The entity tags of a list, whose texts may hold commas. Ends at the first thing that is none.
pub fn entity_tags(list: &[u8]) -> impl Iterator<Item = EntityTag<'_>> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let start = rest.iter().position(|b| !matches!(b, b' ' | b'\t' | b','))?;
        let tag = &rest[start..];
        let (weak, quoted) = match tag.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, tag),
        };
        let text = quoted.strip_prefix(b"\"")?;
        let end = memchr::memchr(b'"', text)?;
        rest = &text[end + 1..];
        Some(EntityTag { weak, text: &text[..end] })
    })
}

fn parse_date(value: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(value).ok()?).ok()
}

/// Whether a request is for anything but the whole file as it is.
pub(super) fn is_conditional(fields: &Fields) -> bool {
    fields.iter().any(|(id, name, _)| match id {
        Name::IfNoneMatch | Name::IfModifiedSince | Name::Range => true,
        Name::Other => name.len() > 3 && name[..3].eq_ignore_ascii_case(b"if-"),
        _ => false,
    })
}

/// What the conditions of a request come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The request is performed.
    Proceed,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

/// Evaluates the conditions of a GET or HEAD in the order of RFC 9110 §13.2.2.
pub(super) fn evaluate(fields: &Fields, validators: &Validators) -> Outcome {
    let mut if_match = fields.iter().filter(|(_, name, _)| name.eq_ignore_ascii_case(b"if-match")).peekable();
    if if_match.peek().is_some() {
        if !if_match.any(|(_, _, list)| names(list, |tag| validators.match_strongly(tag))) {
            return Outcome::Failed;
        }
    } else if let Some(date) = fields.get(b"if-unmodified-since").and_then(parse_date)
        && validators.modified > date
    {
        return Outcome::Failed;
    }
    let mut if_none_match = fields.all_known(Name::IfNoneMatch).peekable();
    let not_modified = if if_none_match.peek().is_some() {
        if_none_match.any(|list| names(list, |tag| validators.match_weakly(tag)))
    } else {
        let date = fields.get_known(Name::IfModifiedSince).and_then(parse_date);
        date.is_some_and(|date| validators.modified <= date)
    };
    if not_modified { Outcome::NotModified } else { Outcome::Proceed }
}

/// Whether a list is `*`, or one of its tags matches.
fn names(list: &[u8], matches: impl FnMut(EntityTag<'_>) -> bool) -> bool {
    list == b"*" || entity_tags(list).any(matches)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    /// A file changed on [`DATE`], a little after the full second; its tag is strong.
    fn validators(age: Duration) -> Validators {
        let modified = httpdate::parse_http_date(DATE).unwrap() + Duration::from_millis(250);
        Validators::new(modified, 10, modified + age)
    }

    fn outcome(conditions: &[(&str, &str)]) -> Outcome {
        let validators = validators(Duration::from_secs(60));
        let mut fields = Fields::default();
        for (name, value) in conditions {
            fields.add(name.as_bytes(), value.replace("TAG", validators.etag.trim_matches('"')).as_bytes());
        }
        assert!(is_conditional(&fields) != conditions.is_empty());
        evaluate(&fields, &validators)
    }

    #[test]
    fn conditions() {
        use Outcome::{Failed, NotModified, Proceed};
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
            assert_eq!(outcome(conditions), expected, "{conditions:?}");
        }
    }

    #[test]
    fn a_file_just_written_has_no_strong_validator() {
        let fresh = validators(Duration::from_millis(300));
        assert!(fresh.etag.starts_with("W/\""));
        let now = fresh.modified + Duration::from_millis(550);
        assert!(!fresh.match_if_range(fresh.etag.as_bytes(), now));
        assert!(!fresh.match_if_range(DATE.as_bytes(), now));
        let mut fields = Fields::default();
        fields.add(b"If-None-Match", fresh.etag.as_bytes());
        assert_eq!(evaluate(&fields, &fresh), Outcome::NotModified);

        let settled = validators(Duration::from_secs(5));
        let now = settled.modified + Duration::from_secs(5);
        assert!(settled.match_if_range(settled.etag.as_bytes(), now));
        assert!(settled.match_if_range(DATE.as_bytes(), now));
        assert!(!settled.match_if_range(b"Sun, 06 Nov 1994 08:49:38 GMT", now));
        assert!(!settled.match_if_range(format!("W/{}", settled.etag).as_bytes(), now));
    }

    #[test]
    fn times_no_date_can_say_are_brought_into_range() {
        let now = httpdate::parse_http_date(DATE).unwrap();
        let ancient = Validators::new(UNIX_EPOCH - Duration::from_secs(5), 1, now);
        assert_eq!(ancient.last_modified, "Thu, 01 Jan 1970 00:00:00 GMT");
        let future = Validators::new(now + Duration::from_secs(1 << 40), 1, now);
        assert_eq!(future.last_modified, DATE);
        assert!(future.is_weak());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(list in prop::collection::vec(any::<u8>(), 0..60)) {
            entity_tags(&list).for_each(drop);
            validators(Duration::from_secs(60)).match_if_range(&list, SystemTime::now());
        }
    }
}
