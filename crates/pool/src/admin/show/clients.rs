//! `SHOW CLIENTS`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::sockets::{Connection, Peers, client_handle, columns, server_handle};
use crate::admin::table::Table;
use crate::clients::{ClientInfo, ClientState};
use crate::shared::Shared;

pub(super) fn clients(shared: &Arc<Shared>) -> Table {
    let mut table = Table::new(columns());
    for client in connections(shared, &Peers::of(shared)) {
        let state = client.state;
        table.row(client.cells(shared, state));
    }
    table
}

/// All clients, by database and user.
pub(super) fn connections(_: &Shared, peers: &Peers) -> Vec<Connection> {
    let mut all: Vec<_> = peers.clients.iter().map(|client| connection(client)).collect();
    all.sort_by(|a, b| (&a.database, &a.user, a.id).cmp(&(&b.database, &b.user, b.id)));
    all
}

fn connection(client: &ClientInfo) -> Connection {
    let server = client.server.lock().expect("no panic while a server is held").clone();
    let load = |time: &std::sync::atomic::AtomicU64| time.load(Ordering::Relaxed);
    Connection {
        kind: "C",
        user: Arc::clone(&client.user),
        database: Arc::clone(&client.database),
        replication: replication(client),
        state: match client.state() {
            ClientState::Idle => "idle",
            ClientState::Active => "active",
            ClientState::Waiting => "waiting",
        },
        remote: client.peer.to_string(),
        local: client.peer.local(),
        connected_at: client.connected_at,
        requested_at: load(&client.requested_at),
        waiting_since: load(&client.waiting_since),
        close_needed: false,
        handle: client_handle(client.id),
        link: server.map(|server| server_handle(server.id)),
        pid: client.peer.pid(),
        tls: client.tls.clone(),
        application_name: application_name(client),
        prepared: client.prepared.load(Ordering::Relaxed) as usize,
        id: client.id,
    }
}

/// Whether the connection is for logical or physical replication is known to its server alone; most are logical.
pub(super) fn replication(client: &ClientInfo) -> &'static str {
    if client.replication { "logical" } else { "none" }
}

pub(super) fn application_name(client: &ClientInfo) -> Arc<str> {
    Arc::clone(&client.application_name.lock().expect("no panic while a name is held"))
}
