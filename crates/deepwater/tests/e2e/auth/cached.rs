//! What was answered to one user is not for another, unless the origin says so (RFC 9111 §3.5).

use super::Gate;
use crate::support::Origin;
use crate::support::tokens::{claims_of, get_as, get_with};

const ROUTES: &str = r#"
    [[edge.route]]
    match = { path = "/cookie/*" }
    pool = "app"
    cache = true
    auth = "browser"
    [[edge.route]]
    match = { path = "/query" }
    pool = "app"
    cache = { drop_params = ["access_token"] }
    auth = "player"
    [[edge.route]]
    pool = "app"
    cache = true
    auth = { name = "users", required = false }
    [auth.users]
    secret = "file:secret"
    headers = { X-User = "sub" }
    [auth.browser]
    secret = "file:secret"
    token = "cookie:jwt"
    headers = { X-User = "sub" }
    [auth.player]
    secret = "file:secret"
    token = "query:access_token"
    headers = { X-User = "sub" }
"#;

/// Says who has asked, and lets it be stored: by everybody only where the path says so.
async fn greeter() -> Origin {
    Origin::answering(|request| {
        let user = request.get("x-user").unwrap_or("nobody");
        let control = if request.target().contains("public") { "public, max-age=60" } else { "max-age=60" };
        let head = format!("HTTP/1.1 200 OK\r\nCache-Control: {control}\r\nContent-Length: {}", user.len());
        format!("{head}\r\n\r\n{user}")
    })
    .await
}

#[tokio::test]
async fn answers_to_a_token_are_shared_only_if_they_are_for_everybody() {
    let gate = Gate::before(greeter().await, ROUTES).await;
    let mut client = gate.edge.client().await;
    let [ada, bob] = ["ada", "bob"].map(|user| gate.secret.token(&claims_of(user)));
    for (token, user) in [(&ada, "ada"), (&bob, "bob"), (&ada, "ada")] {
        assert_eq!(client.ask(get_as("/a", token)).await.text(), user);
        // The token itself must not be hidden from the cache.
        let fields = format!("Connection: authorization\r\nAuthorization: Bearer {token}\r\n");
        assert_eq!(client.ask(get_with("/b", &fields)).await.text(), user);
        assert_eq!(client.ask(get_as("/public", token)).await.text(), "ada");
    }
    assert_eq!(gate.origin.heard().len(), 7);
    // What nobody in particular was told is for everybody.
    assert_eq!(client.get("/c").await.text(), "nobody");
    assert_eq!(client.get("/c").await.text(), "nobody");
    assert_eq!(gate.origin.heard().len(), 8);
    assert_eq!(client.ask(get_as("/public", &format!("{ada}A"))).await.status(), 401, "stored or not");
}

#[tokio::test]
async fn nor_is_what_was_told_to_a_cookie_or_a_query() {
    let gate = Gate::before(greeter().await, ROUTES).await;
    let mut client = gate.edge.client().await;
    for user in ["ada", "bob", "ada"] {
        let token = gate.secret.token(&claims_of(user));
        let cookie = format!("Cookie: jwt={token}\r\n");
        assert_eq!(client.ask(get_with("/cookie/a", &cookie)).await.text(), user);
        let hidden = format!("Connection: cookie\r\n{cookie}");
        assert_eq!(client.ask(get_with("/cookie/b", &hidden)).await.text(), user);
        assert_eq!(client.ask(get_with("/cookie/public", &cookie)).await.text(), "ada");
        assert_eq!(client.get(&format!("/query?access_token={token}")).await.text(), user);
    }
    assert_eq!(gate.origin.heard().len(), 10);
}
