//! `SHOW FDS`: which socket is whose. Sockets are not handed over by it, so no secrets go along.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use deepwater_pgwire::message::backend::write::Column;

use super::sockets::{Peers, place};
use super::{int, text};
use crate::admin::table::{Cell, Table, some};
use crate::shared::Shared;

/// What PgBouncer tells its successor of a session there; nobody is told here.
const SESSION: [&str; 5] = ["client_encoding", "std_strings", "datestyle", "timezone", "password"];
const KEYS: [&str; 2] = ["scram_client_key", "scram_server_key"];

pub(super) fn fds(shared: &Arc<Shared>) -> Table {
    let first = [int("fd"), text("task"), text("user"), text("database"), text("addr"), int("port")];
    let links = [Column::int8("cancel"), int("link")];
    let rest = SESSION.map(text).into_iter().chain(KEYS.map(Column::bytea));
    let mut table = Table::new(first.into_iter().chain(links).chain(rest));
    let mut add = |fd: i32, task: &str, who: [Cell; 2], at: &str, link: i32| {
        let (address, port) = place(at);
        let cells = [some(fd), some(task)].into_iter().chain(who);
        let cells = cells.chain([some(address), some(port), some(0), some(link)]);
        table.row(cells.chain([const { None }; SESSION.len() + KEYS.len()]));
    };
    for (fd, bound) in shared.doors.get().into_iter().flatten() {
        add(*fd, "pooler", [None, None], &bound.to_string(), 0);
    }
    let peers = Peers::of(shared);
    // Those with TLS are left out, as PgBouncer does.
    for client in peers.clients.iter().filter(|client| client.tls.is_none()) {
        let server = client.server.lock().expect("no panic while a server is held").clone();
        let link = server.map_or(0, |server| server.descriptor);
        let who = [some(&client.user), some(&client.database)];
        add(client.descriptor, "client", who, &client.peer.to_string(), link);
    }
    for (key, server) in shared.servers.all().iter().filter(|(_, server)| server.tls.is_none()) {
        let client = peers.client(server.client.load(Ordering::Relaxed));
        let link = client.map_or(0, |client| client.descriptor);
        add(server.descriptor, "server", [some(&key.user), some(&key.database)], &server.remote, link);
    }
    table
}
