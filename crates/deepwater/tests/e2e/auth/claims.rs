//! What claims must say, and who is told what they say.

use http::HeaderMap;
use serde_json::json;

use super::Gate;
use crate::support::tokens::{claims_of, get_as, get_with, with};
use crate::support::{H2Client, Origin, pool, request, soon};

const USERS: &str = r#"
    [[edge.route]]
    match = { path = "/open/*" }
    pool = "app"
    auth = { name = "users", required = false }
    [[edge.route]]
    match = { path = "/admin/*" }
    pool = "app"
    auth = { name = "users", claims = { roles = { contains = "admin" }, "org.plan" = ["pro", "team"] } }
    [[edge.route]]
    pool = "app"
    auth = "users"
    [auth.users]
    secret = "file:secret"
    claims = { suspended = false }
    headers = { X-User = "sub", X-Org = "org.id", X-Roles = "roles" }
"#;

#[tokio::test]
async fn claims_go_to_the_origin_and_nobody_else_can_say_them() {
    let gate = Gate::with(USERS).await;
    let claims = json!({ "suspended": false, "org": { "id": 7 }, "roles": ["user", "a,b"], "sub": "Zoë\r\nX-Admin: 1" });
    let token = gate.secret.token(&with(claims_of(""), claims));
    let spoofed = "X-User: root\r\nx-user: root\r\nX_User: root\r\nX-Org: 1\r\nX-Other: mine\r\n";
    let fields = format!("{spoofed}Authorization: Bearer {token}\r\n");
    assert_eq!(gate.edge.ask(get_with("/", &fields)).await.status(), 200);
    let request = gate.origin.only_request();
    assert_eq!(request.all("x-user"), ["Zo%C3%AB%0D%0AX-Admin: 1"]);
    assert_eq!((request.all("x-org"), request.all("x-roles")), (vec!["7"], vec!["user,a%2Cb"]));
    assert_eq!((request.all("x_user"), request.all("x-admin")), (vec![], vec![]));
    assert_eq!(request.get("x-other"), Some("mine"));
    assert_eq!(request.get("authorization"), Some(&*format!("Bearer {token}")), "the token goes on");
}

/// Trailers that say who has come, and one that does not.
const TRAILERS: [(&str, &str); 6] = [
    ("x-user", "root"),
    ("x_user", "root"),
    ("x-roles", "admin"),
    ("x-forwarded-for", "192.0.2.1"),
    ("x-tenant", "7"),
    ("checksum", "abc"),
];

#[tokio::test]
async fn trailers_cannot_say_who_has_come() {
    let edited = USERS.replace(
        "pool = \"app\"\n    auth = \"users\"",
        "pool = \"app\"\n    auth = \"users\"\n    request_headers = { set = { X-Tenant = \"1\" } }",
    );
    let gate = Gate::with(&edited).await;
    let token = gate.secret.token(&with(claims_of("ada"), json!({ "suspended": false })));
    let trailers: String = TRAILERS.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let fields = format!("Authorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n");
    let asked = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n3\r\nabc\r\n0\r\n{trailers}\r\n");
    assert_eq!(gate.edge.ask(asked).await.status(), 200);

    let client = H2Client::over(gate.edge.dial(0).await).await;
    let mut asked = request("POST", "/");
    asked.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let (response, mut body) = client.begin(asked, false).await;
    body.send_data("abc".into(), false).unwrap();
    let trailers = TRAILERS.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    body.send_trailers(HeaderMap::from_iter(trailers)).unwrap();
    assert_eq!(soon("an answer", response).await.unwrap().status(), 200);

    for request in gate.origin.heard() {
        assert_eq!(
            (request.get("x-user"), request.get("x-tenant"), request.text()),
            (Some("ada"), Some("1"), "abc")
        );
        assert_eq!(request.trailers, [("checksum".to_owned(), "abc".to_owned())]);
    }
    assert_eq!(gate.origin.heard().len(), 2);
}

#[tokio::test]
async fn open_routes_to_the_same_application_believe_nobody() {
    let origin = Origin::named("ok").await;
    let tables = r#"
        [[edge.route]]
        match = { path = "/users/*" }
        pool = "app"
        auth = "users"
        [[edge.route]]
        match = { path = "/staff/*" }
        pool = "app"
        auth = "staff"
        [[edge.route]]
        match = { path = "/slow/*" }
        pool = "slow"
        [[edge.route]]
        match = { path = "/other/*" }
        pool = "other"
        [[edge.route]]
        pool = "app"
        rate_limit = { key = "header:X-User", rate = 1000 }
        [auth.users]
        secret = "file:secret"
        headers = { X-User = "sub" }
        [auth.staff]
        secret = "file:secret"
        headers = { X-Staff = "sub" }
    "#;
    let other = Origin::named("other").await;
    // The same server under another name is the same application.
    let pools = pool("slow", &[origin.address]) + &pool("other", &[other.address]);
    let gate = Gate::before(origin, &format!("{tables}{pools}")).await;
    let token = gate.secret.token(&claims_of("ada"));
    let said = "X-User: root\r\nX_USER: root\r\nx-staff: root\r\nX-Mine: 1\r\n";
    let trailers = "x-user: root\r\nx_staff: root\r\nchecksum: abc\r\n";
    for (path, proof, [user, staff]) in [
        ("/", "", [None, None]),
        ("/slow/x", "", [None, None]),
        ("/users/x", &*format!("Authorization: Bearer {token}\r\n"), [Some("ada"), None]),
        ("/staff/x", &*format!("Authorization: Bearer {token}\r\n"), [None, Some("ada")]),
    ] {
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: a\r\n{said}{proof}Transfer-Encoding: chunked\r\n\r\n");
        let answer = gate.edge.ask(format!("{head}3\r\nabc\r\n0\r\n{trailers}\r\n")).await;
        assert_eq!(answer.status(), 200, "{path}");
        let request = gate.origin.heard().pop().unwrap();
        assert_eq!((request.get("x-user"), request.get("x-staff")), (user, staff), "{path}");
        assert_eq!((request.get("x_user"), request.get("x-mine")), (None, Some("1")), "{path}");
        assert_eq!(request.trailers, [("checksum".to_owned(), "abc".to_owned())], "{path}");
    }
    // Another application has fields of its own.
    assert_eq!(gate.edge.ask(get_with("/other/x", said)).await.status(), 200);
    assert_eq!(other.only_request().all("x-user"), ["root"]);
}

#[tokio::test]
async fn a_claim_that_is_absent_is_not_the_clients_to_say() {
    let gate = Gate::with(USERS).await;
    let token = gate.secret.token(&with(claims_of("ada"), json!({ "suspended": false })));
    let fields = format!("X-Org: 1\r\nX-Roles: admin\r\nAuthorization: Bearer {token}\r\n");
    assert_eq!(gate.edge.ask(get_with("/", &fields)).await.status(), 200);
    let request = gate.origin.only_request();
    assert_eq!(request.get("x-user"), Some("ada"));
    assert_eq!((request.get("x-org"), request.get("x-roles")), (None, None));
}

#[tokio::test]
async fn connection_cannot_take_away_who_has_come() {
    let gate = Gate::with(USERS).await;
    let token = gate.secret.token(&with(claims_of("ada"), json!({ "suspended": false })));
    let fields =
        format!("Connection: X-User, x-hop, Authorization\r\nX-Hop: 1\r\nAuthorization: Bearer {token}\r\n");
    assert_eq!(gate.edge.ask(get_with("/", &fields)).await.status(), 200);
    let request = gate.origin.only_request();
    assert_eq!((request.get("x-user"), request.get("x-hop")), (Some("ada"), None));
    assert!(request.get("authorization").is_some());
}

#[tokio::test]
async fn where_proof_is_optional_it_must_hold_if_there_is_any() {
    let gate = Gate::with(USERS).await;
    let mut client = gate.edge.client().await;
    assert_eq!(client.ask(get_with("/open/a", "X-User: root\r\n")).await.status(), 200);
    let token = gate.secret.token(&with(claims_of("ada"), json!({ "suspended": false })));
    assert_eq!(client.ask(get_as("/open/b", &token)).await.status(), 200);
    assert_eq!(client.ask(get_as("/open/c", &format!("{token}A"))).await.status(), 401);
    assert_eq!(client.ask(get_with("/open/d", "Authorization: Bearer\r\n")).await.status(), 400);
    let heard: Vec<_> = gate.origin.heard();
    let users: Vec<_> = heard.iter().map(|request| request.get("x-user")).collect();
    assert_eq!(users, [None, Some("ada")]);
    let labels = [("auth", "users"), ("result", "anonymous")];
    gate.edge.counts("deepwater_edge_auth_total", &labels, 1.0).await;
}

#[tokio::test]
async fn who_is_known_and_may_not_is_told_so() {
    let gate = Gate::with(USERS).await;
    let mut client = gate.edge.client().await;
    let told = "Bearer realm=\"users\", error=\"insufficient_scope\", error_description=\"the token does not grant this\"";
    let token = |more| gate.secret.token(&with(claims_of("ada"), more));
    for (path, claims, status) in [
        ("/", json!({}), 403),
        ("/", json!({ "suspended": true }), 403),
        ("/", json!({ "suspended": "false" }), 403),
        ("/", json!({ "suspended": false }), 200),
        ("/admin/x", json!({ "suspended": false }), 403),
        ("/admin/x", json!({ "suspended": false, "roles": ["admin"] }), 403),
        (
            "/admin/x",
            json!({ "suspended": false, "roles": ["administrator"], "org": { "plan": "pro" } }),
            403,
        ),
        ("/admin/x", json!({ "suspended": false, "roles": "user admin", "org": { "plan": "pro" } }), 200),
        ("/admin/x", json!({ "suspended": true, "roles": ["admin"], "org": { "plan": "team" } }), 403),
        ("/admin/x", json!({ "suspended": false, "roles": ["admin"], "org": { "plan": "team" } }), 200),
        ("/open/x", json!({ "suspended": true }), 403),
    ] {
        let answer = client.ask(get_as(path, &token(claims.clone()))).await;
        assert_eq!(answer.status(), status, "{path} {claims}");
        assert_eq!(answer.get("www-authenticate"), (status == 403).then_some(told));
    }
    assert_eq!(gate.origin.heard().len(), 3);
}
