//! Responses that depend on the request.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{caching, did, get, is_hit, with};
use crate::support::Origin;

/// An origin whose answers name a field they depend on, and say what it was.
async fn varying(field: &'static str) -> Origin {
    Origin::answering(move |request| {
        let value = request.all(&field.to_lowercase()).join(" + ");
        with(&format!("Cache-Control: max-age=60\nVary: {field}"), &value)
    })
    .await
}

#[tokio::test]
async fn each_variant_is_stored() {
    let origin = varying("Foo").await;
    let edge = caching(&origin, "true").await;
    let asked = async |fields: &str| edge.ask(get("/", fields)).await;
    assert_eq!(did(&asked("Foo: 1").await), "fwd=uri-miss; stored");
    assert_eq!(did(&asked("Foo: 2").await), "fwd=vary-miss; stored");
    assert_eq!(did(&asked("").await), "fwd=vary-miss; stored");
    for (fields, text) in [("Foo: 1", "1"), ("Foo: 2", "2"), ("", ""), ("foo:  2 \nOther: x", "2")] {
        let answer = asked(fields).await;
        assert_eq!((answer.text(), is_hit(&answer)), (text, true), "{fields}");
        assert_eq!(answer.get("vary"), Some("Foo"));
    }
    assert!(!is_hit(&asked("Foo:").await), "an empty field is another than none");
    assert_eq!(origin.heard().len(), 4);
}

#[tokio::test]
async fn accept_encoding_is_a_set() {
    let origin = varying("Accept-Encoding").await;
    let edge = caching(&origin, "true").await;
    let hits = async |value: &str| is_hit(&edge.ask(get("/", &format!("Accept-Encoding: {value}"))).await);
    assert!(!hits("gzip, br").await);
    for same in ["br,gzip", "gzip;q=0.5, br;q=1.0", "BR, x-gzip", "br, gzip, identity", "gzip, br, zstd;q=0"]
    {
        assert!(hits(same).await, "{same}");
    }
    for other in ["gzip", "br, gzip, zstd", "*", "gzip;q=0, br", "br, gzip, identity;q=0"] {
        assert!(!hits(other).await, "{other}");
    }
}

#[tokio::test]
async fn vary_any_is_never_stored() {
    for vary in ["*", "Foo, *", "*, Foo", "", "not a name"] {
        let origin =
            Origin::answering(move |_| with(&format!("Cache-Control: max-age=60\nVary: {vary}"), "for one"))
                .await;
        let edge = caching(&origin, "true").await;
        edge.get("/").await;
        let stored = vary.is_empty();
        assert_eq!(is_hit(&edge.get("/").await), stored, "{vary:?}");
    }
}

#[tokio::test]
async fn what_we_write_into_each_request_is_no_reason_to_store() {
    for vary in ["X-Request-Id", "Traceparent", "X-Forwarded-For", "Forwarded", "X-Real-IP"] {
        let origin = varying(vary).await;
        let edge = caching(&origin, "true").await;
        edge.get("/").await;
        assert!(!is_hit(&edge.get("/").await), "{vary}");
        assert!(edge.json("/api/cache").await["memory"]["objects"].as_u64().unwrap() <= 1, "{vary}");
    }
}

#[tokio::test]
async fn a_url_may_change_what_it_varies_by() {
    let origin = Origin::answering(|request| match request.get("foo") {
        Some("1") => with("Cache-Control: max-age=60\nVary: Foo", "by foo"),
        _ => with("Cache-Control: max-age=60\nVary: Bar", request.get("bar").unwrap_or("none")),
    })
    .await;
    let edge = caching(&origin, "true").await;
    let asked = async |fields: &str| {
        let answer = edge.ask(get("/", fields)).await;
        (answer.text().to_owned(), is_hit(&answer))
    };
    assert_eq!(asked("Foo: 1").await, ("by foo".into(), false));
    assert_eq!(asked("Bar: x").await, ("x".into(), false));
    assert_eq!(asked("Bar: x").await, ("x".into(), true));
    assert_eq!(asked("Foo: 2\nBar: y").await, ("y".into(), false));
    // A response that varies by another list tells nothing of this one; the newest list is asked first.
    assert_eq!(asked("Foo: 2\nBar: y").await, ("y".into(), true));
}

#[tokio::test]
async fn a_response_that_no_longer_varies_is_for_all() {
    let origin =
        super::in_turn(&[with("Cache-Control: max-age=60\nVary: Foo", "for one"), super::fresh("for all")])
            .await;
    let edge = caching(&origin, "true").await;
    edge.ask(get("/", "Foo: 1")).await;
    assert_eq!(edge.ask(get("/", "Foo: 2")).await.text(), "for all");
    assert_eq!(edge.ask(get("/", "Foo: 3")).await.text(), "for all");
    assert_eq!(origin.heard().len(), 2);
}

#[tokio::test]
async fn edits_of_requests_by_the_client_make_no_variants() {
    // The route writes the client's address into the field that the response varies by.
    let origin = varying("X-From").await;
    let edited = "{ }\nrequest_headers = { set = { X-From = \"{client_ip}\" } }";
    let edge = caching(&origin, edited).await;
    edge.get("/").await;
    assert!(!is_hit(&edge.get("/").await));
}

#[tokio::test]
async fn a_newer_list_of_fields_decides() {
    let asked = AtomicUsize::new(0);
    let origin = Origin::answering(move |request| {
        let user = request.get("x-user").unwrap_or("nobody").to_owned();
        match asked.fetch_add(1, Ordering::SeqCst) {
            0 => with("Cache-Control: max-age=60\nVary: X-Kind", "for all of a kind"),
            _ => with("Cache-Control: max-age=0\nETag: \"1\"\nVary: X-Kind, X-User", &format!("for {user}")),
        }
    })
    .await;
    let edge = caching(&origin, "true").await;
    assert_eq!(edge.ask(get("/", "X-Kind: a")).await.text(), "for all of a kind");
    // Another kind brings the newer list.
    assert_eq!(edge.ask(get("/", "X-Kind: b\nX-User: ada")).await.text(), "for ada");
    assert_eq!(
        edge.ask(get("/", "X-Kind: b\nX-User: ada")).await.text(),
        "for ada",
        "stale, and asked for anew"
    );
    assert_eq!(edge.ask(get("/", "X-Kind: b\nX-User: bob")).await.text(), "for bob");
}
