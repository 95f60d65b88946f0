//! TLS towards clients and towards origins.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::support::{
    Authority, Deepwater, Ending, H2Client, Home, Identity, LISTEN, Origin, ROUTE, Wire, ok, pool, soon,
};

/// A directory with this certificate as `cert.pem` and `key.pem`.
fn home_of(identity: &Identity) -> Home {
    let home = Home::new();
    write(&home, "", identity);
    home
}

fn write(home: &Home, prefix: &str, identity: &Identity) {
    home.write(&format!("{prefix}cert.pem"), &identity.cert);
    home.write(&format!("{prefix}key.pem"), &identity.key);
}

/// A TLS listener with further keys, in front of an origin.
fn config(listen: &str, origin: &Origin) -> String {
    format!(
        "{LISTEN}tls = {{ cert = \"cert.pem\", key = \"key.pem\" }}\n{listen}{ROUTE}{}",
        pool("app", &[origin.address])
    )
}

#[tokio::test]
async fn requests_come_over_tls() {
    let (authority, origin) = (Authority::new(), Origin::named("secret").await);
    let identity = authority.issue(&["shop.example"]);
    let edge = Deepwater::start_in(home_of(&identity), &config("", &origin)).await;
    edge.log_line("(https)").await;

    let stream = authority.connect(edge.dial(0).await, "shop.example", &["http/1.1"]).await;
    assert!(identity.was_shown_on(&stream));
    let mut client = Wire::new(stream);
    assert_eq!(client.get("/").await.text(), "secret");
    assert_eq!(client.get("/").await.text(), "secret");
    client.finish().await;
    let closed = client.closes().await;
    assert!(!closed.reset, "it ends with close_notify");

    let request = &origin.heard()[0];
    assert_eq!(request.get("x-forwarded-proto"), Some("https"));
    assert_eq!(request.get("forwarded"), Some("for=127.0.0.1;proto=https;host=\"shop.example\""));
}

#[tokio::test]
async fn the_protocol_is_agreed_on() {
    let (authority, origin) = (Authority::new(), Origin::named("ok").await);
    let home = home_of(&authority.issue(&["shop.example"]));
    let edge = Deepwater::start_in(home, &config("", &origin)).await;
    for (offered, chosen) in [
        (&["h2", "http/1.1"][..], Some(&b"h2"[..])),
        (&["http/1.1", "h2"], Some(b"h2")),
        (&["http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let stream = authority.connect(edge.dial(0).await, "shop.example", offered).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen, "{offered:?}");
    }
    let stream = authority.connect(edge.dial(0).await, "shop.example", &["h2"]).await;
    let answer = H2Client::over(stream).await.get("/").await;
    assert_eq!((answer.head.status().as_u16(), answer.body), (200, b"ok".to_vec()));
}

#[tokio::test]
async fn http2_can_be_switched_off() {
    let (authority, origin) = (Authority::new(), Origin::named("ok").await);
    let home = home_of(&authority.issue(&["shop.example"]));
    let edge = Deepwater::start_in(home, &config("http2 = false\n", &origin)).await;
    let stream = authority.connect(edge.dial(0).await, "shop.example", &["h2", "http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(Wire::new(stream).get("/").await.text(), "ok");
}

#[tokio::test]
async fn the_name_decides_the_certificate() {
    let (authority, origin) = (Authority::new(), Origin::named("ok").await);
    let shop = authority.issue(&["shop.example"]);
    let others = authority.issue(&["*.other.example"]);
    let home = home_of(&shop);
    write(&home, "other-", &others);
    let certificates = "tls = [{ cert = \"cert.pem\", key = \"key.pem\" }, \
                        { cert = \"other-cert.pem\", key = \"other-key.pem\" }]\n";
    let edge = Deepwater::start_in(
        home,
        &format!("{LISTEN}{certificates}{ROUTE}{}", pool("app", &[origin.address])),
    )
    .await;
    for (name, identity) in [("shop.example", &shop), ("a.other.example", &others)] {
        let stream = authority.connect(edge.dial(0).await, name, &[]).await;
        assert!(identity.was_shown_on(&stream), "{name}");
    }
}

#[tokio::test]
async fn a_changed_certificate_is_taken_up_without_a_restart() {
    let (authority, origin) = (Authority::new(), Origin::named("ok").await);
    let (old, new) = (authority.issue(&["shop.example"]), authority.issue(&["shop.example"]));
    let edge = Deepwater::start_in(home_of(&old), &config("", &origin)).await;
    let before = authority.connect(edge.dial(0).await, "shop.example", &[]).await;
    assert!(old.was_shown_on(&before));
    let mut before = Wire::new(before);
    assert_eq!(before.get("/").await.text(), "ok");

    write(edge.home(), "", &new);
    edge.log_line("certificate_reloaded").await;
    let after = authority.connect(edge.dial(0).await, "shop.example", &[]).await;
    assert!(new.was_shown_on(&after));
    assert_eq!(before.get("/").await.text(), "ok", "connections under way go on");
}

#[tokio::test]
async fn a_changed_certificate_that_is_wrong_changes_nothing() {
    let (authority, origin) = (Authority::new(), Origin::named("ok").await);
    let identity = authority.issue(&["shop.example"]);
    let edge = Deepwater::start_in(home_of(&identity), &config("", &origin)).await;
    edge.home().write("key.pem", &authority.issue(&["shop.example"]).key);
    let line = edge.log_line("certificate_rejected").await;
    assert!(line.contains("key"), "{line}");
    let stream = authority.connect(edge.dial(0).await, "shop.example", &[]).await;
    assert!(identity.was_shown_on(&stream));
}

#[tokio::test]
async fn tls_versions() {
    let (authority, origin) = (Authority::new(), Origin::named("ok").await);
    let identity = authority.issue(&["shop.example"]);
    for (listen, old_is_welcome) in [("", true), ("tls_min = \"1.3\"\n", false)] {
        let edge = Deepwater::start_in(home_of(&identity), &config(listen, &origin)).await;
        let name = ServerName::try_from("shop.example").unwrap();
        let old = authority.client(&[&TLS12], &[]).connect(name.clone(), edge.dial(0).await);
        assert_eq!(soon("a handshake", old).await.is_ok(), old_is_welcome, "{listen:?}");
        let new = authority.client(&[&TLS13], &[]).connect(name, edge.dial(0).await);
        assert!(soon("a handshake", new).await.is_ok());
    }
}

#[tokio::test]
async fn sessions_are_resumed() {
    use rustls::HandshakeKind::{Full, Resumed};
    let (authority, origin) = (Authority::new(), Origin::named("ok").await);
    let edge = Deepwater::start_in(home_of(&authority.issue(&["shop.example"])), &config("", &origin)).await;
    for version in [&TLS12, &TLS13] {
        let client = authority.client(&[version], &[]);
        for kind in [Full, Resumed] {
            let name = ServerName::try_from("shop.example").unwrap();
            let stream = soon("a handshake", client.connect(name, edge.dial(0).await)).await.unwrap();
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(kind), "{version:?}");
            // Tickets come behind the handshake.
            assert_eq!(Wire::new(stream).get("/").await.text(), "ok");
        }
    }
}

#[tokio::test]
async fn cleartext_on_a_tls_listener_is_closed() {
    let (authority, origin) = (Authority::new(), Origin::named("ok").await);
    let edge = Deepwater::start_in(home_of(&authority.issue(&["shop.example"])), &config("", &origin)).await;
    let mut client = edge.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.closes().await;
    assert!(origin.heard().is_empty());
}

#[tokio::test]
async fn a_listener_can_redirect_to_https() {
    let origin = Origin::named("ok").await;
    let edge = Deepwater::start(&format!(
        "{LISTEN}redirect_https = true\n{ROUTE}{}",
        pool("app", &[origin.address])
    ))
    .await;
    let answer = edge.ask("GET /cart?id=7 HTTP/1.1\r\nHost: shop.example:8080\r\n\r\n").await;
    assert_eq!((answer.status(), answer.get("location")), (308, Some("https://shop.example/cart?id=7")));
    assert!(origin.heard().is_empty());
}

#[tokio::test]
async fn an_answer_that_breaks_off_does_not_end_with_a_goodbye() {
    // To HTTP/1.0 the end of the connection is the end of the body; over TLS only a missing close_notify can tell
    // that it came too early (RFC 9112 §9.8).
    let (authority, seen) = (Authority::new(), Arc::<Notify>::default());
    let origin = {
        let seen = Arc::clone(&seen);
        Origin::scripted(move |mut visit| {
            let seen = Arc::clone(&seen);
            async move {
                visit.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n").await;
                seen.notified().await;
            }
        })
        .await
    };
    let edge = Deepwater::start_in(home_of(&authority.issue(&["shop.example"])), &config("", &origin)).await;
    let mut client = Wire::new(authority.connect(edge.dial(0).await, "shop.example", &[]).await);
    client.send("GET / HTTP/1.0\r\nHost: shop.example\r\n\r\n").await;
    let head = client.head().await;
    seen.notify_one();
    let answer = client.body_of(head, true).await;
    assert_eq!(answer.ending, Ending::Broken, "{answer:?}");
}

#[tokio::test]
async fn tls_can_be_taken_off_for_any_protocol() {
    let (authority, origin) = (Authority::new(), Origin::echo().await);
    let listen = "protocol = \"tcp\"\npool = \"app\"\ntls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
    let edge = Deepwater::start_in(
        home_of(&authority.issue(&["db.example"])),
        &format!("{LISTEN}{listen}{}", pool("app", &[origin.address])),
    )
    .await;
    let mut client = Wire::new(authority.connect(edge.dial(0).await, "db.example", &[]).await);
    client.send("bytes").await;
    assert_eq!(client.bytes(5).await, b"bytes");
    client.finish().await;
    assert!(client.closes().await.rest.is_empty());
}

/// An edge whose pool speaks TLS to an origin, with these keys under `tls`.
async fn towards(origin: &Origin, home: Home, tls: &str) -> Deepwater {
    let target = format!("[pools.app]\ntargets = [\"https://{}\"]\ntls = {{ {tls} }}\n", origin.address);
    Deepwater::start_in(home, &format!("{LISTEN}{ROUTE}{target}")).await
}

#[tokio::test]
async fn a_secure_origin_is_verified() {
    let authority = Authority::new();
    let origin =
        Origin::secure(authority.issue(&["127.0.0.1"]).acceptor(&[], None), |_| ok("verified")).await;
    let home = Home::new();
    home.write("ca.pem", authority.pem());
    let edge = towards(&origin, home, "ca = \"ca.pem\"").await;
    let mut client = edge.client().await;
    assert_eq!(client.get("/").await.text(), "verified");
    assert_eq!(client.get("/").await.text(), "verified");
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn an_origin_that_cannot_be_trusted_gets_no_request() {
    let authority = Authority::new();
    let certificates = [
        ("of a stranger", Authority::new().issue(&["127.0.0.1"])),
        ("for another name", authority.issue(&["other.example"])),
    ];
    for (what, identity) in certificates {
        let origin = Origin::secure(identity.acceptor(&[], None), |_| ok("trust me")).await;
        let home = Home::new();
        home.write("ca.pem", authority.pem());
        let edge = towards(&origin, home, "ca = \"ca.pem\"").await;
        let answer = edge.get("/").await;
        assert_eq!(answer.status(), 502, "{what}");
        assert_eq!(answer.get("proxy-status"), Some("deepwater; error=tls_certificate_error"), "{what}");
        assert!(origin.heard().is_empty(), "{what}");
    }
}

#[tokio::test]
async fn the_systems_authorities_do_not_vouch_for_everybody() {
    let origin =
        Origin::secure(Authority::new().issue(&["127.0.0.1"]).acceptor(&[], None), |_| ok("hi")).await;
    let edge = towards(&origin, Home::new(), "").await;
    assert_eq!(edge.get("/").await.status(), 502);
}

#[tokio::test]
async fn the_name_to_verify_can_be_given() {
    let authority = Authority::new();
    let origin =
        Origin::secure(authority.issue(&["app.internal"]).acceptor(&[], None), |_| ok("verified")).await;
    let home = Home::new();
    home.write("ca.pem", authority.pem());
    let edge = towards(&origin, home, "ca = \"ca.pem\", server_name = \"app.internal\"").await;
    assert_eq!(edge.get("/").await.text(), "verified");
}

#[tokio::test]
async fn we_can_show_a_certificate_of_our_own() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let acceptor = authority.issue(&["127.0.0.1"]).acceptor(&[], Some(&clients));
    let origin = Origin::secure(acceptor, |_| ok("I know you")).await;

    let home = home_of(&clients.issue(&["edge.internal"]));
    home.write("ca.pem", authority.pem());
    let known = towards(&origin, home, "ca = \"ca.pem\", cert = \"cert.pem\", key = \"key.pem\"").await;
    assert_eq!(known.get("/").await.text(), "I know you");

    let home = Home::new();
    home.write("ca.pem", authority.pem());
    let unknown = towards(&origin, home, "ca = \"ca.pem\"").await;
    assert_eq!(unknown.get("/").await.status(), 502);
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn an_origin_without_tls_gets_no_cleartext() {
    let origin = Origin::scripted(|mut visit| async move {
        assert!(!visit.some_bytes().await.starts_with(b"GET"));
        visit.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
    })
    .await;
    let edge = towards(&origin, Home::new(), "").await;
    let answer = edge.get("/").await;
    assert_eq!(answer.status(), 502);
    assert_eq!(answer.get("proxy-status"), Some("deepwater; error=tls_protocol_error"));
}

#[tokio::test]
async fn a_secure_origin_that_leaves_without_a_goodbye_has_broken_off() {
    // A body without a length ends with the connection: over TLS an end without close_notify is a cut (RFC 9112 §9.8).
    let authority = Authority::new();
    let acceptor = authority.issue(&["127.0.0.1"]).acceptor(&[], None);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let visits = tokio::spawn(async move {
        for goodbye in [true, false] {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut tls = acceptor.accept(tcp).await.unwrap();
            let mut seen = [0; 4_096];
            let _ = tls.read(&mut seen).await.unwrap();
            tls.write_all(b"HTTP/1.1 200 OK\r\n\r\nsome of it").await.unwrap();
            tls.flush().await.unwrap();
            match goodbye {
                true => tls.shutdown().await.unwrap(),
                false => tls.get_mut().0.shutdown().await.unwrap(),
            }
        }
    });
    let home = Home::new();
    home.write("ca.pem", authority.pem());
    let target = format!("[pools.app]\ntargets = [\"https://{address}\"]\ntls = {{ ca = \"ca.pem\" }}\n");
    let edge = Deepwater::start_in(home, &format!("{LISTEN}{ROUTE}{target}")).await;
    let whole = edge.get("/").await;
    assert_eq!((whole.text(), whole.ending), ("some of it", Ending::Whole));
    // Where nothing had been passed on yet, the client is told instead.
    let cut = edge.get("/").await;
    assert!(cut.ending == Ending::Broken || cut.status() == 502, "{cut:?}");
    visits.await.unwrap();
}
