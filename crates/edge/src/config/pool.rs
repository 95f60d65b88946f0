//! `[pools.<name>]`.

use std::collections::BTreeMap;

use deepwater_core::config::{Duration, Percent, Secret};
use deepwater_upstream::{Balance, Breaker, Concurrency, HealthCheck, Outlier, PoolSpec, WaitingRoom};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Retry;

/// Servers that can answer the same requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// The servers: `"127.0.0.1:3000"`, `"https://app.internal"`, `"unix:/run/app.sock"`, or a table with a weight.
    /// A name stands for all addresses it resolves to and is resolved anew by its TTL.
    #[schemars(example = ["127.0.0.1:3000"])]
    pub targets: Vec<TargetEntry>,
    /// How a server is chosen.
    #[serde(default)]
    pub balance: Balance,
    /// What `consistent_hash` hashes.
    #[serde(default)]
    pub hash: HashKey,
    /// Keep a client with the server that answered it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
    /// Ask the servers regularly whether they are well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Take servers out of rotation that fail real requests.
    #[serde(default)]
    pub outlier: Outlier,
    /// How long a server that (re)joins takes to get its full share.
    #[serde(default = "none")]
    pub slow_start: Duration,
    /// When less than this share of the servers is well, all are used anyway: some may still answer.
    #[serde(default = "panic_threshold")]
    pub panic_threshold: Percent,
    /// What is spoken to the servers.
    #[serde(default)]
    pub protocol: OriginProtocol,
    /// For `https://` targets.
    #[serde(default)]
    pub tls: OriginTls,
    /// Deadlines for the servers.
    #[serde(default)]
    pub timeouts: OriginTimeouts,
    /// Idle connections kept by each thread to each server.
    #[serde(default = "idle_connections")]
    pub idle_connections: usize,
    /// Servers tried for one request when connecting fails, each once; the retry budget counts these, too.
    #[serde(default = "connect_attempts")]
    pub connect_attempts: usize,
    /// Sends nothing to a server for a time when too much of it failed there. None by default: `outlier` does for most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_breaker: Option<Breaker>,
    /// Sends nothing to any server for a time when too much of it failed, and answers 503 at once. None by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,
    /// How many requests may be with the servers at once; further ones wait, see `waiting`. No limit by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// The waiting room in front of a pool with `concurrency`: beyond it 503, at once.
    #[serde(default)]
    pub waiting: WaitingRoom,
    /// When a request is sent again.
    #[serde(default)]
    pub retry: Retry,
    /// The `Host` sent to the servers: `client` (as the client sent it), `target` (the server's own name), or a
    /// fixed name.
    #[serde(default = "host")]
    pub host: String,
    /// Announce the client's address to the servers with the PROXY protocol. A connection then serves one client.
    #[serde(default)]
    pub proxy_protocol: ProxyProtocolOut,
}

fn none() -> Duration {
    Duration::from_secs(0)
}

fn panic_threshold() -> Percent {
    PoolSpec::PANIC_THRESHOLD
}

fn idle_connections() -> usize {
    256
}

fn connect_attempts() -> usize {
    3
}

fn host() -> String {
    "client".into()
}

impl Pool {
    /// A pool of these targets with every other key at its default.
    pub fn of(targets: impl IntoIterator<Item = String>) -> Self {
        Self {
            targets: targets.into_iter().map(TargetEntry::Address).collect(),
            balance: Balance::default(),
            hash: HashKey::default(),
            sticky: None,
            health: None,
            outlier: Outlier::default(),
            slow_start: none(),
            panic_threshold: panic_threshold(),
            protocol: OriginProtocol::default(),
            tls: OriginTls::default(),
            timeouts: OriginTimeouts::default(),
            idle_connections: idle_connections(),
            connect_attempts: connect_attempts(),
            target_breaker: None,
            breaker: None,
            concurrency: None,
            waiting: WaitingRoom::default(),
            retry: Retry::default(),
            host: host(),
            proxy_protocol: ProxyProtocolOut::default(),
        }
    }
}

/// One server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TargetEntry {
    /// Its address.
    Address(String),
    /// Its address and more.
    Table(TargetTable),
}

/// One server with a weight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetTable {
    /// Its address.
    #[schemars(example = "127.0.0.1:3000")]
    pub address: String,
    /// Its share beside the others, 1 to 1000.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

impl TargetEntry {
    /// The address as written.
    pub fn address(&self) -> &str {
        match self {
            Self::Address(address) => address,
            Self::Table(table) => &table.address,
        }
    }

    /// The weight.
    pub fn weight(&self) -> u32 {
        match self {
            Self::Address(_) => one(),
            Self::Table(table) => table.weight,
        }
    }
}

/// What `consistent_hash` hashes; a request without it is placed by client address.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HashKey {
    /// The client's address.
    #[default]
    Ip,
    /// The path.
    Path,
    /// A header field.
    Header(String),
    /// A cookie.
    Cookie(String),
}

/// The `SameSite` attribute of a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SameSite {
    /// Sent when the user follows a link to the site.
    #[default]
    Lax,
    /// Sent only from the site itself.
    Strict,
    /// Sent from everywhere; needs `Secure`.
    None,
}

/// A cookie that remembers the server. Its value is a keyed hash: it tells nobody which server it names, and nobody
/// can make one up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sticky {
    /// The cookie's name.
    pub cookie: String,
    /// Key of the hash. Without it a random one is made at each start, which moves clients once; give the same to
    /// all nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// The cookie's `SameSite`.
    #[serde(default)]
    pub same_site: SameSite,
    /// How long the client keeps the cookie; without it, until the browser closes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
    /// Always mark the cookie `Secure`; by default only for clients that came over TLS.
    #[serde(default)]
    pub secure: bool,
}

/// How a server is asked whether it is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthKind {
    /// With a GET request.
    #[default]
    Http,
    /// By opening a connection.
    Tcp,
}

/// Active health checks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// How the server is asked.
    pub kind: HealthKind,
    /// Path of the request.
    pub path: String,
    /// `Host` of the request; by default the server's own name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Statuses that mean well: `200`, `200-399`, or several separated by blanks.
    pub status: String,
    /// Members the JSON body must have: `{ status = "healthy" }`. Members of an object named `checks` that say
    /// otherwise are shown as failing.
    pub json: BTreeMap<String, String>,
    /// Between two checks of a server, give or take a tenth.
    pub every: Duration,
    /// How long a check may take.
    pub timeout: Duration,
    /// Good checks in a row that bring a server back.
    pub healthy_after: u32,
    /// Bad checks in a row that take a server out.
    pub unhealthy_after: u32,
}

impl Default for Health {
    fn default() -> Self {
        let checks = HealthCheck::default();
        Self {
            kind: HealthKind::Http,
            path: "/".into(),
            host: None,
            status: "200-399".into(),
            json: BTreeMap::new(),
            every: checks.every,
            timeout: checks.timeout,
            healthy_after: checks.healthy_threshold,
            unhealthy_after: checks.unhealthy_threshold,
        }
    }
}

/// What is spoken to the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OriginProtocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: over TLS by ALPN, else in cleartext with prior knowledge. gRPC needs it.
    Http2,
}

/// TLS to the servers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OriginTls {
    /// PEM file of the authorities to trust in place of the system's. Relative to the configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// PEM file of the certificate shown to servers that ask for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<String>,
    /// PEM file of its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The name the server's certificate must have; by default the one in the target's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
}

/// Deadlines for the servers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OriginTimeouts {
    /// To open a connection, TLS included.
    pub connect: Duration,
    /// From the end of the request to the first byte of the response; then 504.
    pub response: Duration,
    /// Between two reads of a response body, or two writes of a request body.
    pub body: Duration,
    /// How long an idle connection is kept. Less than the server's own keep-alive (Node.js: 5 s), so that no request
    /// meets a connection being closed; a shorter `Keep-Alive: timeout` from the server is obeyed.
    pub idle: Duration,
}

impl Default for OriginTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            response: Duration::from_secs(60),
            body: Duration::from_secs(60),
            idle: Duration::from_secs(4),
        }
    }
}

/// The PROXY protocol towards servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProxyProtocolOut {
    /// Not sent.
    #[default]
    Off,
    /// The text form.
    V1,
    /// The binary form.
    V2,
}
