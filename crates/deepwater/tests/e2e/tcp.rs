//! Layer 4: bytes in, bytes out; and the PROXY protocol on either side.

use std::net::SocketAddr;

use tokio::sync::mpsc;

use crate::support::{Deepwater, LISTEN, Origin, ROUTE, Wire, ok, pool};

fn tcp(extra: &str) -> String {
    format!(
        "[edge]\nworkers = 1\n[[edge.listen]]\naddress = \"127.0.0.1:0\"\nprotocol = \"tcp\"\npool = \"db\"\n{extra}"
    )
}

#[tokio::test]
async fn bytes_pass_both_ways() {
    let origin = Origin::echo().await;
    let edge = Deepwater::start(&format!("{}{}", tcp(""), pool("db", &[origin.address]))).await;
    let mut client = edge.client().await;
    for word in [&b"\0\xff\x01"[..], b"GET / HTTP/1.1\r\n\r\n", b"\r\n"] {
        client.send(word).await;
        assert_eq!(client.bytes(word.len()).await, word);
    }
}

#[tokio::test]
async fn a_large_stream_arrives_whole() {
    let origin = Origin::echo().await;
    let edge = Deepwater::start(&format!("{}{}", tcp(""), pool("db", &[origin.address]))).await;
    let mut client = edge.client().await;
    let block: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
    for _ in 0..50 {
        client.send(&block).await;
        assert!(client.bytes(block.len()).await == block);
    }
    client.finish().await;
    assert!(client.closes().await.rest.is_empty());
    edge.counts("deepwater_edge_received_bytes_total", &[], 5_000_000.0).await;
    edge.counts("deepwater_edge_sent_bytes_total", &[], 5_000_000.0).await;
}

#[tokio::test]
async fn half_closing_lets_the_other_half_speak_on() {
    let origin = Origin::scripted(|mut visit| async move {
        let question = visit.closes().await.rest;
        visit.send([b"you said: ", question.as_slice()].concat()).await;
        visit.finish().await;
    })
    .await;
    let edge = Deepwater::start(&format!("{}{}", tcp(""), pool("db", &[origin.address]))).await;
    let mut client = edge.client().await;
    client.send("all of it").await;
    client.finish().await;
    let closed = client.closes().await;
    assert_eq!((closed.rest.as_slice(), closed.reset), (&b"you said: all of it"[..], false));
}

#[tokio::test]
async fn the_server_may_speak_first() {
    let origin = Origin::scripted(|mut visit| async move {
        visit.send("220 welcome\r\n").await;
        visit.linger().await;
    })
    .await;
    let edge = Deepwater::start(&format!("{}{}", tcp(""), pool("db", &[origin.address]))).await;
    assert_eq!(edge.client().await.bytes(13).await, b"220 welcome\r\n");
}

#[tokio::test]
async fn connections_are_balanced_and_the_unreachable_is_avoided() {
    let (nowhere, alive) = (Origin::nowhere().await, Origin::echo().await);
    let targets = format!("{}balance = \"round_robin\"\n", pool("db", &[nowhere, alive.address]));
    let edge = Deepwater::start(&format!("{}{targets}", tcp(""))).await;
    for _ in 0..4 {
        let mut client = edge.client().await;
        client.send("x").await;
        assert_eq!(client.bytes(1).await, b"x");
    }
}

#[tokio::test]
async fn without_a_server_the_connection_is_reset() {
    let nowhere = Origin::nowhere().await;
    let edge = Deepwater::start(&format!("{}{}", tcp(""), pool("db", &[nowhere]))).await;
    // The reset may come while still connecting.
    if let Ok(stream) = tokio::net::TcpStream::connect(edge.edge()).await {
        let closed = Wire::new(stream).closes().await;
        assert!(closed.reset && closed.rest.is_empty(), "{closed:?}");
    }
}

/// An origin that hands over the first bytes of each connection.
async fn listening() -> (Origin, mpsc::UnboundedReceiver<Vec<u8>>) {
    let (sender, first_bytes) = mpsc::unbounded_channel();
    let origin = Origin::scripted(move |mut visit| {
        let sender = sender.clone();
        async move {
            let mut bytes = visit.some_bytes().await;
            while !bytes.ends_with(b"hello") {
                bytes.extend(visit.some_bytes().await);
            }
            let _ = sender.send(bytes);
            visit.linger().await;
        }
    })
    .await;
    (origin, first_bytes)
}

#[tokio::test]
async fn the_client_is_announced_in_text() {
    let (origin, mut heard) = listening().await;
    let edge =
        Deepwater::start(&format!("{}{}proxy_protocol = \"v1\"\n", tcp(""), pool("db", &[origin.address])))
            .await;
    let stream = edge.dial(0).await;
    let own = stream.local_addr().unwrap();
    let mut client = Wire::new(stream);
    client.send("hello").await;
    let announced = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\nhello", own.port(), edge.edge().port());
    assert_eq!(String::from_utf8_lossy(&heard.recv().await.unwrap()), announced);
}

/// A version 2 header for a TCP connection over IPv4.
fn v2(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    for address in [source, destination] {
        let SocketAddr::V4(address) = address else { panic!("IPv4") };
        header.extend(address.ip().octets());
    }
    header.extend(source.port().to_be_bytes());
    header.extend(destination.port().to_be_bytes());
    header
}

#[tokio::test]
async fn the_client_is_announced_in_binary() {
    let (origin, mut heard) = listening().await;
    let edge =
        Deepwater::start(&format!("{}{}proxy_protocol = \"v2\"\n", tcp(""), pool("db", &[origin.address])))
            .await;
    let stream = edge.dial(0).await;
    let own = stream.local_addr().unwrap();
    let mut client = Wire::new(stream);
    client.send("hello").await;
    assert_eq!(heard.recv().await.unwrap(), [v2(own, edge.edge()).as_slice(), b"hello"].concat());
}

#[tokio::test]
async fn an_announced_client_is_announced_on() {
    let (origin, mut heard) = listening().await;
    let config = format!(
        "{}{}proxy_protocol = \"v1\"\n",
        tcp("proxy_protocol = true\n"),
        pool("db", &[origin.address])
    );
    let edge = Deepwater::start(&config).await;
    let mut client = edge.client().await;
    client.send(v2("192.0.2.7:4711".parse().unwrap(), "198.51.100.1:443".parse().unwrap())).await;
    client.send("hello").await;
    let bytes = heard.recv().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes), "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\nhello");
}

async fn http_behind_a_balancer() -> (Origin, Deepwater) {
    let origin = Origin::named("ok").await;
    let config = format!("{LISTEN}proxy_protocol = true\n{ROUTE}{}", pool("app", &[origin.address]));
    (origin, Deepwater::start(&config).await)
}

#[tokio::test]
async fn http_behind_a_balancer_sees_the_announced_client() {
    let (origin, edge) = http_behind_a_balancer().await;
    let mut client = edge.client().await;
    client.send("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n").await;
    assert_eq!(client.get("/").await.text(), "ok");
    assert_eq!(client.get("/again").await.text(), "ok", "once per connection");

    let mut client = edge.client().await;
    client.send(v2("192.0.2.8:4711".parse().unwrap(), "198.51.100.1:443".parse().unwrap())).await;
    assert_eq!(client.get("/").await.text(), "ok");

    let seen: Vec<_> = origin.heard().iter().map(|r| r.get("x-forwarded-for").unwrap().to_owned()).collect();
    assert_eq!(seen, ["192.0.2.7", "192.0.2.7", "192.0.2.8"]);
}

#[tokio::test]
async fn an_announcement_may_come_in_pieces() {
    let (origin, edge) = http_behind_a_balancer().await;
    let mut client = edge.client().await;
    for piece in ["PRO", "XY TCP4 192.0.2.7 198", ".51.100.1 4711 443\r", "\nGET / HTTP/1.1\r\nHost: a\r\n"] {
        client.send(piece).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.ask("\r\n").await.text(), "ok");
    assert_eq!(origin.only_request().get("x-forwarded-for"), Some("192.0.2.7"));
}

#[tokio::test]
async fn who_does_not_announce_is_not_served() {
    let (origin, edge) = http_behind_a_balancer().await;
    for start in ["", "PROXY TCP4 nonsense\r\n", "PROXY TCP9 1.1.1.1 2.2.2.2 1 2\r\n"] {
        let mut client = edge.client().await;
        client.send(format!("{start}GET / HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert!(client.closes().await.rest.is_empty(), "{start:?}");
    }
    assert!(origin.heard().is_empty());
}

#[tokio::test]
async fn an_http_origin_can_be_told_the_client_and_serves_one_per_connection() {
    let origin = Origin::scripted(|mut visit| async move {
        let mut line = visit.bytes(6).await;
        while !line.ends_with(b"\r\n") {
            line.extend(visit.bytes(1).await);
        }
        let line = String::from_utf8(line).unwrap();
        visit.reply(ok(line.trim_end())).await;
        visit.linger().await;
    })
    .await;
    let config = format!("{LISTEN}{ROUTE}{}proxy_protocol = \"v1\"\n", pool("app", &[origin.address]));
    let edge = Deepwater::start(&config).await;
    for request in 1..=2 {
        let stream = edge.dial(0).await;
        let own = stream.local_addr().unwrap();
        let answer = Wire::new(stream).get("/").await;
        let announced = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {} {}", own.port(), edge.edge().port());
        assert_eq!(answer.text(), announced);
        assert_eq!(origin.connections(), request);
    }
}
