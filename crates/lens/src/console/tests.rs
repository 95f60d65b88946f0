//! The console's rules, each over a real socket.

mod rig;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use deepwater_core::{Call, Context, Endpoint, Events, Reply, event};
use serde_json::json;

use super::{Config, Listen, Readiness, StartError, start};
use rig::{Rig, config, ports};

event! {
    /// A test fact.
    pub struct TargetEjected { target: String }
    target_ejected: Warn, "target {target} was ejected"
}

const COMMAND: (&str, &str) = ("X-Deepwater", "1");

fn echo() -> Endpoint {
    Endpoint::post("/api/echo", "gives the body back", |call| {
        Reply::ok(&json!({ "length": call.body.len(), "query": call.query }))
    })
}

#[tokio::test]
async fn the_dashboard_runs_nothing_but_itself() {
    let rig = Rig::plain().await;
    let page = rig.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(page.body.contains("<title>Deepwater"));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'sha256-"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn status_joins_the_process_and_every_plane() {
    let rig = Rig::plain().await;
    let answer = rig.get("/api/status").await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    let status = answer.json();
    assert_eq!(status["version"], "1.2.3");
    assert_eq!(status["commit"], "abc1234");
    assert_eq!(status["phase"], "running");
    assert_eq!(status["pid"], std::process::id());
    assert!(status["uptime_seconds"].is_number() && status["process"]["resident_bytes"].is_number());
    assert_eq!(status["edge"], json!({ "requests": 42 }));
}

#[tokio::test]
async fn metrics_hold_what_was_counted_and_what_happened() {
    let rig = Rig::plain().await;
    let requests = rig.context.metrics.counter("deepwater_test_total", "Test.", &[]);
    requests.add(3);
    rig.context.events.emit(TargetEjected { target: "a".into() });
    rig.get("/nowhere").await;

    let metrics = rig.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "deepwater_test_total 3",
        "deepwater_events_total{event=\"target_ejected\",level=\"warn\"} 1",
        "deepwater_build_info{version=\"1.2.3\",commit=\"abc1234\"} 1",
        "deepwater_console_requests_total{class=\"4xx\"} 1",
    ] {
        assert!(metrics.body.lines().any(|l| l == line), "{line} is not in\n{}", metrics.body);
    }
    assert!(metrics.body.contains("deepwater_process_resident_bytes "));
}

#[tokio::test]
async fn events_come_newest_first_and_as_many_as_asked() {
    let rig = Rig::plain().await;
    for target in ["first", "second", "third"] {
        rig.context.events.emit(TargetEjected { target: target.into() });
    }
    let two = rig.get("/api/events?rows=2").await.json();
    let messages: Vec<_> = two["events"].as_array().unwrap().iter().map(|row| &row["message"]).collect();
    assert_eq!(messages, ["target third was ejected", "target second was ejected"]);
    assert_eq!(rig.get("/api/events?rows=two").await.status, 400);
}

#[tokio::test]
async fn the_index_lists_every_endpoint() {
    let rig = Rig::with(config(None), ports(vec![echo()])).await;
    for path in ["/api/", "/api"] {
        let index = rig.get(path).await.json();
        let listed = |method: &str, path: &str| {
            let rows = index["endpoints"].as_array().unwrap();
            rows.iter().any(|row| row["method"] == method && row["path"] == path && row["about"].is_string())
        };
        assert!(listed("POST", "/api/echo") && listed("GET", "/api/status") && listed("GET", "/metrics"));
    }
}

#[tokio::test]
async fn json_is_indented_on_request() {
    let rig = Rig::plain().await;
    assert_eq!(rig.get("/healthz").await.body, "{\"alive\":true}\n");
    assert_eq!(rig.get("/healthz?pretty").await.body, "{\n  \"alive\": true\n}\n");
}

#[tokio::test]
async fn a_wrong_path_is_told_the_near_ones() {
    let rig = Rig::plain().await;
    let answer = rig.get("/api/state").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["near"][0], "/api/status");
    assert!(answer.json()["error"].as_str().unwrap().contains("/api/status"));
    assert_eq!(rig.get("/%zz/x/y").await.status, 404);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let rig = Rig::with(config(None), ports(vec![echo()])).await;
    let read = rig.get("/api/echo").await;
    assert_eq!((read.status, read.header("allow")), (405, "POST"));
    let write = rig.send("DELETE", "/api/status", &[COMMAND], "").await;
    assert_eq!((write.status, write.header("allow")), (405, "GET, HEAD"));
}

#[tokio::test]
async fn head_answers_as_get_without_the_body() {
    let rig = Rig::plain().await;
    let head = rig.send("HEAD", "/healthz", &[], "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), "{\"alive\":true}\n".len().to_string());
}

#[tokio::test]
async fn a_command_reaches_the_plane_and_is_recorded() {
    let calls = Arc::new(Mutex::new(Vec::<Call>::new()));
    let seen = Arc::clone(&calls);
    let path = "/api/edge/pools/{pool}/targets/{target}/drain";
    let drain = Endpoint::post(path, "drains a target", move |call| {
        seen.lock().unwrap().push(call);
        Reply::ok(&json!({ "state": "draining" }))
    });
    let rig = Rig::with(config(None), ports(vec![drain])).await;

    let target = "/api/edge/pools/app/targets/127.0.0.1%3A3000/drain?why=upgrade";
    let json = ("Content-Type", "application/json");
    let answer = rig.send("POST", target, &[json], "{\"within\":\"10s\"}").await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "state": "draining" })));

    let calls = calls.lock().unwrap();
    assert_eq!(calls[0].parameters, ["app", "127.0.0.1:3000"]);
    assert_eq!(calls[0].query, "why=upgrade");
    assert_eq!(calls[0].body, b"{\"within\":\"10s\"}");
    let record = &rig.context.events.recent(1)[0];
    assert_eq!(record.event, "command_given");
    assert_eq!(record.fields["peer"], "127.0.0.1");
}

#[tokio::test]
async fn a_foreign_page_cannot_command() {
    let rig = Rig::with(config(None), ports(vec![echo()])).await;
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for headers in [vec![], vec![form], vec![("Content-Type", "text/plain")]] {
        assert_eq!(rig.send("POST", "/api/echo", &headers, "x").await.status, 403, "{headers:?}");
    }
    let marked = rig.send("POST", "/api/echo?a=b", &[COMMAND], "").await;
    assert_eq!((marked.status, marked.json()), (200, json!({ "length": 0, "query": "a=b" })));
    // The preflight that would let a foreign page set the header is never granted.
    let preflight = rig.send("OPTIONS", "/api/echo", &[("Origin", "http://evil.example")], "").await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (405, ""));
}

#[tokio::test]
async fn a_name_that_was_rebound_is_refused() {
    let rig = Rig::plain().await;
    for path in ["/", "/api/status", "/metrics"] {
        let answer = rig.send("GET", path, &[("Host", "evil.example")], "").await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.body.contains("evil.example"), "{}", answer.body);
    }
    for host in ["localhost:9000", "[::1]:9000", "127.0.0.1"] {
        assert_eq!(rig.send("GET", "/api/status", &[("Host", host)], "").await.status, 200, "{host}");
    }
    // Probes name the host as they please.
    assert_eq!(rig.send("GET", "/healthz", &[("Host", "evil.example")], "").await.status, 200);
}

#[tokio::test]
async fn a_token_is_asked_for_and_taken() {
    let rig = Rig::with(config(Some("open sesame")), ports(vec![echo()])).await;
    for path in ["/api/status", "/metrics", "/nowhere", "/api/echo"] {
        let answer = rig.get(path).await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(rig.get(path).await.status, 200, "{path}");
    }
    let bearer = |token| [("Authorization", token), ("Host", "console.example")];
    assert_eq!(rig.send("GET", "/api/status", &bearer("Bearer open sesame"), "").await.status, 200);
    assert_eq!(rig.send("GET", "/api/status", &bearer("Bearer wrong"), "").await.status, 401);
}

#[tokio::test]
async fn a_browser_signs_in_once() {
    let rig = Rig::with(config(Some("open sesame")), ports(vec![echo()])).await;
    let form = rig.get("/").await;
    assert_eq!(form.status, 401);
    assert!(form.body.contains("name=\"token\""), "{}", form.body);
    assert_eq!(rig.get("/?token=wrong").await.status, 401);

    let login = rig.get("/?token=open+sesame").await;
    assert_eq!((login.status, login.header("location")), (303, "/"));
    let (cookie, attributes) = login.header("set-cookie").split_once(';').unwrap();
    assert!(attributes.contains("HttpOnly") && attributes.contains("SameSite"), "{attributes}");
    assert!(!login.header("set-cookie").contains("sesame"));

    let page = rig.send("GET", "/", &[("Cookie", cookie)], "").await;
    assert!(page.status == 200 && page.body.contains("<title>Deepwater</title>"));
    let command = rig.send("POST", "/api/echo", &[("Cookie", cookie), COMMAND], "").await;
    assert_eq!(command.status, 200);
    assert_eq!(rig.send("POST", "/api/echo", &[("Cookie", cookie)], "").await.status, 403);
}

#[tokio::test]
async fn the_token_may_stand_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("token"), "from a file\n").unwrap();
    let mut ports = ports(Vec::new());
    ports.directory = directory.path().into();
    let rig = Rig::with(config(Some("file:token")), ports.clone()).await;
    let bearer = ("Authorization", "Bearer from a file");
    assert_eq!(rig.send("GET", "/api/status", &[bearer], "").await.status, 200);

    let context = Context::new(7, Events::silent());
    let error = start(config(Some("file:absent")), context, ports).await.unwrap_err();
    assert!(error.to_string().contains("absent"), "{error}");
}

#[tokio::test]
async fn readiness_gives_its_reasons() {
    let waiting = Arc::new(Mutex::new(vec!["pool app has no healthy target".to_owned()]));
    let asked = Arc::clone(&waiting);
    let mut ports = ports(Vec::new());
    ports.readiness = Arc::new(move || Readiness::waiting(asked.lock().unwrap().clone()));
    let rig = Rig::with(config(None), ports).await;

    let answer = rig.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["reasons"], json!(["pool app has no healthy target"]));
    waiting.lock().unwrap().clear();
    assert_eq!(rig.get("/readyz").await.json(), json!({ "ready": true, "reasons": [] }));
}

#[tokio::test]
async fn a_drain_can_be_watched_to_its_end() {
    let mut rig = Rig::plain().await;
    let edge = rig.context.shutdown.work();
    assert_eq!(rig.get("/readyz").await.status, 200);
    let mut idle = rig.connect().await;
    idle.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    idle.until("{\"alive\":true}\n").await;

    rig.context.shutdown.drain(Duration::from_secs(60));
    let ready = rig.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(ready.json()["reasons"][0].as_str().unwrap().starts_with("draining"));
    assert_eq!(rig.get("/healthz").await.status, 200);
    assert_eq!(rig.get("/api/status").await.json()["phase"], "draining");

    drop(edge);
    rig.console.closed().await;
    assert_eq!(idle.rest().await, "", "an idle connection is ended");
    assert_eq!(rig.console.address(), None);
}

#[tokio::test]
async fn closing_answers_the_call_under_way() {
    let (entered, mut inside) = tokio::sync::mpsc::channel(1);
    let leave = Arc::new(tokio::sync::Notify::new());
    let slow = Endpoint {
        method: "GET",
        path: "/api/slow",
        about: "waits",
        call: Arc::new({
            let leave = Arc::clone(&leave);
            move |_| {
                let (entered, leave) = (entered.clone(), Arc::clone(&leave));
                Box::pin(async move {
                    entered.send(()).await.unwrap();
                    leave.notified().await;
                    Reply::ok(&"done")
                })
            }
        }),
    };
    let rig = Rig::with(config(None), ports(vec![slow])).await;
    let mut client = rig.connect().await;
    client.write("GET /api/slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    inside.recv().await.unwrap();
    let closing = tokio::spawn(rig.console.close());
    leave.notify_one();
    assert!(client.rest().await.ends_with("\"done\"\n"));
    closing.await.unwrap();
}

#[tokio::test]
async fn closing_answers_the_first_call_of_who_has_just_come() {
    let rig = Rig::plain().await;
    let mut client = rig.connect().await;
    // Connections are accepted in their order: once another has its answer, this one is in.
    assert_eq!(rig.get("/healthz").await.status, 200);
    let closing = tokio::spawn(rig.console.close());
    tokio::task::yield_now().await;
    client.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(client.rest().await.starts_with("HTTP/1.1 200"));
    closing.await.unwrap();
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let rig = Rig::plain().await;
    let mut client = rig.connect().await;
    for _ in 0..3 {
        client.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert!(client.until("{\"alive\":true}\n").await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn one_connection_too_many_waits_for_its_turn() {
    const LIMIT: usize = 256;
    let rig = Rig::plain().await;
    let mut open = Vec::new();
    for _ in 0..LIMIT {
        let mut client = rig.connect().await;
        client.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        client.until("{\"alive\":true}\n").await;
        open.push(client);
    }
    let mut waiting = rig.connect().await;
    waiting.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    open.pop();
    let metrics = waiting.rest().await;
    assert!(metrics.contains("\ndeepwater_console_connections 256\n"), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_dawdles_over_its_header_is_cut() {
    let rig = Rig::plain().await;
    let mut client = rig.connect().await;
    client.write("GET /healthz HTTP/1.1\r\nHost: local").await;
    assert!(!client.rest().await.contains("200 OK"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_dawdles_over_its_body_is_told() {
    let rig = Rig::with(config(None), ports(vec![echo()])).await;
    let mut client = rig.connect().await;
    let head = "POST /api/echo HTTP/1.1\r\nHost: localhost\r\nX-Deepwater: 1\r\nContent-Length: 9\r\n\r\n";
    client.write(head).await;
    client.write("half").await;
    assert!(client.rest().await.starts_with("HTTP/1.1 408"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let rig = Rig::with(config(None), ports(vec![echo()])).await;
    let largest = "x".repeat(1024 * 1024);
    let answer = rig.send("POST", "/api/echo", &[COMMAND], &largest).await;
    assert_eq!((answer.status, &answer.json()["length"]), (200, &json!(1024 * 1024)));

    let head = "POST /api/echo HTTP/1.1\r\nHost: localhost\r\nX-Deepwater: 1\r\n";
    let mut announced = rig.connect().await;
    announced.write(&format!("{head}Content-Length: 1048577\r\n\r\n")).await;
    assert!(announced.until("\r\n").await.contains(" 413 "));
    let mut chunked = rig.connect().await;
    chunked
        .write(&format!("{head}Transfer-Encoding: chunked\r\n\r\n100001\r\n{largest}x\r\n0\r\n\r\n"))
        .await;
    assert!(chunked.until("\r\n").await.contains(" 413 "));
}

#[tokio::test]
async fn a_fault_in_an_endpoint_is_an_answer() {
    let faulty = Endpoint::post("/api/faulty", "fails", |_| panic!("a fault on purpose"));
    let rig = Rig::with(config(None), ports(vec![faulty])).await;
    assert_eq!(rig.send("POST", "/api/faulty", &[COMMAND], "").await.status, 500);
    assert_eq!(rig.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_port_in_use_is_named_with_the_fix() {
    let rig = Rig::plain().await;
    let config = Config { listen: rig.listen(), token: None };
    let error = start(config, Context::new(7, Events::silent()), ports(Vec::new())).await.unwrap_err();
    assert!(matches!(error, StartError::InUse(_)));
    let message = error.to_string();
    assert!(message.contains(&rig.address().to_string()) && message.contains("fix: "), "{message}");
}

#[tokio::test]
async fn a_console_others_can_reach_does_not_start_without_a_token() {
    let config = Config { listen: "0.0.0.0:0".parse().unwrap(), token: None };
    let error = start(config, Context::new(7, Events::silent()), ports(Vec::new())).await.unwrap_err();
    assert!(matches!(error, StartError::TokenMissing(_)));
    assert!(error.to_string().contains("token = \"env:"), "{error}");
}

#[tokio::test]
async fn a_console_that_is_off_opens_nothing() {
    let mut rig = Rig::with(Config { listen: Listen::Off, token: None }, ports(Vec::new())).await;
    assert_eq!(rig.console.address(), None);
    rig.console.closed().await;
    rig.console.close().await;
}

#[tokio::test]
async fn two_endpoints_cannot_share_a_path() {
    let twice = ports(vec![echo(), echo()]);
    let error = start(config(None), Context::new(7, Events::silent()), twice).await.unwrap_err();
    assert_eq!(error.to_string(), "two endpoints claim POST /api/echo");
}
