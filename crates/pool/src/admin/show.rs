//! `SHOW …`: one list of what can be shown; each has PgBouncer's columns in PgBouncer's order (version 1.25).

mod clients;
mod config;
mod databases;
mod fds;
mod lists;
mod pools;
mod servers;
mod sockets;
mod stats;
#[cfg(test)]
mod tests;
mod users;

use std::sync::Arc;

use deepwater_pgwire::message::backend::write::Column;

use super::command::invalid;
use super::execute::Outcome;
use super::table::{Table, some};
use crate::control::Mode;
use crate::pgbouncer::VERSION;
use crate::shared::Shared;

/// Makes the rows.
type Show = fn(&Arc<Shared>) -> Table;

/// What can be shown, by name.
const SHOWS: [(&str, Show); 20] = [
    ("clients", clients::clients),
    ("config", config::config),
    ("databases", databases::databases),
    ("lists", lists::lists),
    ("peers", |_| Table::new([int("peer_id"), text("host"), int("port"), int("pool_size")])),
    ("peer_pools", peer_pools),
    ("pools", pools::pools),
    ("servers", servers::servers),
    ("sockets", sockets::sockets),
    ("active_sockets", sockets::active_sockets),
    ("stats", stats::stats),
    ("stats_totals", stats::totals),
    ("stats_averages", stats::averages),
    ("users", users::users),
    ("version", version),
    ("totals", stats::overall),
    ("mem", lists::memory),
    // Names are looked up by the system, which keeps what it finds.
    ("dns_hosts", |_| Table::new([text("hostname"), Column::int8("ttl"), text("addrs")])),
    ("dns_zones", |_| Table::new([text("zonename"), Column::int8("serial"), int("count")])),
    ("state", state),
];

const HELP: &str = "\n\tSHOW HELP|CONFIG|DATABASES|POOLS|CLIENTS|SERVERS|USERS|VERSION\n\
                    \tSHOW PEERS|PEER_POOLS\n\
                    \tSHOW FDS|SOCKETS|ACTIVE_SOCKETS|LISTS|MEM|STATE\n\
                    \tSHOW DNS_HOSTS|DNS_ZONES\n\
                    \tSHOW STATS|STATS_TOTALS|STATS_AVERAGES|TOTALS\n\
                    \tSET key = arg\n\
                    \tRELOAD\n\
                    \tPAUSE [<db>]\n\
                    \tRESUME [<db>]\n\
                    \tDISABLE <db>\n\
                    \tENABLE <db>\n\
                    \tRECONNECT [<db>]\n\
                    \tKILL [<db>]\n\
                    \tKILL_CLIENT <client_id>\n\
                    \tSUSPEND\n\
                    \tSHUTDOWN\n\
                    \tSHUTDOWN WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS\n\
                    \tWAIT_CLOSE [<db>]";

/// What client programs ask for or set without need, and what they are told.
const PRETENDED: [(&str, &str); 6] = [
    ("client_encoding", "UTF-8"),
    ("default_transaction_isolation", "read committed"),
    ("standard_conforming_strings", "on"),
    ("datestyle", "ISO"),
    ("timezone", "GMT"),
    ("extra_float_digits", "2"),
];

/// Shows what a query asks for.
pub(super) fn show(shared: &Arc<Shared>, what: &str, may_change: bool, query: &str) -> Outcome {
    if let Some((name, value)) = pretended(what) {
        let mut table = Table::new([text(name)]);
        table.row([some(value)]);
        return Outcome::Table(table);
    }
    let what = what.to_ascii_lowercase();
    match what.as_str() {
        "help" => Outcome::Notice { message: "Console usage", detail: Some(HELP), tag: "SHOW" },
        "fds" if !may_change => Outcome::refused("admin access needed"),
        "fds" => Outcome::Table(fds::fds(shared)),
        _ => match SHOWS.iter().find(|(name, _)| *name == what) {
            Some((_, show)) => Outcome::Table(show(shared)),
            None => Outcome::refused(invalid(query)),
        },
    }
}

/// A setting that is only pretended to be there.
pub(super) fn pretended(name: &str) -> Option<(&'static str, &'static str)> {
    PRETENDED.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
}

fn text(name: &'static str) -> Column<'static> {
    Column::text(name)
}

fn int(name: &'static str) -> Column<'static> {
    Column::int4(name)
}

fn peer_pools(_: &Arc<Shared>) -> Table {
    Table::new([
        int("peer_id"),
        int("cl_active_cancel_req"),
        int("cl_waiting_cancel_req"),
        int("sv_active_cancel"),
        int("sv_login"),
    ])
}

/// Whoever looks for PgBouncer's version finds it.
fn version(_: &Arc<Shared>) -> Table {
    let mut table = Table::new([text("version")]);
    table.row([some(format!("PgBouncer {VERSION} (Deepwater {})", env!("CARGO_PKG_VERSION")))]);
    table
}

fn state(shared: &Arc<Shared>) -> Table {
    let mode = shared.controls.mode();
    let mut table = Table::new([text("key"), text("value")]);
    for (key, holds) in [
        ("active", mode == Mode::Active),
        ("paused", mode == Mode::Paused),
        ("suspended", matches!(mode, Mode::Suspended(_))),
    ] {
        table.row([some(key), some(if holds { "yes" } else { "no" })]);
    }
    table
}
