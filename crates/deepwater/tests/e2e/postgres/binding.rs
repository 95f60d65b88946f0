//! SCRAM-SHA-256-PLUS: a login holds for the one TLS connection it was made over, on both sides of the pooler.

use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA512};

use super::encryption::{connect, encrypted_by};
use crate::support::Authority;
use crate::support::pg_wire::{Pg, Reply};
use crate::support::postgres::{Database, Eavesdropper, Place, Pooler, Setup, Version, psql_over};

/// What a client or the pooler says that binds its login.
const PLUS: &str = "SCRAM-SHA-256-PLUS\0";
const END_POINT: &str = "p=tls-server-end-point,";

const WHO: &str = "SELECT current_user";

#[tokio::test]
async fn libpq_binds_its_logins() {
    // What is bound to is a hash of the certificate, by the algorithm it was signed by.
    for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_RSA_SHA512] {
        let (_database, pooler, place) = encrypted_by(&Authority::signing_by(algorithm), "require", "").await;
        let root = format!("sslrootcert={}", pooler.home().path("ca.pem").display());
        for options in [
            vec!["sslmode=require"],
            vec!["sslmode=verify-full", &root],
            vec!["sslmode=verify-full", &root, "channel_binding=require"],
            vec!["sslmode=verify-full", &root, "channel_binding=disable"],
            vec!["sslmode=verify-full", &root, "sslnegotiation=direct", "channel_binding=require"],
        ] {
            let told = connect(&place, &options).await;
            assert_eq!(told, format!("{} encrypted", place.user), "{options:?}");
        }
        assert!(connect(&place, &["sslmode=disable"]).await.starts_with("refused:"));
        // The distribution's, which is older.
        let options = format!("sslmode=verify-full {root} channel_binding=require");
        assert_eq!(psql_over(&place, &options, WHO).await.good().trim(), place.user);
        let told = psql_over(&place.by(&place.user, "wrong"), &options, WHO).await;
        assert!(told.stderr.contains("password authentication failed"), "{}", told.stderr);
    }
}

#[tokio::test]
async fn who_insists_on_it_gives_no_other_proof() {
    for method in ["md5", "plain", "trust"] {
        let auth = format!("method = \"{method}\"");
        let (_database, _pooler, place) = encrypted_by(&Authority::new(), "require", &auth).await;
        let told = psql_over(&place, "sslmode=require channel_binding=require", WHO).await;
        assert!(told.stderr.contains("channel binding"), "{method}: {}", told.stderr);
        psql_over(&place, "sslmode=require channel_binding=prefer", WHO).await.good();
    }
}

#[tokio::test]
async fn nobody_logs_in_to_the_pooler_with_what_he_overhears() {
    let authority = Authority::new();
    let (_database, pooler, place) = encrypted_by(&authority, "require", "").await;
    // What the client does not look at is whose certificate it is.
    let own = Authority::new().issue(&["127.0.0.1"]);
    let between = Eavesdropper::before(pooler.address, &authority, &own).await;
    let place = place.at(between.address);
    // The proof alone would be as good here as there.
    let told = psql_over(&place, "sslmode=require channel_binding=disable", WHO).await;
    assert_eq!(told.good().trim(), place.user);
    assert!(between.has_heard(WHO) && !between.has_heard(PLUS));
    for wish in ["prefer", "require"] {
        let told = psql_over(&place, &format!("sslmode=require channel_binding={wish}"), WHO).await;
        assert!(told.stderr.contains("SCRAM channel binding check failed"), "{}", told.stderr);
        assert!(between.has_heard(PLUS) && between.has_heard(END_POINT));
    }
    pooler.log_line("SCRAM channel binding check failed").await;
    // Whoever could bind the login and is not offered to says so, and is understood.
    let striking = Eavesdropper::striking(pooler.address, &authority, &own).await;
    let place = place.at(striking.address);
    let told = psql_over(&place, "sslmode=require channel_binding=prefer", WHO).await;
    assert!(told.stderr.contains("channel binding negotiation error"), "{}", told.stderr);
    let told = psql_over(&place, "sslmode=require channel_binding=require", WHO).await;
    assert_ne!(told.code, Some(0), "{}", told.stderr);
    assert!(!striking.has_heard(PLUS) && !striking.has_heard(WHO));
}

/// A pooler that reaches a database through somebody else.
async fn through(between: &Eavesdropper, database: &Database, tls: &str, authority: &Authority) -> Pooler {
    let name = &database.database;
    let server = format!("[postgres.databases.{name}]\nprimary = \"postgres://{}/{name}\"", between.address);
    let setup = Setup::new().section(&format!("[postgres.server_tls]\n{tls}")).section(&server);
    let setup = setup.user(&database.user, &database.password).file("ca.pem", &authority.pem());
    setup.start().await
}

/// What a first query comes to.
async fn told(place: &Place) -> Vec<Reply> {
    match Pg::try_login(place).await {
        Ok(mut session) => session.query_or_end(WHO).await,
        Err(refused) => vec![refused],
    }
}

#[tokio::test]
async fn the_pooler_binds_its_logins_to_servers() {
    for (version, algorithm) in [
        (Version::Distribution, &PKCS_ECDSA_P256_SHA256),
        (Version::Distribution, &PKCS_RSA_SHA512),
        (Version::Newest, &PKCS_ECDSA_P384_SHA384),
    ] {
        let authority = Authority::signing_by(algorithm);
        let shown = authority.issue(&["127.0.0.1"]);
        let server = version.encrypted(&shown, None, "hostssl all all 127.0.0.1/32 scram-sha-256").await;
        let database = server.database().await;

        // One who has the server's own certificate and key hears what is said, and makes no difference.
        let listening = Eavesdropper::before(database.address, &authority, &shown).await;
        let strict = "mode = \"verify-full\"\nca = \"ca.pem\"";
        let pooler = through(&listening, &database, strict, &authority).await;
        assert_eq!(Pg::login(&pooler.place(&database)).await.value(WHO).await, database.user);
        assert!(listening.has_heard(PLUS) && listening.has_heard(END_POINT));
        let line = server.log_line(&format!("connection authorized: user={}", database.user)).await;
        assert!(line.contains("SSL enabled"), "{line}");

        // One who has another is let in by a pooler that looks at no certificate, and gets nowhere with its proof.
        let own = Authority::new().issue(&["127.0.0.1"]);
        for (between, why) in [
            (
                Eavesdropper::before(database.address, &authority, &own).await,
                "SCRAM channel binding check failed",
            ),
            (
                Eavesdropper::striking(database.address, &authority, &own).await,
                "SCRAM channel binding negotiation error",
            ),
        ] {
            let pooler = through(&between, &database, "mode = \"require\"", &authority).await;
            let told = told(&pooler.place(&database)).await;
            assert!(told.iter().any(|reply| reply.tag == b'E'), "{told:?}");
            let line = pooler.log_line("server_connect_failed").await;
            assert!(line.contains(why) && !line.contains(&database.password), "{line}");
            server.log_line(why).await;
            assert!(!between.has_heard(WHO));
            // One that looks does not even begin.
            let pooler = through(&between, &database, strict, &authority).await;
            assert!(told_nothing(&pooler, &database).await.contains("TLS failed"));
        }
    }
}

/// Why there is no server.
async fn told_nothing(pooler: &Pooler, database: &Database) -> String {
    let told = told(&pooler.place(database)).await;
    assert!(told.iter().any(|reply| reply.tag == b'E'), "{told:?}");
    pooler.log_line("server_connect_failed").await
}

#[tokio::test]
async fn what_a_client_has_proved_is_bound_to_the_servers_connection() {
    // The pooler knows the secret alone: what logs it in is what a client's own login left, itself bound to another channel.
    let authority = Authority::new();
    let shown = authority.issue(&["127.0.0.1"]);
    let rules = "hostssl all all 127.0.0.1/32 scram-sha-256";
    let server = Version::Newest.encrypted(&shown, None, rules).await;
    let database = server.database().await;
    let secret = format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{}'", database.user);
    let secret = database.admin().await.value(&secret).await;

    let between = Eavesdropper::before(database.address, &authority, &shown).await;
    let name = &database.database;
    let server = format!("[postgres.databases.{name}]\nprimary = \"postgres://{}/{name}\"", between.address);
    let tls = "[postgres.tls]\nmode = \"require\"\ncert = \"cert.pem\"\nkey = \"key.pem\"\n\
               [postgres.server_tls]\nmode = \"verify-full\"\nca = \"ca.pem\"";
    let clients = Authority::new().issue(&["127.0.0.1"]);
    let setup = Setup::new().section(tls).section(&server).user(&database.user, &secret);
    let setup = setup.file("cert.pem", &clients.cert).file("key.pem", &clients.key);
    let pooler = setup.file("ca.pem", &authority.pem()).start().await;
    let told =
        psql_over(&pooler.place(&database), "sslmode=require channel_binding=require", WHO).await.good();
    assert_eq!(told.trim(), database.user);
    assert!(between.has_heard(PLUS));
}
