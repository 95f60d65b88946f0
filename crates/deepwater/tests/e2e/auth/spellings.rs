//! No spelling of a path leads past its guard, however an application reads it.

use super::Gate;
use crate::support::tokens::{claims_of, get_as};
use crate::support::{H2Client, request};

const ADMIN: &str = r#"
    [[edge.route]]
    match = { path = "/admin/*" }
    pool = "app"
    auth = "users"
    [[edge.route]]
    match = { path = "/projects/*" }
    pool = "app"
    [[edge.route]]
    pool = "app"
    [auth.users]
    secret = "file:secret"
"#;

#[tokio::test]
async fn what_an_application_may_read_as_a_guarded_path_is_refused() {
    let gate = Gate::with(ADMIN).await;
    let token = gate.secret.token(&claims_of("ada"));
    let h2 = H2Client::over(gate.edge.dial(0).await).await;
    let spellings = [
        "/admin%2fx",
        "/admin%2Fx?y=1",
        "/admin%5cx",
        "/admin\\x",
        "/admin;v=1/x",
        "/admin%3bv/x",
        "/x/..;/admin/x",
        "/projects/..%2fadmin/x",
        "/admin/y%2fz/../../x",
    ];
    for path in spellings {
        // A proof makes it no clearer.
        for asked in [format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"), get_as(path, &token)] {
            let answer = gate.edge.ask(asked).await;
            assert_eq!(answer.status(), 400, "{path}");
            assert!(answer.text().contains("can be read in two ways"), "{}", answer.text());
        }
        // Nobody can say a backslash over HTTP/2 with this client.
        if !path.contains('\\') {
            assert_eq!(h2.get(path).await.head.status(), 400, "{path} over HTTP/2");
        }
    }
    assert!(gate.origin.heard().is_empty());
    let labels = [("error", "http_request_denied"), ("status", "400"), ("blame", "client")];
    gate.edge.counts("deepwater_edge_failures_total", &labels, (3 * spellings.len() - 1) as f64).await;

    // Where all readings are of one route, nothing changes.
    for path in ["/projects/a%2fb", "/projects/a;b%5Cc", "/x%2Fy;z"] {
        assert_eq!(gate.edge.get(path).await.status(), 200, "{path}");
        assert_eq!(gate.origin.heard().pop().unwrap().target(), path);
        assert_eq!(h2.ask(request("GET", path)).await.head.status(), 200);
        assert_eq!(gate.origin.heard().pop().unwrap().target(), path);
    }
    assert_eq!(gate.edge.ask(get_as("/admin/a%2fb", &token)).await.status(), 200);
}
