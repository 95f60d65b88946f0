//! `deepwater status`: how a running Deepwater is, as its console tells it.

mod lens;
mod postgres;

use std::time::Duration;

use deepwater_upstream::{PoolStatus, TargetStatus};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::{Failure, print};
use crate::console::{self, deal, pretty, understood};
use crate::table::{Align, Table, bytes, count, counted, lasting, latency, share};

/// Whom to ask.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    console: console::Arguments,
    /// Print JSON: what the console answered, under `cliffs`, `advice`, `status`, `pools`, `routes`, `cache` and `postgres`.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let answers = deal(&arguments.console, async |console| {
        let status = console.page("/api/status").await?;
        let pools = console.page("/api/edge/pools").await?;
        let routes = console.page("/api/edge/routes").await?;
        let cache = console.newer_page("/api/cache").await?;
        // No plane, no page.
        let postgres = console.newer_page("/api/postgres/pools").await?;
        let cliffs = console.newer_page("/api/cliffs").await?;
        let advice = console.newer_page("/api/advice").await?;
        Ok(Answers { status, pools, routes, cache, postgres, cliffs, advice })
    })?;
    let text = if arguments.json { answers.json() } else { answers.page()? };
    print(text.as_bytes())
}

/// What the console answered.
#[cfg_attr(test, derive(Clone))]
struct Answers {
    status: Value,
    pools: Value,
    routes: Value,
    cache: Option<Value>,
    postgres: Option<Value>,
    /// None where the lens is off.
    cliffs: Option<Value>,
    advice: Option<Value>,
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

impl Edge {
    /// A plane that is not configured has no figures, not even noughts.
    fn runs(&self) -> bool {
        !self.listeners.is_empty()
    }
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

/// `/api/cache`: little more than that there is none, or what a cache says.
#[derive(Deserialize)]
struct Caching {
    enabled: bool,
}

#[derive(Deserialize)]
struct Cache {
    name: String,
    memory: Memory,
    hit_ratio: Option<f64>,
    fetches_in_flight: u64,
    routes: Vec<CachingRoute>,
}

#[derive(Deserialize)]
struct Memory {
    bytes: u64,
    capacity: u64,
    objects: u64,
}

#[derive(Deserialize)]
struct CachingRoute {
    name: String,
    hits: u64,
    stale: u64,
    coalesced: u64,
    revalidated: u64,
    misses: u64,
    bypassed: u64,
    hit_ratio: Option<f64>,
    served_bytes: u64,
}

impl Answers {
    fn json(&self) -> String {
        pretty(&json!({
            "status": self.status,
            "pools": self.pools["pools"],
            "routes": self.routes["routes"],
            "cache": self.cache,
            "postgres": self.postgres,
            "cliffs": self.cliffs,
            "advice": self.advice,
        }))
    }

    fn page(&self) -> Result<String, Failure> {
        let status: Status = understood(&self.status)?;
        let pools: Pools = understood(&self.pools)?;
        let routes: Routes = understood(&self.routes)?;

        let mut lines = Vec::new();
        if let Some(cliffs) = &self.cliffs {
            let advice = self.advice.as_ref().map(understood).transpose()?;
            lines.extend(lens::lines(&understood(cliffs)?, advice.as_ref()));
            lines.push(String::new());
        }
        lines.extend(head(&status));
        for pool in &pools.pools {
            lines.push(String::new());
            lines.extend(pool_lines(pool));
        }
        if status.edge.runs() {
            lines.push(String::new());
            lines.extend(route_lines(&routes.routes));
        }
        if let Some(cache) = &self.cache
            && understood::<Caching>(cache)?.enabled
        {
            lines.push(String::new());
            lines.extend(cache_lines(&understood(cache)?));
        }
        if let Some(postgres) = &self.postgres {
            lines.push(String::new());
            lines.extend(postgres::lines(&understood(postgres)?));
        }
        Ok(lines.join("\n") + "\n")
    }
}

fn head(status: &Status) -> Vec<String> {
    let Status { version, commit, pid, phase, edge, .. } = status;
    // A clock that went backwards shows as just started.
    let uptime = Duration::try_from_secs_f64(status.uptime_seconds).unwrap_or_default();
    let first = format!("Deepwater {version} ({commit}), {phase} for {}, process {pid}", lasting(uptime));
    if !edge.runs() {
        return vec![first];
    }
    let listener = |listener: &Listener| format!("{} ({})", listener.address, listener.protocol);
    let listeners: Vec<String> = edge.listeners.iter().map(listener).collect();
    vec![
        first,
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

fn cache_lines(cache: &Cache) -> Vec<String> {
    let Memory { bytes: used, capacity, objects } = cache.memory;
    let mut lines = vec![format!(
        "Cache {}: hit ratio {}, {} of {} for {}, {} in flight",
        cache.name,
        share(cache.hit_ratio),
        bytes(used),
        bytes(capacity),
        counted(objects, "object"),
        match cache.fetches_in_flight {
            1 => "1 fetch".to_owned(),
            fetches => format!("{} fetches", count(fetches)),
        }
    )];
    let columns = [
        ("route", Align::Left),
        ("hit ratio", Align::Right),
        ("hits", Align::Right),
        ("stale", Align::Right),
        ("coalesced", Align::Right),
        ("revalidated", Align::Right),
        ("misses", Align::Right),
        ("bypassed", Align::Right),
        ("served", Align::Right),
    ];
    let mut table = Table::new(&columns);
    for route in &cache.routes {
        table.row([
            route.name.clone(),
            share(route.hit_ratio),
            count(route.hits),
            count(route.stale),
            count(route.coalesced),
            count(route.revalidated),
            count(route.misses),
            count(route.bypassed),
            bytes(route.served_bytes),
        ]);
    }
    lines.extend(table.lines(2));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen;

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
            cache: Some(json!({
                "enabled": true, "name": "deepwater-edge", "hit_ratio": 0.9312, "fetches_in_flight": 1,
                "memory": { "bytes": 1_572_864, "capacity": 268_435_456, "objects": 1_234, "largest": 33_554_288 },
                "routes": [{
                    "name": "/*", "hits": 9_000, "stale": 200, "coalesced": 100, "revalidated": 12, "misses": 600,
                    "bypassed": 88, "refreshed_early": 5, "refreshed_stale": 200, "fetches": 817,
                    "hit_ratio": 0.9312, "served_bytes": 123 << 20
                }, {
                    "name": "/new", "hits": 0, "stale": 0, "coalesced": 0, "revalidated": 0, "misses": 0,
                    "bypassed": 0, "hit_ratio": null, "served_bytes": 0
                }]
            })),
            postgres: None,
            cliffs: None,
            advice: None,
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

Cache deepwater-edge: hit ratio 93.1 %, 1.5 MiB of 256 MiB for 1,234 objects, 1 fetch in flight
  route  hit ratio   hits  stale  coalesced  revalidated  misses  bypassed   served
  /*        93.1 %  9,000    200        100           12     600        88  123 MiB
  /new           –      0      0          0            0       0         0      0 B
";
        assert_eq!(page, expected);
        assert!(answers.json().contains("\"pools\": ["));

        // Nothing caches, or the console is too old to know of it.
        for cache in [Some(json!({ "enabled": false, "routes": [] })), None] {
            let without = Answers { cache, ..answers.clone() };
            let (page, _) = expected.split_once("\nCache").unwrap_or_default();
            assert_eq!(without.page().ok().as_deref(), Some(page));
        }

        // Where there is no edge, nothing is said of one.
        let mut alone = answers.clone();
        alone.status["edge"]["listeners"] = json!([]);
        (alone.pools, alone.routes, alone.cache) = (json!({ "pools": [] }), json!({ "routes": [] }), None);
        assert_eq!(
            alone.page().ok().as_deref(),
            Some("Deepwater 0.1.0 (abc), running for 1 min 5 s, process 7\n")
        );

        // What the lens says comes first.
        let seen = Answers {
            cliffs: Some(seen::tests::cliffs()),
            advice: Some(seen::tests::advice()),
            ..answers.clone()
        };
        let Ok(page) = seen.page() else { panic!("the page is not understood") };
        assert!(page.starts_with("The pool of `shop` is exhausted at 410 req/s"), "{page}");
        assert!(page.ends_with(&format!("\n\n{expected}")), "{page}");
        assert!(seen.json().contains("\"nearest\": \"connection_pool:shop/web\""));
    }
}
