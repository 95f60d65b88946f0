//! Many ask for the same thing at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Barrier;

use super::{
    Gate, answers, at_gate, caching, config, crowd, did, fresh, gated, get, is_hit, say, under_way, with,
};
use crate::support::{Deepwater, Ending, Origin, soon};

#[tokio::test]
async fn a_crowd_costs_one_fetch() {
    let gate = Gate::shut();
    let origin = gated(&gate, |_| fresh("for all")).await;
    let edge = caching(&origin, "true").await;
    let crowd = crowd(&edge, 50, "/").await;
    under_way(&edge, 50).await;
    gate.open();
    let answers = answers(crowd).await;
    assert!(answers.iter().all(|answer| answer.text() == "for all"));
    let collapsed = answers.iter().filter(|answer| did(answer) == "fwd=uri-miss; stored; collapsed").count();
    let led = answers.iter().filter(|answer| did(answer) == "fwd=uri-miss; stored").count();
    assert_eq!((led, collapsed), (1, 49));
    assert_eq!(origin.heard().len(), 1);
    assert!(is_hit(&edge.get("/").await));
    edge.counts("deepwater_cache_requests_total", &[("route", "/*"), ("result", "coalesced")], 49.0).await;
    edge.counts("deepwater_cache_fetches_total", &[("route", "/*")], 1.0).await;
}

#[tokio::test]
async fn cores_share_a_fetch() {
    let gate = Gate::shut();
    let origin = gated(&gate, |_| fresh("for all")).await;
    let edge = Deepwater::start(&config(&origin, "true").replace("workers = 1", "workers = 3")).await;
    let crowd = crowd(&edge, 30, "/").await;
    under_way(&edge, 30).await;
    gate.open();
    assert!(answers(crowd).await.iter().all(|answer| answer.text() == "for all"));
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn all_read_while_the_body_arrives() {
    for framing in ["Content-Length: 12", "Transfer-Encoding: chunked"] {
        let chunked = framing.starts_with('T');
        let (first, rest) =
            if chunked { ("6\r\nfirst \r\n", "6\r\nsecond\r\n0\r\n\r\n") } else { ("first ", "second") };
        let gate = Gate::shut();
        let origin = at_gate(&gate, move |mut visit, gate| async move {
            let head = format!("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n{framing}\r\n\r\n");
            visit.reply(head + first).await;
            gate.pass().await;
            visit.send(rest).await;
            visit.linger().await;
        })
        .await;
        let edge = caching(&origin, "true").await;
        let mut early = crowd(&edge, 3, "/").await;
        origin.hears(1).await;
        let mut begun = Vec::new();
        for mut client in early.drain(..) {
            let head = client.head().await;
            assert_eq!(client.bytes(first_len(chunked)).await, first.as_bytes());
            begun.push((client, head));
        }
        // Who comes late reads from the start.
        let mut late = crowd(&edge, 1, "/").await.remove(0);
        let head = late.head().await;
        assert!(head.get("cache-status").is_some_and(|status| status.ends_with("collapsed")), "{head:?}");
        assert_eq!(late.bytes(first_len(chunked)).await, first.as_bytes());
        begun.push((late, head));
        gate.open();
        for (mut client, _) in begun {
            assert_eq!(client.bytes(rest.len()).await, rest.as_bytes());
        }
        assert_eq!(origin.heard().len(), 1);
        assert_eq!(edge.get("/").await.text(), "first second");
        assert_eq!(origin.heard().len(), 1, "it is stored");
    }
}

fn first_len(chunked: bool) -> usize {
    if chunked { 11 } else { 6 }
}

#[tokio::test]
async fn the_one_who_asked_first_may_leave() {
    let gate = Gate::shut();
    let origin = gated(&gate, |_| fresh("for the others")).await;
    let edge = caching(&origin, "true").await;
    let leader = crowd(&edge, 1, "/").await;
    origin.hears(1).await;
    let others = crowd(&edge, 2, "/").await;
    under_way(&edge, 3).await;
    drop(leader);
    under_way(&edge, 2).await;
    gate.open();
    for answer in answers(others).await {
        assert_eq!(answer.text(), "for the others");
    }
    assert!(is_hit(&edge.get("/").await));
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn a_fetch_whose_clients_have_all_left_is_stored() {
    let gate = Gate::shut();
    let origin = gated(&gate, |_| fresh("for later")).await;
    let edge = caching(&origin, "true").await;
    let nobody = crowd(&edge, 1, "/").await;
    origin.hears(1).await;
    drop(nobody);
    under_way(&edge, 0).await;
    gate.open();
    soon("the answer to be stored", async {
        while edge.json("/api/cache").await["memory"]["objects"] != 1 {}
    })
    .await;
    assert!(is_hit(&edge.get("/").await));
}

#[tokio::test]
async fn half_a_body_is_whole_for_nobody_and_not_stored() {
    for half in ["Content-Length: 12\r\n\r\nfirst ", "Transfer-Encoding: chunked\r\n\r\n6\r\nfirst \r\n"] {
        let gate = Gate::shut();
        let origin = at_gate(&gate, move |mut visit, gate| async move {
            if visit.number > 0 {
                visit.reply(fresh("whole")).await;
                return visit.linger().await;
            }
            let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n";
            visit.reply(format!("{head}{half}")).await;
            gate.pass().await;
        })
        .await;
        let edge = caching(&origin, "true").await;
        let mut begun = Vec::new();
        for mut client in crowd(&edge, 5, "/").await {
            let head = client.head().await;
            begun.push((client, head));
        }
        gate.open();
        for (mut client, head) in begun {
            let answer = client.body_of(head, true).await;
            assert_eq!((answer.status(), answer.ending), (200, Ending::Broken), "{answer:?}");
        }
        let next = edge.get("/").await;
        assert_eq!((next.text(), did(&next).as_str()), ("whole", "fwd=uri-miss; stored"));
    }
}

#[tokio::test]
async fn an_origin_that_says_nothing_fails_once_for_all() {
    let gate = Gate::shut();
    let origin = at_gate(&gate, move |mut visit, gate| async move {
        visit.request().await;
        gate.pass().await;
    })
    .await;
    let edge = caching(&origin, "true").await;
    let crowd = crowd(&edge, 20, "/").await;
    under_way(&edge, 20).await;
    gate.open();
    for answer in answers(crowd).await {
        assert_eq!(answer.status(), 502, "{answer:?}");
        assert_eq!(answer.get("cache-status"), Some("deepwater-edge; fwd=miss"));
    }
    assert!(origin.heard().len() <= 2, "at most one more try: {}", origin.heard().len());
}

#[tokio::test]
async fn a_failing_origin_is_not_asked_by_each_of_those_who_wait() {
    let gate = Gate::shut();
    let origin = gated(&gate, |_| say("503 Service Unavailable", "", "busy")).await;
    let edge = caching(&origin, "true").await;
    let crowd = crowd(&edge, 20, "/").await;
    under_way(&edge, 20).await;
    gate.open();
    for answer in answers(crowd).await {
        assert_eq!((answer.status(), answer.text()), (503, "busy"));
    }
    assert_eq!(origin.heard().len(), 1);
}

/// An origin whose first answer waits at a gate; every later wave is answered when all of it is there.
async fn personal(gate: &Gate, waves: &[usize], answer: &'static str) -> Origin {
    let waves: Arc<Vec<_>> = Arc::new(waves.iter().map(|size| (*size, Barrier::new(*size))).collect());
    let asked = Arc::<AtomicUsize>::default();
    at_gate(gate, move |mut visit, gate| {
        let (waves, asked) = (Arc::clone(&waves), Arc::clone(&asked));
        async move {
            while visit.request().await.is_some() {
                let mut at = asked.fetch_add(1, Ordering::SeqCst);
                if at == 0 {
                    gate.pass().await;
                } else {
                    at -= 1;
                    let wave = waves.iter().find(|(size, _)| {
                        let within = at < *size;
                        at = at.saturating_sub(*size);
                        within
                    });
                    let (_, barrier) = wave.expect("no more requests than expected");
                    soon("all requests at once", barrier.wait()).await;
                }
                visit.send(with(answer, "personal")).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn what_is_not_for_all_is_fetched_side_by_side() {
    for answer in ["Cache-Control: no-store", "Cache-Control: private, max-age=60", "Set-Cookie: a=b"] {
        let gate = Gate::shut();
        let origin = personal(&gate, &[9, 10], answer).await;
        let edge = caching(&origin, "true").await;
        // Who waited for the first learns that its answer is not for them, and asks at once.
        let first = crowd(&edge, 10, "/").await;
        under_way(&edge, 10).await;
        gate.open();
        let first = answers(first).await;
        assert!(first.iter().all(|answer| answer.text() == "personal"), "{answer}");
        // Whoever comes later does not even wait for the first.
        let second = answers(crowd(&edge, 10, "/").await).await;
        for answer in &second {
            assert_eq!(did(answer), "fwd=miss; detail=\"not stored lately\"");
        }
        assert_eq!(origin.heard().len(), 20, "{answer}");
    }
}

#[tokio::test]
async fn hit_for_miss_can_be_switched_off() {
    let origin = Origin::answering(|_| with("Cache-Control: no-store", "personal")).await;
    let edge = caching(&origin, "{ hit_for_miss = \"0s\" }").await;
    edge.get("/").await;
    assert_eq!(did(&edge.get("/").await), "fwd=uri-miss; detail=\"no-store\"");
}

#[tokio::test]
async fn what_becomes_storable_is_stored_again() {
    let origin = in_turn_of_storability().await;
    let edge = caching(&origin, "true").await;
    assert_eq!(did(&edge.get("/").await), "fwd=uri-miss; detail=\"no-store\"");
    assert_eq!(edge.get("/").await.text(), "public");
    let third = edge.get("/").await;
    assert_eq!(did(&third), "fwd=uri-miss; stored");
    assert!(is_hit(&edge.get("/").await));
}

async fn in_turn_of_storability() -> Origin {
    super::in_turn(&[with("Cache-Control: no-store", "personal"), fresh("public")]).await
}

#[tokio::test]
async fn no_more_wait_than_may() {
    let gate = Gate::shut();
    let origin = gated(&gate, |_| fresh("for two")).await;
    let edge = Deepwater::start(&format!("[cache]\nmax_waiters = 2\n{}", config(&origin, "true"))).await;
    let two = crowd(&edge, 2, "/").await;
    under_way(&edge, 2).await;
    let third = edge.get("/").await;
    assert_eq!((third.status(), third.get("cache-status")), (503, Some("deepwater-edge; fwd=miss")));
    gate.open();
    assert!(answers(two).await.iter().all(|answer| answer.text() == "for two"));
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let gate = Gate::shut();
    let origin = gated(&gate, |_| fresh("too late")).await;
    let config =
        config(&origin, "true").replace("cache = true", "response_timeout = \"200ms\"\ncache = true");
    let edge = Deepwater::start(&config).await;
    let crowd = crowd(&edge, 5, "/").await;
    for answer in answers(crowd).await {
        assert_eq!((answer.status(), answer.get("cache-status")), (504, Some("deepwater-edge; fwd=miss")));
    }
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn coalescing_can_be_switched_off() {
    let all = Arc::new(Barrier::new(5));
    let origin = Origin::scripted(move |mut visit| {
        let all = Arc::clone(&all);
        async move {
            while visit.request().await.is_some() {
                soon("all requests at once", all.wait()).await;
                visit.send(fresh("for one")).await;
            }
        }
    })
    .await;
    let edge = caching(&origin, "{ coalesce = false }").await;
    for answer in answers(crowd(&edge, 5, "/").await).await {
        assert_eq!((answer.text(), did(&answer).as_str()), ("for one", "fwd=uri-miss; stored"));
    }
    assert!(is_hit(&edge.get("/").await));
    assert_eq!(origin.heard().len(), 5);
}

#[tokio::test]
async fn who_waits_for_another_variant_gets_its_own() {
    let gate = Gate::shut();
    let origin = gated(&gate, |request| {
        with("Cache-Control: max-age=60\nVary: Foo", request.get("foo").unwrap_or("none"))
    })
    .await;
    let edge = caching(&origin, "true").await;
    let mut clients = Vec::new();
    for foo in ["one", "two", "one", "two", "three"] {
        let mut client = edge.client().await;
        client.send(get("/", &format!("Foo: {foo}"))).await;
        clients.push((client, foo));
    }
    under_way(&edge, 5).await;
    gate.open();
    for (mut client, foo) in clients {
        assert_eq!(client.response().await.text(), foo);
    }
    assert_eq!(origin.heard().len(), 3, "one for each variant");
}

#[tokio::test]
async fn who_waits_may_have_a_condition() {
    let gate = Gate::shut();
    let origin = gated(&gate, |_| with("Cache-Control: max-age=60\nETag: \"v1\"", "content")).await;
    let edge = caching(&origin, "true").await;
    let mut plain = edge.client().await;
    plain.send(get("/", "")).await;
    origin.hears(1).await;
    let mut knows = edge.client().await;
    knows.send(get("/", "If-None-Match: \"v1\"")).await;
    under_way(&edge, 2).await;
    gate.open();
    assert_eq!(plain.response().await.text(), "content");
    let knows = knows.response().await;
    assert_eq!((knows.status(), knows.get("etag")), (304, Some("\"v1\"")));
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn interim_responses_reach_the_one_it_is_fetched_for() {
    let origin = Origin::answering(|_| {
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
        format!("{hints}{}", fresh("content"))
    })
    .await;
    let edge = caching(&origin, "true").await;
    let first = edge.get("/").await;
    assert_eq!(first.interim[0].get("link"), Some("</a.css>; rel=preload"));
    let second = edge.get("/").await;
    assert_eq!((second.interim.len(), second.text()), (0, "content"));
}
