//! What the configuration says of the pools there are, for whoever forecasts when they are exhausted.

use std::sync::Arc;

use serde::Serialize;

use super::mode_name;
use crate::config::Host;
use crate::pools::Pool;
use crate::shared::Shared;

/// A pool, and what is known of its database's server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseFacts {
    /// The database, as clients name it.
    pub database: String,
    /// The user that servers are logged in to as.
    pub user: String,
    /// When a server connection may serve the next client: `session`, `transaction` or `statement`.
    pub mode: &'static str,
    /// Server connections that the pool may have.
    pub size: usize,
    /// Server connections of the database, all users together; 0 for no limit.
    pub max_db_connections: usize,
    /// The first host and port of the database's server; of a Unix socket its directory.
    pub server: String,
    /// Further hosts that hold the same data and share the load.
    pub other_hosts: usize,
    /// Cores of the server's host, if they are configured.
    pub server_cores: Option<usize>,
    /// Whether the database has a user of its own, so that its server can be asked how it is.
    pub has_credentials: bool,
}

/// All of them, in the order of databases and users.
pub(super) fn all(shared: &Shared) -> Vec<DatabaseFacts> {
    shared.pools.all().iter().map(|pool| of(shared, pool)).collect()
}

fn of(shared: &Shared, pool: &Arc<Pool>) -> DatabaseFacts {
    let (plan, settings) = (shared.plan.load(), pool.settings.load());
    let limits = plan.limits(&settings.database, &pool.key.user);
    let config = &settings.database.config;
    let hosts = &config.primary.hosts;
    DatabaseFacts {
        database: pool.key.database.to_string(),
        user: pool.key.user.to_string(),
        mode: mode_name(settings.mode),
        size: limits.size,
        max_db_connections: limits.database,
        server: hosts.first().map(place).unwrap_or_default(),
        other_hosts: hosts.len().saturating_sub(1),
        server_cores: config.server_cores.or(plan.config.server_cores),
        has_credentials: settings.database.user.is_some(),
    }
}

/// Where it is, with the port even if it is the usual one.
fn place(host: &Host) -> String {
    match host {
        Host::Tcp { name, port } if name.contains(':') => format!("[{name}]:{port}"),
        Host::Tcp { name, port } | Host::Unix { directory: name, port } => format!("{name}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_its_port() {
        assert_eq!(place(&Host::new("db.example", 5432)), "db.example:5432");
        assert_eq!(place(&Host::new("::1", 5433)), "[::1]:5433");
        assert_eq!(place(&Host::new("/run/postgresql", 5432)), "/run/postgresql:5432");
    }
}
