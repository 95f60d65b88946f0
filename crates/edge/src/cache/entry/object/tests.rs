use super::*;
use deepwater_cache::purge::Epochs;
use deepwater_cache::rules::Freshness;

fn meta(status: u16) -> Meta {
    Meta {
        response_ms: 0,
        initial_age_ms: 0,
        lifetime_ms: 1,
        stale_while_revalidate_ms: 0,
        stale_if_error_ms: 0,
        fetch_ms: 0,
        status: StatusCode::from_u16(status).unwrap(),
        flags: if status == 206 { Flags::PARTIAL } else { Flags::default() },
    }
}

fn stamp() -> Stamp {
    Stamp::new(Epochs::with_slots(1).now(), [])
}

fn part(start: u64, bytes: &'static [u8]) -> Object {
    Object::part(meta(206), stamp(), b"a: b\r\n", start, Bytes::from_static(bytes), Some(10))
}

fn text(object: &Object, range: Range<u64>) -> Vec<u8> {
    object.bytes(range).concat()
}

#[test]
fn what_wastes_less_is_chosen() {
    for (lines, body, apart) in [(150, 1_024, true), (150, 1_100, false), (100, 10, false), (0, 1_024, false)]
    {
        let (lines, body) = (vec![b'a'; lines], vec![b'b'; body]);
        let object = Object::whole(meta(200), stamp(), &lines, vec![Bytes::from(body.clone())]);
        assert_eq!(matches!(object.content, Content::Other(_)), apart, "{} {}", lines.len(), body.len());
        assert_eq!((object.lines().0, object.small_body()), (&lines[..], Some(&body[..])));
        assert_eq!(object.bytes(0..body.len() as u64).concat(), body);
    }
}

#[test]
fn whole_bodies_small_and_large() {
    let chunks = || vec![Bytes::from(vec![1; 9_000]), Bytes::new(), Bytes::from(vec![2; 9_000])];
    let large = Object::whole(meta(200), stamp(), b"a: b\r\n", chunks());
    assert_eq!((large.len(), large.small_body()), (Some(18_000), None));
    assert_eq!(text(&large, 8_999..9_001), [1, 2]);
    assert!(large.covers(&(0..18_000)) && !large.covers(&(0..18_001)));
    let small = Object::whole(meta(200), stamp(), b"a: b\r\n", vec![Bytes::from_static(b"0123456789")]);
    assert_eq!((small.len(), small.small_body()), (Some(10), Some(&b"0123456789"[..])));
    assert_eq!(text(&small, 2..5), b"234");
    for object in [large, small] {
        let other = object.with_head(meta(203), stamp(), b"c: d\r\ne: f\r\n");
        assert_eq!(other.lines().iter().count(), 2);
        assert_eq!((other.len(), other.status().as_u16()), (object.len(), 203));
        assert_eq!(text(&other, 0..4), text(&object, 0..4));
    }
}

#[test]
fn parts_join_and_become_the_whole() {
    let mut object = part(2, b"234");
    assert!(object.is_partial() && object.covers(&(3..5)) && !object.covers(&(1..3)));
    for (older, covered) in [(part(4, b"4567"), 2..8), (part(0, b"01"), 0..8), (part(1, b"123"), 0..8)] {
        object.join(&older);
        assert!(object.covers(&covered));
        object.settle();
        assert!(object.is_partial());
    }
    object.join(&part(6, b"6789"));
    object.settle();
    assert!(!object.is_partial());
    assert_eq!((object.status(), text(&object, 0..10)), (StatusCode::OK, b"0123456789".to_vec()));
    assert_eq!(text(&object, 3..7), b"3456");
    assert!(matches!(object.meta.freshness(0), Freshness::Fresh { left_ms: 1 }));
}
