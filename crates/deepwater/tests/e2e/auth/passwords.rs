//! Names and passwords, checked against hashes.

use std::num::NonZero;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Gate;
use crate::support::tokens::get_with;

/// `U*U` by bcrypt, and `Hello world!` by SHA-crypt: examples of other programs.
const USERS: &str = r#"
    [[edge.route]]
    match = { path = "/open" }
    respond = { status = 200, body = "open" }
    [[edge.route]]
    match = { path = "/ada" }
    pool = "app"
    auth = { name = "staff", claims = { sub = "ada" } }
    [[edge.route]]
    pool = "app"
    auth = "staff"
    [auth.staff]
    headers = { X-User = "sub" }
    realm = "the back office"
    [auth.staff.passwords]
    ada = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
    bob = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
"#;

fn login(path: &str, name: &str, password: &str) -> String {
    let credentials = STANDARD.encode(format!("{name}:{password}"));
    get_with(path, &format!("X-User: root\r\nAuthorization: Basic {credentials}\r\n"))
}

#[tokio::test]
async fn a_right_password_is_hashed_once_and_tells_the_origin_who_it_is() {
    let gate = Gate::with(USERS).await;
    let mut client = gate.edge.client().await;
    for _ in 0..3 {
        assert_eq!(client.ask(login("/", "ada", "U*U")).await.status(), 200);
    }
    assert_eq!(client.ask(login("/", "bob", "Hello world!")).await.status(), 200);
    let heard = gate.origin.heard();
    let users: Vec<_> = heard.iter().map(|request| request.all("x-user")).collect();
    assert_eq!(users, [["ada"], ["ada"], ["ada"], ["bob"]]);
    for (cache, count) in [("hit", 2.0), ("miss", 2.0)] {
        let labels = [("auth", "staff"), ("cache", cache)];
        gate.edge.counts("deepwater_edge_auth_checks_total", &labels, count).await;
    }
}

#[tokio::test]
async fn a_wrong_one_is_refused() {
    let gate = Gate::with(USERS).await;
    let mut client = gate.edge.client().await;
    let challenge = Some("Basic realm=\"the back office\", charset=\"UTF-8\"");
    for (request, status) in [
        (get_with("/", ""), 401),
        (get_with("/", "Authorization: Bearer x.y.z\r\n"), 401),
        (login("/", "ada", "u*u"), 401),
        (login("/", "ada", ""), 401),
        (login("/", "bob", "U*U"), 401),
        (login("/", "eve", "U*U"), 401),
        (get_with("/", "Authorization: Basic YWRhOlUqVQ\r\n"), 400),
        (get_with("/", "Authorization: Basic YWRh\r\n"), 400),
        (get_with("/", "Authorization: Basic YWRhOlUqVQ==\r\nAuthorization: Basic YWRhOlUqVQ==\r\n"), 400),
    ] {
        let answer = client.ask(&request).await;
        assert_eq!((answer.status(), answer.get("www-authenticate")), (status, challenge), "{request}");
    }
    let answer = client.ask(login("/ada", "bob", "Hello world!")).await;
    assert_eq!((answer.status(), answer.get("www-authenticate")), (403, None));
    assert!(gate.origin.heard().is_empty());
    assert_eq!(client.ask(login("/ada", "ada", "U*U")).await.status(), 200);
}

#[tokio::test]
async fn a_flood_of_guesses_is_bounded_and_keeps_nobody_else_waiting() {
    let gate = Gate::with(USERS).await;
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    // More than may be hashed or wait at once.
    let guesses = cores.div_ceil(2) * 33 + 30;
    let mut clients = Vec::new();
    for guess in 0..guesses {
        let mut client = gate.edge.client().await;
        client.send(login("/", "bob", &guess.to_string())).await;
        clients.push(client);
    }
    assert_eq!(gate.edge.get("/open").await.text(), "open");
    let (mut refused, mut busy) = (0, 0);
    for mut client in clients {
        let answer = client.response().await;
        match answer.status() {
            401 => refused += 1,
            503 => {
                assert!(answer.get("retry-after").is_some() && answer.get("www-authenticate").is_none());
                busy += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert!(busy > 0 && refused > 0, "{busy} of {guesses} were told to come again");
    assert!(gate.origin.heard().is_empty());
    assert_eq!(gate.edge.ask(login("/", "bob", "Hello world!")).await.status(), 200, "it is over");
}
