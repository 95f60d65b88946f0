//! Parts of contents: cut from what is stored, stored themselves, put together.

use super::{Gate, caching, did, fresh, gated, get, is_hit, say, with};
use crate::support::{Message, Origin};

const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz";

/// The part of a text that a request with one range asks for.
fn part_of(text: &str, request: &Message) -> Option<(usize, usize)> {
    let (first, last) = request.get("range")?.strip_prefix("bytes=")?.split_once('-')?;
    Some(match (first, last) {
        ("", count) => (text.len() - count.parse::<usize>().ok()?, text.len() - 1),
        (first, "") => (first.parse().ok()?, text.len() - 1),
        (first, last) => (first.parse().ok()?, last.parse().ok()?),
    })
}

/// An origin that answers ranges of a text with 206.
async fn cutting(text: &'static str, fields: &'static str) -> Origin {
    Origin::answering(move |request| match part_of(text, request) {
        None => with(fields, text),
        Some((first, last)) => {
            let fields = format!("{fields}\nContent-Range: bytes {first}-{last}/{}", text.len());
            say("206 Partial Content", &fields, &text[first..=last])
        }
    })
    .await
}

const STRONG: &str = "Cache-Control: max-age=60\nETag: \"v1\"";

#[tokio::test]
async fn one_range_of_what_is_stored() {
    let origin = Origin::answering(|_| with(STRONG, ALPHABET)).await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    for (range, content_range, body) in [
        ("bytes=0-1", "bytes 0-1/26", "ab"),
        ("bytes=24-", "bytes 24-25/26", "yz"),
        ("bytes=24-99", "bytes 24-25/26", "yz"),
        ("bytes=-1", "bytes 25-25/26", "z"),
        ("bytes=-99", "bytes 0-25/26", ALPHABET),
        ("bytes=0-0", "bytes 0-0/26", "a"),
        ("BYTES=2-3", "bytes 2-3/26", "cd"),
        ("bytes=0-1, 2-3", "bytes 0-3/26", "abcd"),
    ] {
        let answer = edge.ask(get("/", &format!("Range: {range}"))).await;
        assert_eq!((answer.status(), answer.text()), (206, body), "{range}");
        assert_eq!(answer.get("content-range"), Some(content_range), "{range}");
        assert_eq!(answer.get("etag"), Some("\"v1\""));
        assert!(is_hit(&answer), "{range}");
    }
    // What is no range is as if it were not there.
    for range in ["bytes=b-c", "lines=1-2", "bytes=5-2", "bytes="] {
        let answer = edge.ask(get("/", &format!("Range: {range}"))).await;
        assert_eq!((answer.status(), answer.text()), (200, ALPHABET), "{range}");
    }
    for range in ["bytes=26-", "bytes=99-100", "bytes=-0"] {
        let answer = edge.ask(get("/", &format!("Range: {range}"))).await;
        assert_eq!((answer.status(), answer.get("content-range")), (416, Some("bytes */26")), "{range}");
        assert!(answer.body.is_empty());
    }
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn a_digest_of_the_content_is_for_that_content_alone() {
    const DIGEST: &str = "Cache-Control: max-age=60\nETag: \"v1\"\nContent-Digest: sha-256=:YQ==:\nRepr-Digest: sha-256=:Yg==:";
    let origin = cutting(ALPHABET, DIGEST).await;
    let edge = caching(&origin, "true").await;
    let digests = async |path, fields| {
        let answer = edge.ask(get(path, fields)).await;
        (answer.status(), answer.get("content-digest").is_some(), answer.get("repr-digest").is_some())
    };
    assert_eq!(digests("/whole", "").await, (200, true, true));
    assert_eq!(digests("/whole", "").await, (200, true, true));
    for range in ["Range: bytes=0-1", "Range: bytes=0-1, 5-6"] {
        assert_eq!(digests("/whole", range).await, (206, false, true), "{range}");
    }
    assert_eq!(digests("/whole", "If-None-Match: \"v1\"").await, (304, false, true));
    // Of a part as the origin sends it, and of what is cut from that.
    assert_eq!(digests("/part", "Range: bytes=0-9").await, (206, true, true));
    assert_eq!(digests("/part", "Range: bytes=1-2").await, (206, false, true));
    assert_eq!(digests("/part", "").await, (200, false, true));
}

#[tokio::test]
async fn several_ranges_of_what_is_stored() {
    let origin = Origin::answering(|_| with(&format!("{STRONG}\nContent-Type: text/plain"), ALPHABET)).await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    let answer = edge.ask(get("/", "Range: bytes=0-1,24-25, 4-5")).await;
    assert_eq!(answer.status(), 206);
    let kind = answer.get("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").expect(kind).trim_matches('"');
    let part = |range: &str, body: &str| {
        format!(
            "--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/26\r\n\r\n{body}\r\n"
        )
    };
    let expected = part("0-1", "ab") + &part("24-25", "yz") + &part("4-5", "ef") + &format!("--{boundary}--");
    let same = |text: &str| text.trim().to_lowercase();
    assert_eq!(same(answer.text()), same(&expected));
    assert_eq!(answer.get("content-length"), Some(answer.body.len().to_string().as_str()));
}

#[tokio::test]
async fn if_range_asks_for_the_whole_of_another_version() {
    let origin = Origin::answering(|_| with(&format!("{STRONG}\nLast-Modified: {OLD_DATE}"), ALPHABET)).await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    for (if_range, status) in [
        ("\"v1\"", 206),
        ("\"v2\"", 200),
        ("W/\"v1\"", 200),
        (OLD_DATE, 206),
        ("Wed, 01 Jan 2020 00:00:01 GMT", 200),
    ] {
        let answer = edge.ask(get("/", &format!("Range: bytes=0-1\nIf-Range: {if_range}"))).await;
        assert_eq!(answer.status(), status, "{if_range}");
    }
    assert_eq!(origin.heard().len(), 1);
}

const OLD_DATE: &str = "Wed, 01 Jan 2020 00:00:00 GMT";

#[tokio::test]
async fn parts_are_put_together() {
    let origin = cutting(ALPHABET, STRONG).await;
    let edge = caching(&origin, "true").await;
    let range = async |range: &str| edge.ask(get("/", &format!("Range: bytes={range}"))).await;
    let first = range("0-9").await;
    assert_eq!(
        (first.status(), first.text(), did(&first).as_str()),
        (206, "abcdefghij", "fwd=uri-miss; stored")
    );
    assert_eq!(first.get("content-range"), Some("bytes 0-9/26"));
    assert!(is_hit(&range("3-4").await));
    let second = range("8-19").await;
    assert_eq!((second.text(), did(&second).as_str()), ("ijklmnopqrst", "fwd=partial; stored"));
    let across = range("5-15").await;
    assert_eq!((across.text(), did(&across).as_str()), ("fghijklmnop", "hit"));
    assert_eq!(across.get("content-range"), Some("bytes 5-15/26"));
    range("20-").await;
    // Now it is whole.
    let whole = edge.get("/").await;
    assert_eq!((whole.status(), whole.text(), did(&whole).as_str()), (200, ALPHABET, "hit"));
    assert_eq!(whole.get("content-range"), None);
    assert_eq!(origin.heard().len(), 3);
}

#[tokio::test]
async fn parts_of_what_may_have_changed_stay_apart() {
    for (fields, why) in [
        ("Cache-Control: max-age=60\nETag: W/\"v1\"", "a weak tag"),
        ("Cache-Control: max-age=60", "nothing to compare"),
    ] {
        let origin = cutting(ALPHABET, fields).await;
        let edge = caching(&origin, "true").await;
        edge.ask(get("/", "Range: bytes=0-9")).await;
        edge.ask(get("/", "Range: bytes=10-25")).await;
        let across = edge.ask(get("/", "Range: bytes=5-15")).await;
        assert_eq!((across.text(), is_hit(&across)), ("fghijklmnop", false), "{why}");
    }
}

#[tokio::test]
async fn parts_of_two_versions_are_not_mixed() {
    let origin = Origin::answering(|request| {
        let (version, text) = match request.get("range") {
            Some("bytes=0-4") => ("v1", "old old"),
            _ => ("v2", "NEW NEW"),
        };
        let (first, last) = part_of(text, request).unwrap_or((0, text.len() - 1));
        let fields =
            format!("Cache-Control: max-age=60\nETag: \"{version}\"\nContent-Range: bytes {first}-{last}/7");
        say("206 Partial Content", &fields, &text[first..=last])
    })
    .await;
    let edge = caching(&origin, "true").await;
    assert_eq!(edge.ask(get("/", "Range: bytes=0-4")).await.text(), "old o");
    assert_eq!(edge.ask(get("/", "Range: bytes=4-6")).await.text(), "NEW");
    assert_eq!(edge.ask(get("/", "Range: bytes=1-6")).await.text(), "EW NEW");
}

#[tokio::test]
async fn a_part_that_is_not_what_it_says_is_not_stored() {
    for content_range in ["bytes 0-9/26", "bytes 0-1", "lines 0-1/26", "bytes 1-0/26", "bytes 0-1/1"] {
        let fields = format!("{STRONG}\nContent-Range: {content_range}");
        let origin = Origin::answering(move |_| say("206 Partial Content", &fields, "ab")).await;
        let edge = caching(&origin, "true").await;
        edge.ask(get("/", "Range: bytes=0-1")).await;
        assert!(!is_hit(&edge.ask(get("/", "Range: bytes=0-1")).await), "{content_range}");
    }
    let origin = Origin::answering(|_| say("206 Partial Content", STRONG, "ab")).await;
    let edge = caching(&origin, "true").await;
    edge.ask(get("/", "Range: bytes=0-1")).await;
    assert!(!is_hit(&edge.ask(get("/", "Range: bytes=0-1")).await), "no Content-Range");
}

#[tokio::test]
async fn a_part_does_not_pass_for_the_whole() {
    let origin = cutting(ALPHABET, STRONG).await;
    let edge = caching(&origin, "true").await;
    edge.ask(get("/", "Range: bytes=0-9")).await;
    let whole = edge.get("/").await;
    assert_eq!((whole.status(), whole.text()), (200, ALPHABET));
    assert!(is_hit(&edge.ask(get("/", "Range: bytes=20-21")).await));
}

#[tokio::test]
async fn an_origin_that_knows_no_ranges_is_asked_once() {
    let origin = Origin::answering(|_| fresh(ALPHABET)).await;
    let edge = caching(&origin, "true").await;
    let answer = edge.ask(get("/", "Range: bytes=0-1")).await;
    // The whole is an answer too, and so is the part of it.
    assert!(matches!((answer.status(), answer.text()), (200, ALPHABET) | (206, "ab")), "{answer:?}");
    assert!(is_hit(&edge.ask(get("/", "Range: bytes=2-3")).await));
    assert!(is_hit(&edge.get("/").await));
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn a_416_of_the_origin_is_passed_on_and_not_stored() {
    let origin = Origin::answering(|request| match request.get("range") {
        Some(_) => {
            say("416 Range Not Satisfiable", "Cache-Control: max-age=60\nContent-Range: bytes */26", "")
        }
        None => fresh(ALPHABET),
    })
    .await;
    let edge = caching(&origin, "true").await;
    let answer = edge.ask(get("/", "Range: bytes=99-")).await;
    assert_eq!((answer.status(), answer.get("content-range")), (416, Some("bytes */26")));
    assert_eq!(edge.get("/").await.text(), ALPHABET);
    assert!(is_hit(&edge.get("/").await));
}

#[tokio::test]
async fn ranges_of_large_contents_are_cut_across_their_pieces() {
    let text: String = (0..100_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    let body = text.clone();
    let origin = Origin::answering(move |_| with(STRONG, &body)).await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    for (first, last) in [(0, 99_999), (16_380, 16_390), (65_530, 65_540), (1, 99_998), (99_999, 99_999)] {
        let answer = edge.ask(get("/", &format!("Range: bytes={first}-{last}"))).await;
        assert_eq!(answer.status(), 206);
        assert_eq!(answer.text(), &text[first..=last], "{first}-{last}");
    }
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn a_range_of_what_is_arriving_is_cut_from_it() {
    let gate = Gate::shut();
    let origin = gated(&gate, |_| with(STRONG, ALPHABET)).await;
    let edge = caching(&origin, "true").await;
    let mut leader = edge.client().await;
    leader.send(get("/", "Range: bytes=2-3")).await;
    origin.hears(1).await;
    let mut same = edge.client().await;
    same.send(get("/", "Range: bytes=2-3")).await;
    super::under_way(&edge, 2).await;
    gate.open();
    for client in [&mut leader, &mut same] {
        let answer = client.response().await;
        assert_eq!((answer.status(), answer.text()), (206, "cd"));
        assert_eq!(answer.get("content-range"), Some("bytes 2-3/26"));
    }
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn a_range_that_finds_the_whole_stale_asks_for_the_whole() {
    let first = "Cache-Control: max-age=0\nETag: \"1\"";
    let origin =
        Origin::answering(move |request| match (request.get("range"), request.get("if-none-match")) {
            (Some(_), _) => {
                say("206 Partial Content", "Cache-Control: max-age=60\nContent-Range: bytes 0-1/9", "ne")
            }
            (None, None) => with(first, ALPHABET),
            (None, Some(_)) => with("Cache-Control: max-age=60\nETag: \"2\"", "new whole"),
        })
        .await;
    let edge = caching(&origin, "true").await;
    assert_eq!(edge.get("/").await.text(), ALPHABET);
    let part = edge.ask(get("/", "Range: bytes=0-1")).await;
    assert_eq!((part.status(), part.text()), (206, "ne"));
    let whole = edge.get("/").await;
    assert_eq!((whole.status(), whole.text(), is_hit(&whole)), (200, "new whole", true));
}
