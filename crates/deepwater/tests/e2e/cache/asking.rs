//! Conditions of clients, and HEAD.

use super::{ask, caching, did, fresh, get, in_turn, is_hit, say, versioned, with};
use crate::support::Origin;

const DATE: &str = "Wed, 01 Jan 2020 00:00:00 GMT";

#[tokio::test]
async fn conditions_are_answered_from_what_is_stored() {
    let fields = format!(
        "Cache-Control: max-age=60\nETag: \"v1\"\nLast-Modified: {DATE}\nVary: Foo\n\
                          Content-Language: en\nX-Other: 1"
    );
    let origin = Origin::answering(move |_| with(&fields, "content")).await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    for (condition, status) in [
        ("If-None-Match: \"v1\"", 304),
        ("If-None-Match: W/\"v1\"", 304),
        ("If-None-Match: \"v0\", \"v1\"", 304),
        ("If-None-Match: *", 304),
        ("If-None-Match: \"v0\"", 200),
        ("If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT", 304),
        ("If-Modified-Since: Thu, 02 Jan 2020 00:00:00 GMT", 304),
        ("If-Modified-Since: Tue, 31 Dec 2019 00:00:00 GMT", 200),
        ("If-Modified-Since: not a date", 200),
        // The tag decides.
        ("If-None-Match: \"v0\"\nIf-Modified-Since: Thu, 02 Jan 2020 00:00:00 GMT", 200),
    ] {
        let answer = edge.ask(get("/", condition)).await;
        assert_eq!((answer.status(), did(&answer).as_str()), (status, "hit"), "{condition}");
        assert_eq!(answer.get("etag"), Some("\"v1\""));
        assert_eq!(answer.get("vary"), Some("Foo"));
        assert!(answer.get("date").is_some() && answer.get("cache-control").is_some());
        if status == 304 {
            assert!(answer.get("content-language").is_none() && answer.get("content-length").is_none());
        }
    }
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn conditions_that_only_the_origin_can_judge_go_there() {
    let origin = Origin::answering(|request| match request.get("if-match") {
        Some("\"v0\"") => say("412 Precondition Failed", "Cache-Control: max-age=60", ""),
        _ => with("Cache-Control: max-age=60\nETag: \"v1\"", "content"),
    })
    .await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    let answer = edge.ask(get("/", "If-Match: \"v0\"")).await;
    assert_eq!(
        (answer.status(), did(&answer).as_str()),
        (412, "fwd=bypass; detail=\"a condition for the origin\"")
    );
    assert_eq!(edge.ask(get("/", "If-Unmodified-Since: Wed, 01 Jan 2020 00:00:00 GMT")).await.status(), 200);
    assert!(is_hit(&edge.get("/").await));
    assert_eq!(origin.heard().len(), 3);
}

#[tokio::test]
async fn nobody_elses_condition_reaches_the_origin() {
    let origin = versioned("Cache-Control: max-age=60", "content").await;
    let edge = caching(&origin, "true").await;
    // The first one knows the content; the others do not.
    assert_eq!(edge.ask(get("/", "If-None-Match: \"v1\"")).await.status(), 304);
    let answer = edge.get("/").await;
    assert_eq!((answer.status(), answer.text(), is_hit(&answer)), (200, "content", true));
    assert_eq!(origin.only_request().get("if-none-match"), None);
}

#[tokio::test]
async fn head_is_answered_from_a_stored_get() {
    let origin = Origin::answering(|_| with("Cache-Control: max-age=60\nX-Page: 1", "content")).await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    let mut client = edge.client().await;
    client.send(ask("HEAD", "/", "")).await;
    let answer = client.response_to("HEAD").await;
    assert_eq!(
        (answer.status(), answer.get("content-length"), answer.get("x-page")),
        (200, Some("7"), Some("1"))
    );
    assert!(is_hit(&answer) && answer.get("age").is_some());
    // The connection goes on.
    assert_eq!(client.get("/").await.text(), "content");
    assert_eq!(origin.heard().len(), 1);
}

/// An origin with a GET answer, and one for HEAD.
async fn with_head(stored: &'static str, head: &'static str) -> Origin {
    Origin::answering(move |request| match request.method() {
        "HEAD" => format!("HTTP/1.1 200 OK\r\n{}\r\n\r\n", head.replace('\n', "\r\n")),
        _ => with(stored, "content"),
    })
    .await
}

#[tokio::test]
async fn a_head_that_is_not_stored_is_passed_on_and_stores_nothing() {
    let origin = with_head("Cache-Control: max-age=60", "Cache-Control: max-age=60\nContent-Length: 7").await;
    let edge = caching(&origin, "true").await;
    let mut client = edge.client().await;
    for _ in 0..2 {
        client.send(ask("HEAD", "/", "")).await;
        assert_eq!(did(&client.response_to("HEAD").await), "fwd=uri-miss");
    }
    assert_eq!(client.get("/").await.text(), "content");
    assert_eq!(
        origin.heard().iter().map(|request| request.method().to_owned()).collect::<Vec<_>>(),
        ["HEAD", "HEAD", "GET"]
    );
}

#[tokio::test]
async fn a_head_freshens_what_is_stale() {
    let origin = with_head(
        "Cache-Control: max-age=0\nETag: \"v1\"\nX-Page: old",
        "Cache-Control: max-age=60\nETag: \"v1\"\nX-Page: new\nContent-Length: 7",
    )
    .await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    let mut client = edge.client().await;
    client.send(ask("HEAD", "/", "")).await;
    assert_eq!(client.response_to("HEAD").await.get("x-page"), Some("new"));
    let answer = client.get("/").await;
    assert_eq!((answer.text(), answer.get("x-page"), is_hit(&answer)), ("content", Some("new"), true));
}

#[tokio::test]
async fn a_head_that_tells_of_a_vary_makes_nothing_stored_answer_all() {
    let origin = Origin::answering(|request| {
        let language = request.get("accept-language").unwrap_or_default();
        match request.method() {
            "HEAD" => "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nVary: Accept-Language\r\n\r\n".into(),
            _ => with("Cache-Control: max-age=0\nETag: \"v1\"", language),
        }
    })
    .await;
    let edge = caching(&origin, "true").await;
    let mut client = edge.client().await;
    edge.ask(get("/", "Accept-Language: de")).await;
    client.send(ask("HEAD", "/", "Accept-Language: en")).await;
    client.response_to("HEAD").await;
    assert_eq!(edge.ask(get("/", "Accept-Language: en")).await.text(), "en");
}

#[tokio::test]
async fn a_head_that_tells_of_a_change_expires_what_is_stored() {
    for head in ["ETag: \"v2\"\nContent-Length: 7", "ETag: \"v1\"\nContent-Length: 8"] {
        let origin = with_head("Cache-Control: max-age=1\nETag: \"v1\"", head).await;
        let edge = caching(&origin, "{ honour_client = true }").await;
        edge.get("/").await;
        let mut client = edge.client().await;
        // What is stored is fresh: the client asks for better.
        client.send(ask("HEAD", "/", "Cache-Control: no-cache")).await;
        client.response_to("HEAD").await;
        assert!(!is_hit(&edge.get("/").await), "{head}");
    }
}

#[tokio::test]
async fn a_head_waits_for_nobody() {
    let origin = in_turn(&[fresh("content")]).await;
    let edge = caching(&origin, "{ honour_client = true }").await;
    let mut client = edge.client().await;
    client.send(ask("HEAD", "/", "Cache-Control: only-if-cached")).await;
    assert_eq!(client.response_to("HEAD").await.status(), 504);
    assert!(origin.heard().is_empty());
}

#[tokio::test]
async fn a_client_may_ask_for_better_where_it_is_honoured() {
    let origin = versioned("Cache-Control: max-age=60", "content").await;
    let edge = caching(&origin, "{ honour_client = true }").await;
    edge.get("/").await;
    let answer = edge.ask(get("/", "Cache-Control: no-cache")).await;
    assert_eq!((answer.text(), did(&answer).as_str()), ("content", "fwd=request; fwd-status=304"));
    assert!(is_hit(&edge.get("/").await));
    assert_eq!(origin.heard().len(), 2);
}

#[tokio::test]
async fn a_head_of_what_is_stored_in_part_tells_of_the_whole() {
    let origin = Origin::answering(|request| match (request.method(), request.get("range")) {
        ("GET", Some(_)) => {
            let fields = "Cache-Control: max-age=60\nETag: \"v1\"\nContent-Range: bytes 0-1/7";
            say("206 Partial Content", fields, "co")
        }
        ("HEAD", _) => "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n".into(),
        _ => with("Cache-Control: max-age=60\nETag: \"v1\"", "content"),
    })
    .await;
    let edge = caching(&origin, "true").await;
    edge.ask(get("/", "Range: bytes=0-1")).await;
    let mut client = edge.client().await;
    client.send(ask("HEAD", "/", "")).await;
    let answer = client.response_to("HEAD").await;
    assert_eq!(
        (answer.status(), answer.get("content-length"), answer.get("content-range")),
        (200, Some("7"), None)
    );
    assert_eq!(did(&answer), "fwd=partial");
    assert_eq!(origin.heard().last().map(|request| request.method().to_owned()).as_deref(), Some("HEAD"));
    assert_eq!(client.get("/").await.text(), "content");
}

#[tokio::test]
async fn the_head_of_one_is_not_shown_to_all() {
    let origin = Origin::answering(|request| match (request.method(), request.get("cookie")) {
        ("HEAD", Some(_)) => with("Cache-Control: max-age=60\nETag: \"1\"\nX-User: ada", ""),
        _ => with("Cache-Control: max-age=0, stale-while-revalidate=60\nETag: \"1\"", "page"),
    })
    .await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    let head = "HEAD / HTTP/1.1\r\nHost: shop.example\r\nCookie: user=ada\r\nIf-Match: \"1\"\r\n\r\n";
    let mut client = edge.client().await;
    client.send(head).await;
    client.head().await;
    assert_eq!(edge.get("/").await.get("x-user"), None);
}
