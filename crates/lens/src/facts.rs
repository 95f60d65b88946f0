//! What the lens is told of the configuration in force: names and limits, never a secret.

use std::sync::Arc;

use serde::Serialize;

/// Reads what is in force now.
pub type FactSource = Arc<dyn Fn() -> Arc<Facts> + Send + Sync>;

/// What is configured.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Facts {
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
    /// Cores of the server's machine, if told.
    pub cores: Option<usize>,
}
