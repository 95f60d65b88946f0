//! The console's own JSON pages: alive, ready, status, events and the index of everything.

use std::sync::Arc;
use std::time::Instant;

use deepwater_core::shutdown::Phase;
use deepwater_core::{Call, Context, Endpoint, Reply};
use serde_json::{Map, Value, json};

use super::Ports;
use super::path::query_value;
use super::process::Usage;

/// Rows of `/api/events` when the caller does not say.
const EVENT_ROWS: usize = 100;

/// Whether traffic should be sent here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Readiness {
    /// Why not, one sentence each; ready when there is none.
    pub reasons: Vec<String>,
}

impl Readiness {
    /// Traffic is welcome.
    pub fn ready() -> Self {
        Self::default()
    }

    /// Not yet, or no longer.
    pub fn waiting(reasons: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { reasons: reasons.into_iter().map(Into::into).collect() }
    }

    /// Whether traffic is welcome.
    pub fn is_ready(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// Liveness: answers while the process runs, whatever else is wrong, so that nobody restarts it for that.
pub(super) fn healthz() -> Endpoint {
    Endpoint::get("/healthz", "200 while the process lives; needs no token", || json!({ "alive": true }))
}

/// Readiness: 503 with the reasons as soon as a drain begins or a plane asks for patience.
pub(super) fn readyz(context: &Context, ports: &Ports) -> Endpoint {
    let (shutdown, readiness) = (context.shutdown.clone(), Arc::clone(&ports.readiness));
    get("/readyz", "200 when traffic is welcome, else 503 with reasons; needs no token", move |_| {
        let mut reasons = readiness().reasons;
        if let Some(reason) = leaving(shutdown.phase()) {
            reasons.insert(0, reason.into());
        }
        let status = if reasons.is_empty() { 200 } else { 503 };
        Reply { status, body: json!({ "ready": reasons.is_empty(), "reasons": reasons }) }
    })
}

/// The newest facts first.
pub(super) fn events(context: &Context) -> Endpoint {
    let events = context.events.clone();
    get("/api/events", "the newest events first; ?rows=N, 100 unless told", move |call| {
        let rows = match query_value(&call.query, "rows").map(|rows| rows.parse()) {
            None => EVENT_ROWS,
            Some(Ok(rows)) => rows,
            Some(Err(_)) => return Reply::error(400, "`rows` is a whole number, as in ?rows=50"),
        };
        Reply::ok(&json!({ "events": events.recent(rows) }))
    })
}

/// The whole in one answer: the process, and the snapshot of every plane under its name.
pub(super) fn status(context: &Context, ports: &Ports) -> Endpoint {
    let started = context.clock.now();
    let (context, build, sources) = (context.clone(), ports.build, ports.statuses.clone());
    Endpoint::get("/api/status", "the process and the state of every plane", move || {
        let mut status = Map::new();
        status.insert("version".into(), build.version.into());
        status.insert("commit".into(), build.commit.into());
        status.insert("pid".into(), std::process::id().into());
        status.insert("uptime_seconds".into(), uptime(&context, started).into());
        status.insert("phase".into(), phase(context.shutdown.phase()).into());
        status.insert("process".into(), json!(Usage::read()));
        for (name, read) in &sources {
            status.insert((*name).into(), read());
        }
        Value::Object(status)
    })
}

/// What there is, for people with curl.
pub(super) fn index<'a>(endpoints: impl Iterator<Item = &'a Endpoint>) -> Endpoint {
    const PATH: &str = "/api/";
    const ABOUT: &str = "this list; ?pretty on any page indents it";
    let mut rows: Vec<Value> = endpoints
        .map(|endpoint| (endpoint.method, endpoint.path, endpoint.about))
        .chain([
            ("GET", "/", "the dashboard"),
            (
                "GET",
                "/metrics",
                "metrics in the Prometheus text format, or in OpenMetrics for who asks for it",
            ),
            ("GET", PATH, ABOUT),
        ])
        .map(|(method, path, about)| json!({ "method": method, "path": path, "about": about }))
        .collect();
    rows.sort_by(|a, b| a["path"].as_str().cmp(&b["path"].as_str()));
    let index = json!({ "endpoints": rows });
    Endpoint::get(PATH, ABOUT, move || index.clone())
}

fn get(
    path: &'static str,
    about: &'static str,
    read: impl Fn(Call) -> Reply + Send + Sync + 'static,
) -> Endpoint {
    Endpoint { method: "GET", ..Endpoint::post(path, about, read) }
}

fn uptime(context: &Context, started: Instant) -> f64 {
    let uptime = context.clock.now().saturating_duration_since(started);
    (uptime.as_secs_f64() * 1_000.0).round() / 1_000.0
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Running => "running",
        Phase::Leaving => "leaving",
        Phase::Draining { .. } => "draining",
        Phase::Stopped => "stopped",
    }
}

fn leaving(phase: Phase) -> Option<&'static str> {
    match phase {
        Phase::Running => None,
        Phase::Leaving => Some("leaving: new work belongs elsewhere"),
        Phase::Draining { .. } => Some("draining: work under way is finished, new work belongs elsewhere"),
        Phase::Stopped => Some("stopped"),
    }
}
