//! Range requests for one range of bytes (RFC 9110 §14).

use std::time::SystemTime;

use http::Method;

use crate::head::{Name, Request};

use super::conditional::Validators;

/// A range as asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// From the first to the last position, both included.
    Between(u64, u64),
    /// From this position to the end.
    From(u64),
    /// That many bytes at the end.
    Last(u64),
}

impl ByteRange {
    /// First and last position within a content of that length, or `None` when it has nothing there: 416.
    pub fn resolve(self, len: u64) -> Option<(u64, u64)> {
        let last = len.checked_sub(1)?;
        match self {
            Self::Between(first, to) if first <= last => Some((first, to.min(last))),
            Self::From(first) if first <= last => Some((first, last)),
            Self::Last(count) if count > 0 => Some((len.saturating_sub(count), last)),
            _ => None,
        }
    }
}

/// Reads the value of `Range`. `None` when it is malformed, in another unit, or asks for several ranges: all three
/// may be answered as if it were not there.
pub fn parse_range(value: &[u8]) -> Option<ByteRange> {
    let (unit, range) = value.split_at_checked(6)?;
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    let range = range.trim_ascii();
    let dash = memchr::memchr(b'-', range)?;
    match (&range[..dash], &range[dash + 1..]) {
        (b"", count) => Some(ByteRange::Last(position(count)?)),
        (first, b"") => Some(ByteRange::From(position(first)?)),
        (first, last) => {
            let (first, last) = (position(first)?, position(last)?);
            (first <= last).then_some(ByteRange::Between(first, last))
        }
    }
}

/// Digits; more than 64 bits hold is beyond the end of any file.
fn position(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |n, b| {
        b.is_ascii_digit().then(|| n.saturating_mul(10).saturating_add(u64::from(b - b'0')))
    })
}

/// The range a request wants of this version of the file, if it wants one.
pub(super) fn wanted(request: &Request, validators: &Validators, now: SystemTime) -> Option<ByteRange> {
    if request.method != Method::GET {
        return None;
    }
    let mut ranges = request.fields.all_known(Name::Range);
    let range = parse_range(ranges.next()?)?;
    let same_version = || {
        let if_range = request.fields.get_known(Name::IfRange);
        if_range.is_none_or(|value| validators.match_if_range(value, now))
    };
    (ranges.next().is_none() && same_version()).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_read() {
        for (value, expected) in [
            ("bytes=0-9", Some(ByteRange::Between(0, 9))),
            ("Bytes= 5-5 ", Some(ByteRange::Between(5, 5))),
            ("bytes=5-", Some(ByteRange::From(5))),
            ("bytes=-5", Some(ByteRange::Last(5))),
            ("bytes=0-99999999999999999999", Some(ByteRange::Between(0, u64::MAX))),
            ("bytes=5-4", None),
            ("bytes=-", None),
            ("bytes=a-b", None),
            ("bytes=+1-2", None),
            ("bytes=1", None),
            ("bytes=0-1,3-4", None),
            ("bytes 0-1", None),
            ("items=0-1", None),
            ("", None),
        ] {
            assert_eq!(parse_range(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn ranges_are_cut_to_what_there_is() {
        assert_eq!(ByteRange::Between(0, 9).resolve(5), Some((0, 4)));
        assert_eq!(ByteRange::Between(5, 9).resolve(5), None);
        assert_eq!(ByteRange::From(4).resolve(5), Some((4, 4)));
        assert_eq!(ByteRange::From(5).resolve(5), None);
        assert_eq!(ByteRange::Last(2).resolve(5), Some((3, 4)));
        assert_eq!(ByteRange::Last(9).resolve(5), Some((0, 4)));
        assert_eq!(ByteRange::Last(0).resolve(5), None);
        for range in [ByteRange::Between(0, 0), ByteRange::From(0), ByteRange::Last(1)] {
            assert_eq!(range.resolve(0), None);
        }
    }

    proptest! {
        #[test]
        fn a_range_resolves_within_the_content(
            value in prop::collection::vec(prop::sample::select(b"0123456789-, ".to_vec()), 0..12),
            len in 0u64..1_000,
        ) {
            let value = [b"bytes=".to_vec(), value].concat();
            if let Some((first, last)) = parse_range(&value).and_then(|range| range.resolve(len)) {
                prop_assert!(first <= last && last < len);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(value in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse_range(&value);
        }
    }
}
