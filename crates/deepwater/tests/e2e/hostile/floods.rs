//! HTTP/2 clients that keep the edge busy without asking for anything, or take back what they asked for.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::support::{Deepwater, LISTEN, Origin, ROUTE, UNWATCHED, pool, soon};

use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frames, HEADERS, PING, PRIORITY,
    REFUSED_STREAM, RST_STREAM, SETTINGS, WINDOW_UPDATE, block, frame, get,
};

const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// An origin that hears of requests and answers those for `/` alone.
async fn busy_origin() -> Origin {
    Origin::scripted(|mut visit| async move {
        while let Some(request) = visit.request().await {
            if request.target() != "/" {
                return visit.linger().await;
            }
            visit.send(crate::support::ok("served")).await;
        }
    })
    .await
}

/// One flood of a kind is counted, soon after its connection has ended.
async fn one_flood(edge: &Deepwater, kind: &str) {
    edge.counts("deepwater_edge_http2_floods_total", &[("kind", kind)], 1.0).await;
}

/// The edge ends the connection of a client that does this for ever, counts it, tells of it, and serves others.
async fn is_ended(kind: &str, bytes: impl FnMut(u32) -> Vec<u8>) {
    is_ended_by_one_of(&[kind], bytes).await;
}

/// The same where whichever of two limits comes first decides.
async fn is_ended_by_one_of(kinds: &[&str], bytes: impl FnMut(u32) -> Vec<u8>) {
    let edge = Deepwater::fronting(&busy_origin().await).await;
    let code = Frames::to(&edge).await.flood(bytes).await;
    assert!(matches!(code, Some(ENHANCE_YOUR_CALM) | None), "{code:?}");
    let told = edge.log_line("clients_flooded").await;
    let kind = kinds.iter().find(|kind| told.contains(&format!("({kind})")));
    one_flood(&edge, kind.unwrap_or_else(|| panic!("not one of {kinds:?}: {told}"))).await;
}

#[tokio::test]
async fn requests_taken_back_as_soon_as_they_are_under_way_end_the_connection() {
    let origin = busy_origin().await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = Frames::to(&edge).await;
    let mut asked = 0;
    let ended = loop {
        let stream = 1 + 2 * asked;
        // One by one: none is lost in a queue.
        if !client.ask(stream, &get("/slow")).await {
            break None;
        }
        tokio::select! {
            () = origin.hears(asked as usize + 1) => asked += 1,
            frame = client.next_of(super::frames::GOAWAY) => break frame,
        }
        client.send(&frame(RST_STREAM, 0, stream, &CANCEL)).await;
        assert!(asked < 1_000, "a thousand requests were begun for nothing");
    };
    assert!(asked >= 200, "people do leave busy pages: only {asked}");
    assert!(ended.is_none_or(|frame| frame.code() == ENHANCE_YOUR_CALM));
    one_flood(&edge, "resets").await;
    assert_eq!(edge.get("/").await.text(), "served");
}

#[tokio::test]
async fn requests_taken_back_before_they_are_looked_at_end_the_connection() {
    let origin = busy_origin().await;
    let edge = Deepwater::fronting(&origin).await;
    let pair = |stream| {
        let head = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&get("/slow")));
        [head, frame(RST_STREAM, 0, stream, &CANCEL)].concat()
    };
    let code = Frames::to(&edge)
        .await
        .flood(|first| (0..100).flat_map(|n| pair(first * 100 + 2 * n + 1)).collect())
        .await;
    assert!(matches!(code, Some(ENHANCE_YOUR_CALM) | None), "{code:?}");
    soon("the flood to be counted", async {
        while edge.metrics().await.sum("deepwater_edge_http2_floods_total", &[]) != 1.0 {}
    })
    .await;
    assert!(origin.heard().len() < 400, "{}", origin.heard().len());
    assert_eq!(edge.get("/").await.text(), "served");
}

#[tokio::test]
async fn a_client_may_leave_a_busy_page() {
    let origin = busy_origin().await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = Frames::to(&edge).await;
    for n in 0..100 {
        client.ask(1 + 2 * n, &get("/slow")).await;
    }
    origin.hears(100).await;
    for n in 0..100 {
        client.send(&frame(RST_STREAM, 0, 1 + 2 * n, &CANCEL)).await;
    }
    client.ask(201, &get("/")).await;
    let answer = client.next_of(HEADERS).await.expect("an answer");
    assert_eq!((answer.stream, answer.status()), (201, 200));
}

#[tokio::test]
async fn streams_made_to_be_reset_end_the_connection() {
    // A window beyond 2^31 is a fault of the stream (RFC 9113 §6.9.1): the server resets it (CVE-2025-8671).
    let most = 0x7fff_ffffu32.to_be_bytes();
    is_ended("protocol", |stream| {
        let head = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&get("/slow")));
        [head, frame(WINDOW_UPDATE, 0, stream, &most)].concat()
    })
    .await;
}

#[tokio::test]
async fn pings_without_end_end_the_connection() {
    is_ended("frames", |_| frame(PING, 0, 0, &[0; 8]).repeat(64)).await;
}

#[tokio::test]
async fn settings_without_end_end_the_connection() {
    is_ended("frames", |_| frame(SETTINGS, 0, 0, &[]).repeat(64)).await;
}

#[tokio::test]
async fn priorities_without_end_end_the_connection() {
    is_ended("frames", |_| frame(PRIORITY, 0, 3, &[0, 0, 0, 1, 9]).repeat(64)).await;
}

#[tokio::test]
async fn windows_opened_by_a_byte_without_end_end_the_connection() {
    is_ended("frames", |_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]).repeat(64)).await;
}

#[tokio::test]
async fn frames_nobody_knows_without_end_end_the_connection() {
    is_ended("frames", |_| frame(0xee, 0, 0, b"noise").repeat(64)).await;
}

#[tokio::test]
async fn heads_without_end_end_the_connection() {
    // CVE-2024-27316
    is_ended("protocol", |stream| match stream {
        1 => frame(HEADERS, 0, 1, &block(&get("/"))),
        _ => frame(CONTINUATION, 0, 1, &block(&[("x", b"y")])),
    })
    .await;
}

#[tokio::test]
async fn empty_pieces_of_a_body_without_end_end_the_connection() {
    is_ended("protocol", |stream| match stream {
        1 => frame(HEADERS, END_HEADERS, 1, &block(&get("/slow"))),
        _ => frame(DATA, 0, 1, &[]),
    })
    .await;
}

#[tokio::test]
async fn a_head_that_grows_when_it_is_read_gets_431_or_the_end() {
    // One entry of the dynamic table, named again and again (RFC 7541 §6.1): a byte for each copy.
    let bomb = |copies: usize| {
        let mut fields = block(&get("/"));
        fields.extend([0x40, 1, b'x', 127, 121 | 0x80, 7]);
        fields.extend(vec![b'y'; 127 + 121 + 7 * 128]);
        fields.extend(vec![0x80 | 62; copies]);
        fields
    };
    let origin = busy_origin().await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = Frames::to(&edge).await;
    client.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb(80))).await;
    assert_eq!(client.next_of(HEADERS).await.expect("an answer").status(), 431);
    let code = Frames::to(&edge)
        .await
        .flood(|stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &bomb(8_000)))
        .await;
    assert!(matches!(code, Some(ENHANCE_YOUR_CALM) | None), "{code:?}");
    one_flood(&edge, "protocol").await;
    assert!(origin.heard().is_empty());
}

#[tokio::test]
async fn heads_that_are_refused_without_end_end_the_connection() {
    // Too large each, not too large by far. A thousand frames that ask for nothing are one too many, and so are a thousand
    // streams that the `h2` crate had to reset: on a slow machine some of the former are earned back meanwhile.
    is_ended_by_one_of(&["frames", "protocol"], |stream| {
        let mut fields = block(&get("/"));
        fields.extend([0x40, 1, b'x', 127, 121 | 0x80, 7]);
        fields.extend(vec![b'y'; 127 + 121 + 7 * 128]);
        fields.extend(vec![0x80 | 62; 80]);
        frame(HEADERS, END_HEADERS | END_STREAM, stream, &fields)
    })
    .await;
}

#[tokio::test]
async fn a_connection_carries_so_many_requests_at_once() {
    let origin = busy_origin().await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = Frames::to(&edge).await;
    for n in 0..150 {
        client.ask(1 + 2 * n, &get("/slow")).await;
    }
    let refused = client.next_of(RST_STREAM).await.expect("the surplus is refused");
    assert_eq!(refused.code(), REFUSED_STREAM);
    origin.hears(128).await;
    // Room comes back.
    client.send(&frame(RST_STREAM, 0, 1, &CANCEL)).await;
    client.ask(401, &get("/")).await;
    assert_eq!(client.next_of(HEADERS).await.expect("an answer").status(), 200);
    assert_eq!(origin.heard().len(), 129);
}

#[tokio::test]
async fn a_client_that_asks_for_much_and_reads_nothing_costs_little_and_is_left() {
    const SIZE: usize = 4 << 20;
    let gone = Arc::<Notify>::default();
    let origin = {
        let gone = Arc::clone(&gone);
        Origin::scripted(move |mut visit| {
            let gone = Arc::clone(&gone);
            async move {
                if visit.request().await.is_some() {
                    visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")).await;
                    let _ = visit.try_send(vec![b'x'; SIZE]).await;
                    visit.linger().await;
                    gone.notify_one();
                }
            }
        })
        .await
    };
    let timeouts = "[edge.timeouts]\nbody = \"1s\"\nidle = \"1s\"\n";
    let pool = format!("{}timeouts = {{ body = \"1s\" }}\n", pool("app", &[origin.address]));
    let edge = Deepwater::start(&format!("{LISTEN}{UNWATCHED}{timeouts}{ROUTE}{pool}")).await;
    let before = edge.resident_bytes();
    // The widest window for each stream, and for all of them.
    let window = [0, 4, 0x7f, 0xff, 0xff, 0xff];
    let mut client = Frames::with_settings(&edge, &window).await;
    client.send(&frame(WINDOW_UPDATE, 0, 0, &0x7fff_0000u32.to_be_bytes())).await;
    for n in 0..100 {
        client.ask(1 + 2 * n, &get("/")).await;
    }
    origin.hears(100).await;
    // The first stream is given up once the edge has held all it was ready to hold.
    soon("the edge to give up", gone.notified()).await;
    let grown = edge.resident_bytes().saturating_sub(before) >> 20;
    assert!(grown < 40, "a client that reads nothing cost {grown} MiB");
    let closed = async {
        while edge.metrics().await.sum("deepwater_edge_connections", &[]) > 0.0 {
            tokio::task::yield_now().await;
        }
    };
    soon("the connection to be closed", closed).await;
}
