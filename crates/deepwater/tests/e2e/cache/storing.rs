//! What is stored, and for how long.

use super::{caching, config, did, fresh, get, is_hit, with};
use crate::support::{Deepwater, Message, Origin};

/// Whether a second request like the first finds its answer stored.
async fn stored(request: &'static str, answer: &'static str, cache: &str) -> (bool, Message) {
    let origin = Origin::answering(move |_| with(answer, "content")).await;
    let edge = caching(&origin, cache).await;
    let first = edge.ask(get("/", request)).await;
    let second = edge.ask(get("/", request)).await;
    assert_eq!((first.text(), second.text()), ("content", "content"));
    (is_hit(&second), first)
}

#[tokio::test]
async fn what_may_be_stored() {
    for (request, answer, expected) in [
        ("", "Cache-Control: max-age=60", "stored"),
        ("", "Cache-Control: public, max-age=60", "stored"),
        ("", "Cache-Control: s-maxage=60", "stored"),
        ("", "Expires: Thu, 18 Aug 2050 02:01:18 GMT", "stored"),
        ("", "Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT", "stored"),
        ("", "CDN-Cache-Control: max-age=60\nCache-Control: no-store", "stored"),
        ("", "", "stale without validator"),
        ("", "Cache-Control: max-age=0", "stale without validator"),
        ("", "Cache-Control: no-store, max-age=60", "no-store"),
        ("", "Cache-Control: private, max-age=60", "private"),
        ("", "Cache-Control: max-age=60\nVary: *", "vary *"),
        // Who is logged in sees what others do not.
        ("Authorization: Bearer x", "Cache-Control: max-age=60", "authorization"),
        ("Authorization: Bearer x", "Cache-Control: max-age=60, public", "stored"),
        ("Authorization: Bearer x", "Cache-Control: s-maxage=60", "stored"),
        ("Cookie: a=b", "Cache-Control: max-age=60", "stored"),
        ("Cookie: a=b", "Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT", "cookie without explicit freshness"),
        ("", "Cache-Control: max-age=60\nSet-Cookie: a=b", "set-cookie"),
        // Clients have no say.
        ("Cache-Control: no-store", "Cache-Control: max-age=60", "stored"),
        ("Cache-Control: no-cache\nPragma: no-cache", "Cache-Control: max-age=60", "stored"),
    ] {
        let (hit, first) = stored(request, answer, "true").await;
        let outcome = match expected {
            "stored" => "fwd=uri-miss; stored".to_owned(),
            why => format!("fwd=uri-miss; detail=\"{why}\""),
        };
        assert_eq!((hit, did(&first)), (expected == "stored", outcome), "{request:?} {answer:?}");
    }
}

#[tokio::test]
async fn cookies_are_for_one() {
    let public = "Cache-Control: public, max-age=60\nSet-Cookie: a=b";
    for (cache, answer, hit, later) in [
        ("true", public, true, None),
        ("{ set_cookie = \"strip\" }", "Cache-Control: max-age=60\nSet-Cookie: a=b", true, None),
        ("{ set_cookie = \"keep\" }", "Cache-Control: max-age=60\nSet-Cookie: a=b", true, Some("a=b")),
        ("{ set_cookie = \"refuse\" }", "Cache-Control: max-age=60\nSet-Cookie: a=b", false, Some("a=b")),
    ] {
        let origin = Origin::answering(move |_| with(answer, "content")).await;
        let edge = caching(&origin, cache).await;
        assert_eq!(edge.get("/").await.get("set-cookie"), Some("a=b"), "whom it was made for gets it");
        let answer = edge.get("/").await;
        assert_eq!((is_hit(&answer), answer.get("set-cookie")), (hit, later), "{cache}");
    }
}

#[tokio::test]
async fn cookies_of_requests_can_be_ignored() {
    let (hit, _) = stored("Cookie: a=b", "", "{ default_ttl = \"60s\", cookies = \"ignore\" }").await;
    assert!(hit);
    let (hit, _) = stored("Cookie: a=b", "", "{ default_ttl = \"60s\" }").await;
    assert!(!hit);
}

/// The seconds of freshness left of a response that was just stored.
async fn lifetime(answer: &'static str, cache: &str) -> Option<i64> {
    let (hit, first) = stored("", answer, cache).await;
    let ttl = first.get("cache-status")?.split("; ").find_map(|member| member.strip_prefix("ttl="));
    assert!(hit || ttl.is_none(), "{first:?}");
    ttl.map(|ttl| ttl.parse().unwrap())
}

#[tokio::test]
async fn how_long_it_is_stored() {
    for (answer, cache, least, most) in [
        ("Cache-Control: max-age=60", "true", 58, 60),
        ("Cache-Control: max-age=60\nAge: 20", "true", 38, 40),
        ("Cache-Control: max-age=60", "{ ttl = \"10s\" }", 8, 10),
        ("", "{ ttl = \"10s\" }", 8, 10),
        ("Cache-Control: max-age=60", "{ default_ttl = \"10s\" }", 58, 60),
        ("", "{ default_ttl = \"10s\" }", 8, 10),
        ("Cache-Control: max-age=60", "{ max_ttl = \"30s\" }", 28, 30),
        ("Cache-Control: max-age=20", "{ max_ttl = \"30s\" }", 18, 20),
        ("Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT", "true", 86_398, 86_400),
        ("Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT", "{ heuristic_max = \"1h\" }", 3_598, 3_600),
    ] {
        let ttl = lifetime(answer, cache).await;
        assert!(ttl.is_some_and(|ttl| (least..=most).contains(&ttl)), "{answer:?} {cache}: {ttl:?}");
    }
    let guessing = "Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT\nCache-Control: foo";
    let origin = Origin::answering(move |_| with(guessing, "content")).await;
    let edge = caching(&origin, "{ heuristic_max = \"0s\" }").await;
    edge.get("/").await;
    assert!(!is_hit(&edge.get("/").await));
    // No policy makes this storable.
    for control in ["no-store", "private"] {
        let answer: &'static str =
            if control == "private" { "Cache-Control: private" } else { "Cache-Control: no-store" };
        assert!(!stored("", answer, "{ ttl = \"60s\" }").await.0, "{control}");
    }
}

#[tokio::test]
async fn age_tells_how_old_it_is() {
    let origin = Origin::answering(|_| with("Cache-Control: max-age=600\nAge: 100", "content")).await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    let age: u32 = edge.get("/").await.get("age").unwrap().parse().unwrap();
    assert!((100..110).contains(&age), "{age}");
}

#[tokio::test]
async fn what_belongs_to_the_connection_is_not_stored() {
    let origin = Origin::answering(|_| {
        with(
            "Cache-Control: max-age=60\nConnection: X-Hop\nX-Hop: 1\nKeep-Alive: timeout=5\n\
             Proxy-Authenticate: Basic\nX-End: 2",
            "content",
        )
    })
    .await;
    let edge = caching(&origin, "true").await;
    edge.get("/").await;
    let answer = edge.get("/").await;
    assert!(is_hit(&answer));
    for gone in ["connection", "x-hop", "keep-alive", "proxy-authenticate"] {
        assert_eq!(answer.get(gone), None, "{gone}");
    }
    assert_eq!(answer.get("x-end"), Some("2"));
}

#[tokio::test]
async fn bodies_of_any_framing_are_stored() {
    for (answer, text) in [
        ("Content-Length: 7\r\n\r\ncontent", "content"),
        ("Content-Length: 0\r\n\r\n", ""),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\ncon\r\n4\r\ntent\r\n0\r\nX-Sum: 1\r\n\r\n", "content"),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n{answer}");
        let origin = Origin::answering(move |_| answer.clone()).await;
        let edge = caching(&origin, "true").await;
        assert_eq!(edge.get("/").await.text(), text);
        let stored = edge.get("/").await;
        assert_eq!((stored.text(), is_hit(&stored)), (text, true));
        assert_eq!(stored.get("content-length"), Some(text.len().to_string().as_str()));
        assert!(stored.trailers.is_empty());
    }
    // Until the connection ends.
    let origin = Origin::scripted(|mut visit| async move {
        visit.reply("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\ncontent").await;
        visit.finish().await;
    })
    .await;
    let edge = caching(&origin, "true").await;
    assert_eq!(edge.get("/").await.text(), "content");
    assert_eq!(edge.get("/").await.text(), "content");
}

#[tokio::test]
async fn responses_without_a_body_are_stored() {
    for status in ["204 No Content", "301 Moved", "404 Not Found"] {
        let answer = if status.starts_with("204") {
            "HTTP/1.1 204 No Content\r\nCache-Control: max-age=60\r\n\r\n".to_owned()
        } else {
            super::say(status, "Cache-Control: max-age=60\nLocation: /b", "")
        };
        let origin = Origin::answering(move |_| answer.clone()).await;
        let edge = caching(&origin, "true").await;
        let mut client = edge.client().await;
        client.get("/").await;
        let answer = client.get("/").await;
        assert!(is_hit(&answer) && answer.body.is_empty(), "{answer:?}");
        let length = if status.starts_with("204") { None } else { Some("0") };
        assert_eq!(answer.get("content-length"), length);
        client.get("/").await;
    }
}

#[tokio::test]
async fn edits_of_responses_apply_to_what_is_stored() {
    let origin = Origin::answering(|_| with("Cache-Control: max-age=60\nServer: app", "content")).await;
    let edits = "response_headers = { remove = [\"Server\"], set = { X-Id = \"{request_id}\" } }";
    let edge = caching(&origin, &format!("true\n{edits}")).await;
    let mut ids = Vec::new();
    for at in 0..3 {
        let answer = edge.get("/").await;
        assert_eq!((is_hit(&answer), answer.get("server")), (at > 0, None));
        ids.push(answer.get("x-id").unwrap().to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "each answer has its own: {ids:?}");
}

#[tokio::test]
async fn routes_that_do_not_cache_say_nothing_of_it() {
    let origin = Origin::answering(|_| fresh("content")).await;
    let edge = caching(&origin, "false").await;
    for _ in 0..2 {
        assert_eq!(edge.get("/").await.get("cache-status"), None);
    }
    assert_eq!(origin.heard().len(), 2);
}

#[tokio::test]
async fn caches_nearer_to_the_origin_are_named_first() {
    let origin =
        Origin::answering(|_| with("Cache-Control: max-age=60\nCache-Status: app; hit; ttl=5", "content"))
            .await;
    let edge = caching(&origin, "true").await;
    for hit in [false, true] {
        let answer = edge.get("/").await;
        let value = answer.all("cache-status").join(", ");
        let (app, own) = value.split_once(", ").expect(&value);
        assert_eq!(app, "app; hit; ttl=5");
        assert_eq!(own.starts_with("deepwater-edge; hit"), hit, "{value}");
    }
}

#[tokio::test]
async fn whoever_is_answered_alone_stays_with_its_server() {
    let origin = Origin::answering(|_| with("Cache-Control: no-store\nSet-Cookie: sid=1", "for one")).await;
    let config = config(&origin, "true").replace("targets", "sticky = { cookie = \"lb\" }\ntargets");
    let edge = Deepwater::start(&config).await;
    let cookies = |answer: &Message| -> Vec<String> {
        answer.all("set-cookie").iter().map(|cookie| cookie.split('=').next().unwrap().to_owned()).collect()
    };
    let first = edge.get("/").await;
    assert_eq!(did(&first), "fwd=uri-miss; detail=\"no-store\"");
    let mut both = cookies(&first);
    both.sort_unstable();
    assert_eq!(both, ["lb", "sid"]);
    let lines = first.all("set-cookie");
    let token = lines.iter().find(|cookie| cookie.starts_with("lb=")).unwrap().split(';').next().unwrap();
    let other = edge.ask(get("/other", &format!("Cookie: {token}"))).await;
    assert_eq!(cookies(&other), ["sid"], "it has its cookie already");
}
