//! Clients of every kind get the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderMap, Response};

use super::{Gate, at_gate, caching, fresh, gated, with};
use crate::support::{Deepwater, H2Client, H2Origin, LISTEN, Origin, pool, request, send_all};

async fn client(edge: &Deepwater) -> H2Client {
    H2Client::over(edge.dial(0).await).await
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn what_is_stored_answers_them() {
    let body = "x".repeat(100_000);
    let large = body.clone();
    let origin = Origin::answering(move |request| {
        let body = if request.target() == "/large" { &large } else { "small" };
        with("Cache-Control: max-age=60\nETag: \"v1\"\nX-Page: 1", body)
    })
    .await;
    let edge = caching(&origin, "true").await;
    let client = client(&edge).await;
    for (path, body) in [("/small", "small"), ("/large", body.as_str())] {
        for hit in [false, true] {
            let answer = client.get(path).await;
            let headers = answer.head.headers();
            assert_eq!(answer.body, body.as_bytes());
            assert_eq!(text(headers, "content-length"), Some(body.len().to_string().as_str()));
            assert_eq!(text(headers, "x-page"), Some("1"));
            let status = text(headers, "cache-status").unwrap();
            assert_eq!(status.starts_with("deepwater-edge; hit; ttl="), hit, "{status}");
            assert_eq!(headers.contains_key("age"), hit);
        }
    }
    let head = client.ask(request("HEAD", "/large")).await;
    assert_eq!((head.body.len(), text(head.head.headers(), "content-length")), (0, Some("100000")));
    let mut range = request("GET", "/large");
    range.headers_mut().insert("range", "bytes=5-9".parse().unwrap());
    let part = client.ask(range).await;
    assert_eq!((part.head.status().as_u16(), part.body.len()), (206, 5));
    let mut known = request("GET", "/small");
    known.headers_mut().insert("if-none-match", "\"v1\"".parse().unwrap());
    assert_eq!(client.ask(known).await.head.status(), 304);
    assert_eq!(origin.heard().len(), 2);
}

#[tokio::test]
async fn their_streams_share_a_fetch_with_everybody() {
    let gate = Gate::shut();
    let origin = gated(&gate, |_| fresh("for all")).await;
    let edge = caching(&origin, "true").await;
    let client = client(&edge).await;
    let mut streams = Vec::new();
    for _ in 0..10 {
        let client = client.clone();
        streams.push(tokio::spawn(async move { client.get("/").await }));
    }
    let mut old = edge.client().await;
    old.send(super::get("/", "")).await;
    super::under_way(&edge, 11).await;
    gate.open();
    for stream in streams {
        assert_eq!(stream.await.unwrap().body, b"for all");
    }
    assert_eq!(old.response().await.text(), "for all");
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn a_stream_that_is_reset_leaves_the_fetch_to_the_others() {
    let gate = Gate::shut();
    let origin = gated(&gate, |_| fresh("for the other")).await;
    let edge = caching(&origin, "true").await;
    let client = client(&edge).await;
    let (response, mut stream) = client.begin(request("GET", "/"), true).await;
    origin.hears(1).await;
    let other = tokio::spawn({
        let client = client.clone();
        async move { client.get("/").await }
    });
    super::under_way(&edge, 2).await;
    stream.send_reset(h2::Reason::CANCEL);
    drop(response);
    super::under_way(&edge, 1).await;
    gate.open();
    assert_eq!(other.await.unwrap().body, b"for the other");
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn a_body_that_breaks_resets_their_streams() {
    let gate = Gate::shut();
    let origin = at_gate(&gate, move |mut visit, gate| async move {
        let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 12\r\n\r\nfirst ";
        visit.reply(head).await;
        gate.pass().await;
    })
    .await;
    let edge = caching(&origin, "true").await;
    let client = client(&edge).await;
    let mut responses = Vec::new();
    for _ in 0..3 {
        responses.push(client.begin(request("GET", "/"), true).await.0);
    }
    super::under_way(&edge, 3).await;
    let mut bodies = Vec::new();
    for response in responses {
        bodies.push(response.await.unwrap().into_body());
    }
    gate.open();
    for body in bodies {
        assert!(crate::support::read_all(body).await.is_err(), "half a body does not pass for whole");
    }
}

#[tokio::test]
async fn cookies_in_crumbs_are_cookies() {
    let origin = Origin::answering(|_| with("Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT", "for one")).await;
    let edge = caching(&origin, "true").await;
    let client = client(&edge).await;
    for _ in 0..2 {
        let mut personal = request("GET", "/");
        personal.headers_mut().append("cookie", "a=b".parse().unwrap());
        personal.headers_mut().append("cookie", "c=d".parse().unwrap());
        client.ask(personal).await;
    }
    assert_eq!(origin.heard().len(), 2, "nothing personal is stored");
}

#[tokio::test]
async fn old_clients_are_served() {
    let chunked = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n\
                   7\r\ncontent\r\n0\r\n\r\n";
    let origin = Origin::answering(move |_| chunked.into()).await;
    let edge = caching(&origin, "true").await;
    for _ in 0..2 {
        let mut client = edge.client().await;
        let answer = client.ask("GET / HTTP/1.0\r\nHost: shop.example\r\n\r\n").await;
        assert_eq!((answer.text(), answer.get("transfer-encoding")), ("content", None));
        assert!(!client.closes().await.reset);
    }
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn connection_close_is_obeyed_by_hits() {
    let origin = Origin::answering(|_| fresh("content")).await;
    let edge = caching(&origin, "true").await;
    for _ in 0..2 {
        let mut client = edge.client().await;
        let answer = client.ask(super::get("/", "Connection: close")).await;
        assert_eq!((answer.text(), answer.get("connection")), ("content", Some("close")));
        assert!(!client.closes().await.reset);
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::answering(|request| fresh(request.target())).await;
    let edge = caching(&origin, "true").await;
    edge.get("/stored").await;
    let mut client = edge.client().await;
    let paths = ["/stored", "/new", "/stored", "/new", "/newer", "/stored"];
    client.send(paths.map(|path| super::get(path, "")).concat()).await;
    for path in paths {
        assert_eq!(client.response().await.text(), path);
    }
    assert_eq!(origin.heard().len(), 3);
}

#[tokio::test]
async fn origins_that_speak_http2_are_cached_too() {
    let asked = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&asked);
    let origin = H2Origin::start(None, move |_, mut respond| {
        asked.fetch_add(1, Ordering::SeqCst);
        async move {
            let head = Response::builder().header("cache-control", "max-age=60").body(()).unwrap();
            let mut body = respond.send_response(head, false).unwrap();
            send_all(&mut body, "content".into(), true).await.unwrap();
        }
    })
    .await;
    let route = "[[edge.route]]\npool = \"app\"\ncache = true\n";
    let target = format!("{}protocol = \"http2\"\n", pool("app", &[origin.address]));
    let edge = Deepwater::start(&format!("{LISTEN}{route}{target}")).await;
    for _ in 0..3 {
        assert_eq!(edge.get("/").await.text(), "content");
    }
    assert_eq!(counted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn websockets_pass_by_the_cache() {
    let origin = Origin::scripted(|mut visit| async move {
        visit
            .reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            .await;
        let said = visit.bytes(4).await;
        visit.send(said).await;
        visit.linger().await;
    })
    .await;
    let edge = caching(&origin, "true").await;
    let mut client = edge.client().await;
    client.send(super::get("/", "Connection: Upgrade\nUpgrade: websocket")).await;
    assert_eq!(client.head().await.status(), 101);
    client.send("ping").await;
    assert_eq!(client.bytes(4).await, b"ping");
}
