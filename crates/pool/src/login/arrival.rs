//! A client that comes from the process before this one, logged in there: it need not notice.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use deepwater_core::handover::Passenger;
use deepwater_pgwire::message::backend::write::{self, Report, Severity};
use tokio::net::{TcpStream, UnixStream};

use super::seats::Seat;
use super::{Client, Peer};
use crate::clients::{DRAIN, Introduction};
use crate::session::{self, SessionState};
use crate::stream::{Socket, Stream};
use crate::worker::Worker;

/// Serves it from where it was to its end. One that is not understood (its process was of another version), or whose
/// database is not there any more, is told to come again.
pub(crate) async fn board(worker: Rc<Worker>, passenger: Passenger) {
    let shared = Arc::clone(&worker.shared);
    let Passenger { about, socket: descriptor, .. } = passenger;
    let Ok(mut state) = serde_json::from_value::<SessionState>(about) else {
        return say_goodbye(descriptor, "terminating connection due to administrator command");
    };
    let Some(database) = shared.plan.load().database(&state.database) else {
        return say_goodbye(descriptor, "database removed");
    };
    let Ok(socket) = socket(descriptor, &state.peer) else { return };
    let pool = shared.pool(&database, &state.user);
    std::mem::take(&mut state.credentials).leave_with(&pool);
    let user: Arc<str> = state.user.as_str().into();
    // It has had its seats already: no limit turns it away.
    let Ok(mut seat) = Seat::take(&shared, None) else { return };
    if seat.of_database(&database.name, 0).and_then(|()| seat.of_user(&user, 0)).is_err() {
        return;
    }
    let who = Introduction {
        database: Arc::clone(&pool.key.database),
        user,
        peer: state.peer.clone(),
        descriptor: socket.descriptor(),
        tls: None,
        application_name: state.application_name.as_str().into(),
        connected_at: state.connected_at,
        replication: false,
    };
    let info = shared.clients.enter_as(state.pid, std::mem::take(&mut state.key), who);
    if !shared.context.shutdown.is_running() {
        // All who were there then have been told.
        info.signal(DRAIN);
    }
    let (startup, parameters) = (state.startup(), state.parameters());
    let stream = Stream::Plain(socket);
    let client = Client { stream, input: Vec::new(), pool, info, startup, parameters };
    session::resume(worker, client, state).await;
    drop(seat);
}

fn socket(descriptor: OwnedFd, peer: &Peer) -> io::Result<Socket> {
    match peer {
        Peer::Unix { .. } => UnixStream::from_std(descriptor.into()).map(Socket::Unix),
        Peer::Tcp { .. } => TcpStream::from_std(descriptor.into()).map(Socket::Tcp),
    }
}

/// Whatever kind of socket it is; what it does not take at once is not waited for.
fn say_goodbye(descriptor: OwnedFd, message: &str) {
    let mut words = Vec::new();
    write::error_response(&mut words, &Report::new(Severity::Fatal, "57P01", message));
    // A client that has gone hears nothing.
    let _ = File::from(descriptor).write_all(&words);
}
