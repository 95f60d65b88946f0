//! What the configuration means.

mod build;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use deepwater_pgwire::auth::StoredPassword;
use deepwater_tls::{ClientTls, ServerTls};

use crate::config::{Config, Database, Host, LoadBalanceHosts, PoolMode, ServerTlsMode};
use crate::hba::{Hba, Ident};
use crate::ledger::Limits;

pub use build::validate;
pub(crate) use build::{ADMINISTRATION, build};

/// The configuration in force.
pub(crate) struct Plan {
    pub config: Config,
    /// What relative paths start from.
    pub directory: PathBuf,
    /// How clients are spoken to.
    pub face: Face,
    /// Client connections that may be open at once.
    pub max_clients: usize,
    databases: HashMap<Arc<str>, Arc<DatabasePlan>>,
    fallback: Option<Database>,
    /// Stored passwords by user: of the configuration and of the file of users.
    pub passwords: HashMap<String, StoredPassword>,
    pub hba: Option<Hba>,
    pub ident: Ident,
    pub client_tls: Option<Arc<ServerTls>>,
    /// For servers, by `sslmode`.
    pub server_tls: HashMap<ServerTlsMode, Arc<ClientTls>>,
}

/// How refusals and ends are worded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Face {
    /// In full sentences; a refused query leaves the client connected.
    #[default]
    Native,
    /// As PgBouncer does.
    PgBouncer,
}

/// A database that clients may ask for.
pub(crate) struct DatabasePlan {
    /// The name clients ask for.
    pub name: Arc<str>,
    pub config: Database,
    /// The name on the server.
    pub server_name: String,
    /// The user servers are logged in to as, when it is not each client's own.
    pub user: Option<Arc<str>>,
    /// The password of that user.
    pub password: Option<StoredPassword>,
    /// Came from `databases."*"`.
    pub is_fallback: bool,
    /// Which host is next.
    pub next_host: AtomicUsize,
}

impl DatabasePlan {
    /// The hosts, in the order they are to be tried for the next connection.
    pub(crate) fn hosts(&self) -> Vec<Host> {
        let mut hosts = self.config.primary.hosts.clone();
        if self.config.load_balance_hosts == LoadBalanceHosts::RoundRobin && hosts.len() > 1 {
            let next = self.next_host.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let len = hosts.len();
            hosts.rotate_left(next % len);
        }
        hosts
    }

    /// Whether connections opened for `other` are as good for this one.
    pub(crate) fn is_same_server(&self, other: &Self) -> bool {
        self.config.primary == other.config.primary
            && self.server_name == other.server_name
            && self.user == other.user
            && self.config.password == other.config.password
            && self.config.connect_query == other.config.connect_query
    }
}

impl Plan {
    /// The database of a name: as configured, or as `"*"` says.
    pub(crate) fn database(&self, name: &str) -> Option<Arc<DatabasePlan>> {
        if let Some(database) = self.databases.get(name) {
            return Some(Arc::clone(database));
        }
        let config = self.fallback.clone()?;
        build::database(name, config, &self.directory, true).ok().map(Arc::new)
    }

    /// The databases named in the configuration.
    pub(crate) fn databases(&self) -> impl Iterator<Item = &Arc<DatabasePlan>> {
        self.databases.values()
    }

    /// Whether any user's password is stored as a SCRAM secret.
    pub(crate) fn stores_scram(&self) -> bool {
        self.passwords.values().any(|password| matches!(password, StoredPassword::Scram(_)))
    }

    /// When a server connection of a user to a database may serve the next client.
    pub(crate) fn mode(&self, database: &DatabasePlan, user: &str) -> PoolMode {
        let of_user = self.config.users.get(user).and_then(|user| user.mode);
        of_user.or(database.config.mode).unwrap_or(self.config.mode)
    }

    /// How large the pool of a database and a user may be.
    pub(crate) fn limits(&self, database: &DatabasePlan, user: &str) -> Limits {
        let (config, database) = (&self.config, &database.config);
        let user = config.users.get(user);
        let size = user.and_then(|user| user.pool_size).or(database.pool_size).unwrap_or(config.pool_size);
        let reserve = user.and_then(|user| user.reserve_pool_size).or(database.reserve_pool_size);
        Limits {
            size,
            min: database.min_pool_size.unwrap_or(config.min_pool_size),
            reserve: reserve.unwrap_or(config.reserve_pool_size),
            reserve_after: config.timeouts.reserve_pool.get(),
            max_connecting: config.max_connecting,
            max_waiting: config.max_waiting,
            max_wait: config.timeouts.max_wait.get(),
            retry_after: config.timeouts.server_login_retry.get(),
            patient: self.face == Face::PgBouncer,
            database: database.max_db_connections.unwrap_or(config.max_db_connections),
            user: user.and_then(|user| user.max_user_connections).unwrap_or(config.max_user_connections),
            round_robin: config.round_robin,
        }
    }

    /// Deadlines of a user's queries.
    pub(crate) fn deadlines(&self, user: &str) -> Deadlines {
        let timeouts = &self.config.timeouts;
        let user = self.config.users.get(user);
        let pick = |of_user: Option<deepwater_core::config::Duration>,
                    all: deepwater_core::config::Duration| {
            Some(of_user.unwrap_or(all).get()).filter(|duration| !duration.is_zero())
        };
        Deadlines {
            query: pick(user.and_then(|user| user.query_timeout), timeouts.query),
            transaction: pick(user.and_then(|user| user.transaction_timeout), timeouts.transaction),
            idle_transaction: pick(
                user.and_then(|user| user.idle_transaction_timeout),
                timeouts.idle_transaction,
            ),
            client_idle: pick(user.and_then(|user| user.client_idle_timeout), timeouts.client_idle),
        }
    }
}

/// Deadlines of one user's queries; none where nothing is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Deadlines {
    pub query: Option<Duration>,
    pub transaction: Option<Duration>,
    pub idle_transaction: Option<Duration>,
    pub client_idle: Option<Duration>,
}

impl Deadlines {
    /// Whether any is set.
    pub(crate) fn any(&self) -> bool {
        *self != Self::default()
    }
}
