//! Leaving in good order: balancers learn of it first, clients are told where to go, and nobody waits for ever.

use std::sync::Arc;

use rustix::process::Signal;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};

use crate::support::{
    Deepwater, H2Client, LISTEN, Origin, ROUTE, Wire, ok, pool, request, soon, told_to_leave,
};

fn config(drain: &str, origin: &Origin) -> String {
    let listen = LISTEN.replace("workers = 1", &format!("workers = 1\n{drain}"));
    format!("{listen}{ROUTE}{}", pool("app", &[origin.address]))
}

#[tokio::test]
async fn balancers_learn_of_it_before_the_address_closes() {
    let origin = Origin::named("ok").await;
    let mut edge = Deepwater::start(&config("drain_delay = \"1h\"", &origin)).await;
    edge.terminate();
    edge.log_line("not ready any more").await;
    let ready = edge.page("/readyz").await;
    assert_eq!(ready.status(), 503);
    assert!(ready.text().contains("leaving"), "{}", ready.text());
    assert_eq!(edge.json("/api/status").await["phase"], "leaving");
    let mut client = edge.client().await;
    let answer = client.get("/").await;
    assert_eq!((answer.text(), answer.get("connection")), ("ok", None), "whoever has not noticed is served");
    assert_eq!(edge.get("/").await.text(), "ok");
    edge.terminate();
    assert_eq!(edge.ends().await, Some(0));
}

#[tokio::test]
async fn the_delay_ends_by_itself() {
    let origin = Origin::named("ok").await;
    let mut edge = Deepwater::start(&config("drain_delay = \"200ms\"", &origin)).await;
    edge.terminate();
    edge.log_line("finishing requests under way").await;
    assert_eq!(edge.ends().await, Some(0));
}

#[tokio::test]
async fn the_next_request_of_a_busy_client_is_answered() {
    let origin = Origin::named("ok").await;
    let mut edge = Deepwater::start(&config("", &origin)).await;
    let mut client = edge.client().await;
    client.get("/").await;
    edge.terminate();
    edge.log_line("finishing requests under way").await;
    told_to_leave(&mut client).await;
    assert_eq!(edge.ends().await, Some(0));
}

#[tokio::test]
async fn an_answer_that_was_under_way_tells_its_client_to_leave() {
    for signal in [Signal::TERM, Signal::USR2] {
        let go = Arc::<Notify>::default();
        let waits = Arc::clone(&go);
        let origin = Origin::scripted(move |mut visit| {
            let go = Arc::clone(&waits);
            async move {
                while let Some(request) = visit.request().await {
                    if request.target() == "/slow" {
                        go.notified().await;
                    }
                    visit.send(ok("done")).await;
                }
            }
        })
        .await;
        let mut edge = Deepwater::start(&config("", &origin)).await;
        let (mut client, mut other) = (edge.client().await, edge.client().await);
        client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
        origin.hears(1).await;
        edge.signal(signal);
        let _next = if signal == Signal::USR2 { Some(edge.upgraded().await) } else { None };
        told_to_leave(&mut other).await;
        go.notify_one();
        let answer = client.response().await;
        assert_eq!((answer.text(), answer.get("connection")), ("done", Some("close")), "{signal:?}");
        assert!(client.closes().await.rest.is_empty());
        assert_eq!(edge.ends().await, Some(0));
    }
}

#[tokio::test]
async fn connections_that_wait_to_be_accepted_are_served() {
    let origin = Origin::named("ok").await;
    // One at a time: the others wait in the system's queue.
    let mut edge = Deepwater::start(&config("max_connections = 1", &origin)).await;
    let mut first = edge.client().await;
    first.get("/").await;
    let mut waiting = Vec::new();
    for _ in 0..5 {
        waiting.push(edge.client().await);
    }
    edge.terminate();
    edge.log_line("finishing requests under way").await;
    assert_eq!(first.get("/").await.text(), "ok");
    for client in &mut waiting {
        let answer = client.get("/").await;
        assert_eq!((answer.text(), answer.lists("connection", "close")), ("ok", true));
    }
    assert_eq!(edge.ends().await, Some(0));
}

#[tokio::test]
async fn http2_clients_are_told_to_go() {
    let origin = Origin::named("ok").await;
    let mut edge = Deepwater::start(&config("", &origin)).await;
    let stream = edge.dial(0).await;
    let (mut requests, connection) = soon("HTTP/2", h2::client::handshake(stream)).await.unwrap();
    let ended = tokio::spawn(connection);
    let (response, _) = requests.send_request(request("GET", "/"), true).unwrap();
    assert_eq!(soon("the answer", response).await.unwrap().status(), 200);
    edge.terminate();
    soon("the end", ended).await.unwrap().expect("a GOAWAY without an error");
    let refused = requests.send_request(request("GET", "/"), true).map(|_| ()).unwrap_err();
    assert!(refused.is_go_away() || !refused.is_io(), "{refused}");
    assert_eq!(edge.ends().await, Some(0));
    // A connection that begins now finds nobody.
    assert!(TcpStream::connect(edge.edge()).await.is_err());
    drop(H2Client { requests });
}

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
/// A text frame of a server, and half of one.
const HELLO: &[u8] = b"\x81\x05hello";
const HALF: &[u8] = b"\x81\x05wo";
const OTHER_HALF: &[u8] = b"rld";
/// Close, 1001, from a server.
const GOING_AWAY: &[u8] = b"\x88\x02\x03\xe9";

/// An origin that speaks WebSocket, what it hears, and where it takes its words from.
async fn chat() -> (Origin, mpsc::UnboundedSender<&'static [u8]>, mpsc::UnboundedReceiver<Vec<u8>>) {
    let (say, words) = mpsc::unbounded_channel::<&'static [u8]>();
    let (heard, hear) = mpsc::unbounded_channel();
    let words = std::sync::Arc::new(tokio::sync::Mutex::new(words));
    let origin = Origin::scripted(move |mut visit| {
        let (words, heard) = (words.clone(), heard.clone());
        async move {
            visit.reply(SWITCHED).await;
            let mut words = words.lock().await;
            loop {
                tokio::select! {
                    word = words.recv() => match word {
                        Some(word) => visit.send(word).await,
                        None => return,
                    },
                    bytes = visit.some_bytes() => {
                        let over = bytes.is_empty();
                        let _ = heard.send(bytes);
                        if over {
                            return;
                        }
                    }
                }
            }
        }
    })
    .await;
    (origin, say, hear)
}

/// The payload of a masked Close frame.
fn unmasked(frame: &[u8]) -> Vec<u8> {
    assert_eq!(&frame[..2], b"\x88\x82", "a masked Close of two bytes: {frame:?}");
    frame[6..].iter().zip(frame[2..6].iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
}

async fn hear(words: &mut mpsc::UnboundedReceiver<Vec<u8>>, n: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < n {
        all.extend(soon("the origin to hear", words.recv()).await.unwrap());
    }
    all
}

#[tokio::test]
async fn websockets_are_closed_between_frames() {
    let (origin, say, mut words) = chat().await;
    let mut edge = Deepwater::start(&config("drain_timeout = \"1h\"", &origin)).await;
    let mut client: Wire = edge.client().await;
    assert_eq!(client.ask(UPGRADE).await.status(), 101);
    say.send(HELLO).unwrap();
    assert_eq!(client.bytes(HELLO.len()).await, HELLO);
    say.send(HALF).unwrap();
    assert_eq!(client.bytes(HALF.len()).await, HALF);
    // A masked, fragmented message of a client: its first frame.
    let fragment = b"\x01\x82\x01\x02\x03\x04\x69\x6b";
    client.send(fragment).await;
    assert_eq!(hear(&mut words, fragment.len()).await, fragment);

    edge.signal(Signal::TERM);
    edge.log_line("finishing requests under way").await;
    assert_eq!(unmasked(&hear(&mut words, 8).await), [0x03, 0xe9], "the origin is told at once");
    say.send(OTHER_HALF).unwrap();
    let rest = client.bytes(OTHER_HALF.len() + GOING_AWAY.len()).await;
    assert_eq!(rest, [OTHER_HALF, GOING_AWAY].concat(), "the client after the frame under way");
    // What comes after is not passed on, and both answer.
    client.send(b"\x81\x80\0\0\0\0").await;
    client.send(b"\x88\x82\0\0\0\0\x03\xe9").await;
    say.send(GOING_AWAY).unwrap();
    let closed = client.closes().await;
    assert!(closed.rest.is_empty() && !closed.reset, "{closed:?}");
    assert_eq!(soon("the end", words.recv()).await.unwrap(), b"");
    assert_eq!(edge.ends().await, Some(0), "long before the deadline");
}

#[tokio::test]
async fn a_websocket_that_is_closing_is_left_alone() {
    let (origin, say, mut words) = chat().await;
    let mut edge = Deepwater::start(&config("", &origin)).await;
    let mut client = edge.client().await;
    assert_eq!(client.ask(UPGRADE).await.status(), 101);
    let goodbye = b"\x88\x82\0\0\0\0\x03\xe8";
    client.send(goodbye).await;
    assert_eq!(hear(&mut words, goodbye.len()).await, goodbye);
    edge.terminate();
    edge.log_line("finishing requests under way").await;
    let answer = b"\x88\x02\x03\xe8";
    say.send(answer).unwrap();
    drop(say);
    let closed = client.closes().await;
    assert_eq!((closed.rest.as_slice(), closed.reset), (&answer[..], false));
    assert_eq!(edge.ends().await, Some(0));
}

#[tokio::test]
async fn tunnels_end_at_the_deadline() {
    let origin = Origin::echo().await;
    let listen =
        "[edge]\nworkers = 1\ndrain_timeout = \"300ms\"\n[[edge.listen]]\naddress = \"127.0.0.1:0\"\n";
    let tcp = format!("{listen}protocol = \"tcp\"\npool = \"app\"\n{}", pool("app", &[origin.address]));
    let mut edge = Deepwater::start(&tcp).await;
    let mut client = edge.client().await;
    client.send("x").await;
    assert_eq!(client.bytes(1).await, b"x");
    edge.terminate();
    edge.log_line("finishing requests under way").await;
    client.send("y").await;
    assert_eq!(client.bytes(1).await, b"y");
    assert_eq!(edge.ends().await, Some(0));
    client.closes().await;
}

#[tokio::test]
async fn a_reload_that_comes_too_late_is_refused() {
    let origin = Origin::answering(|_| ok("ok")).await;
    let mut edge = Deepwater::start(&config("drain_delay = \"1h\"", &origin)).await;
    edge.terminate();
    edge.log_line("not ready any more").await;
    assert_eq!(edge.command("/api/reload").await.status(), 503);
    edge.terminate();
    assert_eq!(edge.ends().await, Some(0));
}
