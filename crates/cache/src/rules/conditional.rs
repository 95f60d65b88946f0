//! Conditional requests (RFC 9110 §13).

use http::Method;

use super::date;
use super::entity_tag::{EntityTag, entity_tags};
use super::excluded::is_digest;
use super::fields::{Fields, Request};
use super::validators::Validators;

/// Whether a stored response answers a request with 304 (RFC 9111 §4.3.2): by `If-None-Match`, or else by
/// `If-Modified-Since`, which is compared to the date of change, or else to the date of the response, or else to its
/// arrival. Only for a GET or HEAD and a stored 200 or 206. For a response that is fresh or just revalidated.
pub fn not_modified<F: Fields + ?Sized>(
    request: Request<'_, F>,
    status: u16,
    stored: &Validators<'_>,
    received_ms: u64,
    now_ms: u64,
) -> bool {
    if !matches!(*request.method, Method::GET | Method::HEAD) || !matches!(status, 200 | 206) {
        return false;
    }
    let changed = stored.last_modified.or(stored.date).unwrap_or(received_ms / 1_000);
    none_match_fails(request.fields, stored)
        .or_else(|| date_of(request.fields, "if-modified-since", now_ms).map(|date| changed <= date))
        .unwrap_or(false)
}

/// Whether a request is for anything but the whole content as it is.
pub fn is_conditional<F: Fields + ?Sized>(request: &F) -> bool {
    request.iter().any(|(name, _)| {
        name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"if-"))
            || name.eq_ignore_ascii_case(b"range")
    })
}

/// What the conditions of a request come to at its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The request is performed.
    Proceed,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

/// Evaluates the conditions of a GET or HEAD in the order of RFC 9110 §13.2.2, as an origin does.
pub fn evaluate<F: Fields + ?Sized>(request: &F, own: &Validators<'_>, now_ms: u64) -> Outcome {
    let strong = |tag: EntityTag<'_>| own.etag.is_some_and(|etag| etag.strong_eq(tag));
    let mut if_match = request.values("if-match").peekable();
    if if_match.peek().is_some() {
        if !if_match.any(|list| names(list, strong)) {
            return Outcome::Failed;
        }
    } else if let Some(date) = date_of(request, "if-unmodified-since", now_ms)
        && own.last_modified.is_some_and(|modified| modified > date)
    {
        return Outcome::Failed;
    }
    let since = || Some(own.last_modified? <= date_of(request, "if-modified-since", now_ms)?);
    let not_modified = none_match_fails(request, own).or_else(since).unwrap_or(false);
    if not_modified { Outcome::NotModified } else { Outcome::Proceed }
}

/// Whether `If-None-Match` names this version or an equivalent one; `None` where there is none.
fn none_match_fails<F: Fields + ?Sized>(request: &F, own: &Validators<'_>) -> Option<bool> {
    let mut lists = request.values("if-none-match").peekable();
    lists.peek()?;
    let weak = |tag: EntityTag<'_>| own.etag.is_some_and(|etag| etag.weak_eq(tag));
    Some(lists.any(|list| names(list, weak)))
}

/// Whether a list is `*`, or one of its tags matches.
fn names(list: &[u8], matches: impl FnMut(EntityTag<'_>) -> bool) -> bool {
    list.trim_ascii() == b"*" || entity_tags(list).any(matches)
}

/// The date a condition names. One that is no date, or is given twice, is no condition (RFC 9110 §13.1.3).
fn date_of<'a, F: Fields + ?Sized>(request: &'a F, name: &'a str, now_ms: u64) -> Option<u64> {
    let mut values = request.values(name);
    let date = date::parse(values.next()?, now_ms / 1_000);
    if values.next().is_some() { None } else { date }
}

/// Whether a stored field belongs into a 304 (RFC 9110 §15.4.5): all but those that describe content, which a 304 has
/// not.
pub fn in_not_modified(name: &[u8]) -> bool {
    const CONTENT: [&str; 6] = [
        "content-encoding",
        "content-language",
        "content-length",
        "content-range",
        "content-type",
        "transfer-encoding",
    ];
    !is_digest(name) && !CONTENT.iter().any(|content| name.eq_ignore_ascii_case(content.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{NOW, fields};
    use proptest::prelude::*;

    /// Changed ten seconds ago, made and received now.
    fn stored() -> Vec<(String, String)> {
        fields(&[("ETag", "\"abc\""), ("Last-Modified", "@-10"), ("Date", "@0")])
    }

    fn answers(request: &[(&str, &str)], stored: &[(&str, &str)]) -> bool {
        let stored = fields(stored);
        let validators = Validators::of(&stored, NOW);
        let request = fields(request);
        not_modified(Request { method: &Method::GET, fields: &request }, 200, &validators, NOW, NOW)
    }

    #[test]
    fn conditions_at_a_cache() {
        let etag = ("ETag", "\"abc\"");
        let weak = ("ETag", "W/\"abc\"");
        let modified = ("Last-Modified", "@-10");
        for (request, stored, expected) in [
            (&[][..], &[etag, modified][..], false),
            (&[("If-None-Match", "\"abc\"")], &[etag], true),
            (&[("If-None-Match", "W/\"abc\"")], &[etag], true),
            (&[("If-None-Match", "\"abc\"")], &[weak], true),
            (&[("If-None-Match", "\"abc\", \"1\", \"2\"")], &[etag], true),
            (&[("If-None-Match", "\"1\", \"abc\", \"2\"")], &[etag], true),
            (&[("If-None-Match", "\"1\", \"2\" ,W/\"abc\"")], &[etag], true),
            (&[("If-None-Match", "\"1\""), ("If-None-Match", "\"abc\"")], &[etag], true),
            (&[("If-None-Match", "*")], &[], true),
            (&[("If-None-Match", " * ")], &[etag], true),
            (&[("If-None-Match", "\"1\"")], &[etag], false),
            (&[("If-None-Match", "abc")], &[etag], false),
            (&[("If-None-Match", "\"abc\"")], &[("ETag", "abc")], false),
            (&[("If-None-Match", "w/\"abc\"")], &[weak], false),
            (&[("If-None-Match", "\"\u{fc}\"")], &[("ETag", "\"\u{fc}\"")], true),
            (&[("If-None-Match", "")], &[etag], false),
            (&[("If-None-Match", "\"abc\"")], &[modified], false),
            // The tag decides where both are given.
            (&[("If-None-Match", "\"abc\""), ("If-Modified-Since", "@-5000")], &[etag, modified], true),
            (&[("If-None-Match", "\"1\""), ("If-Modified-Since", "@0")], &[etag, modified], false),
            (&[("If-Modified-Since", "@-10")], &[modified], true),
            (&[("If-Modified-Since", "@-9")], &[modified], true),
            (&[("If-Modified-Since", "@-11")], &[modified], false),
            (&[("If-Modified-Since", "yesterday")], &[modified], false),
            (&[("If-Modified-Since", "@-10"), ("If-Modified-Since", "@-10")], &[modified], false),
            // Without a date of change: the date of the response, or of its arrival.
            (&[("If-Modified-Since", "@-5")], &[("Date", "@-5")], true),
            (&[("If-Modified-Since", "@-6")], &[("Date", "@-5")], false),
            (&[("If-Modified-Since", "@0")], &[], true),
            (&[("If-Modified-Since", "@-1")], &[], false),
        ] {
            assert_eq!(answers(request, stored), expected, "{request:?} {stored:?}");
        }
    }

    #[test]
    fn only_what_would_be_200_or_206_is_not_modified() {
        let stored = stored();
        let validators = Validators::of(&stored, NOW);
        let request = [("If-None-Match", "*")];
        let is = |method: Method, status| {
            not_modified(
                Request { method: &method, fields: request.as_slice() },
                status,
                &validators,
                NOW,
                NOW,
            )
        };
        assert!(is(Method::GET, 200) && is(Method::HEAD, 200) && is(Method::GET, 206));
        assert!(!is(Method::GET, 404) && !is(Method::GET, 301) && !is(Method::POST, 200));
    }

    #[test]
    fn conditions_at_an_origin() {
        use Outcome::{Failed, NotModified, Proceed};
        let stored = stored();
        let validators = Validators::of(&stored, NOW);
        for (conditions, expected) in [
            (&[][..], Proceed),
            (&[("If-None-Match", "\"abc\"")], NotModified),
            (&[("If-None-Match", "W/\"abc\"")], NotModified),
            (&[("If-None-Match", "\"a,b\" , W/\"c\",\"abc\"")], NotModified),
            (&[("If-None-Match", "\"a\""), ("If-None-Match", "\"abc\"")], NotModified),
            (&[("If-None-Match", "*")], NotModified),
            (&[("If-None-Match", "\"other\"")], Proceed),
            (&[("If-None-Match", "abc")], Proceed),
            (&[("If-None-Match", "")], Proceed),
            (&[("If-Modified-Since", "@-10")], NotModified),
            (&[("If-Modified-Since", "@-9")], NotModified),
            (&[("If-Modified-Since", "@-11")], Proceed),
            (&[("If-Modified-Since", "yesterday")], Proceed),
            (&[("If-None-Match", "\"other\""), ("If-Modified-Since", "@-10")], Proceed),
            (&[("If-Match", "\"abc\"")], Proceed),
            (&[("If-Match", "*")], Proceed),
            (&[("If-Match", "W/\"abc\"")], Failed),
            (&[("If-Match", "\"other\"")], Failed),
            (&[("If-Unmodified-Since", "@-10")], Proceed),
            (&[("If-Unmodified-Since", "@-11")], Failed),
            (&[("If-Match", "\"abc\""), ("If-Unmodified-Since", "@-11")], Proceed),
            (&[("If-Match", "\"other\""), ("If-None-Match", "\"abc\"")], Failed),
        ] {
            let request = fields(conditions);
            assert_eq!(evaluate(&request, &validators, NOW), expected, "{conditions:?}");
            assert!(is_conditional(&request) != conditions.is_empty());
        }
        assert!(is_conditional([("range", "")].as_slice()) && is_conditional([("IF-RANGE", "")].as_slice()));
        assert!(!is_conditional([("if", ""), ("accept", "")].as_slice()));
    }

    #[test]
    fn fields_of_a_304() {
        for name in
            ["ETag", "Date", "Vary", "Cache-Control", "Expires", "Content-Location", "Last-Modified", "Age"]
        {
            assert!(in_not_modified(name.as_bytes()), "{name}");
        }
        assert!(!in_not_modified(b"Content-Digest") && in_not_modified(b"Repr-Digest"));
        assert!(!in_not_modified(b"Content-Length") && !in_not_modified(b"content-type"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(value in prop::collection::vec(any::<u8>(), 0..60)) {
            let stored = stored();
            let validators = Validators::of(&stored, NOW);
            for name in ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"] {
                evaluate([(name, value.as_slice())].as_slice(), &validators, NOW);
            }
        }
    }
}
