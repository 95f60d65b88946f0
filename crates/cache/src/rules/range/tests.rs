use super::*;
use crate::rules::testing::{NOW, date, fields};
use proptest::prelude::*;

fn one(value: &str) -> Option<ByteRange> {
    let ranges = parse_ranges(value.as_bytes())?;
    assert_eq!(ranges.len(), 1, "{value}");
    Some(ranges[0])
}

#[test]
fn ranges_are_read() {
    for (value, expected) in [
        ("bytes=0-9", Some(ByteRange::Between(0, 9))),
        ("Bytes= 5-5 ", Some(ByteRange::Between(5, 5))),
        ("bytes=5-", Some(ByteRange::From(5))),
        ("bytes=-5", Some(ByteRange::Last(5))),
        ("bytes=0-99999999999999999999", Some(ByteRange::Between(0, u64::MAX))),
        ("bytes=,5-,", Some(ByteRange::From(5))),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=+1-2", None),
        ("bytes=1", None),
        ("bytes=1 -2", None),
        ("bytes=0-1,x", None),
        ("bytes=,", None),
        ("bytes 0-1", None),
        ("items=0-1", None),
        ("", None),
    ] {
        assert_eq!(one(value), expected, "{value}");
    }
    let several = parse_ranges(b"bytes=0-1, 3-4 ,-1").unwrap();
    assert_eq!(several[..], [ByteRange::Between(0, 1), ByteRange::Between(3, 4), ByteRange::Last(1)]);
    let many = |count: usize| parse_ranges(format!("bytes={}", vec!["0-0"; count].join(",")).as_bytes());
    assert!(many(16).is_some() && many(17).is_none() && many(100_000).is_none());
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

fn selected(request: &[(&str, &str)], len: u64) -> Selection {
    let stored = fields(&[("ETag", "\"a\""), ("Last-Modified", "@-10"), ("Date", "@0")]);
    let request = fields(request);
    let request = Request { method: &Method::GET, fields: &request };
    select(request, &Validators::of(&stored, NOW), len, NOW)
}

fn several(ranges: &[Range<u64>]) -> Selection {
    Selection::Several(ranges.iter().cloned().collect())
}

#[test]
fn what_answers() {
    use Selection::{Single, Unsatisfiable, Whole};
    for (value, expected) in [
        ("bytes=0-1", Single(0..2)),
        ("bytes=1-", Single(1..11)),
        ("bytes=-1", Single(10..11)),
        ("bytes=0-", Single(0..11)),
        ("bytes=11-", Unsatisfiable),
        ("bytes=-0", Unsatisfiable),
        ("bytes=20-30, 40-", Unsatisfiable),
        ("bytes=20-30, 4-5", Single(4..6)),
        ("bytes=4-2", Whole),
        ("lines=1-2", Whole),
        ("bytes=0-1, 4-5", several(&[0..2, 4..6])),
        ("bytes=-2, 0-1", several(&[9..11, 0..2])),
        ("bytes=0-1, 2-3", Single(0..4)),
        ("bytes=0-1, 8-9, 1-2", several(&[0..3, 8..10])),
        ("bytes=8-8, 0-1, 4-5, 2-3", several(&[8..9, 0..6])),
        ("bytes=0-1, 8-9, 5-5, 2-7", Single(0..10)),
        ("bytes=0-5, 0-5, 0-5", Single(0..6)),
        ("bytes=0-5, 0-5, 0-5, 0-5", Whole),
        ("bytes=0-, 0-, 0-, 0-, 0-, 0-", Whole),
    ] {
        assert_eq!(selected(&[("Range", value)], 11), expected, "{value}");
    }
    assert_eq!(selected(&[("Range", "bytes=0-1"), ("Range", "bytes=4-5")], 11), Whole);
    assert_eq!(selected(&[], 11), Whole);
    assert_eq!(selected(&[("Range", "bytes=-5")], 0), Whole);
    assert_eq!(selected(&[("Range", "bytes=0-")], 0), Unsatisfiable);
    let head = Request { method: &Method::HEAD, fields: [("Range", "bytes=0-1")].as_slice() };
    assert_eq!(select(head, &Validators::default(), 11, NOW), Whole);
}

#[test]
fn if_range_asks_for_one_version() {
    let selected = |value: &str| selected(&[("Range", "bytes=0-1"), ("If-Range", value)], 11);
    for (value, same) in [
        ("\"a\"", true),
        ("\"b\"", false),
        ("W/\"a\"", false),
        (date(-10).as_str(), true),
        (&date(-9), false),
        ("a", false),
    ] {
        let expected = if same { Selection::Single(0..2) } else { Selection::Whole };
        assert_eq!(selected(value), expected, "{value}");
    }
}

#[test]
fn content_ranges() {
    for (value, expected) in [
        ("bytes 0-4/10", Some((0..5, Some(10)))),
        ("BYTES 4-9/10", Some((4..10, Some(10)))),
        ("bytes 0-4/*", Some((0..5, None))),
        ("bytes */10", None),
        ("bytes 5-4/10", None),
        ("bytes 0-10/10", None),
        ("bytes 0-18446744073709551615/*", None),
        ("bytes=0-4/10", None),
        ("bytes 0-4", None),
        ("bytes -4/10", None),
        ("lines 0-4/10", None),
        ("", None),
    ] {
        let expected = expected.map(|(range, len)| ContentRange { range, len });
        assert_eq!(ContentRange::parse(value.as_bytes()), expected, "{value}");
        if let Some(range) = expected {
            let mut out = Vec::new();
            range.write(&mut out);
            assert!(out.eq_ignore_ascii_case(value.as_bytes()));
        }
    }
    let mut out = Vec::new();
    write_unsatisfied(10, &mut out);
    assert_eq!(out, b"bytes */10");
}

proptest! {
    #[test]
    fn ranges_lie_within_the_content_and_apart(
        value in prop::collection::vec(prop::sample::select(b"0123456789-,, ".to_vec()), 0..30),
        len in 0u64..1_000,
    ) {
        let value = [b"bytes=".to_vec(), value].concat();
        let Some(wanted) = parse_ranges(&value) else { return Ok(()) };
        match selection(&wanted, len) {
            Selection::Single(range) => prop_assert!(range.start < range.end && range.end <= len),
            Selection::Several(mut ranges) => {
                prop_assert!(ranges.len() > 1);
                ranges.sort_by_key(|range| range.start);
                prop_assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
                prop_assert!(ranges.iter().all(|range| range.start < range.end && range.end <= len));
            }
            Selection::Unsatisfiable => {
                prop_assert!(wanted.iter().all(|range| range.resolve(len).is_none()));
            }
            Selection::Whole => {}
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(value in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = (parse_ranges(&value), ContentRange::parse(&value));
    }
}
