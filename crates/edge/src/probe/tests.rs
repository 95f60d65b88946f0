//! Checks of servers that answer in every way there is.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, UnixListener};
use tokio::task::JoinHandle;

use super::*;

const PLENTY: Duration = Duration::from_secs(20);

fn health(status: &str, json: &[(&str, &str)]) -> Health {
    let json = json
        .iter()
        .map(|(path, value)| ((*path).to_owned(), (*value).to_owned()))
        .collect::<BTreeMap<_, _>>();
    Health { path: "/health".into(), status: status.into(), json, ..Health::default() }
}

async fn check(health: &Health, address: SocketAddr) -> Report {
    let probe = HttpProbe::new(health, OriginProtocol::Http1, ProxyProtocolOut::Off, None).unwrap();
    probe.check("app.internal:3000", &Endpoint::Tcp(address), Instant::now() + PLENTY).await
}

/// Reads a request and answers it with these bytes; gives the request.
async fn answer_with(mut io: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8]) -> String {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        assert_ne!(io.read_buf(&mut request).await.unwrap(), 0, "the whole request");
    }
    io.write_all(answer).await.unwrap();
    io.shutdown().await.unwrap();
    String::from_utf8_lossy(&request).into_owned()
}

/// A server that answers one connection with these bytes.
async fn server(answer: &str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, answer) = (listener.local_addr().unwrap(), answer.to_owned());
    let served = tokio::spawn(async move {
        let (io, _) = listener.accept().await.unwrap();
        answer_with(io, answer.as_bytes()).await
    });
    (address, served)
}

async fn report(health: &Health, answer: &str) -> Report {
    let (address, _served) = server(answer).await;
    check(health, address).await
}

#[tokio::test]
async fn a_good_status_is_well() {
    let (address, served) = server("HTTP/1.1 204 No Content\r\n\r\n").await;
    let report = check(&health("200-299", &[]), address).await;
    assert!(
        report.healthy && report.detail.starts_with("204 in ") && report.detail.ends_with(" ms"),
        "{report:?}"
    );
    assert_eq!(
        served.await.unwrap(),
        "GET /health HTTP/1.1\r\nHost: app.internal:3000\r\nUser-Agent: deepwater/health\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    );
}

#[tokio::test]
async fn a_server_that_expects_the_proxy_protocol_gets_it() {
    let (address, served) = server("HTTP/1.1 200 OK\r\n\r\n").await;
    let probe =
        HttpProbe::new(&health("200", &[]), OriginProtocol::Http1, ProxyProtocolOut::V1, None).unwrap();
    assert!(probe.check("app:80", &Endpoint::Tcp(address), Instant::now() + PLENTY).await.healthy);
    let request = served.await.unwrap();
    assert!(
        request.starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 ") && request.contains("\r\nGET /health "),
        "{request}"
    );
}

#[tokio::test]
async fn the_configured_host_is_sent() {
    let (address, served) = server("HTTP/1.1 200 OK\r\n\r\n").await;
    check(&Health { host: Some("shop.example".into()), ..health("200", &[]) }, address).await;
    assert!(served.await.unwrap().contains("\r\nHost: shop.example\r\n"));
}

#[tokio::test]
async fn other_statuses_are_not_and_redirects_are_not_followed() {
    for (answer, detail) in [
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n", "503: expected 200-299"),
        ("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n", "302: expected 200-299"),
        ("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 500 Error\r\n\r\n", "500: expected 200-299"),
    ] {
        let report = report(&health("200-299", &[]), answer).await;
        assert_eq!((report.healthy, &*report.detail), (false, detail));
    }
}

#[tokio::test]
async fn json_is_judged_however_it_is_framed() {
    let wanted = health("200", &[("status", "healthy")]);
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{\"status\": \"healthy\"}and more",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{\"status\":\r\na\r\n \"healthy\"\r\n1\r\n}\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\n{\"status\": \"healthy\"}",
    ] {
        let report = report(&wanted, answer).await;
        assert!(report.healthy, "{report:?}");
    }
    for (answer, detail) in [
        ("HTTP/1.1 200 OK\r\n\r\n{\"status\": \"ill\"}", "200: `status` is \"ill\": expected \"healthy\""),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200: the body is not JSON"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", "200: the body broke off"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n{", "200: the body is larger than 64 KiB"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "200: the body is malformed"),
    ] {
        let report = report(&wanted, answer).await;
        assert_eq!((report.healthy, &*report.detail), (false, detail));
    }
}

#[tokio::test]
async fn failing_checks_are_shown_whatever_the_status() {
    let body = r#"{"checks": {"database": "down", "disk": "ok"}}"#;
    for status in ["200 OK", "503 Service Unavailable"] {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\r\n{body}");
        let report = report(&health("200", &[]), &answer).await;
        assert_eq!(report.failing, ["database: down"]);
        assert_eq!(report.healthy, status.starts_with("200"));
    }
    let html = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 999999\r\n\r\n{body}");
    let report = report(&health("200", &[]), &html).await;
    assert!(report.healthy && report.failing.is_empty(), "nobody asked for that body: {report:?}");
}

#[tokio::test]
async fn servers_that_do_not_answer_are_told_apart() {
    for (answer, detail) in [
        ("", "closed the connection without an answer"),
        ("HTTP/1.1 200 OK\r\nX: ", "closed the connection without an answer"),
        ("SSH-2.0-OpenSSH\r\n", "the answer is not HTTP/1.1"),
    ] {
        let report = report(&health("200", &[]), answer).await;
        assert!(!report.healthy && report.detail.starts_with(detail), "{report:?}");
    }
    // Bound, so that nobody else gets the port, but not listening.
    let deaf = TcpSocket::new_v4().unwrap();
    deaf.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let report = check(&health("200", &[]), deaf.local_addr().unwrap()).await;
    assert_eq!((report.healthy, &*report.detail), (false, "connection refused"));
}

#[tokio::test]
async fn a_silent_server_is_given_up_at_the_deadline() {
    // Never accepted: the system alone completes the connection.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::Tcp(listener.local_addr().unwrap());
    tokio::time::pause();
    let probe =
        HttpProbe::new(&health("200", &[]), OriginProtocol::Http1, ProxyProtocolOut::Off, None).unwrap();
    let report = probe.check("app:1", &endpoint, Instant::now() + Duration::from_secs(2)).await;
    assert_eq!((report.healthy, &*report.detail), (false, "timed out after 2s"));
}

#[tokio::test]
async fn unix_sockets_are_checked_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let probe =
        HttpProbe::new(&health("200", &[]), OriginProtocol::Http1, ProxyProtocolOut::Off, None).unwrap();
    let endpoint = Endpoint::Unix(path);
    let (report, request) =
        tokio::join!(probe.check("unix:/run/app.sock", &endpoint, Instant::now() + PLENTY), async {
            answer_with(listener.accept().await.unwrap().0, b"HTTP/1.1 200 OK\r\n\r\n").await
        },);
    assert!(report.healthy, "{report:?}");
    assert!(request.contains("\r\nHost: localhost\r\n"), "{request}");
}

async fn answer_http2(io: impl AsyncRead + AsyncWrite + Unpin, body: &'static [u8]) -> http::Request<()> {
    let mut connection = h2::server::handshake(io).await.unwrap();
    let (request, mut respond) = connection.accept().await.unwrap().unwrap();
    let response = http::Response::builder().header("content-type", "application/json").body(()).unwrap();
    respond.send_response(response, false).unwrap().send_data(Bytes::from_static(body), true).unwrap();
    // Until the client has gone.
    assert!(connection.accept().await.is_none_or(|more| more.is_err()));
    request.map(drop)
}

#[tokio::test]
async fn http2_is_spoken_where_the_pool_does() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::Tcp(listener.local_addr().unwrap());
    let probe = HttpProbe::new(
        &health("200", &[("status", "ok")]),
        OriginProtocol::Http2,
        ProxyProtocolOut::Off,
        None,
    )
    .unwrap();
    let body = br#"{"status": "ok", "checks": {"cache": "cold"}}"#;
    let (report, request) = tokio::join!(probe.check("app:80", &endpoint, Instant::now() + PLENTY), async {
        answer_http2(listener.accept().await.unwrap().0, body).await
    },);
    assert!(report.healthy, "{report:?}");
    assert_eq!(report.failing, ["cache: cold"]);
    assert_eq!(request.uri(), "http://app/health");
    assert_eq!(request.headers()["user-agent"], "deepwater/health");
}

#[tokio::test]
async fn http2_with_a_server_that_does_not_speak_it_fails() {
    let (address, _served) = server("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let probe =
        HttpProbe::new(&health("200", &[]), OriginProtocol::Http2, ProxyProtocolOut::Off, None).unwrap();
    let report = probe.check("app:80", &Endpoint::Tcp(address), Instant::now() + PLENTY).await;
    assert!(!report.healthy && !report.detail.starts_with("timed out"), "{report:?}");
}

/// A server's TLS for `app.internal`, and a client's that trusts it.
fn tls(alpn: &[&[u8]]) -> (tokio_rustls::TlsAcceptor, Arc<ClientConfig>) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let made = rcgen::generate_simple_self_signed(["app.internal".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    server.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (Arc::new(server).into(), Arc::new(client))
}

/// A probe that speaks HTTP/2 over TLS to servers by the host of their name.
fn tls_probe(config: Arc<ClientConfig>) -> HttpProbe {
    let server_names = |target: &str| ServerName::try_from(target.split_once(':')?.0.to_owned()).ok();
    let tls = ProbeTls { config, server_names: Box::new(server_names) };
    HttpProbe::new(&health("200", &[]), OriginProtocol::Http2, ProxyProtocolOut::Off, Some(tls)).unwrap()
}

#[tokio::test]
async fn tls_is_verified_and_the_protocol_agreed_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::Tcp(listener.local_addr().unwrap());
    let deadline = Instant::now() + PLENTY;

    let (acceptor, client) = tls(&[b"h2"]);
    let probe = tls_probe(client);
    let (report, request) = tokio::join!(probe.check("app.internal:443", &endpoint, deadline), async {
        let tls = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        answer_http2(tls, b"{}").await
    });
    assert!(report.healthy, "{report:?}");
    assert_eq!(request.uri(), "https://app.internal/health");

    let (acceptor, client) = tls(&[b"http/1.1"]);
    let probe = tls_probe(client);
    let (report, request) = tokio::join!(probe.check("app.internal:443", &endpoint, deadline), async {
        let tls = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        answer_with(tls, b"HTTP/1.1 200 OK\r\n\r\n").await
    });
    assert!(report.healthy && request.contains("\r\nHost: app.internal\r\n"), "{report:?} {request}");

    let (report, refused) = tokio::join!(probe.check("other.internal:443", &endpoint, deadline), async {
        acceptor.accept(listener.accept().await.unwrap().0).await.is_err()
    });
    assert!(!report.healthy && report.detail.starts_with("TLS: "), "{report:?}");
    assert!(refused);
    let (report, _) = tokio::join!(probe.check("nameless", &endpoint, deadline), listener.accept());
    assert_eq!(report.detail, "TLS: no server name is known for nameless");
}
