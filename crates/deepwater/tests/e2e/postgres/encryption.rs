//! TLS on both sides: for who asks, for who must, and nothing beside it.

use crate::support::pg_wire::{Pg, say};
use crate::support::postgres::{Database, Place, Pooler, Setup, Version, python};
use crate::support::{Authority, Identity};

/// A pooler that speaks TLS, and a file of who signed its certificate.
async fn encrypted(mode: &str) -> (Database, Pooler, Place) {
    encrypted_by(&Authority::new(), mode, "").await
}

/// The same with an authority's certificate, and keys of `[postgres.auth]`.
pub(super) async fn encrypted_by(authority: &Authority, mode: &str, auth: &str) -> (Database, Pooler, Place) {
    let database = Version::Newest.database().await;
    let Identity { cert, key } = authority.issue(&["localhost", "127.0.0.1"]);
    let tls = format!("[postgres.tls]\nmode = \"{mode}\"\ncert = \"cert.pem\"\nkey = \"key.pem\"");
    let setup = Setup::new().auth(auth).database(&database, "").section(&tls);
    let setup = setup.file("cert.pem", &cert).file("key.pem", &key).file("ca.pem", &authority.pem());
    let pooler = setup.start().await;
    let place = pooler.place(&database);
    (database, pooler, place)
}

/// As whom and how libpq connects, with these options.
pub(super) async fn connect(place: &Place, options: &[&str]) -> String {
    python(place, "connect.py", options).await.good().trim().to_owned()
}

#[tokio::test]
async fn tls_is_for_who_asks_unless_it_is_demanded() {
    let (_database, _pooler, place) = encrypted("allow").await;
    assert_eq!(connect(&place, &["sslmode=disable"]).await, format!("{} plain", place.user));
    assert_eq!(connect(&place, &["sslmode=require"]).await, format!("{} encrypted", place.user));
    let database = Version::Newest.database().await;
    let pooler = Pooler::before(&database, "").await;
    let place = pooler.place(&database);
    assert_eq!(connect(&place, &["sslmode=prefer"]).await, format!("{} plain", place.user));
    assert!(connect(&place, &["sslmode=require"]).await.starts_with("refused:"));
    let mut session = Pg::dial(&place).await;
    session.say(say::gss_request()).await;
    assert_eq!(session.byte().await, Some(b'N'));
    session.say(say::ssl_request()).await;
    assert_eq!(session.byte().await, Some(b'N'));
    session.begin(&place, &[]).await.unwrap();
}

#[tokio::test]
async fn nothing_that_was_said_in_clear_is_taken_for_encrypted() {
    // CVE-2021-23222 and -23214: bytes before the handshake, as if they came after it.
    let (_database, _pooler, place) = encrypted("allow").await;
    let mut session = Pg::dial(&place).await;
    let own = [("user", place.user.as_str()), ("database", place.database.as_str())];
    session.say([say::ssl_request(), say::startup(0, &own)].concat()).await;
    // Whatever comes, it is no answer to the packet: at most the byte that begins TLS, and an alert.
    let heard = session.bytes_until_closed().await;
    assert!(heard.first().is_none_or(|byte| *byte == b'S' || *byte == b'E'), "{heard:?}");
    assert!(!heard.windows(9).any(|part| part.starts_with(b"R\0\0\0")), "{heard:?}");
}

#[tokio::test]
async fn servers_are_encrypted_and_checked_as_asked() {
    let authority = Authority::new();
    let shown = authority.issue(&["127.0.0.1"]);
    let server = Version::Newest.encrypted(&shown, None, "").await;
    let database = server.database().await;
    for (mode, ca, good) in [
        ("disable", None, false),
        ("prefer", None, true),
        ("require", None, true),
        ("verify-ca", Some(authority.pem()), true),
        ("verify-full", Some(authority.pem()), true),
        ("verify-full", Some(Authority::new().pem()), false),
    ] {
        let file = if ca.is_some() { "ca = \"ca.pem\"" } else { "" };
        let section = format!("[postgres.server_tls]\nmode = \"{mode}\"\n{file}");
        let timeouts = "[postgres.timeouts]\nmax_wait = \"2s\"";
        let mut setup = Setup::new().with(timeouts).database(&database, "").section(&section);
        if let Some(ca) = &ca {
            setup = setup.file("ca.pem", ca);
        }
        let pooler = setup.start().await;
        let place = pooler.place(&database);
        let told = match Pg::try_login(&place).await {
            Ok(mut session) => {
                session.query_or_end("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").await
            }
            Err(refused) => vec![refused],
        };
        let encrypted = told.iter().any(|reply| reply.to_string() == r#"Row ["t"]"#);
        assert_eq!(encrypted, good, "{mode}: {told:?}");
        assert!(good || told.iter().any(|reply| reply.tag == b'E'), "{mode}: {told:?}");
    }
}
