//! The configuration made valid: everything looked up, parsed and loaded, shared by all cores.

mod build;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use deepwater_upstream::{Backoff, Gate, Pool, PoolSpec, RetryBudget};
use http::StatusCode;
use ipnet::IpNet;
use rustls::pki_types::ServerName;

use crate::breakers::Breakers;
use crate::cache::{CachePlan, HttpCache};
use crate::config::{self, HashKey, OriginProtocol, OriginTimeouts, Priority, ProxyProtocolOut};
use crate::files::Files;
use crate::guard::Guard;
use crate::guard::auth::AuthPlan;
use crate::head::{Fields, Name, Request};
use crate::idempotency::{KeyPlan, KeyStore};
use crate::repeats::Repeats;
use crate::route::{Captures, Edits, Prepared, Rewrite, RouteTable, Template, Values};
use crate::sticky::StickyPlan;

pub(crate) use build::{Builder, Built, ListenerPlan};

/// What requests are served by.
pub(crate) struct Plan {
    pub limits: Limits,
    pub trusted_networks: Vec<IpNet>,
    pub table: RouteTable,
    /// In the order of the table.
    pub routes: Vec<RoutePlan>,
    pub pools: Vec<Arc<PoolPlan>>,
    /// Where idempotency keys are kept, if any route honours them.
    pub keys: Option<Arc<KeyStore>>,
    /// All `[auth]`.
    pub auths: Vec<Arc<AuthPlan>>,
    /// Shared by the routes that cache, if any does.
    pub cache: Option<Arc<HttpCache>>,
}

/// Limits on clients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub max_head_bytes: usize,
    /// `u64::MAX` for no limit.
    pub max_body_bytes: u64,
    /// 0 for no limit.
    pub max_connections_per_ip: usize,
    pub header: Duration,
    pub body_stall: Duration,
    pub idle: Duration,
    pub handshake: Duration,
    pub tunnel_idle: Duration,
    /// How long a refused client may take to read why.
    pub linger: Duration,
}

/// A route's action and edits.
pub(crate) struct RoutePlan {
    pub name: String,
    /// As it was written.
    pub matches: config::Match,
    pub action: Action,
    pub connect: bool,
    pub response_timeout: Option<Duration>,
    pub rewrite: Rewrite,
    pub request_edits: Edits,
    pub response_edits: Edits,
    /// Ask the origin for trailers, which it may withhold otherwise (gRPC insists).
    pub ask_trailers: bool,
    /// How it caches, if it does.
    pub cache: Option<CachePlan>,
    /// How much of what is asked for comes again, since the first request if it does not cache.
    pub repeats: OnceLock<Repeats>,
    /// What requests must pass first, if anything.
    pub guard: Option<Box<Guard>>,
    /// How it honours idempotency keys, if it does.
    pub keys: Option<Arc<KeyPlan>>,
    pub priority: Priority,
    /// How long the whole request may take.
    pub timeout: Option<Duration>,
}

impl RoutePlan {
    /// Rewrites a request before it is passed on.
    #[inline]
    pub fn prepare(&self, request: &mut Request, captures: &Captures, client_ip: IpAddr) {
        if !self.request_edits.is_empty() {
            let mut prepared = Prepared::default();
            self.request_edits.prepare(&Values::of(request, client_ip, captures), &mut prepared);
            self.request_edits.apply(&mut request.fields, &prepared);
        }
        self.rewrite.apply(request, client_ip, captures, &mut Vec::new());
        if self.ask_trailers {
            request.fields.add_known(Name::Te, b"trailers");
        }
    }

    /// Whether requests are passed on under another path.
    pub fn rewrites(&self) -> bool {
        !matches!(self.rewrite, Rewrite::None)
    }

    /// The values for the response's fields, as the request was before anything rewrote it.
    #[inline]
    pub fn prepare_response(&self, request: &Request, client_ip: IpAddr, captures: &Captures) -> Prepared {
        let mut prepared = Prepared::default();
        if !self.response_edits.is_empty() {
            self.response_edits.prepare(&Values::of(request, client_ip, captures), &mut prepared);
        }
        prepared
    }

    /// Edits the fields of a response.
    #[inline]
    pub fn edit_response(&self, fields: &mut Fields, prepared: &Prepared) {
        if !self.response_edits.is_empty() {
            self.response_edits.apply(fields, prepared);
        }
    }
}

/// What happens to a request.
pub(crate) enum Action {
    /// It is passed to the pool at this index.
    Pool(usize),
    Redirect {
        to: Template,
        status: StatusCode,
    },
    Respond(Fixed),
    Files(Files),
}

/// A fixed response.
pub(crate) struct Fixed {
    pub status: StatusCode,
    pub content_type: String,
    pub body: String,
}

/// A pool, ready to use.
pub(crate) struct PoolPlan {
    pub name: String,
    pub config: config::Pool,
    pub targets: Arc<Pool>,
    /// What its targets are told when the plan comes into force.
    pub spec: PoolSpec,
    pub protocol: OriginProtocol,
    pub tls: Option<OriginTlsPlan>,
    pub timeouts: OriginTimeouts,
    pub idle_connections: usize,
    pub connect_attempts: usize,
    pub retry: RetryPlan,
    pub breakers: Arc<Breakers>,
    /// Where only so many requests may be with the servers at once.
    pub gate: Option<Arc<Gate>>,
    pub host: HostPolicy,
    pub hash: HashKey,
    pub sticky: Option<StickyPlan>,
    pub proxy_protocol: ProxyProtocolOut,
}

/// When requests of a pool are sent again.
pub(crate) struct RetryPlan {
    pub attempts: u32,
    pub statuses: Vec<u16>,
    pub on_timeout: bool,
    pub budget: RetryBudget,
    pub backoff: Backoff,
    /// Bytes of a body that are kept for it.
    pub max_body: usize,
}

impl PoolPlan {
    /// Whether a connection of one is as good for the other: the pool is the same, and its connections are made in the
    /// same way. Files of `tls` may have changed, so there they are not.
    pub fn connects_like(&self, other: &Self) -> bool {
        let default = config::OriginTls::default();
        Arc::ptr_eq(&self.targets, &other.targets)
            && self.protocol == other.protocol
            && self.proxy_protocol == other.proxy_protocol
            && self.tls.is_some() == other.tls.is_some()
            && self.config.tls == default
            && other.config.tls == default
    }
}

/// TLS to a pool's targets.
pub(crate) struct OriginTlsPlan {
    pub config: Arc<rustls::ClientConfig>,
    names: HashMap<String, ServerName<'static>>,
}

impl OriginTlsPlan {
    /// The name the target's certificate must have.
    pub fn server_name(&self, target: &str) -> Option<ServerName<'static>> {
        self.names.get(target).cloned()
    }
}

/// Which `Host` a pool's targets get to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HostPolicy {
    Client,
    Target,
    Fixed(String),
}
