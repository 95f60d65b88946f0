//! `[idempotency]`, and the `idempotency` of a route.

use deepwater_core::config::{Duration, Secret, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the answers of requests with idempotency keys are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Idempotency {
    /// A Redis that several nodes share: `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. Its
    /// `maxmemory-policy` must be `noeviction`: a key it drops is a request done twice. Without it keys are kept in the
    /// memory of this process, and forgotten when it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis: Option<Secret>,
    /// Certificates (PEM) that a `rediss://` server's is trusted by, in place of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis_ca: Option<String>,
    /// What the names of Redis keys begin with. Nodes that share keys share it.
    pub prefix: String,
    /// How long Redis may take for one step, connecting included.
    pub timeout: Duration,
    /// What becomes of requests with keys when Redis fails, or when all memory is held by requests under way.
    pub on_store_error: OnStoreError,
    /// Memory for keys and answers without Redis, all overhead included. When it is full, the answers that end first are
    /// forgotten, but no key of a request under way.
    pub memory: Size,
    /// Memory for the bodies of requests under way and for answers being recorded. Beyond it a request with a key gets
    /// 503, and an answer counts as too large to be kept.
    pub buffers: Size,
}

impl Default for Idempotency {
    fn default() -> Self {
        Self {
            redis: None,
            redis_ca: None,
            prefix: "deepwater:idempotency:".into(),
            timeout: Duration::from_millis(500),
            on_store_error: OnStoreError::Fail,
            memory: Size::from_kib(64 * 1024),
            buffers: Size::from_kib(64 * 1024),
        }
    }
}

/// What becomes of requests with keys when their keys cannot be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnStoreError {
    /// They get 503: nothing is done twice.
    #[default]
    Fail,
    /// They go to the servers as if they had no key: a repeat is done again.
    Pass,
}

/// Whether a route honours idempotency keys, or how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RouteIdempotency {
    /// With the defaults, or not at all.
    Switch(bool),
    /// With these settings.
    Table(Box<IdempotencyTable>),
}

impl RouteIdempotency {
    /// The settings, if it honours them.
    pub fn table(&self) -> Option<IdempotencyTable> {
        match self {
            Self::Switch(false) => None,
            Self::Switch(true) => Some(IdempotencyTable::default()),
            Self::Table(table) => Some(table.as_ref().clone()),
        }
    }
}

/// How a route honours idempotency keys: a request that is repeated with its key is done once, and each repeat gets the
/// answer of the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IdempotencyTable {
    /// The field that carries the key: a quoted string (RFC 9651 §3.3.3) or bare, 1 to 255 visible characters.
    pub header: String,
    /// Refuse requests without a key with 400.
    pub required: bool,
    /// Methods it holds for.
    pub methods: Vec<String>,
    /// How long a key and its answer are remembered, counting from the answer.
    pub keep: Duration,
    /// Which answers are kept. What is not kept frees its key.
    pub store: StoredAnswers,
    /// Whose key it is, beside method, host and path: `authorization`, `header:NAME`, `cookie:NAME`, `ip`, `claim:PATH`
    /// (of the token that `auth` verified). Clients that differ in one of these never see each other's answers. By default
    /// on a route with `auth` whoever it has let in (the claim `sub`, or the token where there is none), elsewhere
    /// `authorization`: applications with sessions of their own need their cookie, `cookie:NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Vec<String>>,
    /// Largest body of a request with a key, since a repeat must be the same to its last byte; beyond it 413.
    pub max_request: Size,
    /// Largest answer that is kept, body and fields. A larger one reaches its client; a repeat gets 409 that says so.
    pub max_response: Size,
    /// How long a request that is not heard of holds its key. It is renewed while the request is under way, so only a
    /// process that died lets it run out.
    pub lease: Duration,
    /// What becomes of a repeat when it is not known whether the first one was done: its process died, or the server
    /// broke off.
    pub unknown: UnknownOutcome,
    /// Keep `Set-Cookie` fields, so that repeats get them, too.
    pub keep_cookies: bool,
}

impl Default for IdempotencyTable {
    fn default() -> Self {
        Self {
            header: "Idempotency-Key".into(),
            required: false,
            methods: vec!["POST".into(), "PATCH".into()],
            keep: Duration::from_secs(24 * 3_600),
            store: StoredAnswers::Non5xx,
            scope: None,
            max_request: Size::from_kib(1024),
            max_response: Size::from_kib(1024),
            lease: Duration::from_secs(60),
            unknown: UnknownOutcome::Conflict,
            keep_cookies: false,
        }
    }
}

/// Which answers are kept for repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoredAnswers {
    /// All that come whole from a server, its errors, too.
    All,
    /// All but those that say that nothing was done and that a repeat may help: 5xx, 408, 421, 425, 429.
    #[default]
    #[serde(rename = "non_5xx")]
    Non5xx,
}

/// What becomes of a repeat when the outcome of the first is unknown and its lease has run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownOutcome {
    /// It gets 409: whatever was sent once is never sent again.
    #[default]
    Conflict,
    /// It is done: perhaps for the second time, unless the server knows the key itself.
    Retry,
}
