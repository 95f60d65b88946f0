//! Bodies that stall: the client has the edge's patience, the server the pool's.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::support::{Deepwater, LISTEN, Origin, ROUTE, ok, pool, soon};

/// More than all buffers between two ends hold.
const SIZE: usize = 16 << 20;
/// Longer than the patience of one side, shorter than the other's.
const PAUSE: Duration = Duration::from_secs(2);

/// An edge with this patience with clients, and this with servers.
async fn patient(origin: &Origin, client: &str, server: &str) -> Deepwater {
    let timeouts = format!("[edge.timeouts]\nbody = \"{client}\"\n");
    let pool = format!("{}timeouts = {{ body = \"{server}\" }}\n", pool("app", &[origin.address]));
    Deepwater::start(&format!("{LISTEN}{timeouts}{ROUTE}{pool}")).await
}

/// A server with a long answer, and what it says when nobody takes it any more.
async fn talkative() -> (Origin, Arc<Notify>) {
    let gone = Arc::<Notify>::default();
    let tells = Arc::clone(&gone);
    let origin = Origin::scripted(move |mut visit| {
        let tells = Arc::clone(&tells);
        async move {
            visit.request().await;
            visit.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")).await;
            if visit.try_send(vec![b'x'; SIZE]).await.is_err() {
                tells.notify_one();
            }
            visit.linger().await;
        }
    })
    .await;
    (origin, gone)
}

#[tokio::test]
async fn a_client_may_take_an_answer_slowly_however_fast_the_server_must_be() {
    let (origin, _) = talkative().await;
    let edge = patient(&origin, "1h", "1s").await;
    let mut client = edge.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let head = client.head().await;
    // Being slow is what this client is for.
    sleep(PAUSE).await;
    assert_eq!(client.body_of(head, false).await.body.len(), SIZE);
}

#[tokio::test]
async fn a_client_that_takes_no_more_is_left_however_patient_the_pool_is() {
    let (origin, gone) = talkative().await;
    let edge = patient(&origin, "200ms", "1h").await;
    let mut client = edge.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.head().await;
    soon("the edge to give up", gone.notified()).await;
    let labels = [("error", "http_request_error"), ("blame", "client"), ("status", "408")];
    edge.counts("deepwater_edge_failures_total", &labels, 1.0).await;
}

#[tokio::test]
async fn a_server_may_pause_in_its_answer_however_fast_clients_must_be() {
    let origin = Origin::scripted(|mut visit| async move {
        visit.reply("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf").await;
        // Being slow is what this server is for.
        sleep(PAUSE).await;
        visit.send("half").await;
        visit.linger().await;
    })
    .await;
    let edge = patient(&origin, "1s", "1h").await;
    assert_eq!(edge.get("/").await.text(), "halfhalf");
}

#[tokio::test]
async fn a_client_may_pause_in_its_body_however_fast_the_server_must_be() {
    let origin = Origin::answering(|request| ok(request.text())).await;
    let edge = patient(&origin, "1h", "1s").await;
    for before in ["", "half"] {
        let mut client = edge.client().await;
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n{before}")).await;
        // Being slow is what this client is for.
        sleep(PAUSE).await;
        assert_eq!(client.ask(&"halfhalf"[before.len()..]).await.text(), "halfhalf");
    }
}

#[tokio::test]
async fn a_server_that_takes_no_more_of_a_body_is_to_blame() {
    let origin = Origin::scripted(|mut visit| async move {
        visit.request_head().await;
        std::future::pending::<()>().await;
    })
    .await;
    let edge = patient(&origin, "1h", "200ms").await;
    let mut client = edge.client().await;
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n")).await;
    let _ = client.try_send(vec![b'x'; SIZE]).await;
    let labels = [("error", "http_response_timeout"), ("blame", "upstream"), ("status", "504")];
    edge.counts("deepwater_edge_failures_total", &labels, 1.0).await;
}
