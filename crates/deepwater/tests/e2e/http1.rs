//! HTTP/1.1 from end to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::support::{Deepwater, Ending, LISTEN, Origin, ROUTE, Wire, ok, pool, soon};

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn a_request_reaches_the_origin_and_its_answer_comes_back() {
    let origin = Origin::named("hello").await;
    let edge = Deepwater::fronting(&origin).await;

    let answer = edge.get("/greeting?to=you").await;

    assert_eq!((answer.status(), answer.text()), (200, "hello"));
    assert_eq!(origin.only_request().start, "GET /greeting?to=you HTTP/1.1");
    assert_eq!(origin.only_request().get("host"), Some("shop.example"));
}

#[tokio::test]
async fn no_file_is_needed_to_front_an_application() {
    let origin = Origin::named("hello").await;
    let to = format!("http://{}", origin.address);
    let arguments = ["run", "--to", &to, "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"];
    let edge = Deepwater::spawn(crate::support::Home::new(), &arguments, 1).await;
    assert_eq!(edge.get("/").await.text(), "hello");
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let origin = Origin::named("hello").await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    for path in ["/a", "/b", "/c"] {
        let answer = client.get(path).await;
        assert_eq!(answer.text(), "hello");
        assert_eq!(answer.get("connection"), None);
    }
    assert_eq!(origin.heard().len(), 3);
    assert_eq!(origin.connections(), 1, "one connection carried all three");
}

#[tokio::test]
async fn connection_close_is_obeyed() {
    let origin = Origin::named("hello").await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    let answer = client.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert_eq!(answer.get("connection"), Some("close"));
    assert_eq!(client.closes().await.rest, b"");
    // The client's wish is not the origin's business.
    assert!(!origin.only_request().lists("connection", "close"));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::answering(|request| ok(request.target())).await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    client.send([request("/1"), request("/2"), request("/3")].concat()).await;
    for path in ["/1", "/2", "/3"] {
        assert_eq!(client.response().await.text(), path);
    }
}

#[tokio::test]
async fn a_pipelined_request_behind_a_body_is_not_part_of_it() {
    let origin =
        Origin::answering(|request| ok(&format!("{} {}", request.method(), request.body.len()))).await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    let chunked = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    client.send([post, chunked, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"].concat()).await;
    for answer in ["POST 5", "PUT 3", "GET 0"] {
        assert_eq!(client.response().await.text(), answer);
    }
}

#[tokio::test]
async fn chunked_bodies_pass_both_ways() {
    let origin = Origin::answering(|request| {
        let body = String::from_utf8_lossy(&request.body).to_uppercase();
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n>\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        )
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let chunks = "4;ext=\"a;b\"\r\nhell\r\n001\r\no\r\n0\r\n\r\n";
    let answer =
        edge.ask(format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")).await;
    assert_eq!(answer.text(), ">HELLO");
    assert_eq!(answer.get("transfer-encoding"), Some("chunked"));
    assert_eq!(origin.only_request().text(), "hello");
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let origin = Origin::answering(|_| {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n".into()
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let answer = edge
        .ask(
            "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTrailer: X-Check\r\nTransfer-Encoding: chunked\r\n\r\n\
             2\r\nhi\r\n0\r\nX-Check: 1\r\n\r\n",
        )
        .await;
    assert_eq!(origin.only_request().trailers, [("x-check".into(), "1".into())]);
    assert_eq!(answer.trailers, [("x-sum".into(), "7".into())]);
}

#[tokio::test]
async fn a_trailer_cannot_change_how_a_message_is_read() {
    let origin = Origin::answering(|_| {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 9\r\nX-Sum: 7\r\n\r\n"
            .into()
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    client
        .send(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
             0\r\nHost: evil\r\nTransfer-Encoding: gzip\r\nX_Forwarded_For: 6.6.6.6\r\nX-Check: 1\r\n\r\n",
        )
        .await;
    let answer = client.response().await;
    if answer.status() == 200 {
        assert_eq!(answer.trailers, [("x-sum".into(), "7".into())]);
        assert_eq!(origin.only_request().trailers, [("x-check".into(), "1".into())]);
    } else {
        assert_eq!(answer.status(), 400);
    }
}

#[tokio::test]
async fn the_body_waits_for_the_origins_100_continue() {
    let origin = Origin::scripted(|mut visit| async move {
        let head = visit.request_head().await;
        assert!(head.lists("expect", "100-continue"), "{head:?}");
        visit.send("HTTP/1.1 100 Continue\r\n\r\n").await;
        let request = visit.body_of(head, false).await;
        visit.send(ok(request.text())).await;
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n").await;
    assert_eq!(client.head().await.status(), 100, "it is the origin's to ask for the body");
    assert_eq!(client.ask("hello").await.text(), "hello");
}

#[tokio::test]
async fn an_origin_may_refuse_a_body_before_it_is_sent() {
    let origin = Origin::scripted(|mut visit| async move {
        visit.request_head().await;
        visit.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    let answer =
        client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n").await;
    assert_eq!(answer.status(), 417);
    assert!(answer.interim.is_empty());
}

#[tokio::test]
async fn early_hints_come_before_the_answer() {
    let (go, told) = oneshot::channel::<()>();
    let told = Arc::new(tokio::sync::Mutex::new(Some(told)));
    let origin = Origin::scripted(move |mut visit| {
        let told = Arc::clone(&told);
        async move {
            visit.reply("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n").await;
            let _ = told.lock().await.take().unwrap().await;
            visit.send(ok("page")).await;
        }
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let hints = client.head().await;
    assert_eq!((hints.status(), hints.get("link")), (103, Some("</style.css>; rel=preload")));
    go.send(()).unwrap();
    assert_eq!(client.response().await.text(), "page");
}

#[tokio::test]
async fn answers_without_a_body_keep_the_connection() {
    let origin = Origin::answering(|request| match (request.method(), request.target()) {
        ("HEAD", _) => "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".into(),
        (_, "/204") => "HTTP/1.1 204 No Content\r\n\r\n".into(),
        (_, "/304") => "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: \"a\"\r\n\r\n".into(),
        _ => ok("end"),
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;

    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let head = client.response_to("HEAD").await;
    assert_eq!((head.status(), head.get("content-length")), (200, Some("1000")));
    assert_eq!(client.get("/204").await.status(), 204);
    let not_modified = client.get("/304").await;
    assert_eq!((not_modified.status(), not_modified.get("etag")), (304, Some("\"a\"")));
    assert_eq!(client.get("/end").await.text(), "end");
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn an_http_1_0_client_gets_what_it_understands() {
    let origin = Origin::answering(|request| match request.target() {
        "/chunked" => {
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n".into()
        }
        _ => ok("hello"),
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;

    let mut client = edge.client().await;
    assert_eq!(client.ask("GET / HTTP/1.0\r\n\r\n").await.text(), "hello");
    assert_eq!(client.closes().await.rest, b"", "without keep-alive the connection ends");

    let mut client = edge.client().await;
    let kept = client.ask("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n").await;
    assert!(kept.lists("connection", "keep-alive"));
    let until_close = client.ask("GET /chunked HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n").await;
    assert_eq!(until_close.text(), "hello");
    assert_eq!(until_close.get("transfer-encoding"), None, "chunks are unknown to HTTP/1.0");
    // To the origin we speak our own version.
    assert!(origin.heard().iter().all(|request| request.start.ends_with("HTTP/1.1")));
}

#[tokio::test]
async fn a_large_answer_goes_at_the_clients_pace_and_not_through_memory() {
    const SIZE: usize = 64 * MIB;
    let written = Arc::<AtomicUsize>::default();
    let stalled = Arc::<Notify>::default();
    let origin = {
        let (written, stalled) = (Arc::clone(&written), Arc::clone(&stalled));
        Origin::scripted(move |mut visit| {
            let (written, stalled) = (Arc::clone(&written), Arc::clone(&stalled));
            async move {
                visit.reply(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")).await;
                let block = vec![b'x'; 256 * 1024];
                let mut left = SIZE;
                while left > 0 {
                    let some = visit.send_some(&block[..left.min(block.len())]);
                    tokio::pin!(some);
                    let n = match tokio::time::timeout(Duration::from_millis(500), some.as_mut()).await {
                        Ok(n) => n.unwrap(),
                        Err(_) => {
                            stalled.notify_one();
                            some.await.unwrap()
                        }
                    };
                    written.fetch_add(n, Ordering::SeqCst);
                    left -= n;
                }
                visit.linger().await;
            }
        })
        .await
    };
    let edge = Deepwater::unwatched(&origin).await;
    let before = edge.resident_bytes();
    let mut client = edge.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let head = client.head().await;

    soon("the origin to be held back", stalled.notified()).await;
    let ahead = written.load(Ordering::SeqCst);
    assert!(ahead < SIZE / 2, "the origin was {ahead} bytes ahead of a client that reads nothing");
    let grown = edge.resident_bytes().saturating_sub(before);
    assert!(grown < 8 * MIB as u64, "memory grew by {grown} bytes");

    let answer = client.body_of(head, false).await;
    assert_eq!((answer.ending, answer.body.len()), (Ending::Whole, SIZE));
    let grown = edge.resident_bytes().saturating_sub(before);
    assert!(grown < 8 * MIB as u64, "memory grew by {grown} bytes");
}

#[tokio::test]
async fn an_upload_is_passed_on_while_it_comes() {
    let (got, mut parts) = tokio::sync::mpsc::unbounded_channel();
    let origin = Origin::scripted(move |mut visit| {
        let got = got.clone();
        async move {
            visit.request_head().await;
            while let Some(Some(chunk)) = visit.chunk().await {
                got.send(chunk).unwrap();
            }
            visit.bytes(2).await;
            visit.send(ok("thanks")).await;
        }
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    for part in ["one", "two", "three"] {
        client.send(format!("{:x}\r\n{part}\r\n", part.len())).await;
        // The next part is not sent before the origin has this one.
        assert_eq!(soon("the part at the origin", parts.recv()).await.unwrap(), part.as_bytes());
    }
    assert_eq!(client.ask("0\r\n\r\n").await.text(), "thanks");
}

#[tokio::test]
async fn a_large_upload_arrives_whole() {
    let origin = Origin::answering(|request| {
        let sum: u64 = request.body.iter().map(|b| u64::from(*b)).sum();
        ok(&format!("{} {sum}", request.body.len()))
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let body: Vec<u8> = (0..16 * MIB).map(|n| (n % 251) as u8).collect();
    let sum: u64 = body.iter().map(|b| u64::from(*b)).sum();
    let mut client = edge.client().await;
    client.send(format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len())).await;
    assert_eq!(client.ask(&body).await.text(), format!("{} {sum}", body.len()));
}

#[tokio::test]
async fn an_answer_may_come_before_the_upload_ends() {
    let origin = Origin::scripted(|mut visit| async move {
        visit.request_head().await;
        visit.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\n\r\ntoo much").await;
        visit.linger().await;
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\nbeginning").await;
    let answer = client.response().await;
    assert_eq!((answer.status(), answer.text()), (413, "too much"));
}

#[tokio::test]
async fn both_bodies_may_flow_at_once() {
    let origin = Origin::scripted(|mut visit| async move {
        visit.request_head().await;
        visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        while let Some(Some(chunk)) = visit.chunk().await {
            visit.send(format!("{:x}\r\n{}\r\n", chunk.len(), String::from_utf8(chunk).unwrap())).await;
        }
        visit.send("0\r\n\r\n").await;
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    assert_eq!(client.head().await.status(), 200, "before any of the request's body");
    for part in ["ping", "pong"] {
        client.send(format!("4\r\n{part}\r\n")).await;
        assert_eq!(client.chunk().await, Some(Some(part.into())));
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(client.chunk().await, Some(None));
}

#[tokio::test]
async fn a_websocket_passes_bytes_both_ways() {
    let origin = Origin::scripted(|mut visit| async move {
        let head = visit.request_head().await;
        assert!(head.lists("connection", "upgrade") && head.lists("upgrade", "websocket"), "{head:?}");
        // The first bytes of the other protocol come right behind the head.
        visit
            .send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nwelcome")
            .await;
        assert_eq!(visit.bytes(4).await, b"ping");
        visit.send([0x81, 0x00, 0xff]).await;
        assert!(visit.closes().await.rest.is_empty());
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    let answer = client
        .ask("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n")
        .await;
    assert_eq!(answer.status(), 101);
    assert!(answer.lists("connection", "upgrade") && answer.lists("upgrade", "websocket"));
    assert_eq!(client.bytes(7).await, b"welcome");
    client.send("ping").await;
    assert_eq!(client.bytes(3).await, [0x81, 0x00, 0xff]);
    client.finish().await;
    assert!(client.closes().await.rest.is_empty());
}

#[tokio::test]
async fn an_origin_need_not_switch_protocols() {
    let origin = Origin::named("just a page").await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(client.ask(upgrade).await.text(), "just a page");
    assert_eq!(client.get("/next").await.text(), "just a page");
}

#[tokio::test]
async fn an_origin_must_not_switch_protocols_unasked() {
    let origin = Origin::scripted(|mut visit| async move {
        visit.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").await;
        visit.linger().await;
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let answer = edge.get("/").await;
    assert_eq!(answer.status(), 502);
    assert_eq!(answer.get("proxy-status"), Some("deepwater; error=http_upgrade_failed"));
}

#[tokio::test]
async fn connect_is_refused_unless_configured() {
    let origin = Origin::echo().await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    let answer = client.ask("CONNECT db.internal:5432 HTTP/1.1\r\nHost: db.internal:5432\r\n\r\n").await;
    assert_eq!(answer.status(), 405);
    assert!(answer.get("allow").is_some_and(|allowed| !allowed.contains("CONNECT")));
    assert_eq!(origin.connections(), 0);
}

#[tokio::test]
async fn connect_tunnels_to_the_pool_where_configured() {
    let origin = Origin::echo().await;
    let route = format!("{ROUTE}connect = true\n");
    let edge = Deepwater::start(&format!("{LISTEN}{route}{}", pool("app", &[origin.address]))).await;
    let mut client = edge.client().await;
    client.send("CONNECT db.internal:5432 HTTP/1.1\r\nHost: db.internal:5432\r\n\r\n").await;
    let head = client.head().await;
    assert_eq!(head.status(), 200);
    assert_eq!((head.get("content-length"), head.get("transfer-encoding")), (None, None), "RFC 9110 §9.3.6");
    client.send("raw bytes").await;
    assert_eq!(client.bytes(9).await, b"raw bytes");
    client.finish().await;
    assert!(client.closes().await.rest.is_empty());
}

#[tokio::test]
async fn a_client_that_leaves_frees_the_origin() {
    let (left, noticed) = oneshot::channel::<()>();
    let left = Arc::new(std::sync::Mutex::new(Some(left)));
    let origin = Origin::scripted(move |mut visit| {
        let left = Arc::clone(&left);
        async move {
            visit.request().await;
            // No answer: only the edge can end this.
            visit.closes().await;
            let _ = left.lock().unwrap().take().unwrap().send(());
        }
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    origin.hears(1).await;
    drop::<Wire>(client);
    soon("the origin to be freed", noticed).await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_time() {
    let origin = Origin::named("hello").await;
    let timeouts = "[edge.timeouts]\nidle = \"100ms\"\n";
    let edge =
        Deepwater::start(&format!("{LISTEN}{timeouts}{ROUTE}{}", pool("app", &[origin.address]))).await;
    let mut client = edge.client().await;
    client.get("/").await;
    let closed = client.closes().await;
    assert!(closed.rest.is_empty() && !closed.reset, "{closed:?}");
}

#[tokio::test]
async fn an_application_may_listen_on_a_unix_socket() {
    let home = crate::support::Home::new();
    let listener = tokio::net::UnixListener::bind(home.path("app.sock")).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut wire = Wire::new(stream);
            while wire.try_request().await.is_some() {
                wire.send(ok("from a file")).await;
            }
        }
    });
    let target = format!("[pools.app]\ntargets = [\"unix:{}\"]\n", home.path("app.sock").display());
    let edge = Deepwater::start_in(home, &format!("{LISTEN}{ROUTE}{target}")).await;
    assert_eq!(edge.get("/").await.text(), "from a file");
}
