//! A limit on what a pool is asked at once, and the waiting room in front of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::support::{Deepwater, H2Client, LISTEN, Origin, Wire, ok, pool, request, soon};

/// An origin that answers when it is let, and knows how many it was asked at once.
struct Gated {
    origin: Origin,
    answers: Arc<Semaphore>,
    most: Arc<AtomicUsize>,
    now: Arc<AtomicUsize>,
}

impl Gated {
    async fn new() -> Self {
        let answers = Arc::new(Semaphore::new(0));
        let (most, now) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (gate, peak, level) = (Arc::clone(&answers), Arc::clone(&most), Arc::clone(&now));
        let origin = Origin::scripted(move |mut visit| {
            let (gate, peak, level) = (Arc::clone(&gate), Arc::clone(&peak), Arc::clone(&level));
            async move {
                while let Some(request) = visit.request().await {
                    peak.fetch_max(level.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    gate.acquire().await.unwrap().forget();
                    level.fetch_sub(1, Ordering::SeqCst);
                    visit.send(ok(request.target())).await;
                }
            }
        })
        .await;
        Self { origin, answers, most, now }
    }

    async fn is_asked(&self, requests: usize) {
        soon("the origin to be asked", async {
            while self.now.load(Ordering::SeqCst) != requests {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    async fn edge(&self, keys: &str) -> Deepwater {
        let routes = ["low", "normal", "high"].map(|priority| {
            format!(
                "[[edge.route]]\nmatch = {{ path = \"/{priority}/*\" }}\npool = \"app\"\npriority = \"{priority}\"\n"
            )
        });
        let targets = pool("app", &[self.origin.address]);
        Deepwater::start(&format!("{LISTEN}{}{targets}{keys}", routes.concat())).await
    }
}

async fn asks(edge: &Deepwater, path: &str) -> Wire {
    let mut client = edge.client().await;
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    client
}

async fn waiting(edge: &Deepwater, number: u64) {
    soon("requests to wait", async {
        loop {
            let page = edge.json("/api/edge/pools").await;
            let waiting = page["pools"][0]["concurrency"]["waiting"].as_object().unwrap().clone();
            if waiting.values().filter_map(serde_json::Value::as_u64).sum::<u64>() == number {
                return;
            }
        }
    })
    .await;
}

const ONE: &str = "concurrency = { limit = \"fixed\", max = 1 }\n";

#[tokio::test]
async fn no_more_than_the_limit_reach_the_pool_and_the_others_wait_their_turn() {
    let app = Gated::new().await;
    let room = "waiting = { max_wait = \"30s\", target_wait = \"0s\" }\n";
    let edge = app.edge(&format!("concurrency = {{ limit = \"fixed\", max = 3 }}\n{room}")).await;
    let mut clients = Vec::new();
    for n in 0..10 {
        clients.push(asks(&edge, &format!("/normal/{n}")).await);
    }
    app.is_asked(3).await;
    waiting(&edge, 7).await;
    app.answers.add_permits(10);
    for client in &mut clients {
        assert_eq!(client.response().await.status(), 200);
    }
    assert_eq!(app.most.load(Ordering::SeqCst), 3);
    let metrics = edge.metrics().await;
    assert_eq!(metrics.get("deepwater_edge_upstream_concurrency_limit", &[("pool", "app")]), Some(3.0));
    assert_eq!(metrics.sum("deepwater_edge_upstream_wait_seconds_count", &[("pool", "app")]), 7.0);
}

#[tokio::test]
async fn beyond_the_room_and_beyond_the_time_there_is_503_at_once() {
    let app = Gated::new().await;
    let room = "waiting = { max_waiting = 1, max_wait = \"300ms\", target_wait = \"0s\" }\n";
    let edge = app.edge(&format!("{ONE}{room}")).await;
    let mut first = asks(&edge, "/normal/1").await;
    app.is_asked(1).await;
    let mut second = asks(&edge, "/normal/2").await;
    waiting(&edge, 1).await;
    let refused = edge.get("/normal/3").await;
    assert_eq!(refused.status(), 503);
    assert_eq!(
        refused.get("retry-after"),
        Some("1"),
        "nothing is known of its pace, and nobody waits for longer"
    );
    assert_eq!(refused.get("proxy-status"), Some("deepwater; error=connection_limit_reached"));
    assert_eq!(second.response().await.status(), 503, "it waited too long");
    // A refused client's connection goes on.
    second.send("GET /normal/4 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    waiting(&edge, 1).await;
    app.answers.add_permits(2);
    assert_eq!(first.response().await.text(), "/normal/1");
    assert_eq!(second.response().await.text(), "/normal/4");
    let shed = |reason| ("reason", reason);
    let metrics = edge.metrics().await;
    let name = "deepwater_edge_upstream_shed_total";
    assert_eq!(metrics.get(name, &[("pool", "app"), shed("full")]), Some(1.0));
    assert_eq!(metrics.get(name, &[("pool", "app"), shed("waited_too_long")]), Some(1.0));
}

#[tokio::test]
async fn the_more_important_go_first_and_the_less_important_are_shed() {
    let app = Gated::new().await;
    let room = "waiting = { max_waiting = 2, max_wait = \"30s\", target_wait = \"0s\" }\n";
    let edge = app.edge(&format!("{ONE}{room}")).await;
    let mut first = asks(&edge, "/low/0").await;
    app.is_asked(1).await;
    let mut low = asks(&edge, "/low/1").await;
    waiting(&edge, 1).await;
    let mut normal = asks(&edge, "/normal/1").await;
    waiting(&edge, 2).await;
    let mut high = asks(&edge, "/high/1").await;
    assert_eq!(low.response().await.status(), 503, "it makes room for the high one");
    app.answers.add_permits(1);
    assert_eq!(first.response().await.status(), 200);
    app.is_asked(1).await;
    app.answers.add_permits(1);
    assert_eq!(high.response().await.text(), "/high/1");
    app.answers.add_permits(1);
    assert_eq!(normal.response().await.text(), "/normal/1");
}

#[tokio::test]
async fn a_client_that_leaves_the_room_makes_way() {
    let app = Gated::new().await;
    let room = "waiting = { max_wait = \"30s\", target_wait = \"0s\" }\n";
    let edge = app.edge(&format!("{ONE}{room}")).await;
    let mut first = asks(&edge, "/normal/1").await;
    app.is_asked(1).await;
    let second = asks(&edge, "/normal/2").await;
    waiting(&edge, 1).await;
    drop(second);
    waiting(&edge, 0).await;
    let mut third = asks(&edge, "/normal/3").await;
    app.answers.add_permits(2);
    assert_eq!(first.response().await.status(), 200);
    assert_eq!(third.response().await.text(), "/normal/3");
    edge.counts("deepwater_edge_upstream_shed_total", &[("pool", "app"), ("reason", "left")], 1.0).await;
}

#[tokio::test]
async fn a_client_that_leaves_the_room_makes_way_whatever_it_has_sent() {
    let app = Gated::new().await;
    let room = "waiting = { max_wait = \"30s\", target_wait = \"0s\" }\n";
    let edge = app.edge(&format!("{ONE}{room}")).await;
    let _first = asks(&edge, "/normal/1").await;
    app.is_asked(1).await;
    let left = [("pool", "app"), ("reason", "left")];
    // No body, all of one, a part of one, more than is read ahead.
    for (number, (length, sent)) in [(0, 0), (4, 4), (99, 4), (300_000, 40_000)].into_iter().enumerate() {
        let mut client = edge.client().await;
        client.send(format!("POST /normal/2 HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")).await;
        waiting(&edge, 1).await;
        client.send(vec![b'x'; sent]).await;
        drop(client);
        edge.counts("deepwater_edge_upstream_shed_total", &left, (number + 1) as f64).await;
    }
    let client = H2Client::over(edge.dial(0).await).await;
    let (response, mut body) = client.begin(request("POST", "/normal/3"), false).await;
    waiting(&edge, 1).await;
    body.send_reset(h2::Reason::CANCEL);
    drop(response);
    edge.counts("deepwater_edge_upstream_shed_total", &left, 5.0).await;
}

#[tokio::test]
async fn a_reload_moves_the_limit_and_those_who_wait_keep_their_places() {
    let app = Gated::new().await;
    let config = |max: u32, more: &str| {
        let route = "[[edge.route]]\npool = \"app\"\n";
        let targets = pool("app", &[app.origin.address]);
        format!("{LISTEN}{route}{targets}concurrency = {{ limit = \"fixed\", max = {max} }}\n{more}")
    };
    let room =
        |seats| format!("waiting = {{ max_waiting = {seats}, max_wait = \"30s\", target_wait = \"0s\" }}\n");
    let edge = Deepwater::start(&config(1, &room(10))).await;
    let mut clients = vec![asks(&edge, "/1").await];
    app.is_asked(1).await;
    for n in 2..=4 {
        clients.push(asks(&edge, &format!("/{n}")).await);
        waiting(&edge, n - 1).await;
    }
    edge.reloaded(&config(1, &room(3))).await;
    waiting(&edge, 3).await;
    assert_eq!(edge.get("/").await.status(), 503, "the room is smaller now");
    assert_eq!(app.most.load(Ordering::SeqCst), 1, "one limit, not two");
    edge.reloaded(&config(2, &room(3))).await;
    app.is_asked(2).await;
    waiting(&edge, 2).await;
    app.answers.add_permits(4);
    for (client, path) in clients.iter_mut().zip(["/1", "/2", "/3", "/4"]) {
        assert_eq!(client.response().await.text(), path);
    }
    assert_eq!(app.most.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_place_is_given_back_whatever_becomes_of_a_request() {
    // Origins that break off, that are gone, clients that leave: the one place is free afterwards.
    let broken = Origin::scripted(|mut visit| async move {
        visit.request().await;
        visit.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
    })
    .await;
    let silent = Origin::scripted(|mut visit| async move {
        visit.request().await;
        visit.linger().await;
    })
    .await;
    let nowhere = Origin::nowhere().await;
    for address in [broken.address, silent.address, nowhere] {
        let config = format!(
            "{LISTEN}[[edge.route]]\npool = \"app\"\n{}{ONE}timeouts = {{ response = \"200ms\", connect = \"200ms\" }}\n",
            pool("app", &[address])
        );
        let edge = Deepwater::start(&config).await;
        for _ in 0..3 {
            let client = asks(&edge, "/").await;
            if address == silent.address {
                tokio::time::timeout(Duration::from_millis(20), async { edge.json("/api/edge/pools").await })
                    .await
                    .ok();
            }
            drop(client);
            let mut client = asks(&edge, "/").await;
            let _ = client.try_head().await;
        }
        soon("the place to be free", async {
            while edge.json("/api/edge/pools").await["pools"][0]["concurrency"]["in_flight"] != 0 {}
        })
        .await;
    }
}

#[tokio::test]
async fn a_websocket_takes_no_turn_and_has_no_deadline() {
    let app = Origin::scripted(|mut visit| async move {
        let Some(request) = visit.request().await else { return };
        if request.target() != "/ws" {
            return visit.send(ok("page")).await;
        }
        visit
            .send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
            .await;
        let bytes = visit.some_bytes().await;
        visit.send(bytes).await;
        visit.linger().await;
    })
    .await;
    let config = format!(
        "{LISTEN}[[edge.route]]\npool = \"app\"\ntimeout = \"300ms\"\n{}{ONE}",
        pool("app", &[app.address])
    );
    let edge = Deepwater::start(&config).await;
    let mut socket = edge.client().await;
    socket.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    assert_eq!(socket.head().await.status(), 101);
    let since = std::time::Instant::now();
    // Until the deadline of a request would have passed.
    while since.elapsed() < Duration::from_millis(400) {
        assert_eq!(edge.get("/page").await.text(), "page", "the place is free while the socket is open");
    }
    socket.send("late").await;
    assert_eq!(socket.bytes(4).await, b"late");
}
