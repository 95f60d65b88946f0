//! What is stale: served while it is fetched anew, served when that fails, revalidated; and fetched before it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Gate, at_gate, caching, crowd, did, fresh, get, in_turn, is_hit, say, versioned, with};
use crate::support::{Answer, Deepwater, Origin, soon};

const OLD: &str = "Cache-Control: max-age=0, stale-while-revalidate=60";

/// An origin that answers at once at first, then at a gate.
async fn then_gated(gate: &Gate, first: Answer, then: Answer) -> Origin {
    let asked = Arc::<AtomicUsize>::default();
    at_gate(gate, move |mut visit, gate| {
        let (asked, first, then) = (Arc::clone(&asked), first.clone(), then.clone());
        async move {
            while visit.request().await.is_some() {
                if asked.fetch_add(1, Ordering::SeqCst) == 0 {
                    visit.send(&first).await;
                } else {
                    gate.pass().await;
                    visit.send(&then).await;
                }
            }
        }
    })
    .await
}

async fn settled(edge: &Deepwater) {
    let refreshing = async || edge.json("/api/cache").await["refreshes_in_flight"] != 0;
    soon("refreshes to end", async { while refreshing().await {} }).await;
}

#[tokio::test]
async fn the_old_is_served_while_the_new_is_fetched() {
    let gate = Gate::shut();
    let origin = then_gated(&gate, with(OLD, "old"), fresh("new")).await;
    let edge = caching(&origin, "true").await;
    assert_eq!(edge.get("/").await.text(), "old");
    for _ in 0..5 {
        let answer = edge.get("/").await;
        assert_eq!((answer.text(), did(&answer).as_str()), ("old", "hit"));
    }
    origin.hears(2).await;
    assert_eq!(origin.heard().len(), 2, "one refresh for all");
    assert_eq!(edge.json("/api/cache").await["refreshes_in_flight"], 1);
    gate.open();
    settled(&edge).await;
    let answer = edge.get("/").await;
    assert_eq!((answer.text(), did(&answer).as_str()), ("new", "hit"));
    let row = &edge.json("/api/cache").await["routes"][0];
    assert_eq!((&row["stale"], &row["refreshed_stale"], &row["hits"]), (&5.into(), &1.into(), &1.into()));
}

#[tokio::test]
async fn a_refresh_that_fails_leaves_the_old() {
    let origin = in_turn(&[with(OLD, "old"), say("500 Oops", "", "broken")]).await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    for _ in 0..3 {
        assert_eq!(edge.get("/").await.text(), "old");
        settled(&edge).await;
    }
    assert_eq!(origin.heard().len(), 2, "a failing origin is not asked at the rate of requests");
}

#[tokio::test]
async fn no_more_refreshes_than_may() {
    let gate = Gate::shut();
    let origin = at_gate(&gate, move |mut visit, gate| async move {
        while let Some(request) = visit.request().await {
            // What is asked for the first time comes at once.
            if request.get("second").is_some() {
                gate.pass().await;
            }
            visit.send(with(OLD, "old")).await;
        }
    })
    .await;
    let edge =
        Deepwater::start(&format!("[cache]\nmax_refreshes = 1\n{}", super::config(&origin, "true"))).await;
    for path in ["/a", "/b", "/c"] {
        edge.get(path).await;
    }
    for path in ["/a", "/b", "/c"] {
        assert_eq!(edge.ask(get(path, "Second: yes")).await.text(), "old");
    }
    origin.hears(4).await;
    assert_eq!(origin.heard().len(), 4, "one refresh, the others wait for the next request");
    gate.open();
}

#[tokio::test]
async fn the_old_is_served_for_an_origin_that_fails() {
    let origin = in_turn(&[
        with("Cache-Control: max-age=0, stale-if-error=60", "old"),
        say("503 Service Unavailable", "", "busy"),
    ])
    .await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    let answer = edge.get("/").await;
    assert_eq!((answer.text(), did(&answer).as_str()), ("old", "fwd=stale; fwd-status=503"));
    assert!(answer.get("age").is_some());
    // Now it is known to fail.
    let answer = edge.get("/").await;
    assert_eq!((answer.text(), did(&answer).as_str()), ("old", "hit; detail=\"the origin fails\""));
    assert_eq!(origin.heard().len(), 2);
}

#[tokio::test]
async fn the_old_is_served_for_an_origin_that_is_gone() {
    let origin = in_turn(&[with("Cache-Control: max-age=0", "old")]).await;
    let edge = caching(&origin, "{ stale_if_error = \"1h\" }").await;
    edge.get("/").await;
    origin.stop().await;
    let answer = edge.get("/").await;
    assert_eq!((answer.text(), did(&answer).as_str()), ("old", "fwd=stale"));
}

#[tokio::test]
async fn must_revalidate_forbids_the_old() {
    for control in ["max-age=0, must-revalidate", "max-age=0, proxy-revalidate", "no-cache", "s-maxage=0"] {
        let old = with(&format!("ETag: \"v1\"\nCache-Control: {control}"), "old");
        let origin = in_turn(&[old, say("503 Service Unavailable", "", "busy")]).await;
        let edge = caching(&origin, "{ stale_if_error = \"1h\", stale_while_revalidate = \"1h\" }").await;
        edge.get("/").await;
        assert_eq!(edge.get("/").await.status(), 503, "{control}");
    }
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let origin = Origin::answering(|request| match request.get("if-none-match") {
        Some("\"v1\"") => {
            "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nCache-Control: max-age=60\r\nX-New: 1\r\n\r\n"
                .into()
        }
        _ => with("ETag: \"v1\"\nCache-Control: max-age=0\nX-Old: 1", "content"),
    })
    .await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    let answer = edge.get("/").await;
    assert_eq!((answer.text(), did(&answer).as_str()), ("content", "fwd=stale; fwd-status=304"));
    assert_eq!((answer.get("x-old"), answer.get("x-new")), (Some("1"), Some("1")));
    let answer = edge.get("/").await;
    assert!(is_hit(&answer) && answer.get("x-new") == Some("1"), "it is fresh again: {answer:?}");
    let row = &edge.json("/api/cache").await["routes"][0];
    assert_eq!((&row["misses"], &row["revalidated"], &row["hits"]), (&1.into(), &1.into(), &1.into()));
}

#[tokio::test]
async fn a_client_that_knows_the_version_is_told_that_it_is_current() {
    let origin = versioned("Cache-Control: no-cache", "content").await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    let answer = edge.ask(get("/", "If-None-Match: \"v1\"")).await;
    assert_eq!((answer.status(), did(&answer).as_str()), (304, "fwd=stale; fwd-status=304"));
    // Who knows another version gets the content, though the cache and its origin agree.
    let answer = edge.ask(get("/", "If-None-Match: \"v0\"")).await;
    assert_eq!((answer.status(), answer.text()), (200, "content"));
    assert_eq!(origin.heard()[2].get("if-none-match"), Some("\"v1\""));
}

#[tokio::test]
async fn a_crowd_costs_one_revalidation() {
    let gate = Gate::shut();
    let not_modified = "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n".to_owned();
    let origin =
        then_gated(&gate, with("ETag: \"v1\"\nCache-Control: no-cache", "content"), not_modified).await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    let crowd = crowd(&edge, 10, "/").await;
    super::under_way(&edge, 10).await;
    gate.open();
    for mut client in crowd {
        assert_eq!(client.response().await.text(), "content");
    }
    assert_eq!(origin.heard().len(), 2);
}

#[tokio::test]
async fn what_has_become_personal_is_confirmed_to_the_one_who_asked() {
    for control in ["private", "no-store"] {
        let gate = Gate::shut();
        let not_modified = format!(
            "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nCache-Control: {control}\r\nX-User: ada\r\n\r\n"
        );
        let asked = Arc::<AtomicUsize>::default();
        let origin = at_gate(&gate, move |mut visit, gate| {
            let (asked, not_modified) = (Arc::clone(&asked), not_modified.clone());
            async move {
                while let Some(request) = visit.request().await {
                    let answer = match (asked.fetch_add(1, Ordering::SeqCst), request.get("if-none-match")) {
                        (0, _) => with("ETag: \"v1\"\nCache-Control: no-cache", "for all"),
                        (_, Some(_)) => not_modified.clone(),
                        (_, None) => with(&format!("Cache-Control: {control}"), "for one"),
                    };
                    if asked.load(Ordering::SeqCst) > 1 {
                        gate.pass().await;
                    }
                    visit.send(&answer).await;
                }
            }
        })
        .await;
        let edge = caching(&origin, "true").await;
        edge.get("/").await;
        let crowd = crowd(&edge, 5, "/").await;
        super::under_way(&edge, 5).await;
        gate.open();
        let mut users = 0;
        for mut client in crowd {
            let answer = client.response().await;
            let is_hers = answer.get("x-user").is_some();
            users += usize::from(is_hers);
            assert_eq!(answer.text(), if is_hers { "for all" } else { "for one" }, "{control}");
        }
        assert_eq!(users, 1, "{control}");
    }
}

#[tokio::test]
async fn what_is_asked_for_often_is_fetched_before_it_expires() {
    let gate = Gate::shut();
    let origin =
        then_gated(&gate, with("Cache-Control: max-age=10", "old"), with("Cache-Control: max-age=60", "new"))
            .await;
    let edge = caching(&origin, "{ early = \"linear\", early_from = 0.0 }").await;
    let mut client = edge.client().await;
    client.ask(get("/", "")).await;
    // The chance grows with each moment: of thousands of requests one begins a refresh long before the end.
    soon("an early refresh", async {
        while edge.json("/api/cache").await["refreshes_in_flight"] == 0 {
            let answer = client.ask(get("/", "")).await;
            assert_eq!((answer.text(), did(&answer).as_str()), ("old", "hit"));
        }
    })
    .await;
    for _ in 0..20 {
        assert_eq!(client.ask(get("/", "")).await.text(), "old");
    }
    assert_eq!(origin.heard().len(), 2, "one refresh");
    gate.open();
    settled(&edge).await;
    assert_eq!(client.ask(get("/", "")).await.text(), "new");
    edge.counts("deepwater_cache_refreshes_total", &[("route", "/*"), ("reason", "early")], 1.0).await;
}

#[tokio::test]
async fn a_refresh_for_one_keeps_what_is_for_all() {
    let origin = Origin::answering(|request| match request.get("cookie") {
        Some(_) => with("Cache-Control: no-cache=set-cookie", "for ada"),
        None => with("Cache-Control: max-age=0, stale-while-revalidate=60", "for all"),
    })
    .await;
    let edge = caching(&origin, "true").await;
    assert_eq!(edge.get("/").await.text(), "for all");
    assert_eq!(edge.ask(get("/", "Cookie: user=ada")).await.text(), "for all");
    origin.hears(2).await;
    let after = edge.get("/").await;
    assert_eq!((after.text(), is_hit(&after)), ("for all", true));
}

#[tokio::test]
async fn a_lifetime_of_the_route_does_not_keep_errors() {
    let origin =
        in_turn(&[say("500 Oops", "Cache-Control: max-age=0\nETag: \"e\"", "oops"), fresh("well")]).await;
    let edge = caching(&origin, "{ ttl = \"1h\" }").await;
    assert_eq!(edge.get("/").await.status(), 500);
    assert_eq!(edge.get("/").await.text(), "well");
}
