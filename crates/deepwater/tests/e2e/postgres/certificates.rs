//! Certificates in place of passwords: clients' for the pooler, and the pooler's for servers.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::encryption::connect;
use crate::support::pg_wire::{Pg, say};
use crate::support::postgres::{Database, Place, Pooler, Setup, Version};
use crate::support::{Authority, Identity};

/// A pooler that asks for certificates, and everybody who tries.
struct Door {
    pooler: Pooler,
    place: Place,
}

impl Door {
    async fn new(mode: &str, auth: &str, rules: &str) -> Self {
        let database = Version::Newest.database().await;
        let authority = Authority::new();
        let tls = format!(
            "[postgres.tls]\nmode = \"{mode}\"\ncert = \"cert.pem\"\nkey = \"key.pem\"\nca = \"ca.pem\""
        );
        let names = format!("people robot {}\n", database.user);
        let mut setup = Setup::new().auth(auth).database(&database, "").section(&tls);
        setup = setup.file("ca.pem", &authority.pem()).file("rules.conf", rules).file("names.conf", &names);
        let user = database.user.as_str();
        for (name, Identity { cert, key }) in [
            ("cert", authority.issue(&["127.0.0.1"])),
            ("own", authority.issue_to(user)),
            ("other", authority.issue_to("somebody")),
            ("longer", authority.issue_to(&format!("{user}0"))),
            ("robot", authority.issue_to("robot")),
            ("expired", authority.issue_until(user, 2020)),
            ("foreign", Authority::new().issue_to(user)),
        ] {
            let key_file = if name == "cert" { "key.pem".into() } else { format!("{name}.key") };
            setup = setup.file(&format!("{name}.pem"), &cert).file(&key_file, &key);
        }
        let pooler = setup.start().await;
        let place = pooler.place(&database);
        Self { pooler, place }
    }

    /// What libpq says of a connection with a certificate.
    async fn with(&self, name: &str) -> String {
        let home = self.pooler.home();
        let (cert, key) = (home.path(&format!("{name}.pem")), home.path(&format!("{name}.key")));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let (cert, key) = (format!("sslcert={}", cert.display()), format!("sslkey={}", key.display()));
        connect(&self.place, &["sslmode=require", &cert, &key]).await
    }

    async fn without(&self) -> String {
        connect(&self.place, &["sslmode=require"]).await
    }
}

#[tokio::test]
async fn a_certificate_can_be_the_proof() {
    let rules = "hostssl all all 127.0.0.1/32 cert\n";
    let by_rule = "method = \"hba\"\nhba = \"rules.conf\"";
    for (mode, auth) in [
        ("verify_full", "method = \"cert\""),
        ("require", "method = \"cert\""),
        ("verify_full", by_rule),
        ("require", by_rule),
        ("allow", by_rule),
    ] {
        println!("{mode}, {auth}");
        let door = Door::new(mode, auth, rules).await;
        assert_eq!(door.with("own").await, format!("{} encrypted", door.place.user));
        for name in ["other", "longer", "robot"] {
            let told = door.with(name).await;
            assert!(told.contains("certificate authentication failed for user"), "{name}: {told}");
        }
        door.pooler.log_line("certificate is that of \"somebody\"").await;
        for name in ["foreign", "expired"] {
            let told = door.with(name).await;
            assert!(told.starts_with("refused:"), "{name}: {told}");
            assert!(!told.contains("certificate authentication failed"), "TLS fails: {name}: {told}");
        }
        let told = door.without().await;
        assert!(told.starts_with("refused:"), "no certificate at all: {told}");
        let told = connect(&door.place, &["sslmode=disable"]).await;
        assert!(told.starts_with("refused:"), "no TLS at all: {told}");
        assert_eq!(door.with("own").await, format!("{} encrypted", door.place.user));
    }
}

#[tokio::test]
async fn names_of_certificates_can_be_mapped_to_users() {
    let auth = "method = \"hba\"\nhba = \"rules.conf\"\nident = \"names.conf\"";
    let door = Door::new("require", auth, "hostssl all all 127.0.0.1/32 cert map=people\n").await;
    assert_eq!(door.with("robot").await, format!("{} encrypted", door.place.user));
    for name in ["own", "other"] {
        let told = door.with(name).await;
        assert!(told.contains("certificate authentication failed"), "{name}: {told}");
    }
    assert!(door.without().await.starts_with("refused:"));
}

#[tokio::test]
async fn a_certificate_that_must_be_shown_is_no_proof_by_itself() {
    let door = Door::new("verify_full", "", "").await;
    // Whoever is a client at all must still know the password.
    for name in ["own", "other"] {
        assert_eq!(door.with(name).await, format!("{} encrypted", door.place.user));
    }
    for name in ["foreign", "expired"] {
        assert!(door.with(name).await.starts_with("refused:"), "{name}");
    }
    assert!(door.without().await.starts_with("refused:"));
    let wrong = Door { place: door.place.by(&door.place.user, "wrong"), pooler: door.pooler };
    assert!(wrong.with("own").await.contains("password authentication failed"));
}

/// A pooler that shows a server a certificate, if it has one.
async fn showing(database: &Database, authority: &Authority, own: Option<&Identity>) -> Pooler {
    let mut tls = "[postgres.server_tls]\nmode = \"verify-full\"\nca = \"ca.pem\"\n".to_owned();
    let mut setup = Setup::new().with("pool_size = 1").database(database, "");
    setup = setup.file("ca.pem", &authority.pem());
    if let Some(Identity { cert, key }) = own {
        tls += "cert = \"own.pem\"\nkey = \"own.key\"\n";
        setup = setup.file("own.pem", cert).file("own.key", key);
    }
    setup.section(&tls).start().await
}

#[tokio::test]
async fn the_pooler_shows_its_certificate_to_servers() {
    for version in Version::ALL {
        for (rule, refusal) in [
            ("hostssl all all 127.0.0.1/32 cert", "certificate authentication failed for user"),
            // Here the password is right, and it is the certificate that fails it.
            (
                "hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-full",
                "password authentication failed for user",
            ),
        ] {
            let (servers, clients) = (Authority::new(), Authority::new());
            let server = version.encrypted(&servers.issue(&["127.0.0.1"]), Some(&clients), rule).await;
            let database = server.database().await;

            let own = clients.issue_to(&database.user);
            let pooler = showing(&database, &servers, Some(&own)).await;
            let mut session = Pg::login(&pooler.place(&database)).await;
            let seen = "SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
            assert!(session.value(seen).await.ends_with(&format!("/CN={}", database.user)));
            server.log_line(&format!("connection authorized: user={}", database.user)).await;
            // Requests to cancel are encrypted too, and ask for a certificate as well.
            session.say(say::query("SELECT pg_sleep(1000)")).await;
            database.sessions_become(1, "state = 'active' AND query LIKE '%pg_sleep%'").await;
            let mut cancelling = Pg::dial(&pooler.place(&database)).await;
            cancelling.say(say::cancel(session.pid, &session.key)).await;
            let told = session.hear_until(b'Z').await;
            assert!(told.iter().any(|reply| reply.tag == b'E' && reply.code() == "57014"), "{told:?}");

            let (other, foreign) = (clients.issue_to("somebody"), Authority::new().issue_to(&database.user));
            let expired = clients.issue_until(&database.user, 2020);
            for (shown, why) in [
                (Some(&other), refusal),
                (None, "connection requires a valid client certificate"),
                (Some(&foreign), ""),
                (Some(&expired), ""),
            ] {
                let pooler = showing(&database, &servers, shown).await;
                let place = pooler.place(&database);
                let told = match Pg::try_login(&place).await {
                    Ok(mut session) => session.query_or_end("SELECT 1").await,
                    Err(refused) => vec![refused],
                };
                assert!(told.iter().all(|reply| reply.tag != b'D'), "{told:?}");
                assert!(told.iter().any(|reply| reply.tag == b'E'), "{told:?}");
                let line = pooler.log_line("server_connect_failed").await;
                assert!(line.contains(why), "{why}: {line}");
            }
        }
    }
}
