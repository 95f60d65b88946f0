//! Origins that misbehave: the client gets 502 or 504, or an answer that is visibly broken, and never half an
//! answer that looks whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::support::{Deepwater, Ending, LISTEN, Message, Origin, ROUTE, ok, pool};

/// An origin that says this to every request, and ends the connection.
async fn saying(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Origin {
    let bytes = Arc::new(bytes);
    Origin::scripted(move |mut visit| {
        let bytes = Arc::clone(&bytes);
        async move {
            visit.reply(&*bytes).await;
            visit.finish().await;
        }
    })
    .await
}

async fn answer_to(said: impl AsRef<[u8]> + Send + Sync + 'static) -> Message {
    let origin = saying(said).await;
    Deepwater::fronting(&origin).await.get("/").await
}

#[tokio::test]
async fn what_is_not_an_answer_becomes_502() {
    let table: &[(&str, &str, &str)] = &[
        ("nothing at all", "", "connection_terminated"),
        ("half a head", "HTTP/1.1 200 OK\r\nContent-Le", "connection_terminated"),
        ("garbage", "\x16\x03\x01\x02garbage\r\n\r\n", "http_protocol_error"),
        (
            "a malformed field",
            "HTTP/1.1 200 OK\r\nBad Name: x\r\nContent-Length: 0\r\n\r\n",
            "http_protocol_error",
        ),
        ("a NUL in a value", "HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 0\r\n\r\n", "http_protocol_error"),
        (
            "a bare CR in a value",
            "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n",
            "http_protocol_error",
        ),
        (
            "a folded line",
            "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
            "http_protocol_error",
        ),
        ("a status that is no number", "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n", "http_protocol_error"),
        ("another version", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", "http_protocol_error"),
        (
            "length and coding",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "http_protocol_error",
        ),
        (
            "two lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "http_protocol_error",
        ),
        (
            "a length that is no number",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nab",
            "http_protocol_error",
        ),
        ("an unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: zip\r\n\r\nab", "http_protocol_error"),
        ("only an interim answer", "HTTP/1.1 103 Early Hints\r\n\r\n", "connection_terminated"),
    ];
    for (what, said, error) in table {
        let answer = answer_to(*said).await;
        assert_eq!(answer.status(), 502, "{what}: {answer:?}");
        let status = format!("deepwater; error={error}");
        assert_eq!(answer.get("proxy-status"), Some(status.as_str()), "{what}");
        assert_eq!(answer.get("cache-control"), Some("no-store"), "{what}");
    }
}

#[tokio::test]
async fn a_failed_request_is_told_apart_by_its_id() {
    let answer = answer_to("").await;
    assert!(answer.text().contains("request id: "), "{}", answer.text());
}

#[tokio::test]
async fn the_clients_connection_survives_a_bad_origin() {
    let origin = saying("garbage\r\n\r\n").await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    for _ in 0..3 {
        assert_eq!(client.get("/").await.status(), 502);
    }
}

#[tokio::test]
async fn a_head_beyond_the_limit_becomes_502() {
    let huge = format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(200_000));
    let answer = answer_to(huge).await;
    assert_eq!(answer.status(), 502);
    assert_eq!(answer.get("proxy-status"), Some("deepwater; error=http_response_header_section_size"));
}

#[tokio::test]
async fn nothing_listening_becomes_502() {
    let nowhere = Origin::nowhere().await;
    let edge = Deepwater::start(&format!("{LISTEN}{ROUTE}{}", pool("app", &[nowhere]))).await;
    let answer = edge.get("/").await;
    assert_eq!(answer.status(), 502);
    assert_eq!(answer.get("proxy-status"), Some("deepwater; error=connection_refused"));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_at_once_and_so_is_its_coming() {
    let nowhere = Origin::nowhere().await;
    let edge = Deepwater::start(&format!("{LISTEN}{ROUTE}{}", pool("app", &[nowhere]))).await;
    assert_eq!(edge.get("/").await.status(), 502);
    let told = edge.log_line("target_failing").await;
    assert!(told.contains(&nowhere.to_string()) && told.contains("no connection"), "{told}");
    let target = edge.target("app", nowhere).await;
    assert_eq!((&target["state"], &target["failures"]), (&"failing".into(), &1.into()), "{target:#}");
    assert_eq!(target["requests"], 1, "what was looked at and not asked again does not count: {target:#}");

    let _origin = Origin::answering_at(nowhere, |_| ok("here I am")).await;
    assert_eq!(edge.get("/").await.text(), "here I am");
    edge.log_line("target_recovered").await;
    edge.target_becomes("app", nowhere, "healthy").await;
}

#[tokio::test]
async fn a_slow_answer_becomes_504() {
    let origin = Origin::scripted(|mut visit| async move {
        visit.request().await;
        visit.linger().await;
    })
    .await;
    let slow = "timeouts = { response = \"150ms\" }\n";
    let edge = Deepwater::start(&format!("{LISTEN}{ROUTE}{}{slow}", pool("app", &[origin.address]))).await;
    let answer = edge.get("/").await;
    assert_eq!(answer.status(), 504);
    assert_eq!(answer.get("proxy-status"), Some("deepwater; error=http_response_timeout"));
    assert_eq!(origin.heard().len(), 1, "it is not asked twice");
}

#[tokio::test]
async fn a_route_may_have_more_patience_than_its_pool() {
    let origin = Origin::scripted(|mut visit| async move {
        while let Some(request) = visit.request().await {
            if request.target() == "/report" {
                tokio::time::sleep(std::time::Duration::from_millis(400)).await;
                visit.send(ok("at last")).await;
            }
        }
    })
    .await;
    let routes =
        "[[edge.route]]\nmatch = { path = \"/report\" }\npool = \"app\"\nresponse_timeout = \"20s\"\n";
    let slow = "timeouts = { response = \"100ms\" }\n";
    let edge =
        Deepwater::start(&format!("{LISTEN}{routes}{ROUTE}{}{slow}", pool("app", &[origin.address]))).await;
    assert_eq!(edge.get("/").await.status(), 504);
    assert_eq!(edge.get("/report").await.text(), "at last");
}

/// Whether a client can tell that it did not get a whole answer to a GET in this version of HTTP.
async fn looks_broken(said: impl AsRef<[u8]> + Send + Sync + 'static, version: &str) -> bool {
    looks_broken_from(saying(said).await, version).await
}

async fn looks_broken_from(origin: Origin, version: &str) -> bool {
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    client.send(format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n")).await;
    match client.try_response_to("GET").await {
        // The connection broke off before even a head.
        None => true,
        Some(answer) => answer.ending == Ending::Broken || answer.status() == 502,
    }
}

#[tokio::test]
async fn a_body_that_falls_short_of_its_length_looks_broken() {
    for version in ["1.1", "1.0"] {
        assert!(looks_broken("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", version).await);
        assert!(looks_broken("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", version).await);
    }
}

#[tokio::test]
async fn a_body_cut_within_its_chunks_looks_broken() {
    for cut in [
        "5\r\nhello\r\n",
        "5\r\nhe",
        "5\r\nhello\r\n0\r\n",
        "5\r\nhello\r\n0\r\nX-Sum: 1\r\n",
        "5\r\nhello\r\nnonsense\r\n\r\n",
        "5\r\nhelloworld\r\n0\r\n\r\n",
    ] {
        let said = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{cut}");
        assert!(looks_broken(said.clone(), "1.1").await, "{cut:?}");
        // To HTTP/1.0 a body ends with its connection, so only a reset can tell.
        assert!(looks_broken(said, "1.0").await, "{cut:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_after_its_beginning_was_passed_on_looks_broken() {
    for (head, version) in [
        ("Content-Length: 10\r\n\r\nhalf", "1.1"),
        ("Content-Length: 10\r\n\r\nhalf", "1.0"),
        ("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "1.1"),
        ("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "1.0"),
    ] {
        let seen = Arc::<Notify>::default();
        let origin = {
            let seen = Arc::clone(&seen);
            Origin::scripted(move |mut visit| {
                let seen = Arc::clone(&seen);
                async move {
                    visit.reply(format!("HTTP/1.1 200 OK\r\n{head}")).await;
                    seen.notified().await;
                }
            })
            .await
        };
        let edge = Deepwater::fronting(&origin).await;
        let mut client = edge.client().await;
        client.send(format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n")).await;
        let head = client.head().await;
        assert_eq!(head.status(), 200);
        seen.notify_one();
        let answer = client.body_of(head, true).await;
        assert_eq!(answer.ending, Ending::Broken, "{version}: {answer:?}");
        assert_eq!(answer.body, b"half", "what did come is passed on");
    }
}

#[tokio::test]
async fn a_body_that_stalls_is_seen_to_be_broken() {
    let origin = Origin::scripted(|mut visit| async move {
        visit.reply("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
        visit.linger().await;
    })
    .await;
    let slow = "timeouts = { body = \"150ms\" }\n";
    let edge = Deepwater::start(&format!("{LISTEN}{ROUTE}{}{slow}", pool("app", &[origin.address]))).await;
    let answer = edge.get("/").await;
    assert_eq!((answer.ending, answer.body), (Ending::Broken, b"half".to_vec()));
    edge.counts(
        "deepwater_edge_failures_total",
        &[("error", "http_response_incomplete"), ("blame", "upstream"), ("status", "502")],
        1.0,
    )
    .await;
}

#[tokio::test]
async fn a_body_without_length_lasts_until_the_origin_closes() {
    let answer = answer_to("HTTP/1.1 200 OK\r\n\r\nuntil the end").await;
    assert_eq!(answer.text(), "until the end");
    let answer = answer_to("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold").await;
    assert_eq!(answer.text(), "old");
}

#[tokio::test]
async fn a_reset_in_a_body_without_length_looks_broken() {
    for version in ["1.1", "1.0"] {
        let origin = Origin::resetting("HTTP/1.1 200 OK\r\n\r\nhalf").await;
        assert!(looks_broken_from(origin, version).await, "HTTP/{version}");
    }
}

#[tokio::test]
async fn bytes_behind_an_answer_are_not_the_next_answer() {
    let origin = Origin::scripted(|mut visit| async move {
        let number = visit.number;
        let poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
        visit.reply([ok(&format!("good {number}")).as_str(), poison].concat()).await;
        visit.linger().await;
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    assert_eq!(client.get("/").await.text(), "good 0");
    assert_eq!(client.get("/").await.text(), "good 1", "over another connection");
}

#[tokio::test]
async fn a_kept_connection_that_the_origin_closed_costs_no_request() {
    // Each connection answers one request, promises to stay, and leaves when the next one comes.
    let origin = Origin::scripted(|mut visit| async move {
        let number = visit.number;
        visit.reply(ok(&format!("visit {number}"))).await;
        visit.request_head().await;
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    assert_eq!(client.get("/").await.text(), "visit 0");
    assert_eq!(client.get("/").await.text(), "visit 1", "sent again over a new connection");
    edge.counts("deepwater_edge_upstream_retries_total", &[("pool", "app")], 1.0).await;
}

#[tokio::test]
async fn what_may_do_harm_twice_is_not_sent_twice() {
    let posts = Arc::<AtomicUsize>::default();
    let origin = {
        let posts = Arc::clone(&posts);
        Origin::scripted(move |mut visit| {
            let posts = Arc::clone(&posts);
            async move {
                visit.reply(ok("first")).await;
                if let Some(head) = visit.try_head().await {
                    assert_eq!(head.method(), "POST");
                    posts.fetch_add(1, Ordering::SeqCst);
                }
            }
        })
        .await
    };
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    assert_eq!(client.get("/").await.text(), "first");
    let answer = client.ask("POST /pay HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n100").await;
    assert_eq!(answer.status(), 502);
    assert_eq!(posts.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_answer_to_head_or_304_has_no_body_whatever_it_says() {
    let origin = Origin::scripted(|mut visit| async move {
        while visit.reply("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n").await.is_some() {
        }
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    for _ in 0..2 {
        assert_eq!(client.get("/").await.status(), 304);
    }
    assert_eq!(origin.connections(), 1);
}
