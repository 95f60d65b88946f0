//! `SHOW USERS`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{int, text};
use crate::admin::table::{Table, some};
use crate::plan::ADMINISTRATION;
use crate::plane::mode_name;
use crate::shared::Shared;

pub(super) fn users(shared: &Arc<Shared>) -> Table {
    let mut table = Table::new([
        text("name"),
        text("pool_size"),
        text("reserve_pool_size"),
        text("pool_mode"),
        int("max_user_connections"),
        int("current_connections"),
        int("max_user_client_connections"),
        int("current_client_connections"),
    ]);
    let config = &shared.plan.load().config;
    let clients = shared.clients.all();
    let administrators = |name: &Arc<str>| {
        clients.iter().filter(|client| *client.database == *ADMINISTRATION && client.user == *name).count()
    };
    // As PgBouncer writes them.
    let size = |size: Option<usize>| some(size.map(|size| format!("{size:9}")).unwrap_or_default());
    for name in all(shared) {
        let own = config.users.get(&*name).cloned().unwrap_or_default();
        table.row([
            some(&name),
            size(own.pool_size),
            size(own.reserve_pool_size),
            own.mode.map(|mode| mode_name(mode).to_owned()),
            some(own.max_user_connections.unwrap_or(config.max_user_connections)),
            some(shared.ledger.user_total(&name)),
            some(own.max_user_client_connections.unwrap_or(config.max_user_client_connections)),
            some(shared.login.seats.of_user(&name) + administrators(&name)),
        ]);
    }
    table
}

/// Those with a password here, those that differ from the rest, those in use, and the administration's own.
pub(super) fn all(shared: &Shared) -> BTreeSet<Arc<str>> {
    let plan = shared.plan.load();
    let stored = plan.passwords.keys().map(|name| Arc::from(name.as_str()));
    let configured = plan.config.users.keys().map(|name| Arc::from(name.as_str()));
    let in_use = shared.clients.all().into_iter().map(|client| Arc::clone(&client.user));
    let pools = shared.pools.all().into_iter().map(|pool| Arc::clone(&pool.key.user));
    let own = std::iter::once(Arc::from(ADMINISTRATION));
    stored.chain(configured).chain(in_use).chain(pools).chain(own).collect()
}
