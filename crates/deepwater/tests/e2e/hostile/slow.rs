//! HTTP/2 heads that never end, or drip in.

use std::time::Duration;

use crate::support::{Deepwater, LISTEN, Origin, ROUTE, pool};

use super::frames::{END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frames, HEADERS, block, frame, get};

/// A connection over which a request was answered, to an edge that is impatient with heads only.
async fn used(edge: &Deepwater) -> Frames {
    let mut client = Frames::to(edge).await;
    client.ask(1, &get("/")).await;
    assert_eq!(client.next_of(HEADERS).await.unwrap().status(), 200);
    client
}

async fn impatient(origin: &Origin) -> Deepwater {
    let timeouts = "[edge.timeouts]\nheader = \"300ms\"\n";
    Deepwater::start(&format!("{LISTEN}{timeouts}{ROUTE}{}", pool("app", &[origin.address]))).await
}

#[tokio::test]
async fn a_head_that_takes_too_long_ends_the_connection() {
    let origin = Origin::named("ok").await;
    let edge = impatient(&origin).await;
    let fields = block(&get("/"));
    let whole = frame(HEADERS, END_HEADERS | END_STREAM, 3, &fields);
    let open = frame(HEADERS, END_STREAM, 3, &fields);
    let mut slow = 0.0;
    for (what, begun, piece) in [
        ("half a frame", &whole[..whole.len() / 2], &b""[..]),
        ("a frame that others are to follow", &open, b""),
        ("a byte now and then", &whole[..9], b"\0"),
    ] {
        let mut client = used(&edge).await;
        client.send(begun).await;
        assert_eq!(client.drip(piece).await, Some(ENHANCE_YOUR_CALM), "{what}");
        slow += 1.0;
        let labels = [("error", "http_request_error"), ("blame", "client"), ("status", "408")];
        edge.counts("deepwater_edge_failures_total", &labels, slow).await;
    }
}

#[tokio::test]
async fn between_heads_there_is_the_time_of_an_idle_connection() {
    let origin = Origin::named("ok").await;
    let edge = impatient(&origin).await;
    let mut client = used(&edge).await;
    // Longer than a head may take.
    tokio::time::sleep(Duration::from_millis(600)).await;
    client.ask(3, &get("/")).await;
    assert!(client.next_of(HEADERS).await.is_some());
}
