//! What the lens is told of the configuration.

#[cfg(test)]
mod tests;

use deepwater_edge::config::{ListenProtocol, RouteCache};
use deepwater_lens::{Application, Database, Facts, Listener, Protocol, Route};
use deepwater_pool::Bound;

use crate::settings::Settings;

/// Where clients connect to: as configured, at the addresses that came of it.
pub(super) fn listeners(
    settings: &Settings,
    edge: &deepwater_edge::Handle,
    pool: Option<&deepwater_pool::Handle>,
) -> Vec<Listener> {
    let edge = settings.edge.listen.iter().zip(edge.addresses()).map(|(listen, address)| {
        let protocol = match listen.protocol {
            ListenProtocol::Http => Protocol::Http,
            ListenProtocol::Tcp => Protocol::Tcp,
        };
        Listener { address, protocol }
    });
    let pool = pool.into_iter().flat_map(deepwater_pool::Handle::addresses).filter_map(|bound| match bound {
        Bound::Tcp(address) => Some(Listener { address: *address, protocol: Protocol::Postgres }),
        Bound::Unix(_) => None,
    });
    edge.chain(pool).collect()
}

/// What is configured: names and limits, no secrets.
pub(super) fn of(settings: &Settings, listeners: Vec<Listener>) -> Facts {
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
        auto_prepare: database.auto_prepare.unwrap_or(postgres.auto_prepare),
        cores: database.server_cores.or(postgres.server_cores),
    });
    Facts {
        listeners,
        routes: routes.collect(),
        applications: applications.collect(),
        databases: databases.collect(),
        auths: settings.auth.keys().cloned().collect(),
        cache_bytes: settings.cache.memory.bytes() as f64,
    }
}
