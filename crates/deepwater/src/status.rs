//! `deepwater status`: how a running Deepwater is, as its console tells it.

use std::time::Duration;

use deepwater_core::config::Secret;
use deepwater_upstream::{PoolStatus, TargetStatus};
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::{Failure, print};
use crate::demo::client::Call;
use crate::demo::table::{Align, Table, count, lasting, latency};

/// Where the console listens unless told otherwise.
const CONSOLE_PORT: u16 = 9_000;

/// Whom to ask.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The console: `http://127.0.0.1:9000`, or only its address.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9000")]
    console: String,
    /// The console's token: `env:NAME` or `file:PATH`.
    #[arg(long, value_name = "SECRET")]
    token: Option<Secret>,
    /// Print JSON: what the console answered, under `status`, `pools` and `routes`.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let console = Console::new(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answers = runtime.block_on(async {
        let status = console.ask("/api/status").await?;
        let pools = console.ask("/api/edge/pools").await?;
        let routes = console.ask("/api/edge/routes").await?;
        Ok::<_, Failure>(Answers { status, pools, routes })
    })?;
    let text = if arguments.json { answers.json() } else { answers.page()? };
    print(text.as_bytes())
}

/// The console to ask.
struct Console {
    /// `host:port`
    address: String,
    authorization: Option<HeaderValue>,
}

impl Console {
    fn new(arguments: &Arguments) -> Result<Self, Failure> {
        let authorization = match &arguments.token {
            Some(token) => {
                let token = token
                    .resolve(std::path::Path::new("."))
                    .map_err(|error| Failure::Usage(format!("--token: {error}")))?;
                let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                    .map_err(|_| Failure::Usage("--token: it has characters a header cannot carry".into()))?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        Ok(Self { address: address(&arguments.console)?, authorization })
    }

    async fn ask(&self, path: &str) -> Result<Value, Failure> {
        let key = self.authorization.clone().map(|value| (AUTHORIZATION, value));
        let (status, body) = Call { key, ..Call::get(&self.address, path) }.send().await.map_err(|reason| {
            Failure::Running(format!(
                "no console answers at http://{}: {reason}\n  fix: start Deepwater (deepwater run, deepwater demo), or \
                 give the address of its [console] with --console",
                self.address
            ))
        })?;
        let answer: Option<Value> = serde_json::from_slice(&body).ok();
        match (status, answer) {
            (StatusCode::OK, Some(answer)) => Ok(answer),
            (StatusCode::UNAUTHORIZED, _) if self.authorization.is_some() => Err(Failure::Usage(format!(
                "the console at http://{} does not accept this token\n  fix: give the one its [console] table names",
                self.address
            ))),
            (StatusCode::UNAUTHORIZED, _) => Err(Failure::Usage(format!(
                "the console at http://{} asks for its token\n  fix: --token env:DEEPWATER_TOKEN",
                self.address
            ))),
            (_, answer) => {
                let error = answer.as_ref().and_then(|answer| answer["error"].as_str());
                let error = error.map(|error| format!(": {error}")).unwrap_or_default();
                Err(Failure::Running(format!(
                    "http://{}{path} answered {status}{error}\n  fix: check that this is the console's address, not that \
                     of the application",
                    self.address
                )))
            }
        }
    }
}

/// `host:port` of what was given as a URL or an address.
fn address(console: &str) -> Result<String, Failure> {
    let usage = |what: &str| {
        Failure::Usage(format!("--console: {what}\n  fix: write it like http://127.0.0.1:{CONSOLE_PORT}"))
    };
    if console.starts_with("https://") {
        return Err(usage("the console speaks HTTP without TLS"));
    }
    let address = console.strip_prefix("http://").unwrap_or(console).trim_end_matches('/');
    let authority: hyper::http::uri::Authority =
        address.parse().map_err(|_| usage(&format!("`{console}` is no address of a console")))?;
    if authority.as_str().contains('@') {
        return Err(usage("a password does not belong there; use --token"));
    }
    match authority.port_u16() {
        Some(_) => Ok(address.to_owned()),
        None if authority.host() == address => Ok(format!("{address}:{CONSOLE_PORT}")),
        None => Err(usage(&format!("`{console}` has no valid port"))),
    }
}

/// What the console answered.
struct Answers {
    status: Value,
    pools: Value,
    routes: Value,
}

/// `/api/status`, as far as it is shown.
#[derive(Deserialize)]
struct Status {
    version: String,
    commit: String,
    pid: u32,
    uptime_seconds: f64,
    phase: String,
    edge: Edge,
}

#[derive(Deserialize)]
struct Edge {
    requests: u64,
    in_flight: i64,
    connections: Connections,
    bytes: Bytes,
    listeners: Vec<Listener>,
}

#[derive(Deserialize)]
struct Connections {
    open: i64,
    accepted: u64,
}

#[derive(Deserialize)]
struct Bytes {
    r#in: u64,
    out: u64,
}

#[derive(Deserialize)]
struct Listener {
    address: String,
    protocol: String,
}

#[derive(Deserialize)]
struct Pools {
    pools: Vec<PoolStatus>,
}

#[derive(Deserialize)]
struct Routes {
    routes: Vec<Route>,
}

#[derive(Deserialize)]
struct Route {
    name: String,
    pool: Option<String>,
    /// By status class: `2xx`.
    requests: std::collections::BTreeMap<String, u64>,
    in_flight: i64,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

impl Answers {
    fn json(&self) -> String {
        let all = json!({
            "status": self.status,
            "pools": self.pools["pools"],
            "routes": self.routes["routes"],
        });
        // A JSON value always has a text form.
        serde_json::to_string_pretty(&all).unwrap_or_default() + "\n"
    }

    fn page(&self) -> Result<String, Failure> {
        let strange = |error: serde_json::Error| {
            Failure::Running(format!(
                "the console answered something this version does not know: {error}\n  fix: use the `deepwater` of the \
                 same version, or --json"
            ))
        };
        let status = Status::deserialize(&self.status).map_err(strange)?;
        let pools = Pools::deserialize(&self.pools).map_err(strange)?;
        let routes = Routes::deserialize(&self.routes).map_err(strange)?;

        let mut lines = head(&status);
        for pool in &pools.pools {
            lines.push(String::new());
            lines.extend(pool_lines(pool));
        }
        lines.push(String::new());
        lines.extend(route_lines(&routes.routes));
        Ok(lines.join("\n") + "\n")
    }
}

fn head(status: &Status) -> Vec<String> {
    let Status { version, commit, pid, phase, edge, .. } = status;
    // A clock that went backwards shows as just started.
    let uptime = Duration::try_from_secs_f64(status.uptime_seconds).unwrap_or_default();
    let listener = |listener: &Listener| format!("{} ({})", listener.address, listener.protocol);
    let listeners: Vec<String> = edge.listeners.iter().map(listener).collect();
    vec![
        format!("Deepwater {version} ({commit}), {phase} for {}, process {pid}", lasting(uptime)),
        format!("  listening    {}", listeners.join(", ")),
        format!("  requests     {}, {} in flight", count(edge.requests), edge.in_flight),
        format!(
            "  connections  {} open, {} accepted",
            edge.connections.open,
            count(edge.connections.accepted)
        ),
        format!("  bytes        {} in, {} out", bytes(edge.bytes.r#in), bytes(edge.bytes.out)),
    ]
}

fn pool_lines(pool: &PoolStatus) -> Vec<String> {
    let panic = if pool.panic { "; so few that all are used" } else { "" };
    let mut lines = vec![format!(
        "Pool {}, {}: {} of {} available{panic}",
        pool.name,
        pool.balance.name(),
        pool.available,
        pool.targets.len()
    )];
    let columns = [
        ("target", Align::Left),
        ("state", Align::Left),
        ("weight", Align::Right),
        ("in flight", Align::Right),
        ("requests", Align::Right),
        ("failures", Align::Right),
        ("latency", Align::Right),
        ("check", Align::Left),
        ("why", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for target in &pool.targets {
        table.row(target_row(target));
    }
    lines.extend(table.lines(2));
    for name in &pool.names {
        let outcome = match &name.error {
            Some(error) => format!("not resolved: {error}"),
            None => name.addresses.join(", "),
        };
        lines.push(format!("  {} → {outcome}", name.name));
    }
    lines
}

fn target_row(target: &TargetStatus) -> [String; 9] {
    let name = match target.name == target.address {
        true => target.name.clone(),
        false => format!("{} ({})", target.name, target.address),
    };
    let check = match &target.check {
        None => "–".to_owned(),
        Some(check) if check.healthy => format!("ok, {}", latency(Some(check.latency_ms))),
        Some(check) => format!("failed {} in a row", check.failed_in_a_row),
    };
    let mut why: Vec<String> = target.reason.iter().cloned().collect();
    why.extend(target.ejected_for_seconds.map(|left| format!("back in {left:.0} s")));
    [
        name,
        target.state.as_str().to_owned(),
        weight(target),
        count(target.in_flight.into()),
        count(target.requests),
        count(target.failures),
        latency(target.latency_ms),
        check,
        why.join("; "),
    ]
}

/// The weight in force, with the configured one while they differ.
fn weight(target: &TargetStatus) -> String {
    if (target.effective_weight - f64::from(target.weight)).abs() < 0.005 {
        target.weight.to_string()
    } else {
        format!("{:.2} of {}", target.effective_weight, target.weight)
    }
}

fn route_lines(routes: &[Route]) -> Vec<String> {
    let columns = [
        ("Route", Align::Left),
        ("pool", Align::Left),
        ("requests", Align::Right),
        ("2xx", Align::Right),
        ("3xx", Align::Right),
        ("4xx", Align::Right),
        ("5xx", Align::Right),
        ("in flight", Align::Right),
        ("p50", Align::Right),
        ("p99", Align::Right),
    ];
    let mut table = Table::new(&columns);
    for route in routes {
        let of = |class: &str| count(route.requests.get(class).copied().unwrap_or(0));
        table.row([
            route.name.clone(),
            route.pool.clone().unwrap_or_else(|| "–".into()),
            count(route.requests.values().sum()),
            of("2xx"),
            of("3xx"),
            of("4xx"),
            of("5xx"),
            route.in_flight.to_string(),
            latency(route.p50_ms),
            latency(route.p99_ms),
        ]);
    }
    table.lines(0)
}

/// `1.2 MiB`
fn bytes(number: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = number as f64;
    let mut name = "B";
    for unit in units {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        name = unit;
    }
    if name == "B" || value >= 99.95 { format!("{value:.0} {name}") } else { format!("{value:.1} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_is_a_url_or_an_address() {
        for (given, meant) in [
            ("http://127.0.0.1:9000", "127.0.0.1:9000"),
            ("http://127.0.0.1:9001/", "127.0.0.1:9001"),
            ("localhost:9000", "localhost:9000"),
            ("console.internal", "console.internal:9000"),
            ("[::1]", "[::1]:9000"),
        ] {
            assert_eq!(address(given).ok().as_deref(), Some(meant), "{given}");
        }
        for wrong in
            ["https://127.0.0.1:9000", "", "a b", "127.0.0.1:", "127.0.0.1:99999", "http://me:pw@host:9000"]
        {
            assert!(matches!(address(wrong), Err(Failure::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn bytes_are_for_people() {
        assert_eq!([0, 1_023, 1_536, 123 << 20].map(bytes), ["0 B", "1023 B", "1.5 KiB", "123 MiB"]);
    }

    #[test]
    fn the_page_lines_up() {
        let target = |address: &str, state: &str, reason: Value| {
            json!({
                "id": "00000000000000ff", "name": address, "address": address, "state": state, "reason": reason,
                "since": "2026-01-01T00:00:00Z", "weight": 1, "effective_weight": 1.0, "in_flight": 2,
                "requests": 12_345, "failures": 3, "cancelled": 0, "consecutive_failures": 0, "latency_ms": 4.24,
                "ejections": 0, "ejected_for_seconds": null,
                "check": {
                    "at": "2026-01-01T00:00:00Z", "healthy": state == "healthy", "detail": "200", "failing": [],
                    "latency_ms": 0.4, "passed_in_a_row": 9, "failed_in_a_row": 2
                }
            })
        };
        let targets = [
            target("127.0.0.1:3000", "healthy", Value::Null),
            target("127.0.0.1:3001", "unhealthy", "refused".into()),
        ];
        let answers = Answers {
            status: json!({
                "version": "0.1.0", "commit": "abc", "pid": 7, "uptime_seconds": 65.5, "phase": "running",
                "edge": {
                    "requests": 24_690, "in_flight": 4, "connections": { "open": 8, "accepted": 1_000 },
                    "bytes": { "in": 10, "out": 2_048 },
                    "listeners": [{ "address": "127.0.0.1:8080", "protocol": "http", "tls": false }]
                }
            }),
            pools: json!({ "pools": [{
                "name": "app", "balance": "round_robin", "panic": false, "available": 1, "targets": targets,
                "names": []
            }]}),
            routes: json!({ "routes": [{
                "name": "/*", "pool": "app", "requests": { "1xx": 0, "2xx": 24_690, "3xx": 0, "4xx": 0, "5xx": 0 },
                "in_flight": 4, "p50_ms": 1.5, "p95_ms": 3.0, "p99_ms": 12.0
            }]}),
        };
        let Ok(page) = answers.page() else { panic!("the page is not understood") };
        let expected = "\
Deepwater 0.1.0 (abc), running for 1 min 5 s, process 7
  listening    127.0.0.1:8080 (http)
  requests     24,690, 4 in flight
  connections  8 open, 1,000 accepted
  bytes        10 B in, 2.0 KiB out

Pool app, round_robin: 1 of 2 available
  target          state      weight  in flight  requests  failures  latency  check              why
  127.0.0.1:3000  healthy         1          2    12,345         3   4.2 ms  ok, 0.40 ms
  127.0.0.1:3001  unhealthy       1          2    12,345         3   4.2 ms  failed 2 in a row  refused

Route  pool  requests     2xx  3xx  4xx  5xx  in flight     p50    p99
/*     app     24,690  24,690    0    0    0          4  1.5 ms  12 ms
";
        assert_eq!(page, expected);
        assert!(answers.json().contains("\"pools\": ["));
    }
}
