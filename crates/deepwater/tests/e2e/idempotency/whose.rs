//! Whose key it is: nobody gets the answer to another client's request.

use serde_json::json;

use super::{code, config, order_with};
use crate::support::tokens::{Signer, claims_of, with};
use crate::support::{Deepwater, Home, Message};

use super::till::Till;

/// What tokens are signed with.
const SECRET: &str = "a secret that only the issuer and the edge know";

/// A node that verifies tokens which stand at a place.
async fn node(till: &Till, token: &str, more: &str) -> Deepwater {
    let home = Home::new();
    home.write("secret", SECRET);
    let auth = format!("[auth.users]\nsecret = \"file:secret\"\ntoken = \"{token}\"\n");
    let more = format!("auth = {{ name = \"users\", required = false }}\n{more}");
    Deepwater::start_in(home, &config(till, &more, &auth)).await
}

/// An order with a token in a cookie.
async fn ordered(edge: &Deepwater, token: &str) -> Message {
    edge.ask(order_with(&format!("Idempotency-Key: k\r\nCookie: a=b; jwt={token}\r\n"), "{}")).await
}

#[tokio::test]
async fn by_default_it_is_that_of_the_verified_subject() {
    let till = Till::open().await;
    let edge = node(&till, "cookie:jwt", "idempotency = true").await;
    let token = |more| Signer::secret(SECRET).token(&with(claims_of("ada"), more));
    let is_new = async |token: &str| {
        let answer = ordered(&edge, token).await;
        assert_eq!(answer.status(), 201, "{answer:?}");
        answer.get("idempotent-replayed").is_none()
    };
    assert!(is_new(&token(json!({}))).await);
    assert!(is_new(&token(json!({ "sub": "bob" }))).await, "another client");
    assert!(is_new(&token(json!({ "iss": "https://other.example" }))).await, "another issuer's Ada");
    assert!(!is_new(&token(json!({ "jti": "2" }))).await, "a renewed token");
    // Without a subject it is the token's.
    let nameless = [1, 2].map(|jti| token(json!({ "sub": null, "jti": jti })));
    assert!(is_new(&nameless[0]).await && is_new(&nameless[1]).await && !is_new(&nameless[0]).await);
    // Who proves nothing is not one of those who do.
    let anybody = order_with("Idempotency-Key: k\r\n", "{}");
    assert_eq!(edge.ask(anybody).await.get("idempotent-replayed"), None);
    let other = edge.ask(order_with("Idempotency-Key: k\r\n", "{ }")).await;
    assert_eq!((other.status(), &code(&other)[..]), (422, "key_reused"));
    assert_eq!(till.effects("k"), 6);
}

#[tokio::test]
async fn a_scope_that_would_make_all_clients_one_is_refused() {
    let till = Till::open().await;
    let edge = node(&till, "cookie:jwt", "idempotency = true").await;
    let auth = "[auth.users]\nsecret = \"file:secret\"\ntoken = \"cookie:jwt\"\n";
    let with_scope = |scope: &str| {
        let more = format!("auth = \"users\"\nidempotency = {{ scope = [\"{scope}\"] }}");
        config(&till, &more, auth)
    };
    let refused = edge.reload(&with_scope("authorization")).await;
    assert_eq!(refused.status(), 422);
    assert!(refused.text().contains("edge.route[0].idempotency.scope[0]"), "{}", refused.text());
    assert!(refused.text().contains("the cookie `jwt`") && refused.text().contains("claim:sub"));
    edge.reloaded(&with_scope("claim:sub")).await;
    edge.reloaded(&with_scope("cookie:jwt")).await;
}
