//! A configuration of the kind the planes have, for the tests of this module.

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, Percent, Secret, Size};

/// A whole configuration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Config {
    /// The dashboard and the admin API.
    pub(super) console: Console,
    /// The HTTP plane.
    pub(super) edge: Edge,
    /// Groups of servers, by name.
    pub(super) pools: BTreeMap<String, Pool>,
    /// Who may call, by name.
    pub(super) auth: BTreeMap<String, Auth>,
    /// The cache. Absent: no cache.
    pub(super) cache: Option<Cache>,
    /// Where requests are logged.
    pub(super) log: Log,
}

/// The dashboard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Console {
    /// Address and port.
    pub(super) listen: String,
    /// What a client off loopback must present.
    pub(super) token: Option<Secret>,
}

impl Default for Console {
    fn default() -> Self {
        Self { listen: "127.0.0.1:9000".to_owned(), token: None }
    }
}

/// The HTTP plane.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Edge {
    /// The addresses to accept on.
    pub(super) listen: Vec<Listen>,
    /// What goes where; the first match wins.
    pub(super) route: Vec<Route>,
    /// Peers whose forwarding headers are believed.
    pub(super) trusted: Vec<IpAddr>,
}

/// One TCP address to accept on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Listen {
    /// Address and port, e.g. `0.0.0.0:8080`.
    #[schemars(example = "0.0.0.0:8080")]
    pub(super) address: String,
    /// How long a client may take to send its headers.
    #[serde(default = "ten_seconds")]
    pub(super) header_timeout: Duration,
    /// How much a client may send as headers.
    #[serde(default = "header_limit")]
    pub(super) header_limit: Size,
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn header_limit() -> Size {
    Size::from_kib(64)
}

/// One route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    /// What a request must be like.
    #[serde(default, rename = "match")]
    pub(super) matches: Match,
    /// The pool that answers.
    pub(super) pool: String,
    /// Whether answers are cached, or how.
    #[serde(default)]
    pub(super) cache: Caching,
}

/// Conditions, all of which must hold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Match {
    /// The path, `*` for the rest.
    pub(super) path: Option<String>,
    /// The host.
    pub(super) host: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Caching {
    /// On or off.
    Switch(bool),
    /// On, with settings of its own.
    Overrides(Overrides),
}

impl Default for Caching {
    fn default() -> Self {
        Self::Switch(false)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Overrides {
    /// How long an answer without a lifetime of its own is fresh.
    pub(super) fresh: Duration,
}

/// A group of servers that answer alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Pool {
    /// The servers.
    #[schemars(length(min = 1))]
    pub(super) targets: Vec<Target>,
    /// How a server is chosen.
    #[serde(default)]
    pub(super) balance: Balance,
    /// Keeps a client on its server.
    #[serde(default)]
    pub(super) sticky: Option<Sticky>,
    /// How servers are checked.
    #[serde(default)]
    pub(super) health: Health,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Target {
    /// `host:port`.
    Address(String),
    /// With a weight.
    Weighted(Weighted),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Weighted {
    /// `host:port`.
    pub(super) address: String,
    /// Its share of the requests, relative to the others.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub(super) weight: u32,
}

fn one() -> u32 {
    1
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "balancer")]
pub(super) enum Balance {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// The one with the fewest requests in flight.
    LeastConnections,
    /// By the client's address.
    IpHash,
}

/// What ties a client to a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sticky {
    /// A cookie of this name.
    Cookie(String),
    /// A request header of this name.
    Header(String),
}

/// How servers are checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Health {
    /// The path asked for.
    pub(super) path: String,
    /// How often.
    pub(super) every: Duration,
    /// How much each interval is varied.
    pub(super) jitter: Percent,
}

impl Default for Health {
    fn default() -> Self {
        Self { path: "/".to_owned(), every: Duration::from_secs(10), jitter: Percent::new(10) }
    }
}

/// Who may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Auth {
    /// The key that tokens are signed with.
    pub(super) secret: Secret,
}

/// The cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Cache {
    /// How much memory it may take.
    pub(super) memory: Size,
    /// How full it may be, from 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) fill: f64,
}

impl Default for Cache {
    fn default() -> Self {
        Self { memory: Size::from_mib(64), fill: 0.9 }
    }
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "to", rename_all = "snake_case")]
pub(super) enum Log {
    /// Nowhere.
    #[default]
    Nothing,
    /// To a file.
    File(LogFile),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogFile {
    /// The file.
    pub(super) path: String,
    /// The share of requests logged.
    #[serde(default = "all")]
    pub(super) sample: Percent,
}

fn all() -> Percent {
    Percent::new(100)
}

/// A document that uses most of it.
pub(super) const DOCUMENT: &str = r#"
[console]
listen = "127.0.0.1:9000"
token = "env:CONSOLE_TOKEN"

[[edge.listen]]
address = "0.0.0.0:8080"
header_timeout = "5s"

[[edge.route]]
match = { path = "/api/*" }
pool = "app"

[[edge.route]]
match = { path = "/*", host = "shop.example" }
pool = "static"
cache = { fresh = "1m30s" }

[pools.app]
targets = ["127.0.0.1:3000", { address = "127.0.0.1:3001", weight = 4 }]
balance = "least_connections"
sticky = { cookie = "lb-server" }
health = { path = "/health", every = "500ms" }

[pools.static]
targets = ["127.0.0.1:4000"]

[auth.users]
secret = "file:secrets/jwt"

[cache]
memory = "256MiB"

[log]
to = "file"
path = "access.log"
sample = "0.5%"
"#;
