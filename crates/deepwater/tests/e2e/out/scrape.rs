//! `/metrics`, in both formats.

use tokio::net::TcpStream;

use super::program::{promtool, read};
use crate::support::pg_wire::Pg;
use crate::support::postgres::{Setup, Version};
use crate::support::{Deepwater, LISTEN, Message, Origin, ROUTE, Wire, ok, pool, soon};

const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `/metrics` for who accepts this.
async fn scrape(edge: &Deepwater, accept: &str) -> Message {
    let stream = soon("the console", TcpStream::connect(edge.console)).await.unwrap();
    let host = edge.console;
    let request =
        format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
    Wire::new(stream).ask(request).await
}

/// Prometheus' checker finds nothing to say of it, and neither does the parser of OpenMetrics.
async fn is_well_formed(edge: &Deepwater, families: &[&str]) {
    let told = promtool(&["check", "metrics"], scrape(edge, "text/plain").await.text().as_bytes()).await;
    assert_eq!((told.code, told.stdout.as_str(), told.stderr.as_str()), (Some(0), "", ""));

    let open = scrape(edge, "application/openmetrics-text").await;
    assert_eq!(open.get("content-type"), Some(OPEN));
    let parsed = read("openmetrics", open.text().as_bytes()).await;
    let names: Vec<_> = parsed.iter().map(|family| family["name"].as_str().unwrap()).collect();
    for family in families {
        assert!(names.contains(family), "{family} in {names:?}");
    }
    for family in &parsed {
        assert_ne!(family["help"], "", "{family}");
        assert_ne!(family["kind"], "unknown", "{family}");
    }
}

/// Every gate a request can pass.
const BUSY: &str = r#"
[[edge.route]]
match = { path = "/staff" }
pool = "app"
auth = "staff"
[[edge.route]]
match = { path = "/orders", method = "POST" }
pool = "app"
idempotency = true
[[edge.route]]
name = "odd \"name\" \\ of a route"
match = { path = "/few" }
pool = "app"
rate_limit = { key = "ip", rate = 1, burst = 1 }
[[edge.route]]
pool = "app"
cache = true
[auth.staff.passwords]
bob = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
"#;

#[tokio::test]
async fn metrics_of_a_busy_edge_are_well_formed() {
    let origin = Origin::answering(|request| match request.target() {
        "/500" => "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops".into(),
        _ => "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\n\r\nfine".into(),
    })
    .await;
    let gate = "concurrency = { limit = \"fixed\", max = 4 }\ntarget_breaker = { failure_share = \"50%\" }\n";
    let config = format!("{LISTEN}{BUSY}{}{gate}", pool("app", &[origin.address]));
    let edge = Deepwater::start(&config).await;
    for path in ["/a", "/a", "/500", "/staff", "/few", "/few"] {
        edge.get(path).await;
    }
    edge.ask("POST /orders HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\nContent-Length: 2\r\n\r\n{}").await;
    edge.ask("NONSENSE\r\n\r\n").await;
    let families = [
        "deepwater_edge_requests",
        "deepwater_edge_request_duration_seconds",
        "deepwater_cache_requests",
        "deepwater_idempotency_requests",
        "deepwater_edge_auth",
        "deepwater_edge_rate_limited",
        "deepwater_edge_upstream_concurrency_limit",
        "deepwater_upstream_target_up",
        "deepwater_events",
        "deepwater_process_cpu_seconds",
        "deepwater_build_info",
    ];
    is_well_formed(&edge, &families).await;
}

#[tokio::test]
async fn metrics_of_a_busy_pooler_are_well_formed() {
    let database = Version::Newest.database().await;
    let pooler = Setup::new().database(&database, "").start().await;
    let mut session = Pg::login(&pooler.place(&database)).await;
    session.run("SELECT 1").await;
    let families = [
        "deepwater_postgres_queries",
        "deepwater_postgres_wait_seconds",
        "deepwater_postgres_waited_seconds",
        "deepwater_postgres_server_connections",
    ];
    is_well_formed(&pooler, &families).await;
    let metrics = pooler.metrics().await;
    let busy = metrics.sum("deepwater_postgres_query_seconds_total", &[]);
    assert!(busy > 0.0 && busy < 30.0, "in seconds, not microseconds: {busy}");
}

#[tokio::test]
async fn the_format_is_the_readers_choice() {
    let origin = Origin::answering(|_| ok("fine")).await;
    let edge = Deepwater::start(&format!("{LISTEN}{ROUTE}{}", pool("app", &[origin.address]))).await;
    for (accept, open) in [
        ("*/*", false),
        ("text/html, */*;q=0.1", false),
        ("application/openmetrics-text;version=1.0.0;q=0.8, text/plain;version=0.0.4;q=0.5", true),
        ("application/openmetrics-text;version=1.0.0;q=0.2, text/plain;version=0.0.4;q=0.5", false),
    ] {
        let page = scrape(&edge, accept).await;
        assert_eq!((page.status(), page.get("vary")), (200, Some("Accept")), "{accept}");
        assert_eq!(page.get("content-type") == Some(OPEN), open, "{accept}");
        assert_eq!(page.text().ends_with("\n# EOF\n"), open, "{accept}");
    }
}
