//! Requests hidden in what belongs to another: behind an early answer, behind a switch of protocols that never comes,
//! behind an answer that splits.

use crate::support::{Deepwater, LISTEN, Origin, ok, pool};

use super::SMUGGLED;

/// Only what is below `/app` is for the application.
fn fenced(origin: &Origin) -> String {
    let routes = "[[edge.route]]\nmatch = { path = \"/app/*\" }\npool = \"app\"\n\
                  [[edge.route]]\nmatch = { path = \"/fixed\" }\nrespond = { status = 403, body = \"no\" }\n";
    format!("{LISTEN}{routes}{}", pool("app", &[origin.address]))
}

const HIDDEN: &str = "GET /app/hidden HTTP/1.1\r\nHost: a\r\n\r\n";

fn hidden(origin: &Origin) -> bool {
    origin.heard().iter().any(|request| request.target() == "/app/hidden")
}

#[tokio::test]
async fn a_body_behind_an_answer_of_our_own_is_a_body() {
    let origin = Origin::answering(|request| ok(request.target())).await;
    let edge = Deepwater::start(&fenced(&origin)).await;
    for (path, status) in [("/nowhere", 404), ("/fixed", 403)] {
        let mut client = edge.client().await;
        let length = HIDDEN.len();
        client
            .send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{HIDDEN}"))
            .await;
        assert_eq!(client.response().await.status(), status);
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")).await;
        client.send(format!("{length:x}\r\n{HIDDEN}\r\n0\r\n\r\n")).await;
        assert_eq!(client.response().await.status(), status);
        assert_eq!(client.get("/app/next").await.text(), "/app/next", "{path}");
    }
    assert!(!hidden(&origin), "{:?}", origin.heard());
}

#[tokio::test]
async fn a_body_that_comes_after_the_answer_is_a_body() {
    // The application refuses at once, and is ready for another request on the same connection.
    let origin = Origin::scripted(|mut visit| async move {
        loop {
            let head = visit.request_head().await;
            assert_ne!(head.target(), "/app/hidden");
            visit.send(ok(head.target())).await;
            if head.method() == "POST" {
                return visit.linger().await;
            }
        }
    })
    .await;
    let edge = Deepwater::start(&fenced(&origin)).await;
    let mut client = edge.client().await;
    let length = HIDDEN.len();
    client.send(format!("POST /app/early HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")).await;
    assert_eq!(client.response().await.text(), "/app/early");
    client.send(HIDDEN).await;
    assert_eq!(client.get("/app/next").await.text(), "/app/next");
    assert_eq!(origin.connections(), 2, "what was left of the body must not meet another request");
}

#[tokio::test]
async fn a_body_that_was_to_be_asked_for_is_a_body_all_the_same() {
    let origin = Origin::scripted(|mut visit| async move {
        let head = visit.request_head().await;
        assert_ne!(head.target(), "/app/hidden");
        visit.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n").await;
        visit.linger().await;
    })
    .await;
    let edge = Deepwater::start(&fenced(&origin)).await;
    let mut client = edge.client().await;
    let length = HIDDEN.len();
    let head = format!(
        "POST /app/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
    );
    assert_eq!(client.ask(head).await.status(), 417);
    client.send(HIDDEN).await;
    assert_eq!(client.get("/nowhere").await.status(), 404, "and that is the next answer");
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn bytes_behind_an_upgrade_wait_for_the_switch() {
    // Pingora passed them on before the 101 (CVE-2026-2833): here the application refuses to switch.
    let origin = Origin::answering(|request| ok(request.target())).await;
    let edge = Deepwater::start(&fenced(&origin)).await;
    let mut client = edge.client().await;
    let upgrade = "GET /app/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    client.send([upgrade, SMUGGLED].concat()).await;
    assert_eq!(client.response().await.text(), "/app/ws");
    assert_eq!(client.response().await.status(), 404, "it is a request like any other, for no route of ours");
    assert_eq!(origin.only_request().target(), "/app/ws");
    assert_eq!(client.get("/app/next").await.text(), "/app/next");
    assert_eq!(origin.connections(), 1, "and nothing else was said on that connection");
}

#[tokio::test]
async fn bytes_behind_an_upgrade_are_the_other_protocols_once_it_is_switched() {
    let origin = Origin::scripted(|mut visit| async move {
        visit.request_head().await;
        visit
            .send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
            .await;
        assert_eq!(visit.bytes(SMUGGLED.len()).await, SMUGGLED.as_bytes());
        visit.send("heard").await;
        visit.linger().await;
    })
    .await;
    let edge = Deepwater::start(&fenced(&origin)).await;
    let mut client = edge.client().await;
    let upgrade = "GET /app/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    client.send([upgrade, SMUGGLED].concat()).await;
    assert_eq!(client.response().await.status(), 101);
    assert_eq!(client.bytes(5).await, b"heard");
}

#[tokio::test]
async fn an_upgrade_with_a_body_switches_nothing() {
    let origin = Origin::answering(|request| {
        assert!(!request.lists("connection", "upgrade"), "{:?}", request.head);
        ok(request.text())
    })
    .await;
    let edge = Deepwater::start(&fenced(&origin)).await;
    let upgrade = "POST /app/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Content-Length: 5\r\n\r\nhello";
    assert_eq!(edge.ask(upgrade).await.text(), "hello");
}

#[tokio::test]
async fn an_answer_without_a_body_has_one_length_at_most() {
    for head in ["200 OK", "304 Not Modified"] {
        let origin = Origin::answering(move |_| {
            format!("HTTP/1.1 {head}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n")
        })
        .await;
        let edge = Deepwater::fronting(&origin).await;
        let mut client = edge.client().await;
        client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(client.response_to("HEAD").await.status(), 502, "{head}");
    }
}

#[tokio::test]
async fn what_a_client_says_does_not_split_our_answers() {
    let origin = Origin::named("ok").await;
    let routes = "[[edge.route]]\nmatch = { path = \"/go/*\" }\nredirect = { to = \"https://shop.example{path}?{query}\" }\n\
                  [[edge.route]]\npool = \"app\"\nresponse_headers = { set = { X-Path = \"{path}\" } }\n";
    let edge = Deepwater::start(&format!("{LISTEN}{routes}{}", pool("app", &[origin.address]))).await;
    let evil = "%0d%0aSet-Cookie:%20a=b%0d%0a%0d%0aGET";
    let answer = edge.get(&format!("/go/{evil}?{evil}")).await;
    assert!(
        answer.get("location").is_some_and(|to| to.starts_with("https://shop.example/go/%")),
        "{answer:?}"
    );
    assert_eq!(answer.get("set-cookie"), None);
    let answer = edge.get(&format!("/{evil}")).await;
    assert_eq!((answer.status(), answer.get("set-cookie")), (200, None), "{answer:?}");
}
