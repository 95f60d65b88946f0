//! A client that comes from the process before this one, logged in there: it need not notice.

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use deepwater_core::handover::Passenger;
use deepwater_pgwire::message::backend::write::{self, Report, Severity};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::seats::Seat;
use super::{Client, FAREWELL, Peer};
use crate::clients::{DRAIN, Introduction};
use crate::session::{self, Luggage};
use crate::stream::{Socket, Stream};
use crate::worker::Worker;

/// Serves it from where it was to its end. One whose database is not there any more is told to come again.
pub(crate) async fn board(worker: Rc<Worker>, passenger: Passenger) {
    let Ok(mut luggage) = serde_json::from_value::<Luggage>(passenger.about) else { return };
    let Ok(socket) = socket(passenger.socket, &luggage.peer) else { return };
    let mut stream = Stream::Plain(socket);
    let shared = Arc::clone(&worker.shared);
    let Some(database) = shared.plan.load().database(&luggage.database) else {
        let _ = timeout(FAREWELL, say_goodbye(&mut stream)).await;
        return;
    };
    let pool = shared.pool(&database, &luggage.user);
    std::mem::take(&mut luggage.credentials).leave_with(&pool);
    let user: Arc<str> = luggage.user.as_str().into();
    // It has had its seats already: no limit turns it away.
    let Ok(mut seat) = Seat::take(&shared, None) else { return };
    if seat.of_database(&database.name, 0).and_then(|()| seat.of_user(&user, 0)).is_err() {
        return;
    }
    let who = Introduction {
        database: Arc::clone(&pool.key.database),
        user,
        peer: luggage.peer.clone(),
        tls: None,
        application_name: luggage.application_name.as_str().into(),
        connected_at: luggage.connected_at,
        replication: false,
    };
    let info = shared.clients.enter_as(luggage.pid, std::mem::take(&mut luggage.key), who);
    if !shared.context.shutdown.is_running() {
        // All who were there then have been told.
        info.signal(DRAIN);
    }
    let (startup, parameters) = (luggage.startup(), luggage.parameters());
    let client = Client { stream, input: Vec::new(), pool, info, startup, parameters };
    session::resume(worker, client, luggage).await;
    drop(seat);
}

fn socket(descriptor: OwnedFd, peer: &Peer) -> io::Result<Socket> {
    match peer {
        Peer::Unix { .. } => UnixStream::from_std(descriptor.into()).map(Socket::Unix),
        Peer::Tcp { .. } => TcpStream::from_std(descriptor.into()).map(Socket::Tcp),
    }
}

async fn say_goodbye(stream: &mut Stream) {
    let mut words = Vec::new();
    let report = Report::new(Severity::Fatal, "57P01", "database removed");
    write::error_response(&mut words, &report);
    // A client that has gone hears nothing.
    let _ = stream.write_all(&words).await;
    let _ = stream.shutdown().await;
}
