//! `[[edge.route]]`.

use std::collections::BTreeMap;

use deepwater_core::config::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use deepwater_auth::Addresses;

use super::{Priority, RateLimits, RouteAuth, RouteCache, RouteIdempotency};

/// What happens to requests that match. Exactly one of `pool`, `redirect`, `respond` and `files` is given.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    /// Name in metrics and logs, of this route alone; by default the path it matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which requests; without it all of them.
    pub r#match: Match,
    /// Pass the request to this pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Answer with a redirect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<Redirect>,
    /// Answer with a fixed response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub respond: Option<Respond>,
    /// Answer with a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Files>,
    /// Remove this prefix from the path before passing the request on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strip_prefix: Option<String>,
    /// Replace the path; `{name}` stands for what the pattern's `{name}` matched. The query is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<String>,
    /// Changes to the request's header fields.
    pub request_headers: HeaderEdits,
    /// Changes to the response's header fields.
    pub response_headers: HeaderEdits,
    /// Let `CONNECT` requests tunnel bytes to a target of the pool. Without it they are refused.
    pub connect: bool,
    /// How long the origin may take to its first byte, in place of the pool's `timeouts.response`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_timeout: Option<Duration>,
    /// Store the pool's answers and give them to all who ask: `true`, or a table of settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<RouteCache>,
    /// How many requests may come, by address or by what else tells them apart; beyond it 429.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimits>,
    /// Who may come: the name of an `[auth.<name>]`, or a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<RouteAuth>,
    /// Addresses that may come, and that may not; else 403.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Addresses>,
    /// Do requests that are repeated with their idempotency key once: `true`, or a table of settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<RouteIdempotency>,
    /// Who is served first, and refused last, when the pool's `concurrency` is exhausted.
    pub priority: Priority,
    /// How long the whole request may take, from its head to the last byte of its answer; 504 while nothing was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

impl Route {
    /// What its metrics are labelled with: its name, else what it matches.
    pub fn label(&self) -> String {
        let Match { method, host, path, .. } = &self.r#match;
        let method = method.iter().map(|method| format!("{method} "));
        let matched = || {
            let host = host.as_deref().unwrap_or_default();
            method.collect::<String>() + host + path.as_deref().unwrap_or("/*")
        };
        self.name.clone().unwrap_or_else(matched)
    }
}

/// Conditions; all that are given must hold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// Host without port: `shop.example`, `*.shop.example` for every name below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// `/exact`, `/prefix/*` (also matches `/prefix`), or a pattern: `/products/{id}`, `/files/{rest*}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A method, or several separated by blanks: `GET HEAD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Header fields that must have this value; `*` for any value.
    pub header: BTreeMap<String, String>,
    /// Query parameters that must have this value; `*` for any value.
    pub query: BTreeMap<String, String>,
}

/// Changes to header fields, done in the order remove, set, add.
///
/// Values may hold `{client_ip}`, `{host}`, `{path}`, `{query}`, `{scheme}`, `{method}`, `{request_id}` and the
/// names of the route's pattern.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderEdits {
    /// Fields to remove.
    pub remove: Vec<String>,
    /// Fields to put in place of any of that name.
    pub set: BTreeMap<String, String>,
    /// Fields to put beside any of that name.
    pub add: BTreeMap<String, String>,
}

/// A redirect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// Where to, with the same `{names}` as header values: `https://new.example{path}`.
    pub to: String,
    /// 301, 302, 303, 307 or 308.
    #[serde(default = "found")]
    pub status: u16,
}

fn found() -> u16 {
    302
}

/// A fixed response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Respond {
    /// Status code, 200 to 599.
    #[schemars(range(min = 200, max = 599))]
    pub status: u16,
    /// The body.
    #[serde(default)]
    pub body: String,
    /// Its media type.
    #[serde(default = "text")]
    pub content_type: String,
}

fn text() -> String {
    "text/plain; charset=utf-8".into()
}

/// Static files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// The directory; nothing outside it is served, nor names that begin with a dot. Relative to the
    /// configuration file. The path below the route's prefix is looked up in it.
    pub root: String,
    /// The file served for a directory.
    #[serde(default = "index")]
    pub index: String,
}

fn index() -> String {
    "index.html".into()
}
