//! `[cache]`, and the `cache` of a route.

use deepwater_core::config::{Duration, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The cache that the routes with `cache` share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    /// Memory for what is stored, all overhead included. When it is full, what is asked for least goes.
    pub memory: Size,
    /// Where this cache stands; it names itself `deepwater-<tier>` in `Cache-Status`. Only an `edge` takes the fields
    /// that carry tags off its answers: the others have caches behind them that need them.
    pub tier: Tier,
    /// Requests that may wait for one fetch at once; further ones get 503.
    pub max_waiters: usize,
    /// Background refreshes under way at once; further ones wait for the next request.
    pub max_refreshes: usize,
    /// Networks (`10.0.0.0/8`) whose clients may purge a URL with the method `PURGE`. Nobody may by default.
    pub purge_from: Vec<String>,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            memory: Size::from_kib(256 * 1024),
            tier: Tier::Edge,
            max_waiters: 65_536,
            max_refreshes: 256,
            purge_from: Vec::new(),
        }
    }
}

/// Where a cache stands between clients and the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Nearest to the clients.
    #[default]
    Edge,
    /// Behind the edges of a region.
    Regional,
    /// In front of the application, shielding it.
    Origin,
}

impl Tier {
    /// As the configuration writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Regional => "regional",
            Self::Origin => "origin",
        }
    }
}

/// Whether a route caches, or how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RouteCache {
    /// With the defaults, or not at all.
    Switch(bool),
    /// With these settings.
    Table(Box<CacheTable>),
}

impl RouteCache {
    /// The settings, if it caches.
    pub fn table(&self) -> Option<CacheTable> {
        match self {
            Self::Switch(false) => None,
            Self::Switch(true) => Some(CacheTable::default()),
            Self::Table(table) => Some(table.as_ref().clone()),
        }
    }
}

/// How a route caches, beyond what its responses say. No setting makes `private` or `no-store` responses stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CacheTable {
    /// Lifetime of responses that may be stored, whatever they say themselves; counts from their arrival. Errors that
    /// are not cacheable by default (such as 500) keep their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
    /// Lifetime of responses that may be stored and say none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_ttl: Option<Duration>,
    /// No lifetime is longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ttl: Option<Duration>,
    /// No lifetime guessed from `Last-Modified` is longer; `"0s"` guesses none.
    pub heuristic_max: Duration,
    /// How long past its lifetime a response is served while it is fetched anew in the background, where it does not
    /// say so itself. Not where it has `s-maxage`, `must-revalidate` or `no-cache`: they forbid it.
    pub stale_while_revalidate: Duration,
    /// How long past its lifetime a response is served when the servers fail, where it does not say so itself. Not
    /// where it has `s-maxage`, `must-revalidate` or `no-cache`: they forbid it.
    pub stale_if_error: Duration,
    /// Fetch what is asked for often before it expires, so that no crowd finds it expired.
    pub early: EarlyRefresh,
    /// For `xfetch`: more than 1 refreshes earlier, less than 1 later.
    pub early_beta: f64,
    /// For `linear`: the share of the lifetime at which refreshing begins, 0 to 1.
    pub early_from: f64,
    /// Requests for the same thing share one fetch.
    pub coalesce: bool,
    /// How long requests for what turned out not to be storable go to the servers side by side, without waiting for
    /// each other.
    pub hit_for_miss: Duration,
    /// Tags to purge by, beside those of responses; `{name}` stands for what the route's pattern matched.
    pub tags: Vec<String>,
    /// A named version that is part of the key: `deepwater purge --version NAME` leaves everything behind at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The order of query parameters with different names does not count.
    pub sort_query: bool,
    /// Query parameters that do not count: names, or beginnings of names such as `utm_*`. What is fetched for the cache
    /// is fetched without them.
    pub drop_params: Vec<String>,
    /// Obey the `Cache-Control` of clients: any of them can then make the servers work.
    pub honour_client: bool,
    /// What becomes of responses with `Set-Cookie`.
    pub set_cookie: SetCookieRule,
    /// What becomes of responses to requests with `Cookie`.
    pub cookies: CookieRule,
}

impl Default for CacheTable {
    fn default() -> Self {
        Self {
            ttl: None,
            default_ttl: None,
            max_ttl: None,
            heuristic_max: Duration::from_secs(24 * 3_600),
            stale_while_revalidate: Duration::from_secs(0),
            stale_if_error: Duration::from_secs(0),
            early: EarlyRefresh::Xfetch,
            early_beta: 1.0,
            early_from: 0.8,
            coalesce: true,
            hit_for_miss: Duration::from_secs(10),
            tags: Vec::new(),
            version: None,
            sort_query: false,
            drop_params: Vec::new(),
            honour_client: false,
            set_cookie: SetCookieRule::Refuse,
            cookies: CookieRule::NeedExplicit,
        }
    }
}

/// When fresh responses are fetched anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EarlyRefresh {
    /// Shortly before they expire, the earlier the longer a fetch takes and the more often they are asked for.
    #[default]
    Xfetch,
    /// With a probability that grows evenly from a share of the lifetime on.
    Linear,
    /// Not before they expire.
    Off,
}

/// What becomes of responses with `Set-Cookie`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SetCookieRule {
    /// Not stored, unless `public` or `s-maxage` says that they are for all; then without the cookies.
    #[default]
    Refuse,
    /// Stored without the cookies.
    Strip,
    /// Stored with the cookies: everyone gets them.
    Keep,
}

/// What becomes of responses to requests with `Cookie`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CookieRule {
    /// Stored only when they say themselves that they may be, by a lifetime or `public`.
    #[default]
    NeedExplicit,
    /// Stored like any other.
    Ignore,
}
