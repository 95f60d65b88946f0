//! So much of everything, and no more.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::support::{Deepwater, H2Client, LISTEN, Origin, ROUTE, Wire, ok, pool, request, send_all, soon};

/// The shortest configuration with one more key of `[edge]`.
fn with(key: &str, origin: &Origin) -> String {
    let listen = LISTEN.replace("workers = 1", &format!("workers = 1\n{key}"));
    format!("{listen}{ROUTE}{}", pool("app", &[origin.address]))
}

async fn refused(edge: &Deepwater) -> f64 {
    edge.metrics().await.sum("deepwater_edge_refused_connections_total", &[])
}

/// Whether a new connection is served. One that is refused may tell so at any moment: while it is made, too.
async fn is_served(edge: &Deepwater) -> Option<Wire> {
    let mut client = Wire::new(TcpStream::connect(edge.edge()).await.ok()?);
    client.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.ok()?;
    client.try_response_to("GET").await.map(|answer| {
        assert_eq!(answer.status(), 200);
        client
    })
}

#[tokio::test]
async fn an_address_has_so_many_connections() {
    let origin = Origin::named("ok").await;
    let edge = Deepwater::start(&with("max_connections_per_ip = 2", &origin)).await;
    let first = is_served(&edge).await.expect("one");
    let mut second = is_served(&edge).await.expect("two");
    assert!(is_served(&edge).await.is_none(), "the third is closed at once");
    assert!(is_served(&edge).await.is_none());
    assert_eq!(refused(&edge).await, 2.0);
    edge.log_line("connections_refused").await;
    assert_eq!(second.get("/").await.text(), "ok", "those that are there are not touched");
    drop(first);
    let room = async {
        while is_served(&edge).await.is_none() {
            tokio::task::yield_now().await;
        }
    };
    soon("room for another", room).await;
}

#[tokio::test]
async fn a_trusted_proxy_has_as_many_as_it_needs() {
    let origin = Origin::named("ok").await;
    let keys = "max_connections_per_ip = 1\ntrusted_proxies = [\"127.0.0.0/8\"]";
    let edge = Deepwater::start(&with(keys, &origin)).await;
    let _first = is_served(&edge).await.expect("one");
    assert!(is_served(&edge).await.is_some());
}

#[tokio::test]
async fn an_address_that_a_load_balancer_announces_is_the_one_that_counts() {
    let origin = Origin::named("ok").await;
    let config = with("max_connections_per_ip = 1", &origin)
        .replace("address = \"127.0.0.1:0\"", "address = \"127.0.0.1:0\"\nproxy_protocol = true");
    let edge = Deepwater::start(&config).await;
    let mut clients = Vec::new();
    for (ip, served) in [("192.0.2.1", true), ("192.0.2.2", true), ("192.0.2.1", false)] {
        let mut client = edge.client().await;
        client.send(format!("PROXY TCP4 {ip} 192.0.2.9 4000 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert_eq!(client.try_response_to("GET").await.is_some(), served, "{ip}");
        clients.push(client);
    }
}

#[tokio::test]
async fn connections_beyond_all_there_may_be_wait_their_turn() {
    let origin = Origin::named("ok").await;
    let edge = Deepwater::start(&with("max_connections = 1", &origin)).await;
    let first = is_served(&edge).await.expect("one");
    let mut second = edge.client().await;
    second.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(edge.metrics().await.sum("deepwater_edge_accepted_total", &[]), 1.0);
    drop(first);
    assert_eq!(second.response().await.text(), "ok");
}

#[tokio::test]
async fn a_body_beyond_the_limit_gets_413() {
    let origin = Origin::answering(|request| ok(&request.body.len().to_string())).await;
    let edge = Deepwater::start(&with("max_body_size = \"1KiB\"", &origin)).await;
    let body = "x".repeat(1_024);
    let fits = edge.ask(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1024\r\n\r\n{body}")).await;
    assert_eq!(fits.text(), "1024");

    let mut client = edge.client().await;
    // Said beforehand, it is refused before any of it comes.
    let answer = client
        .ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\nExpect: 100-continue\r\n\r\n")
        .await;
    assert_eq!((answer.status(), answer.interim.len()), (413, 0));
    client.finish().await;
    assert!(client.closes().await.rest.is_empty());

    let mut client = edge.client().await;
    let chunks = format!("400\r\n{body}\r\n1\r\nx\r\n0\r\n\r\n");
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")).await;
    assert_eq!(client.response().await.status(), 413);
    assert!(client.closes().await.rest.is_empty());
    assert!(
        origin
            .heard()
            .iter()
            .all(|request| request.ending != crate::support::Ending::Whole || request.body.len() <= 1_024)
    );
}

#[tokio::test]
async fn a_body_beyond_the_limit_gets_413_over_http2() {
    let origin = Origin::answering(|request| ok(&request.body.len().to_string())).await;
    let edge = Deepwater::start(&with("max_body_size = \"1KiB\"", &origin)).await;
    for length in [Some("2048"), None] {
        let mut large = request("POST", "/");
        if let Some(length) = length {
            large.headers_mut().insert("content-length", length.parse().unwrap());
        }
        let client = H2Client::over(edge.dial(0).await).await;
        let (response, mut body) = client.begin(large, false).await;
        let _ = send_all(&mut body, vec![b'x'; 2_048].into(), true).await;
        assert_eq!(soon("an answer", response).await.unwrap().status(), 413, "{length:?}");
        assert_eq!(client.get("/").await.body, b"0", "the connection lives on");
    }
}

#[tokio::test]
async fn a_body_that_drips_in_gets_408() {
    let origin = Origin::answering(|request| ok(request.text())).await;
    let timeouts = "[edge.timeouts]\nbody = \"300ms\"\n";
    let edge =
        Deepwater::start(&format!("{LISTEN}{timeouts}{ROUTE}{}", pool("app", &[origin.address]))).await;
    for (head, piece) in [
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", "x"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"),
    ] {
        let mut client = edge.client().await;
        client.send(head).await;
        // Never long enough apart to be silence.
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        let answer = loop {
            tokio::select! {
                answer = client.response() => break answer,
                _ = ticks.tick() => {}
            }
            client.send(piece).await;
        };
        assert_eq!(answer.status(), 408, "{head}");
        assert!(answer.lists("connection", "close"));
    }
    let whole = |request: &crate::support::Message| request.ending == crate::support::Ending::Whole;
    assert!(!origin.heard().iter().any(whole));
}

#[tokio::test]
async fn a_body_that_drips_in_gets_408_over_http2() {
    let origin = Origin::named("ok").await;
    let timeouts = "[edge.timeouts]\nbody = \"300ms\"\n";
    let edge =
        Deepwater::start(&format!("{LISTEN}{timeouts}{ROUTE}{}", pool("app", &[origin.address]))).await;
    let client = H2Client::over(edge.dial(0).await).await;
    // An HTTP/1.1 server has no conversations, whatever a client calls its request.
    for kind in ["text/plain", "application/grpc"] {
        let mut dripping = request("POST", "/");
        dripping.headers_mut().insert("content-type", kind.parse().unwrap());
        let (mut response, mut body) = client.begin(dripping, false).await;
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        let answered = async {
            loop {
                tokio::select! {
                    answer = &mut response => return answer.unwrap().status(),
                    _ = ticks.tick() => {}
                }
                let _ = body.send_data("x".into(), false);
            }
        };
        assert_eq!(soon("the edge to have had enough", answered).await, 408, "{kind}");
    }
    assert_eq!(client.get("/").await.head.status(), 200, "the connection lives on");
    let whole = |request: &&crate::support::Message| request.ending == crate::support::Ending::Whole;
    assert_eq!(origin.heard().iter().filter(whole).count(), 1, "of the bodies none");
}
