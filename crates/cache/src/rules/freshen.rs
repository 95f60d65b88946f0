//! Updating stored responses by a 304 or a HEAD (RFC 9111 §3.2, §4.3.3 to §4.3.5).

use smallvec::SmallVec;

use super::date;
use super::excluded::{is_cookie, is_digest};
use super::fields::{Fields, Response};
use super::validators::Validators;

/// Which of the stored responses for a key a 304 updates (RFC 9111 §4.3.4), by their place in the list. Each comes
/// with its validators and the time of its arrival.
///
/// A strong validator selects all that have it, a weak one the latest that matches. A 304 without any is taken for
/// the stored response if there is but one: what it was asked by can be no other's. None selected: the 304 updates
/// nothing, and the request is sent again without conditions.
pub fn validates<'a>(
    stored: impl Iterator<Item = (Validators<'a>, u64)>,
    not_modified: &Validators<'_>,
) -> SmallVec<[usize; 4]> {
    let stored: SmallVec<[_; 4]> = stored.enumerate().collect();
    let matching = |matches: &dyn Fn(&Validators<'a>) -> bool| -> SmallVec<[usize; 4]> {
        stored.iter().filter(|(_, (validators, _))| matches(validators)).map(|(at, _)| *at).collect()
    };
    if let Some(etag) = not_modified.etag.filter(|tag| !tag.weak) {
        return matching(&|validators| validators.etag.is_some_and(|own| own.strong_eq(etag)));
    }
    let same_date = |validators: &Validators<'a>| {
        not_modified.last_modified.is_some() && validators.last_modified == not_modified.last_modified
    };
    let candidates = if let Some(etag) = not_modified.etag {
        matching(&|validators| validators.etag.is_some_and(|own| own.weak_eq(etag)))
    } else if not_modified.last_modified.is_some() {
        matching(&same_date)
    } else if stored.len() == 1 {
        return matching(&|_| true);
    } else {
        return SmallVec::new();
    };
    let latest = candidates.into_iter().max_by_key(|at| stored[*at].1.1);
    latest.into_iter().collect()
}

/// The fields of a stored response after an update (RFC 9111 §3.2): the newer ones, and the stored ones of other
/// names. Not taken over are `Content-Length`, fields that the stored content depends on, and cookies unless the
/// stored response has some. Without a newer `Date` there is none, as the stored one would make it look old.
///
/// Fields that are [not stored](super::Excluded) are still among them: [`update`](super::update) needs to see them.
pub fn freshen<'a, A: Fields + ?Sized, B: Fields + ?Sized>(
    stored: &'a A,
    newer: &'a B,
) -> Vec<(&'a [u8], &'a [u8])> {
    let has_cookies = stored.iter().any(|(name, _)| is_cookie(name));
    let updates = |name: &[u8]| !is_fixed(name) && (has_cookies || !is_cookie(name));
    let replaced =
        |name: &[u8]| updates(name) && newer.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    let kept = stored.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(b"date") && !replaced(name));
    kept.chain(newer.iter().filter(|(name, _)| updates(name))).collect()
}

/// Whether the content as it is stored depends on a field.
fn is_fixed(name: &[u8]) -> bool {
    const FIXED: [&str; 4] = ["content-encoding", "content-length", "content-range", "transfer-encoding"];
    is_digest(name) || FIXED.iter().any(|fixed| name.eq_ignore_ascii_case(fixed.as_bytes()))
}

/// What the response to a HEAD does to a stored response to a GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadEffect {
    /// It is [freshened](freshen) by it.
    Update,
    /// It is stale from now on.
    Expire,
    /// None.
    Nothing,
}

/// What the response to a HEAD does to a stored response whose content has that length (RFC 9111 §4.3.5). Only a 200
/// has an effect: an update where its validators and its length, as far as it has some, are the stored ones.
pub fn head<A: Fields + ?Sized, B: Fields + ?Sized>(
    stored: &A,
    stored_len: u64,
    response: Response<'_, B>,
    now_ms: u64,
) -> HeadEffect {
    if response.status != 200 {
        return HeadEffect::Nothing;
    }
    let date = |value: Option<&[u8]>| value.and_then(|value| date::parse(value, now_ms / 1_000));
    let same_value = |name| response.fields.first(name).is_none_or(|new| stored.first(name) == Some(new));
    let modified = response.fields.first("last-modified");
    let same_date = modified.is_none()
        || same_value("last-modified")
        || date(modified).is_some_and(|new| date(stored.first("last-modified")) == Some(new));
    let same_len = response.fields.first("content-length").is_none_or(|len| number(len) == Some(stored_len));
    if same_value("etag") && same_date && same_len { HeadEffect::Update } else { HeadEffect::Expire }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{NOW, fields};

    type List<'a> = &'a [(&'a str, &'a str)];

    fn selected(stored: &[(List<'_>, u64)], answer: List<'_>) -> Vec<usize> {
        let stored: Vec<_> = stored.iter().map(|(list, at)| (fields(list), *at)).collect();
        let answer = fields(answer);
        let stored = stored.iter().map(|(fields, at)| (Validators::of(fields, NOW), *at));
        validates(stored, &Validators::of(&answer, NOW)).to_vec()
    }

    #[test]
    fn a_304_selects_what_it_updates() {
        let [a, b, weak]: [List<'_>; 3] =
            [&[("ETag", "\"a\"")], &[("ETag", "\"b\"")], &[("ETag", "W/\"a\"")]];
        let dated: List<'_> = &[("Last-Modified", "@-10")];
        let later: List<'_> = &[("Last-Modified", "@-5")];
        for (stored, answer, expected) in [
            (&[(a, 1), (b, 2), (a, 3)][..], a, &[0, 2][..]),
            (&[(b, 2)], a, &[]),
            // A strong one is no weak one's.
            (&[(weak, 2)], a, &[]),
            (&[(dated, 2)], &[("ETag", "\"a\""), ("Last-Modified", "@-10")], &[]),
            // A weak one is the latest one's that matches, be that strong.
            (&[(weak, 2), (a, 1), (b, 3)], weak, &[0]),
            (&[(weak, 2), (a, 3), (b, 4)], weak, &[1]),
            (&[(dated, 2), (later, 3), (dated, 1)], dated, &[0]),
            (&[(later, 3)], dated, &[]),
            // None at all.
            (&[(a, 1)], &[], &[0]),
            (&[(&[], 1)], &[], &[0]),
            (&[(a, 1), (b, 2)], &[], &[]),
            (&[(a, 1)], &[("ETag", "a")], &[0]),
            (&[], a, &[]),
        ] {
            assert_eq!(selected(stored, answer), expected, "{stored:?} {answer:?}");
        }
    }

    fn merged(stored: List<'_>, newer: List<'_>) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        freshen(stored, newer).into_iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    #[test]
    fn newer_fields_replace_stored_ones() {
        let stored = [
            ("Test", "1"),
            ("X-Kept", "2"),
            ("Content-Length", "5"),
            ("Cache-Control", "max-age=1"),
            ("date", "then"),
            ("Test", "1b"),
            ("Content-Encoding", "br"),
            ("Content-Type", "a"),
            ("ETag", "\"a\""),
        ];
        let newer = [
            ("test", "3"),
            ("content-length", "0"),
            ("CACHE-CONTROL", "max-age=9"),
            ("Content-Type", "b"),
            ("Date", "now"),
            ("Age", "7"),
            ("Content-Encoding", "gzip"),
            ("Content-Range", "x"),
            ("Content-Digest", "of nothing"),
            ("Set-Cookie", "a=b"),
            ("Transfer-Encoding", "chunked"),
            ("Cache-Control", "public"),
            ("New", "4"),
        ];
        let expected = fields(&[
            ("X-Kept", "2"),
            ("Content-Length", "5"),
            ("Content-Encoding", "br"),
            ("ETag", "\"a\""),
            ("test", "3"),
            ("CACHE-CONTROL", "max-age=9"),
            ("Content-Type", "b"),
            ("Date", "now"),
            ("Age", "7"),
            ("Cache-Control", "public"),
            ("New", "4"),
        ]);
        assert_eq!(merged(&stored, &newer), expected);
        assert_eq!(merged(&[("Date", "then"), ("A", "1")], &[]), fields(&[("A", "1")]));
        let kept = merged(&[("Set-Cookie", "a=b")], &[("Set-Cookie", "a=c")]);
        assert_eq!(kept, fields(&[("Set-Cookie", "a=c")]));
    }

    #[test]
    fn head_updates_or_expires() {
        let stored = fields(&[("ETag", "\"a\""), ("Last-Modified", "@-10")]);
        for (status, list, expected) in [
            (200, &[][..], HeadEffect::Update),
            (200, &[("ETag", "\"a\""), ("Content-Length", "5")], HeadEffect::Update),
            (200, &[("Last-Modified", "@-10")], HeadEffect::Update),
            (200, &[("ETag", "\"b\"")], HeadEffect::Expire),
            (200, &[("ETag", "W/\"a\"")], HeadEffect::Expire),
            (200, &[("Last-Modified", "@-9")], HeadEffect::Expire),
            (200, &[("ETag", "\"a\""), ("Content-Length", "6")], HeadEffect::Expire),
            (200, &[("Content-Length", "x")], HeadEffect::Expire),
            (410, &[("ETag", "\"b\"")], HeadEffect::Nothing),
            (304, &[], HeadEffect::Nothing),
        ] {
            let fields = fields(list);
            assert_eq!(
                head(&stored, 5, Response { status, fields: &fields }, NOW),
                expected,
                "{status} {list:?}"
            );
        }
        // A validator that the stored one lacks differs.
        let answer = fields(&[("ETag", "\"a\"")]);
        let bare: [(&str, &str); 0] = [];
        assert_eq!(
            head(bare.as_slice(), 5, Response { status: 200, fields: &answer }, NOW),
            HeadEffect::Expire
        );
    }
}
