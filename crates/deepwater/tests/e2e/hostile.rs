//! Clients that try to be read in two ways, or never to be read to the end.

mod floods;
mod frames;
mod hidden;
mod http2;
mod limits;
mod slow;

use std::net::SocketAddr;

use crate::support::{Deepwater, Ending, LISTEN, Message, Origin, ROUTE, Wire, ok, pool};

/// What follows each attempt on its connection. An origin that hears of it has been fooled.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// What it is, the bytes, the status.
type Attempt = (&'static str, &'static str, u16);

const HEADS: &[Attempt] = &[
    (
        "length and coding",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "coding and length",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400),
    (
        "the same length twice",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        400,
    ),
    ("a list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx", 400),
    ("a length with a sign", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", 400),
    ("a negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nx", 400),
    ("a length in hexadecimal", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\nx", 400),
    (
        "a length beyond 64 bits",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\nx",
        400,
    ),
    ("an empty length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nx", 400),
    ("xchunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    (
        "chunked twice",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "chunked not last",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "two codings",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        501,
    ),
    ("a quoted coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 501),
    (
        "an unprintable coding",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "a coding in HTTP/1.0",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "a space before the colon",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("a space before a name", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    ("a folded line", "GET / HTTP/1.1\r\nHost: a\r\nX-Long: a\r\n b\r\n\r\n", 400),
    ("a folded coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
    ("a bare CR in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n", 400),
    ("a bare CR as line end", "GET / HTTP/1.1\rHost: a\r\r", 400),
    ("a NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
    ("an empty name", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400),
    ("a line without a colon", "GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n", 400),
    ("a NUL in a name", "GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n", 400),
    ("a NUL in the target", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a bare CR in the target", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a bare CR in a name", "GET / HTTP/1.1\r\nHost: a\r\nX\r: b\r\n\r\n", 400),
    ("a tab before the colon", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length\t: 5\r\n\r\n", 400),
    ("no host", "GET / HTTP/1.1\r\n\r\n", 400),
    ("no host beside a whole address", "GET http://a/ HTTP/1.1\r\n\r\n", 400),
    ("another host than the address names", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("another port than the address names", "GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("an address with a user", "GET http://user@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("an empty host beside a whole address", "GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("the same host twice", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    ("a host with a path", "GET / HTTP/1.1\r\nHost: a/../b\r\n\r\n", 400),
    ("a host with a user", "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", 400),
    ("a target without a slash", "GET smuggled HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("an asterisk that is not for OPTIONS", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a fragment", "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("blanks in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 505),
    ("another version", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
    ("a version of the future", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    ("no version", "GET /\r\n\r\n", 400),
    ("another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n", 400),
    ("a method that is no token", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
];

const BODIES: &[Attempt] = &[
    (
        "a chunk size that is no number",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
        400,
    ),
    (
        "a chunk size with a sign",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n",
        400,
    ),
    (
        "a chunk size with 0x",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n",
        400,
    ),
    (
        "a chunk size beyond 64 bits",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000001\r\nx\r\n0\r\n\r\n",
        400,
    ),
    (
        "a chunk size ended by LF",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
        400,
    ),
    (
        "a chunk that is too long",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n",
        400,
    ),
    (
        "a chunk ended by LF",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\n0\r\n\r\n",
        400,
    ),
    (
        "a chunk size without a number",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n;a=b\r\nx\r\n0\r\n\r\n",
        400,
    ),
    (
        "a negative chunk size",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
        400,
    ),
    (
        "a blank before a chunk size",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n 1\r\nx\r\n0\r\n\r\n",
        400,
    ),
    (
        "two chunk sizes",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1 1\r\nx\r\n0\r\n\r\n",
        400,
    ),
    (
        "an extension with a NUL",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a\0\r\nx\r\n0\r\n\r\n",
        400,
    ),
    (
        "an extension with a bare CR",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a\rb\r\nx\r\n0\r\n\r\n",
        400,
    ),
    (
        "a malformed trailer",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n",
        400,
    ),
];

async fn refused(edge: &Deepwater, (what, bytes, status): &Attempt) {
    let mut client = edge.client().await;
    client.send([bytes.as_bytes(), SMUGGLED.as_bytes()].concat()).await;
    let answer = client.response().await;
    assert_eq!(answer.status(), *status, "{what}: {answer:?}");
    assert!(answer.lists("connection", "close"), "{what}: {answer:?}");
    let closed = client.closes().await;
    assert!(closed.rest.is_empty(), "{what}: a second answer: {}", String::from_utf8_lossy(&closed.rest));
}

async fn origin_and_edge() -> (Origin, Deepwater) {
    let origin = Origin::named("fooled").await;
    let edge = Deepwater::fronting(&origin).await;
    (origin, edge)
}

#[tokio::test]
async fn heads_that_can_be_read_in_two_ways_are_refused() {
    let (origin, edge) = origin_and_edge().await;
    for attempt in HEADS {
        refused(&edge, attempt).await;
        assert_eq!(origin.heard().len(), 0, "{}: {:?}", attempt.0, origin.heard());
    }
    assert_eq!(edge.get("/").await.text(), "fooled", "honest clients are served as ever");
}

#[tokio::test]
async fn bodies_that_can_be_read_in_two_ways_are_refused() {
    let (origin, edge) = origin_and_edge().await;
    for attempt in BODIES {
        refused(&edge, attempt).await;
        let smuggled = origin.heard().into_iter().find(|request| request.target() == "/smuggled");
        assert!(smuggled.is_none(), "{}: {smuggled:?}", attempt.0);
    }
}

#[tokio::test]
async fn chunk_extensions_without_end_are_refused() {
    let (origin, edge) = origin_and_edge().await;
    let start = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;";
    for (what, rest) in [
        ("a long one", format!("{}\r\nx\r\n0\r\n\r\n", "a".repeat(300))),
        ("one that never ends", "a".repeat(100_000)),
        ("trailers that never end", format!("\r\nx\r\n0\r\nX: {}", "a".repeat(100_000))),
    ] {
        let mut client = edge.client().await;
        client.send(format!("{start}{rest}")).await;
        assert_eq!(client.response().await.status(), 400, "{what}");
        assert!(client.closes().await.rest.is_empty(), "{what}");
    }
    let whole = |request: &Message| request.ending == Ending::Whole;
    assert!(!origin.heard().iter().any(whole), "{:?}", origin.heard());
}

#[tokio::test]
async fn a_line_ended_by_lf_alone_is_passed_on_as_the_others_are() {
    // RFC 9112 §2.2 allows to read it so. Written anew, there is one way to read it left.
    let (origin, edge) = origin_and_edge().await;
    assert_eq!(edge.ask("GET / HTTP/1.1\nHost: a\nX: b\nY: c\n\n").await.text(), "fooled");
    let request = origin.only_request();
    assert_eq!((request.get("x"), request.get("y")), (Some("b"), Some("c")));
}

#[tokio::test]
async fn a_request_line_beyond_the_limit_gets_431() {
    let (origin, edge) = origin_and_edge().await;
    let mut client = edge.client().await;
    client.send(format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(100_000))).await;
    assert_eq!(client.response().await.status(), 431);
    assert!(client.closes().await.rest.is_empty());
    // Nor is one without end waited for.
    let mut client = edge.client().await;
    client.send("x".repeat(100_000)).await;
    assert!(matches!(client.response().await.status(), 400 | 431));
    assert!(origin.heard().is_empty());
}

#[tokio::test]
async fn a_head_beyond_the_limit_gets_431() {
    let origin = Origin::named("ok").await;
    let limit = LISTEN.replace("workers = 1", "workers = 1\nmax_header_size = \"4KiB\"");
    let edge = Deepwater::start(&format!("{limit}{ROUTE}{}", pool("app", &[origin.address]))).await;
    let fits = edge.ask(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(3_000))).await;
    assert_eq!(fits.status(), 200);
    let mut client = edge.client().await;
    let large = client.ask(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(5_000))).await;
    assert_eq!(large.status(), 431);
    assert!(client.closes().await.rest.is_empty());
    // A head without end is not waited for.
    let mut client = edge.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX: ").await;
    client.send("x".repeat(100_000)).await;
    assert_eq!(client.response().await.status(), 431);
}

#[tokio::test]
async fn a_head_of_too_many_fields_gets_431() {
    let (origin, edge) = origin_and_edge().await;
    let fields: String = (0..1_000).map(|n| format!("X-{n}: 1\r\n")).collect();
    let answer = edge.ask(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).await;
    assert_eq!(answer.status(), 431);
    assert!(origin.heard().is_empty());
}

async fn impatient(origin: SocketAddr) -> Deepwater {
    let timeouts = "[edge.timeouts]\nheader = \"200ms\"\nbody = \"200ms\"\n";
    Deepwater::start(&format!("{LISTEN}{timeouts}{ROUTE}{}", pool("app", &[origin]))).await
}

#[tokio::test]
async fn a_head_that_never_ends_gets_408() {
    let origin = Origin::named("ok").await;
    let edge = impatient(origin.address).await;
    let mut client = edge.client().await;
    client.send("GET / HTTP/1.1\r\nHost:").await;
    let answer = client.response().await;
    assert_eq!(answer.status(), 408);
    assert!(client.closes().await.rest.is_empty());
    assert!(origin.heard().is_empty());
}

#[tokio::test]
async fn a_head_that_drips_in_gains_no_time() {
    let origin = Origin::named("ok").await;
    let edge = impatient(origin.address).await;
    let mut client = edge.client().await;
    client.send("GET / HTTP/1.1\r\nX: ").await;
    // Until the edge has had enough.
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(20));
    let answer = loop {
        tokio::select! {
            answer = client.response() => break answer,
            _ = ticks.tick() => {}
        }
        client.send("x").await;
    };
    assert_eq!(answer.status(), 408);
}

#[tokio::test]
async fn a_body_that_stalls_gets_408() {
    let origin = Origin::answering(|request| ok(request.text())).await;
    let edge = impatient(origin.address).await;
    let mut client = edge.client().await;
    let answer = client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf").await;
    assert_eq!(answer.status(), 408);
    assert!(client.closes().await.rest.is_empty());
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let origin = Origin::named("ok").await;
    let edge = impatient(origin.address).await;
    assert!(edge.client().await.closes().await.rest.is_empty());
}

#[tokio::test]
async fn a_whole_address_as_target_is_passed_on_as_host_and_path() {
    let (origin, edge) = origin_and_edge().await;
    let answer = edge.ask("GET http://b/path?q HTTP/1.1\r\nHost: B:80\r\n\r\n").await;
    assert_eq!(answer.status(), 200);
    let request = origin.only_request();
    assert_eq!((request.target(), request.get("host")), ("/path?q", Some("b")));
    assert_eq!(request.get("x-forwarded-host"), Some("b"));
}

#[tokio::test]
async fn a_flood_of_garbage_leaves_the_edge_standing() {
    let (_origin, edge) = origin_and_edge().await;
    let seed =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
    eprintln!("seed {seed}");
    let mut state = seed;
    let mut random = move || {
        // xorshift64 (Marsaglia, 2003)
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..200 {
        let mut bytes =
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
                .to_vec();
        for _ in 0..random() % 4 {
            let at = random() as usize % bytes.len();
            bytes[at] = random() as u8;
        }
        bytes.truncate(random() as usize % bytes.len() + 1);
        let mut client: Wire = edge.client().await;
        client.send(&bytes).await;
        client.finish().await;
        client.closes().await;
    }
    assert_eq!(edge.get("/").await.text(), "fooled");
}
