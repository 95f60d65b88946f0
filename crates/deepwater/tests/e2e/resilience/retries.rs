//! Requests that are sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Deepwater, LISTEN, Origin, ROUTE, ok, pool};

const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";

/// An origin that answers its first requests with a failure, and the others well.
async fn failing_first(failures: usize, failure: &'static str) -> (Origin, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let origin = Origin::scripted(move |mut visit| {
        let asked = Arc::clone(&counted);
        async move {
            while let Some(request) = visit.request().await {
                let nth = asked.fetch_add(1, Ordering::SeqCst);
                if nth >= failures {
                    visit.send(ok(&format!("{} {}", request.method(), request.text()))).await;
                } else if failure.is_empty() {
                    return;
                } else {
                    visit.send(failure).await;
                }
            }
        }
    })
    .await;
    (origin, asked)
}

async fn edge(origin: &Origin, retry: &str) -> Deepwater {
    let targets = pool("app", &[origin.address]);
    Deepwater::start(&format!("{LISTEN}{ROUTE}{targets}[pools.app.retry]\nbackoff = \"1ms\"\n{retry}")).await
}

#[tokio::test]
async fn a_status_is_retried_where_that_is_asked_for() {
    let (origin, asked) = failing_first(1, UNAVAILABLE).await;
    let edge = edge(&origin, "statuses = [503]\n").await;
    assert_eq!(edge.get("/").await.text(), "GET ");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    edge.counts("deepwater_edge_upstream_retries_total", &[("pool", "app")], 1.0).await;
}

#[tokio::test]
async fn no_status_is_retried_by_default() {
    let (origin, asked) = failing_first(1, UNAVAILABLE).await;
    let answer = edge(&origin, "").await.get("/").await;
    assert_eq!((answer.status(), answer.text()), (503, "busy"));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn when_retries_are_used_up_the_client_sees_what_the_server_said() {
    let (origin, asked) = failing_first(9, UNAVAILABLE).await;
    let answer = edge(&origin, "statuses = [503]\nattempts = 2\n").await.get("/").await;
    assert_eq!((answer.status(), answer.text()), (503, "busy"));
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_connection_that_ends_without_an_answer_is_retried() {
    let (origin, asked) = failing_first(1, "").await;
    assert_eq!(edge(&origin, "").await.get("/").await.text(), "GET ");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_post_is_not_sent_twice() {
    for failure in [UNAVAILABLE, ""] {
        let (origin, asked) = failing_first(1, failure).await;
        let edge = edge(&origin, "statuses = [503]\n").await;
        let answer = edge.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").await;
        assert_eq!(answer.status(), if failure.is_empty() { 502 } else { 503 });
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{failure:?}");
    }
}

#[tokio::test]
async fn a_short_body_is_sent_again_and_a_long_one_is_not() {
    for (length, expected) in [(1_000, 200), (1_025, 503)] {
        for chunked in [false, true] {
            let (origin, asked) = failing_first(1, UNAVAILABLE).await;
            let edge = edge(&origin, "statuses = [503]\nmax_body = \"1KiB\"\n").await;
            let body = "x".repeat(length);
            let request = if chunked {
                format!(
                    "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
                )
            } else {
                format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
            };
            let answer = edge.ask(request).await;
            assert_eq!(answer.status(), expected, "{length} bytes, chunked: {chunked}");
            if expected == 200 {
                assert_eq!(answer.text(), format!("PUT {body}"));
                assert_eq!(asked.load(Ordering::SeqCst), 2);
            }
        }
    }
}

#[tokio::test]
async fn another_server_is_tried_first() {
    let (bad, asked) = failing_first(99, UNAVAILABLE).await;
    let good = Origin::named("good").await;
    let targets = pool("app", &[bad.address, good.address]);
    let config = format!("{LISTEN}{ROUTE}{targets}[pools.app.retry]\nstatuses = [503]\nbackoff = \"1ms\"\n");
    let edge = Deepwater::start(&config).await;
    let mut client = edge.client().await;
    for _ in 0..6 {
        assert_eq!(client.get("/").await.text(), "good");
    }
    assert!(asked.load(Ordering::SeqCst) >= 2, "the bad one was never asked");
}

#[tokio::test]
async fn the_first_answer_is_given_where_no_other_came() {
    let (bad, asked) = failing_first(99, UNAVAILABLE).await;
    // Others that cannot be reached, or say nothing: what the first has said is the best there is.
    let silent = Origin::scripted(|mut visit| async move {
        visit.request().await;
    })
    .await;
    for other in [Origin::nowhere().await, silent.address] {
        let targets = pool("app", &[bad.address, other]);
        let keys = "connect_attempts = 2\noutlier = { consecutive_failures = 1000 }\n";
        let retry = "[pools.app.retry]\nstatuses = [503]\nbackoff = \"1ms\"\nbudget = \"100%\"\n";
        let edge = Deepwater::start(&format!("{LISTEN}{ROUTE}{targets}{keys}{retry}")).await;
        let mut client = edge.client().await;
        for _ in 0..6 {
            let answer = client.get("/").await;
            assert_eq!((answer.status(), answer.text()), (503, "busy"), "{other}");
            assert_eq!(answer.get("proxy-status"), None, "it is the server's own");
        }
    }
    assert!(asked.load(Ordering::SeqCst) >= 12);
}

#[tokio::test]
async fn an_answer_too_long_to_be_kept_is_not_waited_for() {
    let long = Origin::scripted(|mut visit| async move {
        visit.request().await;
        visit.send(format!("HTTP/1.1 503 Busy\r\nContent-Length: {}\r\n\r\n", 70 << 10)).await;
        visit.send(vec![b'x'; 70 << 10]).await;
        visit.linger().await;
    })
    .await;
    let endless = Origin::scripted(|mut visit| async move {
        visit.reply("HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\nhalf").await;
        visit.linger().await;
    })
    .await;
    let good = Origin::named("good").await;
    for bad in [long, endless] {
        let targets = pool("app", &[bad.address, good.address]);
        let retry = "[pools.app.retry]\nstatuses = [503]\nbackoff = \"1ms\"\n";
        let edge = Deepwater::start(&format!("{LISTEN}{ROUTE}{targets}{retry}")).await;
        let mut client = edge.client().await;
        for _ in 0..4 {
            assert_eq!(client.get("/").await.text(), "good");
        }
        assert!(bad.connections() > 0, "the bad one was never asked");
    }
}

#[tokio::test]
async fn retries_have_a_budget() {
    let (origin, asked) = failing_first(usize::MAX, UNAVAILABLE).await;
    let edge = edge(&origin, "statuses = [503]\nattempts = 3\nbudget = \"10%\"\nmin_per_second = 0\n").await;
    let mut client = edge.client().await;
    for _ in 0..200 {
        assert_eq!(client.get("/").await.status(), 503);
    }
    let asked = asked.load(Ordering::SeqCst);
    assert!((205..=221).contains(&asked), "{asked} requests reached the server for 200 of clients");
}

#[tokio::test]
async fn a_whole_request_has_a_deadline() {
    let slow = Origin::scripted(|mut visit| async move {
        visit.request().await;
        visit.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n").await;
        // A byte now and then: never idle, never done.
        let mut sent = 0;
        while sent < 99 && visit.try_send("x").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            sent += 1;
        }
    })
    .await;
    let silent = Origin::scripted(|mut visit| async move {
        visit.request().await;
        visit.linger().await;
    })
    .await;
    let config = format!(
        "{LISTEN}[[edge.route]]\nmatch = {{ path = \"/slow\" }}\npool = \"slow\"\ntimeout = \"300ms\"\n\
         [[edge.route]]\npool = \"silent\"\ntimeout = \"300ms\"\n{}{}",
        pool("slow", &[slow.address]),
        pool("silent", &[silent.address]),
    );
    let edge = Deepwater::start(&config).await;
    let answer = edge.get("/").await;
    assert_eq!(answer.status(), 504);
    assert_eq!(answer.get("proxy-status"), Some("deepwater; error=http_response_timeout"));
    let mut client = edge.client().await;
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.head().await.status(), 200);
    let closed = client.closes().await;
    assert!(closed.rest.len() < 100, "the answer was whole after all");
    let log = edge.metrics().await;
    assert_eq!(log.sum("deepwater_edge_failures_total", &[("status", "504")]), 2.0);
}
