//! `SHOW DATABASES`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{int, text};
use crate::admin::table::{Cell, Table, some};
use crate::config::{Host, LoadBalanceHosts};
use crate::plan::{ADMINISTRATION, DatabasePlan};
use crate::plane::mode_name;
use crate::shared::Shared;

pub(super) fn databases(shared: &Arc<Shared>) -> Table {
    let mut table = Table::new([
        text("name"),
        text("host"),
        int("port"),
        text("database"),
        text("force_user"),
        int("pool_size"),
        int("min_pool_size"),
        int("reserve_pool_size"),
        int("server_lifetime"),
        text("pool_mode"),
        text("load_balance_hosts"),
        int("max_connections"),
        int("current_connections"),
        int("max_client_connections"),
        int("current_client_connections"),
        int("paused"),
        int("disabled"),
    ]);
    for (name, database) in all(shared) {
        match database {
            Some(database) => table.row(row(shared, &database)),
            None => table.row(administration(shared, &name)),
        }
    }
    table
}

/// Those that are configured, those in use through `"*"`, and (as none) the administration's.
pub(super) fn all(shared: &Shared) -> BTreeMap<Arc<str>, Option<Arc<DatabasePlan>>> {
    let plan = shared.plan.load();
    let configured = plan.databases().cloned();
    let in_use = shared.pools.all().into_iter().map(|pool| Arc::clone(&pool.settings.load().database));
    let mut all: BTreeMap<_, _> =
        configured.chain(in_use).map(|database| (Arc::clone(&database.name), Some(database))).collect();
    all.insert(ADMINISTRATION.into(), None);
    all
}

fn row(shared: &Shared, plan: &DatabasePlan) -> [Cell; 17] {
    let all = &shared.plan.load().config;
    let (name, own) = (&*plan.name, &plan.config);
    let hosts = &own.primary.hosts;
    let lifetime = own.server_lifetime.unwrap_or(all.timeouts.server_lifetime).get();
    [
        some(name),
        host(hosts),
        some(hosts.first().map_or(0, Host::port)),
        some(&plan.server_name),
        plan.user.as_ref().map(ToString::to_string),
        some(own.pool_size.unwrap_or(all.pool_size)),
        some(own.min_pool_size.unwrap_or(all.min_pool_size)),
        some(own.reserve_pool_size.unwrap_or(all.reserve_pool_size)),
        some(lifetime.as_secs()),
        own.mode.map(|mode| mode_name(mode).to_owned()),
        load_balance_hosts(plan),
        some(own.max_db_connections.unwrap_or(all.max_db_connections)),
        some(shared.ledger.database_total(name)),
        some(own.max_db_client_connections.unwrap_or(all.max_db_client_connections)),
        some(shared.login.seats.of_database(name)),
        some(u8::from(shared.controls.is_paused_alone(name))),
        some(u8::from(shared.controls.is_disabled(name))),
    ]
}

/// None for the one place that PgBouncer takes by default: a socket in the system's usual directory.
fn host(hosts: &[Host]) -> Cell {
    let name = |host: &Host| match host {
        Host::Tcp { name, .. } => name.clone(),
        Host::Unix { directory, .. } => directory.clone(),
    };
    let names: Vec<String> = hosts.iter().map(name).collect();
    (!names.is_empty()).then(|| names.join(","))
}

/// None where there is one host.
pub(super) fn load_balance_hosts(plan: &DatabasePlan) -> Cell {
    let word = match plan.config.load_balance_hosts {
        LoadBalanceHosts::RoundRobin => "round-robin",
        LoadBalanceHosts::Disable => "disable",
    };
    (plan.config.primary.hosts.len() > 1).then(|| word.to_owned())
}

/// As PgBouncer shows its own.
fn administration(shared: &Shared, name: &str) -> [Cell; 17] {
    let lifetime = shared.plan.load().config.timeouts.server_lifetime.get().as_secs();
    let clients = shared.controls.administrators();
    let port = port(shared);
    let zero = || some(0);
    [
        some(name),
        None,
        some(port),
        some(name),
        some(name),
        some(2),
        zero(),
        zero(),
        some(lifetime),
        some("statement"),
        None,
        zero(),
        zero(),
        zero(),
        some(clients),
        zero(),
        zero(),
    ]
}

/// The port clients come to, of the first address that has one.
pub(super) fn port(shared: &Shared) -> u16 {
    let plan = shared.plan.load();
    let addresses = plan.config.listen.iter().flat_map(crate::config::Addresses::as_slice);
    addresses.filter_map(|address| address.rsplit([':', '.']).next()?.parse().ok()).next().unwrap_or(0)
}
