//! What tells one version of a response from another (RFC 9110 §8.8), and asking by it.

use super::date;
use super::entity_tag::{EntityTag, entity_tags};
use super::fields::Fields;
use super::freshness::date_of;

/// The validators of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Validators<'a> {
    /// `ETag`, if it is one.
    pub etag: Option<EntityTag<'a>>,
    /// `Last-Modified`, Unix seconds, if it is a date.
    pub last_modified: Option<u64>,
    /// Whether the second of the last change was over when the response was made, so that two versions cannot
    /// share the date: it is strong then (RFC 9110 §8.8.2.2).
    pub settled: bool,
    /// `Date`, Unix seconds, if it is one.
    pub date: Option<u64>,
}

impl<'a> Validators<'a> {
    /// Of a stored or new response.
    pub fn of<F: Fields + ?Sized>(response: &'a F, now_ms: u64) -> Self {
        let now_s = now_ms / 1_000;
        let last_modified = response.first("last-modified").and_then(|value| date::parse(value, now_s));
        let date = date_of(response, now_s);
        let settled = last_modified.is_some_and(|modified| date.is_some_and(|date| date > modified));
        Self { etag: response.first("etag").and_then(EntityTag::parse), last_modified, settled, date }
    }

    /// Whether one of them changes with every byte.
    pub fn is_strong(&self) -> bool {
        self.has_strong_etag() || self.settled
    }

    pub(crate) fn has_strong_etag(&self) -> bool {
        self.etag.is_some_and(|tag| !tag.weak)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }

    /// Whether the value of `If-Range` names this version byte for byte (RFC 9110 §13.1.5).
    pub fn match_if_range(&self, value: &[u8], now_ms: u64) -> bool {
        if value.contains(&b'"') {
            let named = entity_tags(value).next();
            return named.zip(self.etag).is_some_and(|(named, own)| named.strong_eq(own));
        }
        self.settled
            && date::parse(value, now_ms / 1_000).is_some_and(|date| self.last_modified == Some(date))
    }
}

/// The conditions that ask an origin whether a stored response is still current (RFC 9111 §4.3.1). They replace
/// those of the client; what its own conditions come to is decided by the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Revalidation<'a> {
    /// The value of `If-None-Match`.
    pub if_none_match: Option<&'a [u8]>,
    /// The value of `If-Modified-Since`.
    pub if_modified_since: Option<&'a [u8]>,
}

/// The conditions to revalidate a stored response by, as its origin wrote its validators. Both are `None` when it
/// has none: then it is fetched anew.
pub fn revalidation<F: Fields + ?Sized>(stored: &F, now_ms: u64) -> Revalidation<'_> {
    let is_date = |value: &&[u8]| date::parse(value, now_ms / 1_000).is_some();
    Revalidation {
        if_none_match: stored.first("etag").filter(|value| EntityTag::parse(value).is_some()),
        if_modified_since: stored.first("last-modified").filter(is_date),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{NOW, date, fields};
    use proptest::prelude::*;

    #[test]
    fn strong_and_weak() {
        for (list, strong) in [
            (&[][..], false),
            (&[("ETag", "\"a\"")], true),
            (&[("ETag", "W/\"a\"")], false),
            (&[("ETag", "a")], false),
            (&[("Last-Modified", "@-1"), ("Date", "@0")], true),
            (&[("Last-Modified", "@0"), ("Date", "@0")], false),
            (&[("Last-Modified", "@-100")], false),
            (&[("ETag", "W/\"a\""), ("Last-Modified", "@-1"), ("Date", "@0")], true),
        ] {
            assert_eq!(Validators::of(&fields(list), NOW).is_strong(), strong, "{list:?}");
        }
        assert!(Validators::of(&fields(&[("ETag", "a"), ("Last-Modified", "b")]), NOW).is_empty());
    }

    #[test]
    fn if_range() {
        let modified = date(-10);
        let stored = fields(&[("ETag", "\"a\""), ("Last-Modified", "@-10"), ("Date", "@0")]);
        let settled = Validators::of(&stored, NOW);
        for (value, expected) in [
            ("\"a\"", true),
            ("W/\"a\"", false),
            ("\"b\"", false),
            (modified.as_str(), true),
            (&date(-9), false),
            ("a", false),
            ("", false),
        ] {
            assert_eq!(settled.match_if_range(value.as_bytes(), NOW), expected, "{value}");
        }
        let stored = fields(&[("ETag", "W/\"a\""), ("Last-Modified", "@-10"), ("Date", "@-10")]);
        let fresh = Validators::of(&stored, NOW);
        assert!(!fresh.match_if_range(modified.as_bytes(), NOW));
        assert!(!fresh.match_if_range(b"W/\"a\"", NOW) && !fresh.match_if_range(b"\"a\"", NOW));
    }

    #[test]
    fn conditions_for_the_origin() {
        let stored = fields(&[("ETag", "W/\"a\""), ("Last-Modified", "@-10")]);
        let asked = revalidation(&stored, NOW);
        assert_eq!(asked.if_none_match, Some(&b"W/\"a\""[..]));
        assert_eq!(asked.if_modified_since, Some(date(-10).as_bytes()));
        let odd = fields(&[("ETag", "a"), ("Last-Modified", "yesterday")]);
        assert_eq!(revalidation(&odd, NOW), Revalidation::default());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(value in prop::collection::vec(any::<u8>(), 0..60)) {
            let stored = [("etag", value.as_slice()), ("last-modified", &value), ("date", &value)];
            Validators::of(stored.as_slice(), NOW).match_if_range(&value, NOW);
        }
    }
}
