//! `SHOW POOLS`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{databases, int, text};
use crate::admin::table::{Cell, Table, some};
use crate::plan::ADMINISTRATION;
use crate::plane::mode_name;
use crate::pools::Pool;
use crate::server::{ServerInfo, ServerState};
use crate::shared::Shared;

pub(super) fn pools(shared: &Arc<Shared>) -> Table {
    let mut table = Table::new([
        text("database"),
        text("user"),
        int("cl_active"),
        int("cl_waiting"),
        int("cl_active_cancel_req"),
        int("cl_waiting_cancel_req"),
        int("sv_active"),
        int("sv_active_cancel"),
        int("sv_being_canceled"),
        int("sv_idle"),
        int("sv_used"),
        int("sv_tested"),
        int("sv_login"),
        int("maxwait"),
        int("maxwait_us"),
        text("pool_mode"),
        text("load_balance_hosts"),
    ]);
    let servers = shared.servers.all();
    let mut rows: Vec<([Arc<str>; 2], [Cell; 17])> = Vec::new();
    for pool in shared.pools.all() {
        let of_pool = servers.iter().filter(|(key, _)| *key == pool.key).map(|(_, server)| &**server);
        let key = [Arc::clone(&pool.key.database), Arc::clone(&pool.key.user)];
        rows.push((key, row(shared, &pool, of_pool)));
    }
    rows.push(([ADMINISTRATION.into(), ADMINISTRATION.into()], administration(shared)));
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    rows.into_iter().for_each(|(_, cells)| table.row(cells));
    table
}

fn row<'a>(shared: &Shared, pool: &Pool, servers: impl Iterator<Item = &'a ServerInfo>) -> [Cell; 17] {
    let counts = shared.ledger.counts(pool.id, shared.context.clock.now());
    let settings = pool.settings.load();
    let (mut cancelling, mut held, mut tested) = (0, 0, 0);
    for server in servers {
        let busy = server.is_cancelling();
        cancelling += usize::from(busy);
        if server.state() == ServerState::Tested {
            held += usize::from(busy);
            tested += usize::from(!busy);
        }
    }
    let clients = usize::try_from(pool.clients.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
    [
        some(&*pool.key.database),
        some(&*pool.key.user),
        some(clients.saturating_sub(counts.waiting)),
        some(counts.waiting),
        some(cancelling),
        some(0),
        some(counts.used.saturating_sub(held + tested)),
        some(cancelling),
        some(held),
        some(counts.idle),
        // None has to be tested before it can be used that is not tested then.
        some(0),
        some(tested),
        some(counts.connecting),
        some(counts.longest_wait.as_secs()),
        some(counts.longest_wait.subsec_micros()),
        some(mode_name(settings.mode)),
        databases::load_balance_hosts(&settings.database),
    ]
}

/// As PgBouncer shows its own.
fn administration(shared: &Shared) -> [Cell; 17] {
    let mut cells: [Cell; 17] = std::array::from_fn(|_| some(0));
    cells[0] = some(ADMINISTRATION);
    cells[1] = some(ADMINISTRATION);
    cells[2] = some(shared.controls.administrators());
    cells[15] = some("statement");
    cells[16] = None;
    cells
}
