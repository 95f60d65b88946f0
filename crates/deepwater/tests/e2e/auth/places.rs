//! Tokens in cookies and queries.

use super::Gate;
use crate::support::tokens::{claims_of, get_as, get_with};
use crate::support::{H2Client, request};

const PLACES: &str = r#"
    [[edge.route]]
    match = { path = "/cookie" }
    pool = "app"
    auth = "browser"
    [[edge.route]]
    match = { path = "/query" }
    pool = "app"
    auth = "player"
    [auth.browser]
    secret = "file:secret"
    token = "cookie:__Host-jwt"
    headers = { X-User = "sub" }
    [auth.player]
    secret = "file:secret"
    token = "query:access_token"
    headers = { X-User = "sub" }
"#;

#[tokio::test]
async fn a_token_is_found_where_it_is_looked_for_and_nowhere_else() {
    let gate = Gate::with(PLACES).await;
    let mut client = gate.edge.client().await;
    let token = gate.secret.token(&claims_of("ada"));
    let cookie = format!("Cookie: a=b; __Host-jwt={token}\r\n");
    let twice = format!("Cookie: __Host-jwt={token}; __Host-jwt={token}\r\n");
    let query = format!("/query?a=b&access_token={token}");
    for (request, status) in [
        (get_with("/cookie", &cookie), 200),
        (get_with(&query, ""), 200),
        (get_with("/cookie", "Cookie: a=b\r\n"), 401),
        (get_with("/cookie", &twice), 400),
        (get_as("/cookie", &token), 401),
        (get_with(&format!("/cookie?access_token={token}"), ""), 401),
        (get_with("/query", &cookie), 401),
        (get_as("/query", &token), 401),
        (get_with(&format!("{query}&access_token=x"), ""), 400),
        (get_with(&format!("/query?access_token={token}A"), ""), 401),
    ] {
        let answer = client.ask(&request).await;
        assert_eq!(answer.status(), status, "{request}");
    }
    let heard = gate.origin.heard();
    let users: Vec<_> = heard.iter().map(|request| request.get("x-user")).collect();
    assert_eq!(users, [Some("ada"), Some("ada")]);
    assert_eq!(heard[0].get("cookie"), Some(&*format!("a=b; __Host-jwt={token}")));
    assert_eq!(heard[1].target(), query);
}

#[tokio::test]
async fn http2_makes_no_difference() {
    let gate = Gate::with(PLACES).await;
    let client = H2Client::over(gate.edge.dial(0).await).await;
    let token = gate.secret.token(&claims_of("ada"));
    let refused = client.get("/cookie").await.head;
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    assert_eq!((refused.status().as_u16(), challenge), (401, "Bearer realm=\"browser\""));
    // Cookies come in crumbs (RFC 9113 §8.2.3).
    let mut request = request("GET", "/cookie");
    let crumbs = ["a=b".to_owned(), format!("__Host-jwt={token}"), "c=d".to_owned()];
    for crumb in &crumbs {
        request.headers_mut().append("cookie", crumb.parse().unwrap());
    }
    request.headers_mut().insert("x-user", "root".parse().unwrap());
    assert_eq!(client.ask(request).await.head.status(), 200);
    assert_eq!(gate.origin.only_request().all("x-user"), ["ada"]);
}
