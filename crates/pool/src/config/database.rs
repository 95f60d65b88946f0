//! `[postgres.databases.<name>]` and `[postgres.users.<name>]`.

use deepwater_core::config::{Duration, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PoolMode, ServerUrl};

/// A database that clients may ask for. What is not given is as under `[postgres]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The server: `postgres://[user[:password]@]host[:port][/database][?sslmode=…]`. Without a user each client's own is
    /// used; without a database, the name the client asked for. Several hosts, separated by commas, share the load.
    pub primary: ServerUrl,
    /// Password of the URL's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// When a server connection may serve the next client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<PoolMode>,
    /// Whether statements that clients send again and again without a name are prepared once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_prepare: Option<bool>,
    /// Server connections of one user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_size: Option<usize>,
    /// Server connections kept open even when idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_pool_size: Option<usize>,
    /// Server connections beyond `pool_size` for clients that have waited long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_pool_size: Option<usize>,
    /// Server connections, all users together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_db_connections: Option<usize>,
    /// Client connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_db_client_connections: Option<usize>,
    /// Cores of this database's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_cores: Option<usize>,
    /// Disks of this database's host that can seek at the same time; 0 if its data fits in its memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_spindles: Option<usize>,
    /// Application servers with a pooler of their own that share this database's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_servers: Option<usize>,
    /// Age after which a server connection is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_lifetime: Option<Duration>,
    /// Sent on each new server connection before it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_query: Option<String>,
    /// The user that asks `auth.query` for this database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_user: Option<String>,
    /// The query that gives a user's stored password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_query: Option<String>,
    /// The database it is asked in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_database: Option<String>,
    /// How several hosts are used.
    #[serde(default)]
    pub load_balance_hosts: LoadBalanceHosts,
    /// Initial `client_encoding`; by default the server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_encoding: Option<String>,
    /// Initial `DateStyle`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datestyle: Option<String>,
    /// Initial `TimeZone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Initial `application_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_name: Option<String>,
}

/// How several hosts of a server's URL are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadBalanceHosts {
    /// In turn, for each new connection.
    #[default]
    RoundRobin,
    /// The first that accepts.
    Disable,
}

impl Database {
    /// A database on this server, everything else as under `[postgres]`.
    pub fn on(primary: ServerUrl) -> Self {
        Self {
            primary,
            password: None,
            mode: None,
            auto_prepare: None,
            pool_size: None,
            min_pool_size: None,
            reserve_pool_size: None,
            max_db_connections: None,
            max_db_client_connections: None,
            server_cores: None,
            server_spindles: None,
            application_servers: None,
            server_lifetime: None,
            connect_query: None,
            auth_user: None,
            auth_query: None,
            auth_database: None,
            load_balance_hosts: LoadBalanceHosts::default(),
            client_encoding: None,
            datestyle: None,
            timezone: None,
            application_name: None,
        }
    }
}

/// What differs for one user.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct User {
    /// The password: clear, `md5…` or `SCRAM-SHA-256$…`. Goes before `auth.users`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// When a server connection may serve the next client; goes before the database's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<PoolMode>,
    /// Server connections of this user to one database; goes before the database's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_size: Option<usize>,
    /// Server connections beyond `pool_size` for clients that have waited long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserve_pool_size: Option<usize>,
    /// Server connections, all databases together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_user_connections: Option<usize>,
    /// Client connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_user_client_connections: Option<usize>,
    /// Longest query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_timeout: Option<Duration>,
    /// Longest transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_timeout: Option<Duration>,
    /// Longest silence inside a transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_transaction_timeout: Option<Duration>,
    /// Longest silence outside a transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_idle_timeout: Option<Duration>,
}
