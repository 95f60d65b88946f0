//! Metrics, status, readiness, the access log, and the commands that show them.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Deepwater, Home, LISTEN, Origin, ROUTE, ok, pool, run, soon};

const REQUESTS: &str = "deepwater_edge_requests_total";

/// An origin that answers `/500` with that, and everything else with 200.
async fn origin() -> Origin {
    Origin::answering(|request| match request.target() {
        "/500" => "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops".into(),
        _ => ok("fine"),
    })
    .await
}

#[tokio::test]
async fn metrics_are_valid_and_move() {
    let origin = origin().await;
    let routes = "[[edge.route]]\nname = \"api\"\nmatch = { path = \"/api/*\" }\npool = \"app\"\n\
                  [[edge.route]]\nmatch = { path = \"/500\" }\npool = \"app\"\n";
    let edge = Deepwater::start(&format!("{LISTEN}{routes}{}", pool("app", &[origin.address]))).await;
    // There before the first request, as soon as the thread that counts them is.
    soon("a count of no requests", async {
        while edge.metrics().await.get(REQUESTS, &[("route", "api"), ("status", "2xx")]) != Some(0.0) {}
    })
    .await;

    let mut client = edge.client().await;
    for path in ["/api/1", "/api/2", "/500", "/nowhere"] {
        client.get(path).await;
    }
    edge.counts(REQUESTS, &[("route", "(none)"), ("status", "4xx")], 1.0).await;
    let after = edge.metrics().await;
    for (name, labels, value) in [
        (REQUESTS, &[("route", "api"), ("status", "2xx")][..], 2.0),
        (REQUESTS, &[("route", "/500"), ("status", "5xx")], 1.0),
        ("deepwater_edge_request_duration_seconds_count", &[("route", "api")], 2.0),
        ("deepwater_edge_in_flight", &[("route", "api")], 0.0),
        ("deepwater_edge_connections", &[], 1.0),
        ("deepwater_edge_accepted_total", &[], 1.0),
        ("deepwater_edge_upstream_response_seconds_count", &[("pool", "app")], 3.0),
        ("deepwater_edge_upstream_connects_total", &[("pool", "app")], 1.0),
        ("deepwater_edge_upstream_reused_total", &[("pool", "app")], 2.0),
    ] {
        assert_eq!(after.get(name, labels), Some(value), "{name} {labels:?}");
    }
    let sent = after.get("deepwater_edge_sent_bytes_total", &[]).unwrap();
    assert!(sent >= 12.0, "three bodies of four bytes, and the 404's: {sent}");
    let failures = after.sum("deepwater_edge_failures_total", &[("error", "destination_not_found")]);
    assert!((failures - 1.0).abs() < f64::EPSILON);
    drop(client);
    edge.counts("deepwater_edge_connections", &[], 0.0).await;
}

#[tokio::test]
async fn requests_under_way_are_seen() {
    let origin = Origin::scripted(|mut visit| async move {
        visit.request().await;
        visit.linger().await;
    })
    .await;
    let edge = Deepwater::fronting(&origin).await;
    let mut client = edge.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    origin.hears(1).await;
    assert_eq!(edge.metrics().await.get("deepwater_edge_in_flight", &[("route", "/*")]), Some(1.0));
    assert_eq!(edge.json("/api/status").await["edge"]["in_flight"], 1);
    assert_eq!(edge.target("app", origin.address).await["in_flight"], 1);
    drop(client);
    edge.counts("deepwater_edge_in_flight", &[("route", "/*")], 0.0).await;
}

#[tokio::test]
async fn the_api_tells_how_everything_is() {
    let origin = origin().await;
    let edge = Deepwater::fronting(&origin).await;
    edge.get("/").await;
    edge.get("/500").await;
    edge.counts(REQUESTS, &[("route", "/*"), ("status", "5xx")], 1.0).await;

    let status = edge.json("/api/status").await;
    assert_eq!((&status["phase"], &status["pid"]), (&"running".into(), &edge.pid().into()));
    assert_eq!(status["edge"]["requests"], 2);
    assert_eq!(status["edge"]["listeners"][0]["address"], edge.edge().to_string());

    let routes = edge.json("/api/edge/routes").await;
    let row = &routes["routes"][0];
    assert_eq!((&row["name"], &row["pool"]), (&"/*".into(), &"app".into()));
    assert_eq!((&row["requests"]["2xx"], &row["requests"]["5xx"]), (&1.into(), &1.into()));
    assert!(row["p50_ms"].as_f64().is_some_and(|p50| p50 > 0.0), "{row}");

    let target = edge.target("app", origin.address).await;
    assert_eq!((&target["requests"], &target["failures"]), (&2.into(), &1.into()), "{target}");

    let config = edge.json("/api/config").await;
    assert_eq!(config["edge"]["workers"], 1);
    let index = edge.json("/api/").await.to_string();
    for path in ["/api/status", "/api/edge/pools", "/api/edge/routes", "/metrics", "/readyz"] {
        assert!(index.contains(path), "{path} is missing in {index}");
    }
    let dashboard = edge.page("/").await;
    assert_eq!(dashboard.status(), 200);
    assert!(dashboard.get("content-type").is_some_and(|kind| kind.starts_with("text/html")));
}

#[tokio::test]
async fn a_console_with_a_token_keeps_others_out() {
    let origin = origin().await;
    let home = Home::new();
    home.write("token", "open sesame");
    let config = format!("token = \"file:token\"\n{LISTEN}{ROUTE}{}", pool("app", &[origin.address]));
    let edge = Deepwater::start_in(home, &config).await;
    for path in ["/", "/metrics", "/api/status", "/api/config"] {
        assert_eq!(edge.page(path).await.status(), 401, "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(edge.page(path).await.status(), 200, "{path}");
    }
    let console = format!("http://{}", edge.console);
    let home = edge.home().path("");
    let refused = run(&home, &["status", "--console", &console]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("token"), "{refused:?}");
    let shown = run(&home, &["status", "--console", &console, "--token", "file:token"]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
}

#[tokio::test]
async fn secrets_are_never_shown() {
    let origin = origin().await;
    let sticky = "sticky = { cookie = \"lb\", secret = \"hunter2hunter2\" }\n";
    let config = format!("{LISTEN}{ROUTE}{}{sticky}", pool("app", &[origin.address]));
    let edge = Deepwater::start(&config).await;
    let shown = edge.page("/api/config").await;
    assert!(!shown.text().contains("hunter2"), "{}", shown.text());
    let file = edge.home().path("deepwater.toml");
    let printed = run(&edge.home().path(""), &["check", "--print", "-c", file.to_str().unwrap()]).await;
    assert_eq!(printed.code, Some(0));
    assert!(!printed.stdout.contains("hunter2"), "{}", printed.stdout);
}

#[tokio::test]
async fn status_prints_a_table() {
    let origin = origin().await;
    let edge = Deepwater::fronting(&origin).await;
    edge.get("/").await;
    let console = format!("http://{}", edge.console);
    let home = edge.home().path("");
    let table = run(&home, &["status", "--console", &console]).await;
    assert_eq!(table.code, Some(0), "{table:?}");
    for word in [&origin.address.to_string(), "app", "running", "/*"] {
        assert!(table.stdout.contains(word), "{word} is missing in\n{}", table.stdout);
    }
    let json = run(&home, &["status", "--json", "--console", &console]).await;
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["status"]["pid"], edge.pid());
    assert_eq!(json["pools"][0]["name"], "app");
}

#[tokio::test]
async fn status_of_nothing_fails() {
    let home = Home::new();
    let nowhere = format!("http://{}", Origin::nowhere().await);
    let result = run(&home.path(""), &["status", "--console", &nowhere]).await;
    assert_eq!((result.code, result.stdout.as_str()), (Some(1), ""));
    assert!(result.stderr.contains(&nowhere) && result.stderr.contains("fix:"), "{}", result.stderr);
    let nonsense = run(&home.path(""), &["status", "--console", "https://x"]).await;
    assert_eq!(nonsense.code, Some(2));
}

/// An edge that logs in this form to `access.log`.
async fn logging(format: &str, more: &str) -> (Origin, Deepwater, PathBuf) {
    let origin = origin().await;
    let log = format!("[edge.access_log]\nformat = \"{format}\"\npath = \"access.log\"\n{more}");
    let edge = Deepwater::start(&format!("{LISTEN}{log}{ROUTE}{}", pool("app", &[origin.address]))).await;
    let path = edge.home().path("access.log");
    (origin, edge, path)
}

/// The lines of a log once there are so many: it is written behind the requests.
async fn lines(path: &PathBuf, count: usize) -> Vec<String> {
    soon(&format!("{count} lines in the log"), async {
        loop {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            if lines.len() >= count && text.ends_with('\n') {
                return lines;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

const LOGGED: &str = "GET /a?b=\"c\" HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: curl \"8\"\r\n\
                      Referer: https://a.example/\r\nX-Request-Id: r-1\r\n\r\n";

#[tokio::test]
async fn the_access_log_can_be_combined() {
    let (_origin, edge, path) = logging("combined", "").await;
    edge.ask(LOGGED.replace('"', "'")).await;
    edge.get("/500").await;
    let lines = lines(&path, 2).await;
    let (start, rest) = lines[0].split_once('[').unwrap();
    let (time, rest) = rest.split_once(']').unwrap();
    assert_eq!(start, "127.0.0.1 - - ");
    assert!(time.len() == 26 && time.as_bytes()[2] == b'/' && time.ends_with("+0000"), "{time}");
    assert_eq!(rest, " \"GET /a?b='c' HTTP/1.1\" 200 4 \"https://a.example/\" \"curl '8'\"");
    assert!(lines[1].ends_with("\"GET /500 HTTP/1.1\" 500 4 \"-\" \"-\""), "{}", lines[1]);
}

#[tokio::test]
async fn the_access_log_can_be_json() {
    let (origin, edge, path) = logging("json", "").await;
    edge.ask(LOGGED.replace("b=\"c\"", "b=c")).await;
    edge.ask("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").await;
    let lines = lines(&path, 2).await;
    let rows: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (key, value) in [
        ("client_ip", "127.0.0.1"),
        ("method", "GET"),
        ("target", "/a?b=c"),
        ("version", "1.1"),
        ("route", "/*"),
        ("host", "shop.example"),
        ("user_agent", "curl \"8\""),
        ("referer", "https://a.example/"),
        ("request_id", "r-1"),
        ("upstream", origin.address.to_string().as_str()),
    ] {
        assert_eq!(rows[0][key], value, "{key} in {}", lines[0]);
    }
    assert_eq!((&rows[0]["status"], &rows[0]["sent_bytes"]), (&200.into(), &4.into()));
    assert!(rows[0]["duration_ms"].as_f64() >= rows[0]["upstream_duration_ms"].as_f64());
    assert_eq!(rows[0]["trace_id"].as_str().map(str::len), Some(32));
    assert_eq!(rows[1]["received_bytes"], 5);
}

#[tokio::test]
async fn the_access_log_goes_to_standard_output_by_default() {
    let origin = origin().await;
    let log = "[edge.access_log]\nformat = \"combined\"\n";
    let edge = Deepwater::start(&format!("{LISTEN}{log}{ROUTE}{}", pool("app", &[origin.address]))).await;
    edge.get("/seen").await;
    assert!(edge.printed_line("/seen").await.starts_with("127.0.0.1 - - ["));
}

#[tokio::test]
async fn the_access_log_names_what_failed() {
    let nowhere = Origin::nowhere().await;
    let log = "[edge.access_log]\nformat = \"json\"\npath = \"access.log\"\n";
    let edge = Deepwater::start(&format!("{LISTEN}{log}{ROUTE}{}", pool("app", &[nowhere]))).await;
    edge.get("/").await;
    edge.ask("NONSENSE\r\n\r\n").await;
    let lines = lines(&edge.home().path("access.log"), 2).await;
    let rows: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&rows[0]["status"], &rows[0]["error"]), (&502.into(), &"connection_refused".into()));
    assert_eq!((&rows[1]["status"], &rows[1]["error"]), (&400.into(), &"http_request_error".into()));
}

#[tokio::test]
async fn a_sampled_log_keeps_every_server_error() {
    let (_origin, edge, path) = logging("json", "sample = 0\n").await;
    let mut client = edge.client().await;
    for _ in 0..20 {
        client.get("/").await;
    }
    client.get("/500").await;
    let lines = lines(&path, 1).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("\"target\":\"/500\""), "{}", lines[0]);
}

#[tokio::test]
async fn a_rotated_log_is_opened_anew() {
    let (_origin, edge, path) = logging("combined", "").await;
    edge.get("/before").await;
    lines(&path, 1).await;
    std::fs::rename(&path, path.with_extension("1")).unwrap();
    // Lines may go to the old file until the rotation is noticed.
    soon("a new file", async {
        while !path.exists() {
            edge.get("/after").await;
        }
    })
    .await;
    assert!(lines(&path, 1).await[0].contains("/after"));
}

#[tokio::test]
async fn the_last_lines_are_written_before_the_end() {
    let (_origin, mut edge, path) = logging("combined", "").await;
    edge.get("/last").await;
    edge.terminate();
    assert_eq!(edge.ends().await, Some(0));
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("/last") && text.ends_with('\n'), "{text:?}");
}

#[tokio::test]
async fn readiness_follows_the_pools() {
    let a = Origin::named("a").await;
    let checks = "health = { kind = \"tcp\", every = \"50ms\", healthy_after = 1, unhealthy_after = 1 }\n";
    let edge = Deepwater::start(&format!("{LISTEN}{ROUTE}{}{checks}", pool("app", &[a.address]))).await;
    let address = a.address;
    edge.target_becomes("app", address, "healthy").await;
    assert_eq!(edge.page("/readyz").await.status(), 200);
    a.stop().await;
    edge.target_becomes("app", address, "unhealthy").await;
    let waiting = edge.page("/readyz").await;
    assert_eq!(waiting.status(), 503);
    assert!(waiting.text().contains("pool app"), "{}", waiting.text());
    assert_eq!(edge.page("/healthz").await.status(), 200, "it lives all the same");
}

#[tokio::test]
async fn events_are_told_in_json_where_asked() {
    let origin = origin().await;
    let to = format!("http://{}", origin.address);
    let arguments = ["run", "--log-json", "--to", &to, "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"];
    let edge = Deepwater::spawn(Home::new(), &arguments, 1).await;
    let line: Value = serde_json::from_str(&edge.log_line("edge_started").await).unwrap();
    assert_eq!((&line["event"], &line["level"]), (&"edge_started".into(), &"info".into()));
    assert_eq!(line["fields"]["address"], edge.edge().to_string());
    let events = edge.json("/api/events?rows=5").await.to_string();
    assert!(events.contains("edge_started"), "{events}");
}
