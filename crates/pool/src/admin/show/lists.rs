//! `SHOW LISTS` and `SHOW MEM`: how many there are of what, and what they take.

use std::sync::Arc;

use super::{databases, int, text, users};
use crate::admin::table::{Table, some};
use crate::clients::ClientInfo;
use crate::plan::DatabasePlan;
use crate::pools::Pool;
use crate::server::{Server, ServerInfo};
use crate::session::{Link, Session};
use crate::shared::Shared;

pub(super) fn lists(shared: &Arc<Shared>) -> Table {
    let mut table = Table::new([text("list"), int("items")]);
    let clients = shared.clients.len();
    for (list, items) in [
        ("databases", databases::all(shared).len()),
        ("users", users::all(shared).len()),
        ("peers", 0),
        // The administration counts as one.
        ("pools", shared.pools.all().len() + 1),
        ("peer_pools", 0),
        // Nothing is kept of those who have left.
        ("free_clients", 0),
        ("used_clients", clients),
        ("login_clients", shared.login.pending.len()),
        ("free_servers", 0),
        ("used_servers", shared.servers.all().len()),
        ("dns_names", 0),
        ("dns_zones", 0),
        ("dns_queries", 0),
        ("dns_pending", 0),
    ] {
        table.row([some(list), some(items)]);
    }
    table
}

/// The sizes are of what is always there; buffers and texts come and go.
pub(super) fn memory(shared: &Arc<Shared>) -> Table {
    let mut table = Table::new([text("name"), int("size"), int("used"), int("free"), int("memtotal")]);
    let servers = shared.servers.all().len();
    let now = shared.context.clock.now();
    let linked: usize = shared.pools.all().iter().map(|pool| shared.ledger.counts(pool.id, now).used).sum();
    for (name, size, used) in [
        ("db_cache", size_of::<DatabasePlan>(), databases::all(shared).len()),
        ("pool_cache", size_of::<Pool>(), shared.pools.all().len()),
        ("server_cache", size_of::<Server>() + size_of::<ServerInfo>(), servers),
        ("client_cache", size_of::<Session>() + size_of::<ClientInfo>(), shared.clients.len()),
        ("link_cache", size_of::<Link>(), linked),
    ] {
        table.row([some(name), some(size), some(used), some(0), some(size * used)]);
    }
    table
}
