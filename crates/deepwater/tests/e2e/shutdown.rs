//! The end: what is under way is finished, nothing new begins.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::{Deepwater, H2Client, Home, LISTEN, Origin, ROUTE, ok, pool, read_all, request, soon};

/// An origin that answers `/slow` when told to, and an edge in front of it.
async fn patient(drain: &str) -> (Origin, Deepwater, Arc<Notify>) {
    let go = Arc::<Notify>::default();
    let origin = {
        let go = Arc::clone(&go);
        Origin::scripted(move |mut visit| {
            let go = Arc::clone(&go);
            async move {
                while let Some(request) = visit.request().await {
                    if request.target() == "/slow" {
                        go.notified().await;
                    }
                    visit.send(ok("answered")).await;
                }
            }
        })
        .await
    };
    let listen = LISTEN.replace("workers = 1", &format!("workers = 1\n{drain}"));
    let edge = Deepwater::start(&format!("{listen}{ROUTE}{}", pool("app", &[origin.address]))).await;
    (origin, edge, go)
}

#[tokio::test]
async fn an_idle_process_ends_at_once() {
    let (_origin, mut edge, _) = patient("").await;
    edge.terminate();
    assert_eq!(edge.ends().await, Some(0));
}

#[tokio::test]
async fn a_signal_just_after_the_start_is_heard() {
    let origin = Origin::named("ok").await;
    for _ in 0..10 {
        let home = Home::new();
        let console = "[console]\nlisten = \"127.0.0.1:0\"\n";
        home.write("deepwater.toml", format!("{console}{LISTEN}{ROUTE}{}", pool("app", &[origin.address])));
        let mut edge = Deepwater::launch(home, &["run"]);
        edge.log_line("edge_started").await;
        edge.terminate();
        assert_eq!(edge.ends().await, Some(0));
    }
}

#[tokio::test]
async fn requests_under_way_are_finished_and_nothing_new_begins() {
    let (origin, mut edge, go) = patient("").await;
    let mut idle = edge.client().await;
    idle.get("/").await;
    let mut busy = edge.client().await;
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    origin.hears(2).await;

    edge.terminate();
    edge.log_line("SIGTERM").await;
    let closed = idle.closes().await;
    assert!(closed.rest.is_empty() && !closed.reset, "an idle connection ends: {closed:?}");
    let ready = edge.page("/readyz").await;
    assert_eq!(ready.status(), 503, "the balancer before us learns of it");
    assert!(ready.text().contains("draining"), "{}", ready.text());
    assert_eq!(edge.json("/api/status").await["phase"], "draining");
    assert!(TcpStream::connect(edge.edge()).await.is_err(), "new connections belong elsewhere");

    go.notify_one();
    let answer = busy.response().await;
    assert_eq!(answer.text(), "answered");
    assert!(answer.lists("connection", "close") || busy.closes().await.rest.is_empty());
    assert_eq!(edge.ends().await, Some(0));
}

#[tokio::test]
async fn http2_streams_are_finished_and_new_ones_refused() {
    let (origin, mut edge, go) = patient("").await;
    let client = H2Client::over(edge.dial(0).await).await;
    let (response, _) = client.begin(request("GET", "/slow"), true).await;
    origin.hears(1).await;
    edge.terminate();
    edge.log_line("SIGTERM").await;
    go.notify_one();
    let body = soon("the answer", response).await.unwrap().into_body();
    assert_eq!(read_all(body).await.unwrap().0, b"answered");
    assert_eq!(edge.ends().await, Some(0));
}

#[tokio::test]
async fn an_idle_http2_connection_does_not_hold_the_process() {
    let (_origin, mut edge, _) = patient("").await;
    let client = H2Client::over(edge.dial(0).await).await;
    assert_eq!(client.get("/").await.body, b"answered");
    edge.terminate();
    assert_eq!(edge.ends().await, Some(0));
}

#[tokio::test]
async fn the_drain_has_a_deadline() {
    let (origin, mut edge, _) = patient("drain_timeout = \"300ms\"").await;
    let mut stuck = edge.client().await;
    stuck.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    origin.hears(1).await;
    edge.terminate();
    assert_eq!(edge.ends().await, Some(0));
    assert!(stuck.try_response_to("GET").await.is_none_or(|answer| answer.status() >= 500));
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let (origin, mut edge, _) = patient("drain_timeout = \"1h\"").await;
    let mut stuck = edge.client().await;
    stuck.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    origin.hears(1).await;
    edge.terminate();
    edge.log_line("SIGTERM").await;
    edge.terminate();
    assert_eq!(edge.ends().await, Some(0));
}

#[tokio::test]
async fn a_process_can_be_followed_by_another_on_the_same_port() {
    let (origin, mut edge, _) = patient("").await;
    let address = edge.edge();
    let mut kept = edge.client().await;
    kept.get("/").await;
    edge.terminate();
    assert_eq!(edge.ends().await, Some(0));
    let listen = LISTEN.replace("127.0.0.1:0", &address.to_string());
    let next = Deepwater::start(&format!("{listen}{ROUTE}{}", pool("app", &[origin.address]))).await;
    assert_eq!(next.edge(), address);
    assert_eq!(next.get("/").await.text(), "answered");
}
