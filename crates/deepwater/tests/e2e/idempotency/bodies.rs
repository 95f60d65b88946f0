//! Bodies that are read whole before anything is sent: asked for where the client waits for that, and bounded.

use bytes::Bytes;

use crate::support::{H2Client, request, send_all, soon};

use super::*;

const EXPECTING: &str = "POST /orders HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\n";

#[tokio::test]
async fn a_client_that_waits_to_be_asked_for_its_body_is_asked() {
    let till = Till::open().await;
    let edge = Deepwater::start(&config(&till, "idempotency = { max_request = \"100B\" }", "")).await;
    let mut client = edge.client().await;
    for framing in ["Content-Length: 2", "Transfer-Encoding: chunked"] {
        let key = &framing[..1];
        client.send(format!("{EXPECTING}Idempotency-Key: {key}\r\n{framing}\r\n\r\n")).await;
        assert_eq!(client.head().await.status(), 100, "{framing}");
        client.send(if key == "C" { "{}" } else { "2\r\n{}\r\n0\r\n\r\n" }).await;
        let answer = client.response().await;
        assert_eq!((answer.status(), answer.interim.len()), (201, 0), "{framing}");
    }
    assert!(till.heard().iter().all(|order| order.get("expect").is_none() && order.text() == "{}"));

    // What is refused anyhow is not asked for.
    let answer = edge.ask(format!("{EXPECTING}Idempotency-Key: k\r\nContent-Length: 101\r\n\r\n")).await;
    assert_eq!((answer.status(), answer.interim.len()), (413, 0));
    // Nor is what has come.
    let answer = edge.ask(order_with("Expect: 100-continue\r\nIdempotency-Key: here\r\n", "{}")).await;
    assert_eq!((answer.status(), answer.interim.len()), (201, 0));
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_over_http2_is_asked() {
    let till = Till::open().await;
    let edge = Deepwater::start(&config(&till, "idempotency = true", "")).await;
    let client = H2Client::over(edge.dial(0).await).await;
    let mut expecting = request("POST", "/orders");
    expecting.headers_mut().insert("expect", "100-continue".parse().unwrap());
    expecting.headers_mut().insert("idempotency-key", "k".parse().unwrap());
    let (mut response, mut body) = client.begin(expecting, false).await;
    let asked = soon("to be asked", std::future::poll_fn(|cx| response.poll_informational(cx))).await;
    assert_eq!(asked.unwrap().unwrap().status(), 100);
    send_all(&mut body, Bytes::from_static(b"{}"), true).await.unwrap();
    assert_eq!(soon("the answer", response).await.unwrap().status(), 201);
}

#[tokio::test]
async fn a_body_beyond_what_any_may_have_gets_413_with_a_key_too() {
    let till = Till::open().await;
    let config = config(&till, "idempotency = true", "");
    let edge =
        Deepwater::start(&config.replace("workers = 1", "workers = 1\nmax_body_size = \"1KiB\"")).await;
    let chunks = format!("400\r\n{}\r\n1\r\nx\r\n0\r\n\r\n", "x".repeat(1_024));
    for key in ["", "Idempotency-Key: k\r\n"] {
        let mut client = edge.client().await;
        let head = format!("POST /orders HTTP/1.1\r\nHost: shop\r\n{key}Transfer-Encoding: chunked\r\n\r\n");
        let answer = client.ask(head + &chunks).await;
        assert_eq!(answer.status(), 413, "{key:?}: {answer:?}");
        assert!(client.closes().await.rest.is_empty());
    }
    assert_eq!(till.effects("k"), 0);
}
