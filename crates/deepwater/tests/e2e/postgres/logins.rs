//! Who is let in, and how they prove it.

use crate::support::pg_wire::{Pg, say};
use crate::support::postgres::{Database, Place, Pooler, Setup, Version};

/// A pooler that asks for proof in a way.
async fn asking(method: &str, secret: &str) -> (Database, Pooler, Place) {
    let database = Version::Newest.database().await;
    let server = format!(
        "[postgres.databases.shop]\nprimary = \"postgres://{}:{}@{}/{}\"",
        database.user, database.password, database.address, database.database
    );
    let setup = Setup::new().auth(&format!("method = \"{method}\"")).section(&server).user("client", secret);
    let pooler = setup.start().await;
    let place = pooler.place(&database).of("shop").by("client", "secret");
    (database, pooler, place)
}

async fn is_refused(place: &Place, code: &str) {
    let refused = Pg::try_login(place).await.expect_err("nobody is let in");
    assert_eq!(refused.code(), code, "{refused:?}");
    assert_eq!(refused.field('S'), "FATAL");
}

#[tokio::test]
async fn each_method_lets_in_who_knows_the_password_and_nobody_else() {
    let md5 = deepwater_pgwire::auth::md5::secret("client", "secret");
    let scram = server_secret("secret").await;
    assert!(scram.starts_with("SCRAM-SHA-256$4096:"), "{scram}");
    for (method, secrets) in
        [("scram-sha-256", vec!["secret", &scram]), ("md5", vec!["secret", &md5, &scram])]
    {
        for secret in secrets {
            let (database, _pooler, place) = asking(method, secret).await;
            let user = Pg::login(&place).await.value("SELECT current_user").await;
            assert_eq!(user, database.user, "{method}: the server's user is the URL's");
            is_refused(&place.by("client", "wrong"), "28P01").await;
            is_refused(&place.by("client", ""), "28P01").await;
            is_refused(&place.by("nobody", "secret"), "28P01").await;
            is_refused(&place.by("CLIENT", "secret"), "28P01").await;
        }
    }
}

/// The secret a server stores for a password.
async fn server_secret(password: &str) -> String {
    let database = Version::Newest.database().await;
    let role = database.role("stored", "").await;
    let mut admin = database.admin().await;
    admin.run(&format!("ALTER ROLE {} PASSWORD '{password}'", role.user)).await;
    admin.value(&format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{}'", role.user)).await
}

#[tokio::test]
async fn trust_believes_known_users_and_any_believes_all() {
    let (_database, _pooler, place) = asking("trust", "secret").await;
    Pg::login(&place.by("client", "wrong")).await;
    is_refused(&place.by("nobody", "none"), "28000").await;
    let (database, _pooler, place) = asking("any", "secret").await;
    let mut session = Pg::login(&place.by("nobody", "none")).await;
    assert_eq!(session.value("SELECT current_user").await, database.user);
}

#[tokio::test]
async fn no_password_is_asked_for_in_clear_text_over_tcp() {
    let (_database, _pooler, place) = asking("plain", "secret").await;
    is_refused(&place, "28000").await;
}

#[tokio::test]
async fn an_unknown_database_is_told_only_to_who_may_log_in() {
    let (_database, _pooler, place) = asking("scram-sha-256", "secret").await;
    is_refused(&place.of("nowhere"), "3D000").await;
    is_refused(&place.of("nowhere").by("client", "wrong"), "28P01").await;
}

#[tokio::test]
async fn a_server_is_logged_in_to_with_the_clients_proof() {
    // The pooler knows no password: neither in a file, nor in the server's URL.
    let database = Version::Newest.database().await;
    let secret = format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{}'", database.user);
    let secret = database.admin().await.value(&secret).await;
    let pooler = Setup::new()
        .with("pool_size = 3")
        .alias(&database.database, &database, "")
        .user(&database.user, &secret)
        .start()
        .await;
    let place = pooler.place(&database);
    let mut sessions = Vec::new();
    for _ in 0..3 {
        let mut session = Pg::login(&place).await;
        session.run("BEGIN").await;
        assert_eq!(session.value("SELECT current_user").await, database.user);
        sessions.push(session);
    }
    is_refused(&place.by(&place.user, "wrong"), "28P01").await;
}

/// A pooler that knows one user, who may ask the server for all others.
async fn querying(more: &str) -> (Database, Pooler) {
    let database = Version::Newest.database().await;
    let asker = database.role("asker", "SUPERUSER").await;
    let auth = format!("query_user = \"{}\"\n{more}", asker.user);
    let setup = Setup::new().auth(&auth).alias(&database.database, &database, "");
    let pooler = setup.user(&asker.user, &asker.password).start().await;
    (database, pooler)
}

#[tokio::test]
async fn users_can_be_asked_of_the_server() {
    let (database, pooler) = querying("").await;
    let place = pooler.place(&database);
    for _ in 0..2 {
        assert_eq!(Pg::login(&place).await.value("SELECT current_user").await, database.user);
        is_refused(&place.by(&place.user, "wrong"), "28P01").await;
        is_refused(&place.by("nobody", "none"), "28P01").await;
    }
    let hashed = database.role("hashed", "").await;
    let change = format!("ALTER ROLE {} PASSWORD '{}'", hashed.user, hashed.password);
    database.admin().await.run(&format!("SET password_encryption = 'md5'; {change}")).await;
    is_refused(&pooler.place(&hashed), "28P01").await;
    let nologin = database.role("nologin", "").await;
    database.admin().await.run(&format!("ALTER ROLE {} NOLOGIN", nologin.user)).await;
    is_refused(&pooler.place(&nologin), "28P01").await;
    // A password that has changed is taken up.
    let mut admin = database.admin().await;
    admin.run(&format!("ALTER ROLE {} PASSWORD 'changed'", database.user)).await;
    assert_eq!(Pg::login(&place.by(&place.user, "changed")).await.value("SELECT 1").await, "1");
    is_refused(&place, "28P01").await;
}

#[tokio::test]
async fn an_expired_password_is_none() {
    let (database, pooler) = querying("").await;
    for (name, until, good) in [
        ("expired", "now() - '1 second'::interval", false),
        ("valid", "now() + '1 day'::interval", true),
        ("forever", "'infinity'::timestamptz", true),
    ] {
        let role = database.role(name, "").await;
        let mut admin = database.admin().await;
        let until = admin.value(&format!("SELECT {until}")).await;
        admin.run(&format!("ALTER ROLE {} VALID UNTIL '{until}'", role.user)).await;
        let place = pooler.place(&role);
        if good {
            assert_eq!(Pg::login(&place).await.value("SELECT current_user").await, role.user);
        } else {
            is_refused(&place, "28P01").await;
        }
    }
}

#[tokio::test]
async fn no_startup_parameter_reaches_the_query_for_passwords() {
    let (database, pooler) = querying("").await;
    let mut owner = database.session().await;
    // Were the search path the client's, the password would be too.
    owner.run("CREATE SCHEMA evil; CREATE TABLE evil.taken ()").await;
    let secret = server_secret("chosen").await;
    owner
        .run(&format!(
            "CREATE VIEW evil.pg_authid AS SELECT rolname, '{secret}' AS rolpassword, true AS rolcanlogin, \
             NULL::timestamptz AS rolvaliduntil FROM pg_roles"
        ))
        .await;
    let victim = pooler.place(&database.role("victim", "").await);
    let guess = victim.by(&victim.user, "chosen");
    for parameters in [
        vec![("search_path", "evil, pg_catalog")],
        vec![("options", "-c search_path=evil,pg_catalog")],
        vec![("options", "-csearch_path=evil,pg_catalog"), ("search_path", "evil, pg_catalog")],
        vec![("search_path", "evil'; DROP TABLE evil.taken; --")],
        vec![("TimeZone", "UTC'; DROP TABLE evil.taken; --")],
        vec![("application_name", "'; DROP TABLE evil.taken; --\\")],
        vec![("role", "postgres")],
        vec![("session_authorization", "postgres")],
    ] {
        let refused = Pg::try_login_with(&guess, &parameters).await.expect_err("a chosen password");
        assert_ne!(refused.code(), "", "{parameters:?}");
        // With the right password the rest is the server's to judge.
        if let Ok(mut session) = Pg::try_login_with(&victim, &parameters).await {
            session.query_or_end("SELECT 1").await;
        }
    }
    for name in ["'; DROP TABLE evil.taken; --", "x' OR 'x'='x", "\\", "$1", "a\"b", "%s"] {
        is_refused(&victim.by(name, "chosen"), "28P01").await;
    }
    owner.run("TABLE evil.taken").await;
    assert_eq!(Pg::login(&victim).await.value("SELECT current_user").await, victim.user);
}

#[tokio::test]
async fn rules_say_who_proves_what() {
    let database = Version::Newest.database().await;
    let (trusted, barred) = (database.role("trusted", "").await, database.role("barred", "").await);
    let rules = format!(
        "host all {} 127.0.0.1/32 trust\nhost all {} all reject\nhost nowhere all 127.0.0.1/32 trust\n\
         host \"{}\" all 127.0.0.1 255.255.255.255 scram-sha-256\nhost pgbouncer admin 127.0.0.1/32 md5\n",
        trusted.user, barred.user, database.database
    );
    let setup = Setup::new().auth("method = \"hba\"\nhba = \"rules.conf\"").file("rules.conf", &rules);
    let mut setup = setup.database(&database, "").alias("other", &database, "");
    for role in [&trusted, &barred] {
        setup = setup.user(&role.user, &role.password);
    }
    let pooler = setup.start().await;
    let place = pooler.place(&database);
    Pg::login(&place).await;
    is_refused(&place.by(&place.user, "wrong"), "28P01").await;
    Pg::login(&place.by(&trusted.user, "whatever")).await;
    for (place, why) in [(pooler.place(&barred), "a rule"), (place.of("other"), "no rule")] {
        let refused = Pg::try_login(&place).await.expect_err(why);
        assert!(refused.code().starts_with("28"), "{why}: {refused:?}");
    }
}

#[tokio::test]
async fn unix_sockets_serve_too_on_both_sides() {
    let database = Version::Distribution.database().await;
    let folder = tempfile::TempDir::with_prefix("deepwater-").unwrap();
    let socket = folder.path().join(".s.PGSQL.6432");
    let server = format!(
        "[postgres.databases.shop]\nprimary = \"postgres:///{}?host={}&port={}\"",
        database.database,
        database.socket_folder().display(),
        database.address.port()
    );
    let listen = format!("unix:{}", socket.display());
    let setup = Setup::listening(&["127.0.0.1:0", &listen]).section(&server);
    let pooler = setup.user(&database.user, &database.password).start().await;
    let mut session = Pg::dial_unix(&socket).await;
    let place = pooler.place(&database).of("shop");
    session.begin(&place, &[]).await.unwrap();
    assert_eq!(session.value("SELECT inet_client_addr() IS NULL").await, "t");
    assert_eq!(session.value("SELECT current_user").await, database.user);
}

#[tokio::test]
async fn wrong_proofs_of_every_kind_are_refused() {
    let (_database, pooler, place) = asking("scram-sha-256", "secret").await;
    let nonce = "fyko+d2lbbFgONRv9qkxdawL";
    let first = format!("n,,n=,r={nonce}");
    let long = format!("n,,n=,r={}", "x".repeat(5_000));
    let firsts = [
        say::sasl_first("SCRAM-SHA-256", "n,,n=,r="),
        say::sasl_first("SCRAM-SHA-256", &long),
        say::sasl_first("SCRAM-SHA-256", "n,,n=,r=a\u{7}b"),
        say::sasl_first("SCRAM-SHA-256", "nonsense"),
        say::sasl_first("SCRAM-SHA-256", ""),
        say::sasl_first("SCRAM-SHA-256", &format!("n,a=admin,n=,r={nonce}")),
        say::sasl_first("SCRAM-SHA-256", &format!("n,,m=ext,n=,r={nonce}")),
        say::sasl_first("SCRAM-SHA-256", &format!("p=tls-server-end-point,,n=,r={nonce}")),
        say::sasl_first("SCRAM-SHA-256-PLUS", &format!("p=tls-server-end-point,,n=,r={nonce}")),
        say::sasl_first("SCRAM-SHA-1", &first),
        say::sasl_first("", &first),
        say::password("secret"),
        say::message(b'p', b""),
        say::message(b'p', b"SCRAM-SHA-256\0\xff\xff\xff\xff"),
        say::message(b'p', b"SCRAM-SHA-256\0\x7f\xff\xff\xffn,,"),
        say::query("SELECT 1"),
        say::terminate(),
        say::with_length(b'p', 0x3fff_ffff, b"x"),
        say::with_length(b'p', 3, b""),
    ];
    for first in firsts {
        let mut session = begun(&place).await;
        session.say(&first).await;
        let told = session.hear_out().await;
        assert!(told.iter().all(|reply| reply.tag != b'Z' && reply.tag != b'K'), "{first:?}: {told:?}");
    }
    type Answer = fn(&str) -> String;
    let answers: [Answer; 7] = [
        |nonce| format!("c=biws,r={nonce},p={}", "A".repeat(43) + "="),
        |nonce| format!("c=biws,r={nonce}x,p={}", "A".repeat(43) + "="),
        |nonce| format!("c=biws,r={nonce},p="),
        |nonce| format!("c=biws,r={nonce}"),
        |nonce| format!("c=eSws,r={nonce},p={}", "A".repeat(43) + "="),
        |nonce| format!("c=biws,r={nonce},p={}", "A".repeat(10_000)),
        |_| String::new(),
    ];
    for answer in answers {
        let mut session = begun(&place).await;
        session.say(say::sasl_first("SCRAM-SHA-256", &first)).await;
        let challenge = session.hear().await;
        let challenge = String::from_utf8(challenge.payload[4..].to_vec()).unwrap();
        let theirs = challenge.split(',').next().unwrap().trim_start_matches("r=").to_owned();
        assert!(theirs.starts_with(nonce) && theirs.len() > nonce.len(), "{challenge}");
        session.say(say::sasl_next(&answer(&theirs))).await;
        let told = session.hear_out().await;
        assert!(told.iter().any(|reply| reply.tag == b'E'), "{told:?}");
    }
    // An unknown user is challenged as a known one is, with the same salt each time.
    let mut challenges = Vec::new();
    for _ in 0..2 {
        let mut session = begun(&place.by("nobody", "none")).await;
        session.say(say::sasl_first("SCRAM-SHA-256", &first)).await;
        let challenge = String::from_utf8(session.hear().await.payload[4..].to_vec()).unwrap();
        challenges.push(challenge.split_once(",s=").unwrap().1.to_owned());
    }
    assert_eq!(challenges[0], challenges[1]);
    assert_eq!(Pg::login(&place).await.value("SELECT 1").await, "1");
    pooler.log_line("client_login_failed").await;
}

/// A session that was asked for a proof.
async fn begun(place: &Place) -> Pg {
    let mut session = Pg::dial(place).await;
    session.say(say::startup(0, &[("user", &place.user), ("database", &place.database)])).await;
    let asked = session.hear().await;
    assert_eq!(asked.to_string(), "Authentication 10");
    session
}
