//! What the console and the metrics say is what happened.

use serde_json::{Value, json};

use super::{ask, config, get, purge, say, with};
use crate::support::{Deepwater, Origin};

#[tokio::test]
async fn everything_is_counted_once() {
    let origin = Origin::answering(|request| match (request.method(), request.target()) {
        ("GET", "/stale") => with("Cache-Control: max-age=0, stale-while-revalidate=60", "stale"),
        ("GET", "/validated") => match request.get("if-none-match") {
            Some(_) => "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n".into(),
            None => with("ETag: \"v1\"\nCache-Control: no-cache", "validated"),
        },
        ("GET", "/personal") => with("Cache-Control: no-store", "personal"),
        ("GET", "/fails") => say("500 Oops", "", "oops"),
        ("GET", _) => with("Cache-Control: max-age=60", "0123456789"),
        _ => with("", ""),
    })
    .await;
    let edge = Deepwater::start(&config(&origin, "true")).await;
    assert_eq!(edge.json("/api/cache").await["hit_ratio"], Value::Null, "before the first request");
    let mut client = edge.client().await;
    for path in
        ["/page", "/page", "/page", "/stale", "/validated", "/validated", "/personal", "/personal", "/fails"]
    {
        client.get(path).await;
    }
    client.ask(ask("POST", "/write", "Content-Length: 0")).await;
    client.ask(get("/page", "If-Match: \"x\"")).await;
    client.get("/stale").await;
    origin.hears(10).await;
    purge(&edge, json!({ "tag": ["a", "b"], "url": "shop.example/x" })).await;

    let settled = async || edge.json("/api/cache").await["refreshes_in_flight"] == 0;
    crate::support::soon("the refresh to end", async { while !settled().await {} }).await;
    let cache = edge.json("/api/cache").await;
    let row = &cache["routes"][0];
    let expected = json!({
        "name": "/*", "hits": 2, "stale": 1, "coalesced": 0, "revalidated": 1, "misses": 5, "bypassed": 3,
        "refreshed_early": 0, "refreshed_stale": 1, "fetches": 7, "hit_ratio": 4.0 / 12.0,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&row[name], value, "{name} in {row}");
    }
    assert_eq!(cache["hit_ratio"], row["hit_ratio"]);
    assert_eq!((&cache["enabled"], &cache["name"]), (&json!(true), &json!("deepwater-edge")));
    assert_eq!(
        cache["purges"],
        json!({ "tag": 2, "url": 1, "prefix": 0, "host": 0, "version": 0, "all": 0 })
    );
    assert_eq!(cache["fetches_in_flight"], 0);

    let metrics = edge.metrics().await;
    let route = ("route", "/*");
    for (result, member) in [
        ("hit", "hits"),
        ("stale", "stale"),
        ("coalesced", "coalesced"),
        ("revalidated", "revalidated"),
        ("miss", "misses"),
        ("bypass", "bypassed"),
    ] {
        let counted = metrics.get("deepwater_cache_requests_total", &[route, ("result", result)]);
        assert_eq!(counted, row[member].as_f64(), "{result}");
    }
    for (name, labels, value) in [
        ("deepwater_cache_refreshes_total", &[route, ("reason", "stale")][..], &row["refreshed_stale"]),
        ("deepwater_cache_refreshes_total", &[route, ("reason", "early")], &row["refreshed_early"]),
        ("deepwater_cache_fetches_total", &[route], &row["fetches"]),
        ("deepwater_cache_served_bytes_total", &[route], &row["served_bytes"]),
        ("deepwater_cache_bytes", &[], &cache["memory"]["bytes"]),
        ("deepwater_cache_objects", &[], &cache["memory"]["objects"]),
        ("deepwater_cache_evicted_total", &[], &cache["store"]["evicted"]),
        ("deepwater_cache_purges_total", &[("kind", "tag")], &json!(2)),
        ("deepwater_cache_purges_total", &[("kind", "all")], &json!(0)),
    ] {
        assert_eq!(metrics.get(name, labels), value.as_f64(), "{name} {labels:?}");
    }
    // The edge's own counters have seen all of them, from the cache or not.
    assert!((metrics.sum("deepwater_edge_requests_total", &[route]) - 12.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn bytes_served_by_the_cache_are_counted() {
    let origin = Origin::answering(|_| with("Cache-Control: max-age=60", "0123456789")).await;
    let edge = Deepwater::start(&config(&origin, "true")).await;
    let mut client = edge.client().await;
    for _ in 0..5 {
        client.get("/").await;
    }
    client.send(ask("HEAD", "/", "")).await;
    client.response_to("HEAD").await;
    client.ask(get("/", "Range: bytes=0-3")).await;
    edge.counts("deepwater_cache_served_bytes_total", &[("route", "/*")], 54.0).await;
    let sent = edge.metrics().await.get("deepwater_edge_sent_bytes_total", &[]).unwrap();
    assert!(sent >= 54.0, "{sent}");
}

#[tokio::test]
async fn hits_are_in_the_access_log() {
    let origin = Origin::answering(|_| with("Cache-Control: max-age=60", "0123456789")).await;
    let log = config(&origin, "true")
        .replace("[edge]\n", "[edge]\naccess_log = { format = \"json\", path = \"stdout\" }\n");
    let edge = Deepwater::start(&log).await;
    edge.get("/first").await;
    edge.ask(get("/first", "X-Request-Id: the-second")).await;
    let line = edge.printed_line("the-second").await;
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["status"], 200, "{line}");
}
