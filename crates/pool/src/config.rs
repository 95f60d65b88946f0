//! What a user may write under `[postgres]`. Types that were typed; [`crate::plan`] makes them valid.

mod auth;
mod database;
mod tls;
mod url;

use std::collections::BTreeMap;

use deepwater_core::config::{Duration, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use auth::{Auth, AuthMethod};
pub use database::{Database, LoadBalanceHosts, User};
pub use tls::{ClientTls, ClientTlsMode, ServerTls, ServerTlsMode};
pub(crate) use url::host;
pub use url::{DEFAULT_PORT, Host, ServerUrl, UrlError};

/// The PostgreSQL pooler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where clients connect: `"127.0.0.1:6432"`, `"unix:/run/deepwater/.s.PGSQL.6432"`, or a list of such. Without it
    /// the pooler does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<Addresses>,
    /// Permissions of Unix sockets, in octal.
    pub unix_socket_mode: String,
    /// Group that Unix sockets belong to; by default that of the process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_socket_group: Option<String>,
    /// Let other processes listen on the same addresses (`SO_REUSEPORT`), which then share the clients; else an address that
    /// is listened on already is refused.
    pub share_addresses: bool,
    /// Threads that serve. Each holds clients and servers of its own, and waiters of all are served in order. 0 means one
    /// for every four cores: a thread passes tens of thousands of queries a second, and handing a server connection to
    /// another thread costs.
    pub workers: usize,
    /// Client connections open at once; further ones are refused with 53300. 0 means three quarters of the files the system
    /// lets the process open.
    pub max_clients: usize,
    /// Databases by the name clients ask for; `"*"` stands for all others.
    pub databases: BTreeMap<String, Database>,
    /// Users that differ from the rest, by name.
    pub users: BTreeMap<String, User>,
    /// Who may connect.
    pub auth: Auth,
    /// TLS with clients.
    pub tls: ClientTls,
    /// TLS with servers; `sslmode` in a server's URL goes before it.
    pub server_tls: ServerTls,
    /// When a server connection may serve the next client.
    pub mode: PoolMode,
    /// Server connections of one pool: a database and a user.
    pub pool_size: usize,
    /// Server connections kept open even when idle.
    pub min_pool_size: usize,
    /// Server connections beyond `pool_size` for clients that have waited `timeouts.reserve_pool`.
    pub reserve_pool_size: usize,
    /// Server connections to one database, all users together; 0 means no limit.
    pub max_db_connections: usize,
    /// Client connections to one database; 0 means no limit.
    pub max_db_client_connections: usize,
    /// Server connections of one user, all databases together; 0 means no limit.
    pub max_user_connections: usize,
    /// Client connections of one user; 0 means no limit.
    pub max_user_client_connections: usize,
    /// Clients that may wait for a server connection of one pool; one more is refused at once with 53300. 0 means no limit
    /// but that on clients.
    pub max_waiting: usize,
    /// Server connections of one pool that may be opened at the same time: a crowd must not storm the server.
    pub max_connecting: usize,
    /// Prepared statements kept on each server connection; 0 leaves named statements to the client, which then works only in
    /// `session` mode.
    pub max_prepared_statements: usize,
    /// Prepare statements that clients send again and again without a name once on each server connection, which then neither
    /// reads nor, mostly, plans them again. Not in `session` mode; docs/postgres.md says what it changes.
    pub auto_prepare: bool,
    /// Longest message that must be understood whole (a query text, a statement); longer ones are passed on unread where
    /// that is safe, else refused.
    pub max_message_size: Size,
    /// Sent to a server when its client leaves in `session` mode.
    pub reset_query: String,
    /// Send `reset_query` after each transaction too, in every mode.
    pub reset_query_always: bool,
    /// Sent to test a server connection that was idle for `timeouts.server_check`, before anything of a client; empty for no
    /// more than a look at whether the connection has ended.
    pub check_query: String,
    /// Start-up parameters of clients that are accepted and ignored.
    pub ignore_startup_parameters: Vec<String>,
    /// Add the client's address to `application_name`.
    pub application_name_add_host: bool,
    /// Hand out the server connection used longest ago rather than the one used last.
    pub round_robin: bool,
    /// Refuse the simple query protocol, in which one message may hold several statements.
    pub disable_simple_query: bool,
    /// RECONNECT and changed servers close the connections of `session` pools between two transactions, their clients
    /// with them, rather than when the client leaves.
    pub fast_close: bool,
    /// Cores of the database's host. Advice on `pool_size` starts from them; without them there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_cores: Option<usize>,
    /// Disks of the database's host that can seek at the same time; 0 if its data fits in its memory.
    pub server_spindles: usize,
    /// Application servers with a pooler of their own that share the database's host.
    pub application_servers: usize,
    /// Users who may give every command in the administration database.
    pub admin_users: Vec<String>,
    /// Users who may look (`SHOW …`) there.
    pub stats_users: Vec<String>,
    /// Deadlines; 0 means none.
    pub timeouts: Timeouts,
    /// TCP keep-alive, on both sides.
    pub tcp_keepalive: Keepalive,
    /// What is written to the log.
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: None,
            unix_socket_mode: "0777".into(),
            unix_socket_group: None,
            share_addresses: false,
            workers: 0,
            max_clients: 0,
            databases: BTreeMap::new(),
            users: BTreeMap::new(),
            auth: Auth::default(),
            tls: ClientTls::default(),
            server_tls: ServerTls::default(),
            mode: PoolMode::Transaction,
            pool_size: 20,
            min_pool_size: 0,
            reserve_pool_size: 0,
            max_db_connections: 0,
            max_db_client_connections: 0,
            max_user_connections: 0,
            max_user_client_connections: 0,
            max_waiting: 10_000,
            max_connecting: 4,
            max_prepared_statements: 200,
            auto_prepare: false,
            max_message_size: Size::from_mib(16),
            reset_query: "DISCARD ALL".into(),
            reset_query_always: false,
            check_query: String::new(),
            ignore_startup_parameters: Vec::new(),
            application_name_add_host: false,
            round_robin: false,
            disable_simple_query: false,
            fast_close: false,
            server_cores: None,
            server_spindles: 1,
            application_servers: 1,
            admin_users: Vec::new(),
            stats_users: Vec::new(),
            timeouts: Timeouts::default(),
            tcp_keepalive: Keepalive::default(),
            log: Log::default(),
        }
    }
}

impl Config {
    /// One database, whose clients log in as the user of its URL.
    pub fn fronting(url: ServerUrl, listen: &str) -> Self {
        let name = url.database.clone().or_else(|| url.user.clone()).unwrap_or_else(|| "*".into());
        let mut config = Self { listen: Some(Addresses::One(listen.into())), ..Self::default() };
        match (&url.user, &url.password) {
            (Some(user), Some(password)) => {
                let password = password.parse().ok();
                config.users.insert(user.clone(), User { password, ..User::default() });
            }
            // Without a password there is nothing to ask of clients: the server decides who is let in, and only those
            // on this machine can reach the pooler unless its address says otherwise.
            (Some(_), None) => config.auth.method = AuthMethod::Any,
            (None, _) => config.auth.method = AuthMethod::Any,
        }
        config.databases.insert(name, Database::on(url));
        config
    }
}

/// When a server connection may serve the next client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PoolMode {
    /// When its client has left.
    Session,
    /// When the transaction is over.
    #[default]
    Transaction,
    /// After each statement; transactions of several statements are refused.
    Statement,
}

impl PoolMode {
    /// As it is written in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Transaction => "transaction",
            Self::Statement => "statement",
        }
    }
}

/// One address or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Addresses {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Addresses {
    /// All of them.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(address) => std::slice::from_ref(address),
            Self::Many(addresses) => addresses,
        }
    }
}

/// Deadlines of the pooler; 0 means none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// From a client's connection to the end of its login.
    pub client_login: Duration,
    /// Without a query from a client outside a transaction; then it is disconnected.
    pub client_idle: Duration,
    /// Longest wait for a server connection; then the query fails with 53300.
    pub max_wait: Duration,
    /// Wait after which the client is told by a NOTICE that it is in the queue.
    pub wait_notify: Duration,
    /// Wait after which `reserve_pool_size` may be used.
    pub reserve_pool: Duration,
    /// Longest query; then both connections are closed.
    pub query: Duration,
    /// Longest transaction; then both connections are closed.
    pub transaction: Duration,
    /// Longest silence of a client inside a transaction; then both connections are closed.
    pub idle_transaction: Duration,
    /// Longest wait of a cancel request for a free connection.
    pub cancel_wait: Duration,
    /// To open a server connection, TLS and login included.
    pub server_connect: Duration,
    /// Between two attempts to connect to a server that refused.
    pub server_login_retry: Duration,
    /// Idle time after which a server connection beyond `min_pool_size` is closed.
    pub server_idle: Duration,
    /// Age after which a server connection is closed when it is next free, less up to a tenth by chance.
    pub server_lifetime: Duration,
    /// Idle time after which a server connection is tested before use.
    pub server_check: Duration,
    /// Idle time after which a pool that came from `databases."*"` is forgotten.
    pub autodb_idle: Duration,
    /// How long SUSPEND may take before it drops connections.
    pub suspend: Duration,
    /// How long a client may leave bytes unread while a server waits for it; it then loses its connection.
    pub client_write: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            client_login: Duration::from_secs(60),
            client_idle: Duration::ZERO,
            max_wait: Duration::from_secs(30),
            wait_notify: Duration::from_secs(5),
            reserve_pool: Duration::from_secs(5),
            query: Duration::ZERO,
            transaction: Duration::ZERO,
            idle_transaction: Duration::ZERO,
            cancel_wait: Duration::from_secs(10),
            server_connect: Duration::from_secs(15),
            server_login_retry: Duration::from_secs(1),
            server_idle: Duration::from_secs(600),
            server_lifetime: Duration::from_secs(3_600),
            server_check: Duration::from_secs(30),
            autodb_idle: Duration::from_secs(3_600),
            suspend: Duration::from_secs(10),
            client_write: Duration::ZERO,
        }
    }
}

/// TCP keep-alive; 0 leaves a value to the system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Keepalive {
    /// Ask silent peers whether they are there.
    pub enabled: bool,
    /// Silence before the first probe.
    pub idle: Duration,
    /// Between two probes.
    pub interval: Duration,
    /// Unanswered probes before the connection is given up.
    pub probes: u32,
    /// How long sent bytes may stay unacknowledged (`TCP_USER_TIMEOUT`).
    pub user_timeout: Duration,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            enabled: true,
            idle: Duration::ZERO,
            interval: Duration::ZERO,
            probes: 0,
            user_timeout: Duration::ZERO,
        }
    }
}

/// What the pooler logs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Logins of clients and servers.
    pub connections: bool,
    /// Ends of connections, with the reason.
    pub disconnections: bool,
    /// Errors the pooler sends to clients.
    pub pooler_errors: bool,
    /// A line with totals every so often; 0 for none.
    pub stats_every: Duration,
}

impl Default for Log {
    fn default() -> Self {
        Self { connections: false, disconnections: false, pooler_errors: true, stats_every: Duration::ZERO }
    }
}
