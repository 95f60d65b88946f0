//! What the lens is told of the configuration in force: names and limits, never a secret.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;

/// Reads what is in force now.
pub type FactSource = Arc<dyn Fn() -> Arc<Facts> + Send + Sync>;

/// What is configured.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Facts {
    /// Where clients connect to over TCP, in the order of the configuration.
    pub listeners: Vec<Listener>,
    /// Routes of the edge, in their order.
    pub routes: Vec<Route>,
    /// Pools of targets that requests are passed to.
    pub applications: Vec<Application>,
    /// Databases of the pooler.
    pub databases: Vec<Database>,
    /// Ways to prove who one is.
    pub auths: Vec<String>,
    /// Memory that the cache may use, in bytes.
    pub cache_bytes: f64,
}

/// Where clients connect to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Listener {
    /// As it is listened on: port 0 has become a real one.
    pub address: SocketAddr,
    /// What is spoken.
    pub protocol: Protocol,
}

/// What clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP, over TLS or not.
    Http,
    /// Any bytes, which the edge passes on.
    Tcp,
    /// PostgreSQL's, with the pooler.
    Postgres,
}

impl Protocol {
    /// As signals are labelled.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Postgres => "postgres",
        }
    }
}

/// A route of the edge.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Route {
    /// As its metrics are labelled.
    pub name: String,
    /// The pool of targets its requests go to; none when it answers by itself.
    pub application: Option<String>,
    /// Whether answers are cached.
    pub cached: bool,
    /// Whether requests for the same thing share one fetch, if they are.
    pub coalesces: bool,
    /// Whether the edge asks for a proof of identity.
    pub authenticated: bool,
    /// Whether there is a limit on the rate of each client.
    pub rate_limited: bool,
}

/// A pool of targets.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Application {
    /// As its metrics are labelled.
    pub name: String,
    /// Addresses of the servers, as configured.
    pub targets: Vec<String>,
    /// Whether there is a limit on requests at once.
    pub limited: bool,
}

/// A database of the pooler.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Database {
    /// Name that clients use.
    pub name: String,
    /// `host:port` of the primary.
    pub server: String,
    /// Server connections of each of its users, unless told otherwise.
    pub pool_size: usize,
    /// Server connections of all of its users together, if limited.
    pub most_connections: Option<usize>,
    /// Poolers like this one that share its server.
    pub application_servers: usize,
    /// How long a client keeps a server connection: `session`, `transaction`, `statement`.
    pub mode: String,
    /// Whether what comes again without a name is prepared once.
    pub auto_prepare: bool,
    /// Cores of the server's machine, if told.
    pub cores: Option<usize>,
}
