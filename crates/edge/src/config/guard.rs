//! What a route asks of requests before they are served: rates, proofs of identity, a place in the order.

use std::collections::BTreeMap;

use deepwater_auth::ClaimRule;
use deepwater_core::config::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One limit, or several that must all hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RateLimits {
    /// One.
    One(RateLimit),
    /// Several.
    Many(Vec<RateLimit>),
}

impl RateLimits {
    /// All of them.
    pub fn as_slice(&self) -> &[RateLimit] {
        match self {
            Self::One(limit) => std::slice::from_ref(limit),
            Self::Many(limits) => limits,
        }
    }
}

/// How many requests of the same key may come: a token bucket. Beyond it 429.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// What requests are told apart by: `ip` (of IPv6 the first 64 bits), `header:NAME`, `cookie:NAME`, `path:NAME`
    /// (a name of the route's pattern), `claim:PATH` (of the token that `auth` verified), or `all` for one bucket in
    /// all. Requests without the header, cookie or claim count by their address.
    #[serde(default = "ip")]
    pub key: String,
    /// Requests in each `per`.
    pub rate: u32,
    /// What `rate` is counted in.
    #[serde(default = "second")]
    pub per: Duration,
    /// Requests at once after a pause; by default as many as `rate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// Keys remembered at once. When all are in use, the one nearest to a full bucket is forgotten.
    #[serde(default = "max_keys")]
    pub max_keys: usize,
}

fn ip() -> String {
    "ip".into()
}

fn second() -> Duration {
    Duration::from_secs(1)
}

fn max_keys() -> usize {
    1_000_000
}

/// The `[auth.<name>]` that a route asks for: its name, or a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RouteAuth {
    /// Required, by name.
    Name(String),
    /// With more to say.
    Table(RequiredAuth),
}

impl RouteAuth {
    /// As a table.
    pub fn table(&self) -> RequiredAuth {
        match self {
            Self::Name(name) => RequiredAuth { name: name.clone(), required: true, claims: BTreeMap::new() },
            Self::Table(table) => table.clone(),
        }
    }
}

/// What a route asks of those who come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequiredAuth {
    /// Which `[auth.<name>]`.
    pub name: String,
    /// Refuse those who prove nothing. What is proved wrongly is refused in any case.
    #[serde(default = "yes")]
    pub required: bool,
    /// What claims must say beside what `[auth.<name>]` asks; else 403.
    #[serde(default)]
    pub claims: BTreeMap<String, ClaimRule>,
}

fn yes() -> bool {
    true
}
