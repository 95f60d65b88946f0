//! Who may pass: tokens and passwords are verified here, and what was proved is told to the origin.

mod cached;
mod changing;
mod claims;
mod keys;
mod passwords;
mod places;
mod refusals;
mod reloads;
mod spellings;

use crate::support::tokens::{Signer, claims_of, get_as, key_set};
use crate::support::{Deepwater, Home, LISTEN, Origin, pool};

/// What HS256 tokens are signed with.
const SECRET: &str = "a secret that only the issuer and the edge know";

/// Routes, with the pool `app` of one origin, and keys in the directory: `secret`, `rsa.pem`, `keys.json`.
struct Gate {
    edge: Deepwater,
    origin: Origin,
    secret: Signer,
    rsa: Signer,
    es256: Signer,
    ed25519: Signer,
}

impl Gate {
    async fn with(tables: &str) -> Self {
        Self::before(Origin::named("ok").await, tables).await
    }

    async fn before(origin: Origin, tables: &str) -> Self {
        let (secret, rsa) = (Signer::secret(SECRET), Signer::rsa());
        let (es256, ed25519) = (Signer::es256().named("es"), Signer::ed25519().named("ed"));
        let home = Home::new();
        home.write("secret", SECRET);
        home.write("rsa.pem", rsa.pem());
        home.write("keys.json", key_set(&[&es256, &ed25519]));
        let config = format!("{LISTEN}{tables}\n{}", pool("app", &[origin.address]));
        Self { edge: Deepwater::start_in(home, &config).await, origin, secret, rsa, es256, ed25519 }
    }
}

/// Routes for users with a token signed by the secret.
const USERS: &str = r#"
    [[edge.route]]
    pool = "app"
    auth = "users"
    [auth.users]
    secret = "file:secret"
"#;

#[tokio::test]
async fn each_kind_of_key_lets_its_own_tokens_pass_and_no_others() {
    let gate = Gate::with(
        r#"
        [[edge.route]]
        match = { path = "/secret" }
        pool = "app"
        auth = "secret"
        [[edge.route]]
        match = { path = "/rsa" }
        pool = "app"
        auth = "rsa"
        [[edge.route]]
        match = { path = "/keys" }
        pool = "app"
        auth = "keys"
        [auth.secret]
        secret = "file:secret"
        [auth.rsa]
        pem = "rsa.pem"
        [auth.keys]
        jwks = "keys.json"
        "#,
    )
    .await;
    let mut client = gate.edge.client().await;
    let tokens = [
        ("/secret", gate.secret.token(&claims_of("ada"))),
        ("/rsa", gate.rsa.token(&claims_of("ada"))),
        ("/keys", gate.es256.token(&claims_of("ada"))),
        ("/keys", gate.ed25519.token(&claims_of("ada"))),
    ];
    for path in ["/secret", "/rsa", "/keys"] {
        for (at_home, token) in &tokens {
            let answer = client.ask(get_as(path, token)).await;
            let expected = if path == *at_home { 200 } else { 401 };
            assert_eq!(answer.status(), expected, "{at_home} at {path}");
        }
    }
    assert_eq!(gate.origin.heard().len(), 4);
}

#[tokio::test]
async fn what_came_of_each_proof_is_counted() {
    let gate = Gate::with(USERS).await;
    let mut client = gate.edge.client().await;
    let token = gate.secret.token(&claims_of("ada"));
    for _ in 0..3 {
        assert_eq!(client.ask(get_as("/", &token)).await.status(), 200);
    }
    assert_eq!(client.ask(get_as("/", "x.y.z")).await.status(), 401);
    assert_eq!(client.get("/").await.status(), 401);
    assert_eq!(client.ask(get_as("/", "x y")).await.status(), 400);
    for (result, count) in [("accepted", 3.0), ("invalid", 1.0), ("missing", 1.0), ("malformed", 1.0)] {
        let labels = [("auth", "users"), ("result", result)];
        gate.edge.counts("deepwater_edge_auth_total", &labels, count).await;
    }
    for (cache, count) in [("hit", 2.0), ("miss", 2.0)] {
        let labels = [("auth", "users"), ("cache", cache)];
        gate.edge.counts("deepwater_edge_auth_checks_total", &labels, count).await;
    }
}

#[tokio::test]
async fn a_token_ends_when_it_says_so_remembered_or_not() {
    let gate = Gate::with(&format!("{USERS}leeway = \"0s\"\n")).await;
    let mut client = gate.edge.client().await;
    let ends = crate::support::tokens::now() + 2;
    let claims = crate::support::tokens::with(claims_of("ada"), serde_json::json!({ "exp": ends }));
    let token = gate.secret.token(&claims);
    let mut statuses = vec![client.ask(get_as("/", &token)).await.status()];
    while statuses.last() == Some(&200) {
        statuses.push(client.ask(get_as("/", &token)).await.status());
    }
    assert!(statuses.len() > 2 && statuses.last() == Some(&401), "{}", statuses.len());
    assert!(crate::support::tokens::now() >= ends);
}
