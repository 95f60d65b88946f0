//! What belongs to one connection stays on it, and a request can be followed on its way.

use crate::support::{Deepwater, LISTEN, Origin, ROUTE, ok, pool};

#[tokio::test]
async fn hop_by_hop_fields_stay_on_their_hop() {
    let origin = Origin::answering(|_| {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x-internal\r\nX-Internal: secret\r\n\
         Keep-Alive: timeout=60\r\nProxy-Connection: keep-alive\r\nX-Public: yes\r\n\r\nok"
            .into()
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let answer = edge
        .ask(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
             Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\nTE: trailers\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: AAMAAABkAAQAAP__\r\nX-End: 2\r\n\r\n",
        )
        .await;
    let request = origin.only_request();
    for gone in
        ["x-hop", "keep-alive", "proxy-connection", "proxy-authorization", "upgrade", "http2-settings"]
    {
        assert_eq!(request.get(gone), None, "{gone} went on to the origin");
    }
    assert_eq!(request.get("x-end"), Some("2"));
    for gone in ["x-internal", "keep-alive", "proxy-connection", "connection"] {
        assert_eq!(answer.get(gone), None, "{gone} went on to the client");
    }
    assert_eq!(answer.get("x-public"), Some("yes"));
}

#[tokio::test]
async fn connection_cannot_take_fields_away_that_we_rely_on() {
    let origin = Origin::answering(|request| ok(request.text())).await;
    let edge = Deepwater::fronting(&origin).await;
    let answer = edge
        .ask(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\
             Connection: content-length, host, x-forwarded-for, x-request-id, via\r\n\r\nhello",
        )
        .await;
    assert_eq!(answer.text(), "hello");
    let request = origin.only_request();
    assert_eq!((request.get("host"), request.get("content-length")), (Some("a"), Some("5")));
    assert_eq!(request.get("x-forwarded-for"), Some("127.0.0.1"));
    assert!(request.get("x-request-id").is_some() && request.get("via").is_some());
}

#[tokio::test]
async fn the_origin_learns_who_asked() {
    let origin = Origin::named("ok").await;
    let edge = Deepwater::fronting(&origin).await;
    edge.get("/").await;
    let request = origin.only_request();
    assert_eq!(request.get("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(request.get("x-forwarded-proto"), Some("http"));
    assert_eq!(request.get("x-forwarded-host"), Some("shop.example"));
    assert_eq!(request.get("forwarded"), Some("for=127.0.0.1;proto=http;host=\"shop.example\""));
    assert_eq!(request.get("via"), Some("1.1 deepwater"));
    assert_eq!(request.get("host"), Some("shop.example"));
}

/// A client that says it is somebody else.
const SPOOFED: &str = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n\
                       X-Forwarded-Host: evil\r\nX-Forwarded-Port: 443\r\nX-Real-IP: 6.6.6.6\r\n\
                       Forwarded: for=6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nx-real_ip: 6.6.6.6\r\n\
                       X_FORWARDED_HOST: evil\r\nX_Other: kept\r\n\r\n";

#[tokio::test]
async fn a_stranger_is_not_believed() {
    let origin = Origin::named("ok").await;
    let edge = Deepwater::fronting(&origin).await;
    edge.ask(SPOOFED).await;
    let request = origin.only_request();
    assert_eq!(request.get("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(request.get("x-forwarded-proto"), Some("http"));
    assert_eq!(request.get("x-forwarded-host"), Some("a"));
    let spoofed = |(_, value): &&(String, String)| value.contains("6.6.6.6") || value == "evil";
    assert!(request.head.fields.iter().find(spoofed).is_none(), "{:?}", request.head);
    assert_eq!(request.get("x-forwarded-port"), None);
    assert_eq!(request.get("x_other"), Some("kept"));
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_and_extended() {
    let origin = Origin::named("ok").await;
    let listen = LISTEN.replace("workers = 1", "workers = 1\ntrusted_proxies = [\"127.0.0.0/8\"]");
    let show = "request_headers = { set = { X-Client = \"{client_ip}\" } }\n";
    let edge = Deepwater::start(&format!("{listen}{ROUTE}{show}{}", pool("app", &[origin.address]))).await;
    edge.ask(SPOOFED).await;
    let request = origin.only_request();
    assert_eq!(request.get("x-forwarded-for"), Some("6.6.6.6, 127.0.0.1"));
    assert_eq!(request.get("x-forwarded-proto"), Some("https"));
    assert_eq!(request.get("x-forwarded-host"), Some("evil"));
    let forwarded = request.all("forwarded").join(", ");
    assert_eq!(forwarded, "for=6.6.6.6, for=127.0.0.1;proto=http;host=\"a\"");
    assert_eq!(request.get("x-client"), Some("6.6.6.6"));
    // What CGI would take for the same came past the proxy, not from it.
    let disguised = ["x_forwarded_for", "x-real_ip", "x_forwarded_host"];
    assert!(disguised.iter().all(|name| request.get(name).is_none()), "{:?}", request.head);
}

#[tokio::test]
async fn a_request_id_is_kept_or_given() {
    let origin = Origin::named("ok").await;
    let edge = Deepwater::fronting(&origin).await;
    edge.ask("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine-1\r\n\r\n").await;
    edge.ask("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: not mine <script>\r\n\r\n").await;
    edge.get("/").await;
    edge.get("/").await;
    let ids: Vec<_> =
        origin.heard().iter().map(|request| request.get("x-request-id").unwrap().to_owned()).collect();
    assert_eq!(ids[0], "mine-1");
    for id in &ids[1..] {
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    }
    assert!(ids[1] != ids[2] && ids[2] != ids[3]);
}

#[tokio::test]
async fn a_trace_is_kept_or_started() {
    let origin = Origin::named("ok").await;
    let edge = Deepwater::fronting(&origin).await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    edge.ask(format!("GET / HTTP/1.1\r\nHost: a\r\ntraceparent: {parent}\r\ntracestate: a=b\r\n\r\n")).await;
    edge.ask("GET / HTTP/1.1\r\nHost: a\r\ntraceparent: nonsense\r\ntracestate: a=b\r\n\r\n").await;
    let requests = origin.heard();
    let trace = |n: usize| requests[n].get("traceparent").unwrap();
    assert_eq!(trace(0).split('-').nth(1), parent.split('-').nth(1), "the trace id stays");
    assert_eq!(requests[0].get("tracestate"), Some("a=b"));
    let parts: Vec<_> = trace(1).split('-').map(str::len).collect();
    assert_eq!(parts, [2, 32, 16, 2], "{}", trace(1));
    assert_eq!(requests[1].get("tracestate"), None, "it belonged to a trace that is not");
}

#[tokio::test]
async fn the_pool_decides_which_host_the_origin_sees() {
    let origin = Origin::named("ok").await;
    let routes = "[[edge.route]]\nmatch = { path = \"/target\" }\npool = \"target\"\n\
                  [[edge.route]]\nmatch = { path = \"/fixed\" }\npool = \"fixed\"\n";
    let pools = format!(
        "{}host = \"target\"\n{}host = \"app.internal\"\n",
        pool("target", &[origin.address]),
        pool("fixed", &[origin.address])
    );
    let edge = Deepwater::start(&format!("{LISTEN}{routes}{pools}")).await;
    edge.get("/target").await;
    edge.get("/fixed").await;
    let requests = origin.heard();
    assert_eq!(requests[0].get("host"), Some(origin.address.to_string().as_str()));
    assert_eq!(requests[1].get("host"), Some("app.internal"));
    // The client's own word is not lost.
    assert_eq!(requests[1].get("x-forwarded-host"), Some("shop.example"));
}

#[tokio::test]
async fn an_answer_has_a_date_once() {
    let origin = Origin::answering(|request| match request.target() {
        "/dated" => {
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n".to_owned()
        }
        _ => ok(""),
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    assert_eq!(edge.get("/dated").await.get("date"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    assert!(edge.get("/").await.get("date").is_some_and(|date| date.len() == 29));
}

#[tokio::test]
async fn several_fields_of_one_name_stay_several() {
    let origin = Origin::answering(|_| {
        "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2, c\r\nContent-Length: 0\r\n\r\n".into()
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let answer = edge.ask("GET / HTTP/1.1\r\nHost: a\r\nAccept: x\r\nAccept: y\r\n\r\n").await;
    assert_eq!(answer.all("set-cookie"), ["a=1", "b=2, c"]);
    assert_eq!(origin.only_request().all("accept"), ["x", "y"]);
}
