//! What a user may write under `[edge]` and `[pools]`. Types that were typed; [`crate::plan`] makes them valid.

mod cache;
mod guard;
mod idempotency;
mod listen;
mod pool;
mod retry;
mod route;

use std::collections::BTreeMap;

use deepwater_core::config::{Duration, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use cache::{Cache, CacheTable, CookieRule, EarlyRefresh, RouteCache, SetCookieRule, Tier};
pub use deepwater_auth::{Addresses, Auth};
pub use deepwater_tls::{Certificate, Certificates, TlsVersion};
pub use deepwater_upstream::Priority;
pub use guard::{RateLimit, RateLimits, RequiredAuth, RouteAuth};
pub use idempotency::{
    Idempotency, IdempotencyTable, OnStoreError, RouteIdempotency, StoredAnswers, UnknownOutcome,
};
pub use listen::{Listen, ListenProtocol};
pub use pool::{
    HashKey, Health, HealthKind, OriginProtocol, OriginTimeouts, OriginTls, Pool, ProxyProtocolOut, SameSite,
    Sticky, TargetEntry, TargetTable,
};
pub use retry::Retry;
pub use route::{Files, HeaderEdits, Match, Redirect, Respond, Route};

/// The pools by name: `[pools.<name>]`.
pub type Pools = BTreeMap<String, Pool>;

/// Ways to prove who one is, by name: `[auth.<name>]`.
pub type Auths = BTreeMap<String, Auth>;

/// All that the edge is configured by: its own table, and those that routes refer to.
#[derive(Debug, Clone, Copy)]
pub struct Tables<'a> {
    /// `[edge]`.
    pub edge: &'a Config,
    /// `[pools]`.
    pub pools: &'a Pools,
    /// `[cache]`.
    pub cache: &'a Cache,
    /// `[auth]`.
    pub auth: &'a Auths,
    /// `[idempotency]`.
    pub idempotency: &'a Idempotency,
}

/// The HTTP and TCP edge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Threads that serve; each has its own connections and shares nothing. 0 means one per core.
    pub workers: usize,
    /// Client connections open at once, over all listeners; further ones wait in the system's accept queue. 0 means
    /// three quarters of the files the system lets the process open, since a busy one needs a second to a server.
    pub max_connections: usize,
    /// Client connections open at once from one address, or from one /64 with IPv6, over all listeners; further ones are
    /// closed at once. 0 means no such limit. `trusted_proxies` have none: they speak for many.
    pub max_connections_per_ip: usize,
    /// Networks (`10.0.0.0/8`) whose `Forwarded` and `X-Forwarded-*` fields are believed and extended. Those of
    /// any other peer are dropped.
    pub trusted_proxies: Vec<String>,
    /// Largest request head, and largest response head, in bytes. A request beyond it gets 431.
    pub max_header_size: Size,
    /// Largest request body in bytes. A request beyond it gets 413. 0 means no such limit.
    pub max_body_size: Size,
    /// How long a process that was asked to end (SIGTERM) takes new connections yet while `/readyz` already says that it
    /// is leaving: as long as load balancers in front of it need to notice.
    pub drain_delay: Duration,
    /// How long a stopping process lets requests under way finish.
    pub drain_timeout: Duration,
    /// Deadlines for clients.
    pub timeouts: ClientTimeouts,
    /// The access log.
    pub access_log: AccessLog,
    /// Where to accept connections.
    pub listen: Vec<Listen>,
    /// Where requests go; the first match wins.
    pub route: Vec<Route>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            workers: 0,
            max_connections: 0,
            max_connections_per_ip: 0,
            trusted_proxies: Vec::new(),
            max_header_size: Size::from_kib(64),
            max_body_size: Size::from_kib(0),
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(30),
            timeouts: ClientTimeouts::default(),
            access_log: AccessLog::default(),
            listen: Vec::new(),
            route: Vec::new(),
        }
    }
}

/// Deadlines for what a client does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientTimeouts {
    /// From the first byte of a request head (or the connection's start) to its last; then 408.
    pub header: Duration,
    /// Between two reads of a request body, or two writes of a response, without any progress. In this time a
    /// client has to send at least 1 KiB of a body; then 408. gRPC is exempt on its way to an HTTP/2 pool: its streams are
    /// conversations.
    pub body: Duration,
    /// Between two requests on a kept connection.
    pub idle: Duration,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// Silence in both directions of an upgraded (WebSocket) or tunnelled connection.
    pub tunnel: Duration,
}

impl Default for ClientTimeouts {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            body: Duration::from_secs(60),
            idle: Duration::from_secs(75),
            handshake: Duration::from_secs(10),
            tunnel: Duration::from_secs(3_600),
        }
    }
}

/// The form of an access log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessLogFormat {
    /// No access log.
    #[default]
    Off,
    /// One JSON object a line.
    Json,
    /// The combined format of Apache and nginx.
    Combined,
}

/// One line per request, written by a thread of its own that never holds a request up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AccessLog {
    /// The form of a line, or `off`.
    pub format: AccessLogFormat,
    /// `stdout`, or a file that is appended to (and opened anew when it was rotated away).
    pub path: String,
    /// The share of requests logged, 0 to 1. Answers of 500 and above are always logged.
    pub sample: f64,
}

impl Default for AccessLog {
    fn default() -> Self {
        Self { format: AccessLogFormat::Off, path: "stdout".into(), sample: 1.0 }
    }
}
