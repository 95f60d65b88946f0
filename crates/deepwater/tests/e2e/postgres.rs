//! The PostgreSQL pooler: real servers behind it, real clients before it.

mod asking;
mod binding;
mod cancelling;
mod certificates;
mod commanding;
mod conversations;
mod deadlines;
mod encryption;
mod hostile;
mod isolation;
mod listening;
mod logins;
mod losing;
mod meanings;
mod pinning;
mod programs;
mod reloading;
mod remains;
mod repeating;
mod rust;
mod servers;
mod settings;
mod sharing;
mod statements;
mod streaming;
mod upgrading;
mod waiting;

use crate::support::pg_wire::Pg;

/// The number of the server's process that answers just now.
async fn backend(session: &mut Pg) -> String {
    session.value("SELECT pg_backend_pid()").await
}
