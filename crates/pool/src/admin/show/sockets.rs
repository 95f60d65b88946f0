//! `SHOW SOCKETS` and `SHOW ACTIVE_SOCKETS`; and what a row on one connection looks like there and elsewhere.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use deepwater_pgwire::message::backend::write::Column;

use super::{clients, int, servers, text};
use crate::admin::moment;
use crate::admin::table::{Cell, Table, some};
use crate::clients::ClientInfo;
use crate::shared::Shared;

/// Columns of every connection.
const COLUMNS: [&str; 21] = [
    "type",
    "user",
    "database",
    "replication",
    "state",
    "addr",
    "port",
    "local_addr",
    "local_port",
    "connect_time",
    "request_time",
    "wait",
    "wait_us",
    "close_needed",
    "ptr",
    "link",
    "remote_pid",
    "tls",
    "application_name",
    "prepared_statements",
    "id",
];
/// The rest of them, in `SHOW SOCKETS`: about buffers, which connections here only borrow.
const BUFFERS: [&str; 7] =
    ["recv_pos", "pkt_pos", "pkt_remain", "send_pos", "send_remain", "pkt_avail", "send_avail"];
/// Columns that are numbers.
const NUMBERS: [&str; 8] =
    ["port", "local_port", "wait", "wait_us", "close_needed", "remote_pid", "prepared_statements", "id"];

pub(super) fn sockets(shared: &Arc<Shared>) -> Table {
    table(shared, |_| true)
}

pub(super) fn active_sockets(shared: &Arc<Shared>) -> Table {
    table(shared, |connection| connection.state == "active" || connection.state == "waiting")
}

fn table(shared: &Shared, pick: impl Fn(&Connection) -> bool) -> Table {
    let mut table = Table::new(columns().chain(BUFFERS.map(int)));
    let mut add = |connection: Connection, prefix: &str| {
        if pick(&connection) {
            let state = match connection.state {
                // A client without a query is as active as any.
                "idle" if prefix == "cl" => "active",
                state => state,
            };
            let state = format!("{prefix}_{state}");
            let cells = connection.cells(shared, &state);
            table.row(cells.into_iter().chain(BUFFERS.map(|_| some(0))));
        }
    };
    let peers = Peers::of(shared);
    clients::connections(shared, &peers).into_iter().for_each(|client| add(client, "cl"));
    servers::connections(shared, &peers).into_iter().for_each(|server| add(server, "sv"));
    table
}

pub(super) fn columns() -> impl Iterator<Item = Column<'static>> {
    COLUMNS.into_iter().map(|name| if NUMBERS.contains(&name) { int(name) } else { text(name) })
}

/// Clients by number: servers name only their number.
pub(super) struct Peers {
    pub clients: Vec<Arc<ClientInfo>>,
    by_id: HashMap<u64, Arc<ClientInfo>>,
}

impl Peers {
    pub(super) fn of(shared: &Shared) -> Self {
        let clients = shared.clients.all();
        let by_id = clients.iter().map(|client| (client.id, Arc::clone(client))).collect();
        Self { clients, by_id }
    }

    pub(super) fn client(&self, id: u64) -> Option<&ClientInfo> {
        self.by_id.get(&id).map(|client| &**client)
    }
}

/// A client or a server.
pub(super) struct Connection {
    pub kind: &'static str,
    pub user: Arc<str>,
    pub database: Arc<str>,
    pub replication: &'static str,
    pub state: &'static str,
    /// Address and port, or a Unix socket.
    pub remote: String,
    pub local: String,
    pub connected_at: SystemTime,
    /// Microseconds since the process began; 0 for none.
    pub requested_at: u64,
    /// Since when it waits, likewise.
    pub waiting_since: u64,
    pub close_needed: bool,
    pub handle: String,
    pub link: Option<String>,
    pub pid: u32,
    pub tls: Option<String>,
    pub application_name: Arc<str>,
    pub prepared: usize,
    pub id: u64,
}

impl Connection {
    pub(super) fn cells(self, shared: &Shared, state: &str) -> [Cell; 21] {
        let waited = match self.waiting_since {
            0 => 0,
            since => u64::try_from(shared.began.elapsed().as_micros()).unwrap_or(since).saturating_sub(since),
        };
        let (address, port) = place(&self.remote);
        let (local_address, local_port) = place(&self.local);
        [
            some(self.kind),
            some(self.user),
            some(self.database),
            some(self.replication),
            some(state),
            some(address),
            some(port),
            some(local_address),
            some(local_port),
            some(moment::written(self.connected_at)),
            some(moment::written_micros(shared, self.requested_at, self.connected_at)),
            some(waited / 1_000_000),
            some(waited % 1_000_000),
            some(u8::from(self.close_needed)),
            some(self.handle),
            some(self.link.unwrap_or_default()),
            some(self.pid),
            some(self.tls.unwrap_or_default()),
            some(self.application_name),
            some(self.prepared),
            some(self.id),
        ]
    }
}

/// What stands for the address of a client in PgBouncer's memory: unlike any other connection's.
pub(super) fn client_handle(id: u64) -> String {
    format!("{:#014x}", id << 1)
}

/// The same for a server.
pub(super) fn server_handle(id: u64) -> String {
    format!("{:#014x}", id << 1 | 1)
}

/// Address and port of `127.0.0.1:5432`, `[::1]:5432` or `/run/.s.PGSQL.5432`; the last is `unix`.
pub(super) fn place(text: &str) -> (&str, u16) {
    let is_unix = text.is_empty() || text.starts_with(['/', '@']) || text.starts_with("unix");
    if is_unix {
        let port = text.rsplit('.').next().and_then(|port| port.parse().ok());
        return ("unix", port.unwrap_or(0));
    }
    let Some((address, port)) = text.rsplit_once(':') else { return (text, 0) };
    let address = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
    (address, port.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_addresses_and_ports() {
        for (text, expected) in [
            ("127.0.0.1:5432", ("127.0.0.1", 5432)),
            ("[::1]:6432", ("::1", 6432)),
            ("unix(77)", ("unix", 0)),
            ("/run/postgresql/.s.PGSQL.5433", ("unix", 5433)),
            ("@pool/.s.PGSQL.6432", ("unix", 6432)),
            ("", ("unix", 0)),
        ] {
            assert_eq!(place(text), expected, "{text}");
        }
    }

    #[test]
    fn no_two_connections_have_the_same_handle() {
        let handles: std::collections::HashSet<_> =
            (1..100).flat_map(|id| [client_handle(id), server_handle(id)]).collect();
        assert_eq!(handles.len(), 198);
    }
}
