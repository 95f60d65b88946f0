//! HTTP/2 from end to end, gRPC included.

mod leaving;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use std::future::poll_fn;
use tokio::sync::{Barrier, Notify, oneshot};

use crate::support::{
    Authority, Deepwater, H2Client, H2Origin, Home, LISTEN, Origin, ROUTE, ok, pool, read_all, request,
    send_all, soon,
};

/// A client that knows beforehand that HTTP/2 is spoken.
async fn h2_client(edge: &Deepwater) -> H2Client {
    H2Client::over(edge.dial(0).await).await
}

/// An edge in front of an origin that speaks HTTP/2.
async fn fronting(origin: &H2Origin) -> Deepwater {
    let target = format!("{}protocol = \"http2\"\n", pool("app", &[origin.address]));
    Deepwater::start(&format!("{LISTEN}{ROUTE}{target}")).await
}

#[tokio::test]
async fn http2_clients_are_served_by_http1_origins() {
    let origin = Origin::answering(|request| ok(&format!("{} {}", request.target(), request.text()))).await;
    let edge = Deepwater::fronting(&origin).await;
    let client = h2_client(&edge).await;
    let answer = client.get("/path?q=1").await;
    assert_eq!(answer.head.status(), 200);
    assert_eq!(answer.head.version(), Version::HTTP_2);
    assert_eq!(answer.body, b"/path?q=1 ");
    for gone in ["connection", "transfer-encoding", "keep-alive"] {
        assert!(!answer.head.headers().contains_key(gone), "{gone} has no place in HTTP/2");
    }

    let (response, mut body) = client.begin(request("POST", "/post"), false).await;
    send_all(&mut body, Bytes::from_static(b"hello"), true).await.unwrap();
    let (bytes, _) = read_all(soon("a response", response).await.unwrap().into_body()).await.unwrap();
    assert_eq!(bytes, b"/post hello");

    let heard = origin.heard();
    assert_eq!(heard[0].start, "GET /path?q=1 HTTP/1.1");
    assert_eq!(heard[0].get("host"), Some("shop.example"));
    assert_eq!(heard[0].get("via"), Some("2.0 deepwater"));
    assert_eq!(heard[0].get("transfer-encoding"), None, "no body, no framing");
    assert_eq!(heard[1].get("transfer-encoding"), Some("chunked"), "a body of unknown length");
}

#[tokio::test]
async fn many_streams_are_under_way_at_once() {
    const STREAMS: usize = 30;
    let barrier = Arc::new(Barrier::new(STREAMS));
    let origin = Origin::scripted(move |mut visit| {
        let barrier = Arc::clone(&barrier);
        async move {
            while let Some(request) = visit.request().await {
                // Nobody is answered before everybody has asked.
                barrier.wait().await;
                visit.send(ok(request.target())).await;
            }
        }
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let client = h2_client(&edge).await;
    let mut asked = Vec::new();
    for n in 0..STREAMS {
        asked.push((n, client.begin(request("GET", &format!("/{n}")), true).await.0));
    }
    for (n, response) in asked {
        let body = soon("the response", response).await.unwrap().into_body();
        assert_eq!(read_all(body).await.unwrap().0, format!("/{n}").into_bytes());
    }
}

#[tokio::test]
async fn trailers_of_an_http1_origin_reach_an_http2_client() {
    let origin = Origin::answering(|_| {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n".into()
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let answer = h2_client(&edge).await.get("/").await;
    assert_eq!(answer.body, b"ok");
    assert_eq!(answer.trailers.unwrap()["x-sum"], "7");
}

#[tokio::test]
async fn early_hints_pass_over_http2() {
    let origin = Origin::scripted(|mut visit| async move {
        visit
            .reply("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await;
        visit.linger().await;
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let (mut response, _) = h2_client(&edge).await.begin(request("GET", "/"), true).await;
    let hints = soon("the hints", poll_fn(|cx| response.poll_informational(cx))).await.unwrap().unwrap();
    assert_eq!((hints.status().as_u16(), &hints.headers()["link"]), (103, &"</a.css>".parse().unwrap()));
    assert_eq!(soon("the response", response).await.unwrap().status(), 200);
}

#[tokio::test]
async fn crumbs_of_cookies_become_one() {
    let origin = Origin::named("ok").await;
    let edge = Deepwater::fronting(&origin).await;
    let mut request = request("GET", "/");
    for crumb in ["a=1", "b=2", "c=3"] {
        request.headers_mut().append("cookie", crumb.parse().unwrap());
    }
    h2_client(&edge).await.ask(request).await;
    assert_eq!(origin.only_request().get("cookie"), Some("a=1; b=2; c=3"));
}

#[tokio::test]
async fn an_upload_goes_at_the_origins_pace() {
    let (go, told) = oneshot::channel::<()>();
    let told = Arc::new(tokio::sync::Mutex::new(Some(told)));
    let origin = Origin::scripted(move |mut visit| {
        let told = Arc::clone(&told);
        async move {
            let head = visit.request_head().await;
            let _ = told.lock().await.take().unwrap().await;
            let request = visit.body_of(head, false).await;
            visit.send(ok(&request.body.len().to_string())).await;
        }
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let (response, mut body) = h2_client(&edge).await.begin(request("POST", "/"), false).await;
    const SIZE: usize = 32 * 1024 * 1024;
    let mut sent = 0;
    // Until nothing more is taken: the origin reads nothing.
    while sent < SIZE {
        body.reserve_capacity(64 * 1024);
        let room = poll_fn(|cx| body.poll_capacity(cx));
        let Ok(room) = tokio::time::timeout(std::time::Duration::from_millis(500), room).await else { break };
        let room = room.unwrap().unwrap().min(SIZE - sent);
        body.send_data(vec![b'x'; room].into(), false).unwrap();
        sent += room;
    }
    assert!(sent < SIZE / 2, "the client was {sent} bytes ahead of an origin that reads nothing");
    go.send(()).unwrap();
    send_all(&mut body, vec![b'x'; SIZE - sent].into(), true).await.unwrap();
    let (answer, _) = read_all(soon("a response", response).await.unwrap().into_body()).await.unwrap();
    assert_eq!(answer, SIZE.to_string().into_bytes());
}

#[tokio::test]
async fn a_cancelled_stream_frees_the_origin() {
    let freed = Arc::<Notify>::default();
    let origin = {
        let freed = Arc::clone(&freed);
        Origin::scripted(move |mut visit| {
            let freed = Arc::clone(&freed);
            async move {
                while let Some(request) = visit.request().await {
                    match request.target() {
                        "/endless" => {
                            visit.closes().await;
                            return freed.notify_one();
                        }
                        _ => visit.send(ok("served")).await,
                    }
                }
            }
        })
        .await
    };
    let edge = Deepwater::fronting(&origin).await;
    let client = h2_client(&edge).await;
    let (response, mut stream) = client.begin(request("GET", "/endless"), true).await;
    origin.hears(1).await;
    stream.send_reset(h2::Reason::CANCEL);
    soon("the origin to be freed", freed.notified()).await;
    assert!(response.await.is_err());
    assert_eq!(client.get("/").await.body, b"served", "the connection lives on");
}

#[tokio::test]
async fn a_broken_answer_resets_its_stream_alone() {
    let origin = Origin::scripted(|mut visit| async move {
        while let Some(request) = visit.request().await {
            if request.target() == "/broken" {
                return visit.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
            }
            visit.send(ok("whole")).await;
        }
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let client = h2_client(&edge).await;
    let (response, _) = client.begin(request("GET", "/broken"), true).await;
    let broken = match soon("the response", response).await {
        Ok(response) => read_all(response.into_body()).await.is_err(),
        Err(_) => true,
    };
    assert!(broken, "half an answer must not look whole");
    assert_eq!(client.get("/").await.body, b"whole");
}

#[tokio::test]
async fn malformed_requests_are_refused_on_their_stream() {
    let origin = Origin::named("ok").await;
    let edge = Deepwater::fronting(&origin).await;
    let client = h2_client(&edge).await;
    let mut two_hosts = request("GET", "/");
    two_hosts.headers_mut().insert("host", "other.example".parse().unwrap());
    assert_eq!(client.ask(two_hosts).await.head.status(), 400);
    assert!(origin.heard().is_empty());
    assert_eq!(client.get("/").await.head.status(), 200);
}

#[tokio::test]
async fn a_body_that_contradicts_its_length_is_not_passed_as_whole() {
    let origin = Origin::answering(|request| ok(request.text())).await;
    let edge = Deepwater::fronting(&origin).await;
    for (length, body) in [("3", "hello"), ("10", "hello")] {
        let mut wrong = request("POST", "/");
        wrong.headers_mut().insert("content-length", length.parse().unwrap());
        let (response, mut stream) = h2_client(&edge).await.begin(wrong, false).await;
        let _ = send_all(&mut stream, Bytes::copy_from_slice(body.as_bytes()), true).await;
        if let Ok(answer) = soon("the response", response).await {
            assert!(answer.status().is_client_error(), "{length}: {answer:?}");
        }
    }
    let whole = |request: &crate::support::Message| request.ending == crate::support::Ending::Whole;
    assert!(!origin.heard().iter().any(whole), "{:?}", origin.heard());
}

#[tokio::test]
async fn an_http2_origin_serves_many_requests_over_one_connection() {
    let origin = H2Origin::start(None, |request, mut respond| async move {
        let path = request.uri().path().to_owned();
        let answer =
            Response::builder().header("x-version", format!("{:?}", request.version())).body(()).unwrap();
        let mut body = respond.send_response(answer, false).unwrap();
        let _ = send_all(&mut body, path.into(), true).await;
    })
    .await;
    let edge = fronting(&origin).await;
    let mut client = edge.client().await;
    for path in ["/1", "/2", "/3"] {
        let answer = client.get(path).await;
        assert_eq!((answer.text(), answer.get("x-version")), (path, Some("HTTP/2.0")));
    }
    assert_eq!(h2_client(&edge).await.get("/4").await.body, b"/4");
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn an_http2_origin_may_want_tls() {
    let authority = Authority::new();
    let acceptor = authority.issue(&["127.0.0.1"]).acceptor(&["h2"], None);
    let origin = H2Origin::start(Some(acceptor), |request, mut respond| async move {
        assert_eq!(request.uri().scheme_str(), Some("https"));
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        let _ = send_all(&mut body, "secret".into(), true).await;
    })
    .await;
    let home = Home::new();
    home.write("ca.pem", authority.pem());
    let target = format!(
        "[pools.app]\ntargets = [\"https://{}\"]\nprotocol = \"http2\"\ntls = {{ ca = \"ca.pem\" }}\n",
        origin.address
    );
    let edge = Deepwater::start_in(home, &format!("{LISTEN}{ROUTE}{target}")).await;
    assert_eq!(edge.get("/").await.text(), "secret");
}

#[tokio::test]
async fn an_http2_origins_answer_without_a_body_ends_for_an_http1_client() {
    let origin = H2Origin::start(None, |_, mut respond| async move {
        respond.send_response(Response::new(()), true).unwrap();
    })
    .await;
    let edge = fronting(&origin).await;
    let mut client = edge.client().await;
    for _ in 0..2 {
        let answer = client.get("/").await;
        assert_eq!((answer.status(), answer.text()), (200, ""));
    }
}

/// Echoes messages until the client ends, then says how many there were, as gRPC servers do.
async fn grpc_echo() -> H2Origin {
    H2Origin::start(None, |request, mut respond| async move {
        assert_eq!(request.headers().get("te").map(http::HeaderValue::as_bytes), Some(&b"trailers"[..]));
        let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        let mut out = respond.send_response(head, false).unwrap();
        let mut messages = request.into_body();
        let mut count = 0;
        while let Some(Ok(message)) = messages.data().await {
            count += usize::from(!message.is_empty());
            messages.flow_control().release_capacity(message.len()).unwrap();
            send_all(&mut out, message, false).await.unwrap();
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        trailers.insert("grpc-message", count.to_string().parse().unwrap());
        out.send_trailers(trailers).unwrap();
    })
    .await
}

fn grpc_call() -> Request<()> {
    let mut call = request("POST", "/chat.Chat/Talk");
    call.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    call.headers_mut().insert("te", "trailers".parse().unwrap());
    call
}

#[tokio::test]
async fn grpc_streams_both_ways_and_ends_with_trailers() {
    let origin = grpc_echo().await;
    let edge = fronting(&origin).await;
    let (response, mut out) = h2_client(&edge).await.begin(grpc_call(), false).await;
    let response = soon("the head, before any message", response).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let mut messages = response.into_body();
    for word in ["one", "two", "three"] {
        send_all(&mut out, word.into(), false).await.unwrap();
        let echo = soon("the echo", messages.data()).await.unwrap().unwrap();
        assert_eq!(echo, word);
        messages.flow_control().release_capacity(echo.len()).unwrap();
    }
    out.send_data(Bytes::new(), true).unwrap();
    assert!(soon("the end", messages.data()).await.is_none());
    let trailers = soon("the trailers", messages.trailers()).await.unwrap().unwrap();
    assert_eq!(
        (&trailers["grpc-status"], &trailers["grpc-message"]),
        (&"0".parse().unwrap(), &"3".parse().unwrap())
    );
}

#[tokio::test]
async fn a_conversation_over_grpc_may_be_slow() {
    const PATIENCE: Duration = Duration::from_millis(200);
    let origin = grpc_echo().await;
    let timeouts = "[edge.timeouts]\nbody = \"200ms\"\n";
    let pool = format!("{}protocol = \"http2\"\n", pool("app", &[origin.address]));
    let edge = Deepwater::start(&format!("{LISTEN}{timeouts}{ROUTE}{pool}")).await;
    let (response, mut out) = h2_client(&edge).await.begin(grpc_call(), false).await;
    let mut messages = soon("the head", response).await.unwrap().into_body();
    // A few bytes now and then, never long enough apart to be silence.
    let mut ticks = tokio::time::interval(PATIENCE / 10);
    let began = Instant::now();
    while began.elapsed() < PATIENCE * 4 {
        ticks.tick().await;
        send_all(&mut out, "so?".into(), false).await.unwrap();
        let echo = soon("the echo", messages.data()).await.unwrap().unwrap();
        messages.flow_control().release_capacity(echo.len()).unwrap();
    }
    out.send_data(Bytes::new(), true).unwrap();
    assert!(soon("the end", messages.data()).await.is_none());
    assert_eq!(soon("the trailers", messages.trailers()).await.unwrap().unwrap()["grpc-status"], "0");
}

#[tokio::test]
async fn a_grpc_error_without_messages_passes() {
    let origin = H2Origin::start(None, |_, mut respond| async move {
        let answer = Response::builder().header("grpc-status", "5").body(()).unwrap();
        respond.send_response(answer, true).unwrap();
    })
    .await;
    let edge = fronting(&origin).await;
    let answer = h2_client(&edge).await.ask(request("POST", "/chat.Chat/Missing")).await;
    assert_eq!(answer.head.headers()["grpc-status"], "5");
    assert!(answer.body.is_empty() && answer.trailers.is_none());
}

#[tokio::test]
async fn a_reset_of_the_origin_is_told_on() {
    let origin = H2Origin::start(None, |request, mut respond| async move {
        match request.uri().path() {
            "/refused" => respond.send_reset(h2::Reason::INTERNAL_ERROR),
            _ => {
                let mut body = respond.send_response(Response::new(()), false).unwrap();
                let _ = send_all(&mut body, "half".into(), false).await;
                body.send_reset(h2::Reason::INTERNAL_ERROR);
            }
        }
    })
    .await;
    let edge = fronting(&origin).await;
    assert_eq!(edge.get("/refused").await.status(), 502);
    let client = h2_client(&edge).await;
    let (response, _) = client.begin(request("GET", "/half"), true).await;
    let broken = match soon("the response", response).await {
        Ok(response) => response.status() == 502 || read_all(response.into_body()).await.is_err(),
        Err(_) => true,
    };
    assert!(broken);
}

#[tokio::test]
async fn more_requests_than_an_origins_connection_takes_open_another() {
    const TOGETHER: usize = 6;
    let barrier = Arc::new(Barrier::new(TOGETHER));
    let origin = H2Origin::limited(None, 2, move |request, mut respond| {
        let barrier = Arc::clone(&barrier);
        async move {
            if request.uri().path() == "/together" {
                barrier.wait().await;
            }
            let _ = respond.send_response(Response::new(()), true);
        }
    })
    .await;
    let edge = fronting(&origin).await;
    let client = h2_client(&edge).await;
    assert_eq!(client.get("/alone").await.head.status(), 200);
    assert_eq!(origin.connections(), 1);
    let mut together = Vec::new();
    for _ in 0..TOGETHER {
        together.push(client.begin(request("GET", "/together"), true).await.0);
    }
    for response in together {
        assert_eq!(soon("a response", response).await.unwrap().status(), 200);
    }
    assert!(origin.connections() >= TOGETHER / 2, "two requests fit a connection");
}

#[tokio::test]
async fn a_client_of_http1_can_reach_an_http2_origin_with_a_body() {
    let lengths = Arc::<AtomicUsize>::default();
    let origin = {
        let lengths = Arc::clone(&lengths);
        H2Origin::start(None, move |request, mut respond| {
            let lengths = Arc::clone(&lengths);
            async move {
                let (head, body) = request.into_parts();
                let (body, trailers) = read_all(body).await.unwrap();
                lengths.fetch_add(body.len(), Ordering::SeqCst);
                assert_eq!(head.uri.authority().unwrap().as_str(), "shop.example");
                let trailer =
                    trailers.map_or("none".into(), |fields| fields["x-check"].to_str().unwrap().to_owned());
                let mut body = respond.send_response(Response::new(()), false).unwrap();
                let _ = send_all(&mut body, trailer.into(), true).await;
            }
        })
        .await
    };
    let edge = fronting(&origin).await;
    let mut client = edge.client().await;
    let answer = client
        .ask("POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Check: 1\r\n\r\n")
        .await;
    assert_eq!(answer.text(), "1");
    let answer = client.ask("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 5\r\n\r\nhello").await;
    assert_eq!(answer.text(), "none");
    assert_eq!(lengths.load(Ordering::SeqCst), 10);
}

#[tokio::test]
async fn http2_can_be_switched_off_in_cleartext() {
    let origin = Origin::named("ok").await;
    let config = format!("{LISTEN}http2 = false\n{ROUTE}{}", pool("app", &[origin.address]));
    let edge = Deepwater::start(&config).await;
    let mut client = edge.client().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(matches!(client.response().await.status(), 400 | 505));
    assert!(origin.heard().is_empty());
}
