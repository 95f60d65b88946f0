//! Bodies too large to keep, and a cache that is full.

use bytes::Bytes;

use super::{Gate, at_gate, caching, config, crowd, did, fresh, is_hit, with};
use crate::support::{Deepwater, Ending, Origin, UNWATCHED};

const KIB: usize = 1024;
/// What the cache has in these tests; one object may take an eighth of it.
const MEMORY: &str = "[cache]\nmemory = \"1MiB\"\n";

async fn small_cache(origin: &Origin) -> Deepwater {
    Deepwater::start(&format!("{UNWATCHED}{MEMORY}{}", config(origin, "true"))).await
}

#[tokio::test]
async fn what_is_too_large_streams_and_is_not_stored() {
    for chunked in [false, true] {
        let body = Bytes::from(vec![b'x'; 2_000 * KIB]);
        let sent = body.clone();
        let origin = Origin::scripted(move |mut visit| {
            let body = sent.clone();
            async move {
                while let Some(request) = visit.request().await {
                    if request.target() == "/small" {
                        visit.send(fresh("small")).await;
                    } else if chunked {
                        visit
                            .send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n")
                            .await;
                        for chunk in body.chunks(10 * KIB) {
                            let head = format!("{:x}\r\n", chunk.len());
                            visit.send([head.as_bytes(), chunk, b"\r\n"].concat()).await;
                        }
                        visit.send("0\r\n\r\n").await;
                    } else {
                        let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2048000\r\n\r\n";
                        visit.send(head).await;
                        visit.send(&body).await;
                    }
                }
            }
        })
        .await;
        let edge = small_cache(&origin).await;
        edge.get("/small").await;
        for _ in 0..3 {
            let answer = edge.get("/large").await;
            assert_eq!((answer.ending, answer.body.len()), (Ending::Whole, body.len()));
            assert!(!is_hit(&answer));
        }
        assert!(is_hit(&edge.get("/small").await), "it has displaced nothing");
        let memory = &edge.json("/api/cache").await["memory"];
        assert!(memory["bytes"].as_u64() < Some(8 * KIB as u64), "{memory}");
        assert!(memory["largest"].as_u64() <= memory["capacity"].as_u64().map(|all| all / 8), "{memory}");
        assert_eq!(origin.heard().len(), 4);
    }
}

#[tokio::test]
async fn a_crowd_reads_what_is_too_large_at_its_own_pace() {
    let gate = Gate::shut();
    let body = "x".repeat(1_000 * KIB);
    let origin = super::gated(&gate, move |_| fresh(&body)).await;
    let edge = small_cache(&origin).await;
    let crowd = crowd(&edge, 8, "/").await;
    super::under_way(&edge, 8).await;
    gate.open();
    let readers = crowd.into_iter().map(|mut client| tokio::spawn(async move { client.response().await }));
    for reader in readers.collect::<Vec<_>>() {
        let answer = reader.await.unwrap();
        assert_eq!((answer.ending, answer.body.len()), (Ending::Whole, 1_000 * KIB));
    }
    assert!(origin.heard().len() <= 8);
}

#[tokio::test]
async fn a_reader_that_leaves_holds_nobody_up() {
    let gate = Gate::shut();
    let body = "x".repeat(4_000 * KIB);
    let origin = super::gated(&gate, move |_| fresh(&body)).await;
    let edge = small_cache(&origin).await;
    let mut crowd = crowd(&edge, 3, "/").await;
    super::under_way(&edge, 3).await;
    gate.open();
    // The one who asked first reads a little, and goes.
    let mut leaver = crowd.remove(0);
    leaver.head().await;
    leaver.bytes(KIB).await;
    drop(leaver);
    let readers = crowd.into_iter().map(|mut client| tokio::spawn(async move { client.response().await }));
    for reader in readers.collect::<Vec<_>>() {
        let answer = reader.await.unwrap();
        assert_eq!((answer.ending, answer.body.len()), (Ending::Whole, 4_000 * KIB));
    }
}

#[tokio::test]
async fn one_slow_reader_of_what_is_stored_holds_nobody_up() {
    let body = "x".repeat(3_000 * KIB);
    let origin = Origin::answering(move |_| fresh(&body)).await;
    let edge = caching(&origin, "true").await;
    let mut slow = edge.client().await;
    slow.send(super::get("/", "")).await;
    slow.head().await;
    // It reads no further.
    for _ in 0..2 {
        let answer = edge.get("/").await;
        assert_eq!((answer.ending, answer.body.len()), (Ending::Whole, 3_000 * KIB));
    }
    assert!(is_hit(&edge.get("/").await));
    assert_eq!(slow.bytes(3_000 * KIB).await.len(), 3_000 * KIB, "and is served nevertheless");
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn a_full_cache_keeps_what_is_asked_for() {
    let body = "x".repeat(10 * KIB);
    let origin = Origin::answering(move |_| fresh(&body)).await;
    let edge = small_cache(&origin).await;
    let mut client = edge.client().await;
    for _ in 0..4 {
        client.get("/loved").await;
    }
    // Five times what it holds, each asked for once.
    for page in 0..500 {
        client.get(&format!("/page/{page}")).await;
        if page % 50 == 0 {
            client.get("/loved").await;
        }
    }
    assert!(is_hit(&client.get("/loved").await), "a scan does not displace it");
    let cache = edge.json("/api/cache").await;
    assert!(cache["memory"]["bytes"].as_u64() <= cache["memory"]["capacity"].as_u64(), "{cache}");
    assert!(cache["store"]["evicted"].as_u64() > Some(300), "{cache}");
    assert_eq!(
        edge.metrics().await.get("deepwater_cache_evicted_total", &[]),
        cache["store"]["evicted"].as_f64()
    );
}

#[tokio::test]
async fn many_small_ones_stay_within_the_memory() {
    let origin = Origin::answering(|_| with("Cache-Control: max-age=60", "")).await;
    let edge = small_cache(&origin).await;
    let before = edge.resident_bytes();
    let mut client = edge.client().await;
    let mut requests = String::new();
    for page in 0..12_000 {
        requests.push_str(&super::get(&format!("/{page}"), ""));
        if page % 100 == 99 {
            client.send(&requests).await;
            requests.clear();
            for _ in 0..100 {
                client.response().await;
            }
        }
    }
    assert_eq!(did(&client.get("/x").await), "fwd=uri-miss; stored");
    let cache = edge.json("/api/cache").await;
    assert!(cache["memory"]["bytes"].as_u64() <= Some(KIB as u64 * KIB as u64), "{cache}");
    let grown = edge.resident_bytes().saturating_sub(before);
    assert!(grown < 24 * 1024 * 1024, "resident memory grew by {grown} bytes for a cache of 1 MiB");
}

#[tokio::test]
async fn bodies_under_way_hold_no_more_than_their_share() {
    const BODY: usize = 100 * KIB;
    const FIRST: usize = 95 * KIB;
    let gate = Gate::shut();
    let origin = at_gate(&gate, move |mut visit, gate| async move {
        while visit.request().await.is_some() {
            let head =
                format!("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: {BODY}\r\n\r\n");
            visit.send(head).await;
            visit.send(vec![b'x'; FIRST]).await;
            gate.pass().await;
            visit.send(vec![b'x'; BODY - FIRST]).await;
        }
    })
    .await;
    let edge = small_cache(&origin).await;
    let mut clients = Vec::new();
    for at in 0..4 {
        let mut client = edge.client().await;
        client.send(super::get(&format!("/{at}"), "")).await;
        client.head().await;
        client.bytes(FIRST).await;
        clients.push(client);
    }
    gate.open();
    for client in &mut clients {
        assert_eq!(client.bytes(BODY - FIRST).await.len(), BODY - FIRST, "all get all of it");
    }
    let mut hits = Vec::new();
    for at in 0..4 {
        hits.push(is_hit(&edge.get(&format!("/{at}")).await));
    }
    assert_eq!(hits, [true, true, false, false], "a quarter of the mebibyte holds two of them");
}
