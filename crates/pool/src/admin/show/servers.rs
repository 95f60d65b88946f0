//! `SHOW SERVERS`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::clients::{application_name, replication};
use super::sockets::{Connection, Peers, client_handle, columns, server_handle};
use crate::admin::table::Table;
use crate::ledger::PoolKey;
use crate::server::{ServerInfo, ServerState};
use crate::shared::Shared;

pub(super) fn servers(shared: &Arc<Shared>) -> Table {
    let mut table = Table::new(columns());
    for server in connections(shared, &Peers::of(shared)) {
        let state = server.state;
        table.row(server.cells(shared, state));
    }
    table
}

/// All server connections, by database and user.
pub(super) fn connections(shared: &Shared, peers: &Peers) -> Vec<Connection> {
    let mut all: Vec<_> =
        shared.servers.all().iter().map(|(key, server)| connection(shared, key, server, peers)).collect();
    all.sort_by(|a, b| (&a.database, &a.user, a.id).cmp(&(&b.database, &b.user, b.id)));
    all
}

fn connection(shared: &Shared, key: &PoolKey, server: &ServerInfo, peers: &Peers) -> Connection {
    let client = peers.client(server.client.load(Ordering::Relaxed));
    let requested_at = client.map_or(0, |client| client.requested_at.load(Ordering::Relaxed));
    let epoch = shared.pools.get(key).map_or(0, |pool| pool.epoch.load(Ordering::SeqCst));
    Connection {
        kind: "S",
        user: Arc::clone(&key.user),
        database: Arc::clone(&key.database),
        replication: client.map_or("none", replication),
        state: match server.state() {
            ServerState::Idle => "idle",
            ServerState::Active => "active",
            ServerState::Tested if server.is_cancelling() => "being_canceled",
            ServerState::Tested => "tested",
        },
        remote: server.remote.clone(),
        local: server.local.clone(),
        connected_at: server.connected_at,
        requested_at: requested_at.max(server.used_at.load(Ordering::Relaxed)),
        waiting_since: 0,
        close_needed: server.is_older_than(epoch),
        handle: server_handle(server.id),
        link: client.map(|client| client_handle(client.id)),
        pid: server.pid,
        tls: server.tls.clone(),
        application_name: client.map(application_name).unwrap_or_else(|| "".into()),
        prepared: server.prepared.load(Ordering::Relaxed),
        id: server.id,
    }
}
