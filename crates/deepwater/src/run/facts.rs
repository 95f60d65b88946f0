//! What the lens is told of the configuration.

#[cfg(test)]
mod tests;

use deepwater_edge::config::RouteCache;
use deepwater_lens::{Application, Database, Facts, Route};

use crate::settings::Settings;

/// What is configured: names and limits, no secrets.
pub(super) fn of(settings: &Settings) -> Facts {
    let routes = settings.edge.route.iter().map(|route| Route {
        name: route.label(),
        application: route.pool.clone(),
        cached: route.cache.as_ref().and_then(RouteCache::table).is_some(),
        coalesces: route.cache.as_ref().and_then(RouteCache::table).is_some_and(|table| table.coalesce),
        authenticated: route.auth.is_some(),
        rate_limited: route.rate_limit.is_some(),
    });
    let applications = settings.pools.iter().map(|(name, pool)| Application {
        name: name.clone(),
        targets: pool.targets.iter().map(|target| target.address().to_owned()).collect(),
        limited: pool.concurrency.is_some(),
    });
    let postgres = &settings.postgres;
    // What stands for any name is no database that could be asked.
    let named = postgres.databases.iter().filter(|(name, _)| *name != "*");
    let databases = named.map(|(name, database)| Database {
        name: name.clone(),
        server: database.primary.hosts.first().map(ToString::to_string).unwrap_or_default(),
        pool_size: database.pool_size.unwrap_or(postgres.pool_size),
        most_connections: Some(database.max_db_connections.unwrap_or(postgres.max_db_connections))
            .filter(|most| *most > 0),
        application_servers: database.application_servers.unwrap_or(postgres.application_servers).max(1),
        mode: database.mode.unwrap_or(postgres.mode).as_str().to_owned(),
        cores: database.server_cores.or(postgres.server_cores),
    });
    Facts {
        routes: routes.collect(),
        applications: applications.collect(),
        databases: databases.collect(),
        auths: settings.auth.keys().cloned().collect(),
        cache_bytes: settings.cache.memory.bytes() as f64,
    }
}
