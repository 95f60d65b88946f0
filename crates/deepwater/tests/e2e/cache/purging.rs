//! What is purged is never served again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::{
    Gate, ask, at_gate, caching, config, did, fresh, gated, get, is_hit, purge, under_way, versioned, with,
};
use crate::support::{Deepwater, LISTEN, Origin, pool};

/// An origin whose pages carry their path as a tag, in one of the three fields, and a tag for all.
async fn tagged(field: &'static str, separator: &'static str) -> Origin {
    Origin::answering(move |request| {
        let tag = request.target().trim_start_matches('/');
        with(&format!("Cache-Control: max-age=60\n{field}: {tag}{separator}all"), tag)
    })
    .await
}

/// Whether the cache answers for each of these.
async fn hits(edge: &Deepwater, paths: &[&str]) -> Vec<bool> {
    let mut hits = Vec::new();
    for path in paths {
        hits.push(is_hit(&edge.get(path).await));
    }
    hits
}

#[tokio::test]
async fn by_the_tags_of_responses() {
    for (field, separator) in [("Surrogate-Key", " "), ("Cache-Tag", ", "), ("xkey", " ")] {
        let origin = tagged(field, separator).await;
        let edge = caching(&origin, "true").await;
        let first = edge.get("/a").await;
        assert_eq!(first.get(&field.to_lowercase()), None, "clients need no {field}");
        edge.get("/b").await;
        assert_eq!(hits(&edge, &["/a", "/b"]).await, [true, true]);
        assert_eq!(edge.get("/a").await.get(&field.to_lowercase()), None);
        let done = purge(&edge, json!({ "tag": "a" })).await;
        assert_eq!(done, json!({ "purged": { "tag": ["a"] }, "soft": false }), "{field}");
        assert_eq!(hits(&edge, &["/a", "/b", "/a"]).await, [false, true, true], "{field}");
        purge(&edge, json!({ "tag": ["nothing", "all"] })).await;
        assert_eq!(hits(&edge, &["/a", "/b"]).await, [false, false], "{field}");
    }
}

#[tokio::test]
async fn by_the_tags_of_a_route() {
    let origin = Origin::named("product").await;
    let route = "[[edge.route]]\nmatch = { path = \"/products/{id}\" }\npool = \"app\"\n\
                 cache = { ttl = \"60s\", tags = [\"product:{id}\", \"pricing\"] }\n";
    let edge = Deepwater::start(&format!("{LISTEN}{route}{}", pool("app", &[origin.address]))).await;
    let both = ["/products/1", "/products/2"];
    assert_eq!(hits(&edge, &both).await, [false, false]);
    assert_eq!(hits(&edge, &both).await, [true, true]);
    purge(&edge, json!({ "tag": "product:1" })).await;
    assert_eq!(hits(&edge, &both).await, [false, true]);
    purge(&edge, json!({ "tag": "pricing" })).await;
    assert_eq!(hits(&edge, &both).await, [false, false]);
}

#[tokio::test]
async fn a_304_may_bring_further_tags() {
    let origin = Origin::answering(|request| match request.get("if-none-match") {
        Some(_) => "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nCache-Tag: later\r\n\
                    Cache-Control: max-age=60\r\n\r\n"
            .into(),
        None => with("ETag: \"v1\"\nCache-Tag: first\nCache-Control: no-cache", "content"),
    })
    .await;
    let edge = caching(&origin, "true").await;
    for tag in ["first", "later"] {
        edge.get("/").await;
        edge.get("/").await;
        assert_eq!(hits(&edge, &["/"]).await, [true]);
        purge(&edge, json!({ "tag": tag })).await;
        assert_eq!(did(&edge.get("/").await), "fwd=uri-miss; stored", "{tag}");
    }
}

#[tokio::test]
async fn by_url_with_all_its_variants() {
    let origin = Origin::answering(|request| {
        with("Cache-Control: max-age=60\nVary: Foo", request.get("foo").unwrap_or("none"))
    })
    .await;
    let edge = caching(&origin, "true").await;
    let variants = async |path: &str| {
        let mut hits = Vec::new();
        for foo in ["Foo: 1", "Foo: 2", ""] {
            hits.push(is_hit(&edge.ask(get(path, foo)).await));
        }
        hits
    };
    for url in ["http://shop.example/a?b=1", "shop.example/a?b=1", "HTTP://SHOP.example:80/%61?b=1"] {
        variants("/a?b=1").await;
        variants("/a?b=2").await;
        assert_eq!(variants("/a?b=1").await, [true, true, true]);
        purge(&edge, json!({ "url": url })).await;
        assert_eq!(variants("/a?b=1").await, [false, false, false], "{url}");
        assert_eq!(variants("/a?b=2").await, [true, true, true], "{url} is not another query");
    }
}

#[tokio::test]
async fn by_prefix_and_host_and_all() {
    let origin = Origin::answering(|_| fresh("page")).await;
    let edge = caching(&origin, "true").await;
    let paths = ["/images/a", "/images/b?c", "/imagesque", "/"];
    let other = "GET / HTTP/1.1\r\nHost: shop.example.org\r\n\r\n";
    let expect = async |what: Value, expected: [bool; 5]| {
        hits(&edge, &paths).await;
        edge.ask(other).await;
        purge(&edge, what.clone()).await;
        let mut found = hits(&edge, &paths).await;
        found.push(is_hit(&edge.ask(other).await));
        assert_eq!(found, expected, "{what}");
    };
    expect(json!({ "prefix": "shop.example/images/" }), [false, false, true, true, true]).await;
    expect(json!({ "prefix": "http://shop.example/images" }), [false, false, false, true, true]).await;
    expect(json!({ "prefix": "shop.example" }), [false, false, false, false, true]).await;
    expect(json!({ "host": "SHOP.example" }), [false, false, false, false, true]).await;
    expect(json!({ "host": ["shop.example.org", "elsewhere"] }), [true, true, true, true, false]).await;
    expect(json!({ "all": true }), [false, false, false, false, false]).await;
    let counts = &edge.json("/api/cache").await["purges"];
    assert_eq!(counts, &json!({ "tag": 0, "url": 0, "prefix": 3, "host": 3, "version": 0, "all": 1 }));
    edge.counts("deepwater_cache_purges_total", &[("kind", "host")], 3.0).await;
}

#[tokio::test]
async fn by_version() {
    let origin = Origin::answering(|_| fresh("price")).await;
    let routes = "[[edge.route]]\nmatch = { path = \"/prices/*\" }\npool = \"app\"\n\
                  cache = { version = \"pricing\" }\n[[edge.route]]\npool = \"app\"\ncache = true\n";
    let edge = Deepwater::start(&format!("{LISTEN}{routes}{}", pool("app", &[origin.address]))).await;
    let paths = ["/prices/1", "/prices/2", "/other"];
    hits(&edge, &paths).await;
    let done = purge(&edge, json!({ "version": "pricing" })).await;
    let version = done["versions"]["pricing"].as_u64().unwrap();
    assert_eq!(done["purged"], json!({ "version": ["pricing"] }));
    assert_eq!(hits(&edge, &paths).await, [false, false, true]);
    assert_eq!(edge.json("/api/cache").await["versions"]["pricing"], version);
    let done = purge(&edge, json!({ "version": "pricing" })).await;
    assert_eq!(done["versions"]["pricing"], version + 1);
}

#[tokio::test]
async fn softly_it_is_stale_at_once() {
    let origin = versioned("Cache-Control: max-age=60\nCache-Tag: a", "content").await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    let done = purge(&edge, json!({ "tag": "a", "soft": true })).await;
    assert_eq!(done["soft"], true);
    assert_eq!(did(&edge.get("/").await), "fwd=stale; fwd-status=304");
    assert!(is_hit(&edge.get("/").await), "once");
    purge(&edge, json!({ "all": true, "soft": true })).await;
    assert_eq!(did(&edge.get("/").await), "fwd=stale; fwd-status=304");
}

#[tokio::test]
async fn softly_purged_it_is_served_while_it_is_fetched() {
    let origin =
        super::in_turn(&[with("Cache-Control: max-age=60, stale-while-revalidate=60", "old"), fresh("new")])
            .await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    purge(&edge, json!({ "url": "shop.example/", "soft": true })).await;
    assert_eq!(edge.get("/").await.text(), "old");
    origin.hears(2).await;
}

#[tokio::test]
async fn what_was_under_way_is_not_served_after() {
    for what in [
        json!({ "url": "shop.example/" }),
        json!({ "tag": "a" }),
        json!({ "all": true }),
        json!({ "host": "shop.example" }),
    ] {
        let gate = Gate::shut();
        let origin = gated(&gate, |_| with("Cache-Control: max-age=60\nCache-Tag: a", "before")).await;
        let edge = caching(&origin, "true").await;
        let mut before = edge.client().await;
        before.send(get("/", "")).await;
        origin.hears(1).await;
        purge(&edge, what.clone()).await;
        // Whoever asks from now on must not get what was asked for before.
        let mut after = edge.client().await;
        after.send(get("/", "")).await;
        super::under_way(&edge, 2).await;
        gate.open();
        assert_eq!(before.response().await.text(), "before");
        assert_eq!(after.response().await.text(), "before");
        assert_eq!(origin.heard().len(), 2, "{what}: it was fetched anew");
        assert!(is_hit(&edge.get("/").await), "{what}: that one is stored");
        assert_eq!(origin.heard().len(), 2, "{what}");
    }
}

#[tokio::test]
async fn a_fetch_alone_that_was_purged_is_not_stored() {
    let gate = Gate::shut();
    let origin = gated(&gate, |_| fresh("before")).await;
    let edge = caching(&origin, "true").await;
    let mut client = edge.client().await;
    client.send(get("/", "")).await;
    origin.hears(1).await;
    purge(&edge, json!({ "url": "shop.example/" })).await;
    gate.open();
    assert_eq!(client.response().await.text(), "before");
    assert!(!is_hit(&edge.get("/").await));
}

#[tokio::test]
async fn by_writes() {
    let origin = Origin::answering(|request| match (request.method(), request.target()) {
        ("GET" | "HEAD", _) => fresh("page"),
        (_, "/fails") => super::say("500 Oops", "", ""),
        _ => with("Location: /made\nContent-Location: http://shop.example/named?x=1", ""),
    })
    .await;
    let edge = caching(&origin, "true").await;
    let paths = ["/thing", "/made", "/named?x=1", "/other"];
    for method in ["POST", "PUT", "DELETE", "PATCH", "UNHEARD-OF"] {
        hits(&edge, &paths).await;
        let answer = edge.ask(ask(method, "/thing", "Content-Length: 0")).await;
        assert_eq!(did(&answer), "fwd=method", "{method}");
        assert_eq!(hits(&edge, &paths).await, [false, false, false, true], "{method}");
    }
    hits(&edge, &["/fails"]).await;
    edge.ask(ask("POST", "/fails", "Content-Length: 0")).await;
    edge.ask(ask("OPTIONS", "/thing", "")).await;
    assert_eq!(hits(&edge, &["/fails", "/thing"]).await, [true, true], "nothing was written");
}

#[tokio::test]
async fn a_write_cannot_purge_elsewhere() {
    let origin = Origin::answering(|request| match request.method() {
        "GET" => fresh("page"),
        _ => with("Location: http://other.example/page", ""),
    })
    .await;
    let edge = caching(&origin, "true").await;
    let other = "GET /page HTTP/1.1\r\nHost: other.example\r\n\r\n";
    edge.ask(other).await;
    edge.ask(ask("POST", "/", "Content-Length: 0")).await;
    assert!(is_hit(&edge.ask(other).await));
}

#[tokio::test]
async fn a_write_overtakes_a_read_that_is_under_way() {
    let gate = Gate::shut();
    let origin = at_gate(&gate, move |mut visit, gate| async move {
        // The first connection is that of the read; it carries nothing else.
        if visit.number == 0 {
            visit.request().await;
            gate.pass().await;
            return visit.send(fresh("before").replace("Content", "Connection: close\r\nContent")).await;
        }
        while visit.reply(fresh("after")).await.is_some() {}
    })
    .await;
    let edge = caching(&origin, "true").await;
    let mut reader = edge.client().await;
    reader.send(get("/", "")).await;
    origin.hears(1).await;
    edge.ask(ask("POST", "/", "Content-Length: 0")).await;
    gate.open();
    assert_eq!(reader.response().await.text(), "before");
    assert_eq!(edge.get("/").await.text(), "after");
}

/// Two fetches of a page, one begun before it was purged and one after. Says who gets what when the later one lands
/// first, and then the earlier one.
async fn landing_in_the_wrong_order(what: Value) -> [String; 3] {
    let gate = Gate::shut();
    let control = "Cache-Control: max-age=60, stale-while-revalidate=60";
    let origin = at_gate(&gate, move |mut visit, gate| async move {
        if visit.number == 0 {
            let answer = with(control, "before").replace("Content", "Connection: close\r\nContent");
            let (half, rest) = answer.split_at(answer.len() - 3);
            visit.reply(half).await;
            gate.pass().await;
            return visit.send(rest).await;
        }
        while visit.reply(with(control, "after")).await.is_some() {}
    })
    .await;
    let edge = caching(&origin, "true").await;
    let mut early = edge.client().await;
    early.send(get("/", "")).await;
    let head = early.head().await;
    purge(&edge, what).await;
    let late = edge.get("/").await.text().to_owned();
    gate.open();
    let early = early.body_of(head, false).await.text().to_owned();
    [early, late, edge.get("/").await.text().to_owned()]
}

#[tokio::test]
async fn what_was_asked_for_before_does_not_replace_what_was_asked_for_after() {
    for soft in [false, true] {
        for what in [json!({ "url": "shop.example/", "soft": soft }), json!({ "all": true, "soft": soft })] {
            let found = landing_in_the_wrong_order(what.clone()).await;
            assert_eq!(found, ["before", "after", "after"], "{what}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_purge_is_named() {
    let origin = Origin::named("page").await;
    let edge = caching(&origin, "true").await;
    for (body, says) in [
        ("", "no body"),
        ("{", "not JSON"),
        ("[]", "not an object"),
        ("{}", "nothing to purge"),
        (r#"{"tag": []}"#, "nothing to purge"),
        (r#"{"tags": "a"}"#, "there is no `tags`"),
        (r#"{"tag": 7}"#, "`tag` holds 7"),
        (r#"{"tag": ""}"#, "empty"),
        (r#"{"all": "yes"}"#, "write true or false"),
        (r#"{"url": "/a"}"#, "names no host"),
        (r#"{"url": "ftp://a/b"}"#, "http://"),
        (r#"{"host": "http://a"}"#, "not a host"),
        (r#"{"version": "a", "soft": true}"#, "softly"),
    ] {
        let answer = edge.command_with("/api/cache/purge", body).await;
        let error: Value = serde_json::from_str(answer.text()).unwrap();
        let error = error["error"].as_str().unwrap();
        assert!(answer.status() == 400 && error.contains(says), "{body}: {} {error}", answer.status());
    }
    assert_eq!(edge.page("/api/cache/purge").await.status(), 405);

    let plain = Deepwater::fronting(&origin).await;
    let answer = plain.command_with("/api/cache/purge", r#"{"all": true}"#).await;
    assert!(answer.status() == 409 && answer.text().contains("no route caches"), "{answer:?}");
    assert_eq!(plain.json("/api/cache").await, json!({ "enabled": false, "routes": [] }));
}

#[tokio::test]
async fn by_the_method_purge_from_where_it_may_be_used() {
    let origin = versioned("Cache-Control: max-age=60", "page").await;
    let open =
        Deepwater::start(&format!("[cache]\npurge_from = [\"127.0.0.0/8\"]\n{}", config(&origin, "true")))
            .await;
    hits(&open, &["/a", "/b"]).await;
    let answer = open.ask(ask("PURGE", "/a", "")).await;
    let done: Value = serde_json::from_str(answer.text()).unwrap();
    assert_eq!((answer.status(), &done["purged"]["url"][0]), (200, &json!("http://shop.example/a")));
    assert_eq!(hits(&open, &["/a", "/b"]).await, [false, true]);
    open.ask(ask("PURGE", "/a", "Soft-Purge: 1")).await;
    assert_eq!(did(&open.get("/a").await), "fwd=stale; fwd-status=304");

    let shut =
        Deepwater::start(&format!("[cache]\npurge_from = [\"10.0.0.0/8\"]\n{}", config(&origin, "true")))
            .await;
    shut.get("/a").await;
    let heard = origin.heard().len();
    assert_eq!(shut.ask(ask("PURGE", "/a", "")).await.status(), 405);
    assert!(is_hit(&shut.get("/a").await));
    assert_eq!(origin.heard().len(), heard, "it is not the origin's business");
}

#[tokio::test]
async fn a_tier_that_is_no_edge_shows_tags_to_the_next() {
    let origin = tagged("Cache-Tag", ", ").await;
    let edge = Deepwater::start(&format!("[cache]\ntier = \"regional\"\n{}", config(&origin, "true"))).await;
    for _ in 0..2 {
        let answer = edge.get("/a").await;
        assert_eq!(answer.get("cache-tag"), Some("a, all"));
        assert!(answer.get("cache-status").unwrap().starts_with("deepwater-regional; "));
    }
}

#[tokio::test]
async fn a_purge_reaches_what_is_being_revalidated() {
    let gate = Gate::shut();
    let asked = Arc::new(AtomicUsize::new(0));
    let origin = at_gate(&gate, move |mut visit, gate| {
        let asked = Arc::clone(&asked);
        async move {
            while let Some(request) = visit.request().await {
                let tagged = "Cache-Control: max-age=0\nETag: \"1\"\nSurrogate-Key: price";
                let answer = match (asked.fetch_add(1, Ordering::SeqCst), request.get("if-none-match")) {
                    (0, _) => with(tagged, "old"),
                    (1, Some(_)) => {
                        gate.pass().await;
                        "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n".into()
                    }
                    _ => with("Cache-Control: max-age=60", "new"),
                };
                visit.send(answer).await;
            }
        }
    })
    .await;
    let edge = caching(&origin, "true").await;
    assert_eq!(edge.get("/").await.text(), "old");
    let mut early = edge.client().await;
    early.send(get("/", "")).await;
    origin.hears(2).await;
    purge(&edge, json!({ "tag": "price" })).await;
    let mut late = edge.client().await;
    late.send(get("/", "")).await;
    under_way(&edge, 2).await;
    gate.open();
    assert_eq!(early.response().await.text(), "old", "it asked before the purge");
    assert_eq!(late.response().await.text(), "new");
    assert_eq!(edge.get("/").await.text(), "new");
}
