//! HTTP/2 clients get the same.

use http::HeaderMap;

use super::{Gate, caching, fresh, gated, with};
use crate::support::{Deepwater, H2Client, Origin, request};

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
    let origin = {
        let gate = gate.clone();
        Origin::scripted(move |mut visit| {
            let gate = gate.clone();
            async move {
                let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 12\r\n\r\nfirst ";
                visit.reply(head).await;
                gate.pass().await;
            }
        })
        .await
    };
    let edge = caching(&origin, "true").await;
    let client = client(&edge).await;
    let mut responses = Vec::new();
    for _ in 0..3 {
        responses.push(client.begin(request("GET", "/"), true).await.0);
    }
    super::under_way(&edge, 3).await;
    gate.open();
    for response in responses {
        let body = response.await.unwrap().into_body();
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
