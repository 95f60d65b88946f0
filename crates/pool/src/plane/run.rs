//! The life of one thread.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use deepwater_core::handover::Passenger;
use socket2::SockRef;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::LocalOptions;
use tokio::sync::mpsc;

use super::listen::Listener;
use crate::ask;
use crate::events::AcceptFailed;
use crate::janitor;
use crate::login::{self, Peer};
use crate::shared::Shared;
use crate::stream::Socket;
use crate::worker::Worker;

/// How long accepting pauses when the system has no descriptor left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Where a thread's clients come from.
pub(super) struct Intake {
    pub(super) sockets: Vec<Listener>,
    /// From the process before this one.
    pub(super) passengers: mpsc::UnboundedReceiver<Passenger>,
}

/// Serves until the process drains or stops.
pub(super) fn run(id: usize, shared: Arc<Shared>, seed: u64, intake: Intake) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let Ok(runtime) = runtime else {
        shared.context.shutdown.stop();
        return;
    };
    runtime.block_on(async move {
        let worker = Worker::new(id, Arc::clone(&shared), seed);
        let shutdown = shared.context.shutdown.clone();
        let (tcp, unix): (Vec<_>, Vec<_>) =
            intake.sockets.into_iter().partition(|listener| matches!(listener, Listener::Tcp(_)));
        let accept_all = |sockets: Vec<Listener>| -> Vec<_> {
            let accept = |listener| tokio::task::spawn_local(accept(Rc::clone(&worker), listener));
            sockets.into_iter().map(accept).collect()
        };
        let (tcp, unix) = (accept_all(tcp), accept_all(unix));
        let boarding = tokio::task::spawn_local(board(Rc::clone(&worker), intake.passengers));
        let janitor = tokio::task::spawn_local(janitor::run(Rc::clone(&worker)));
        let asking = (id == 0).then(|| tokio::task::spawn_local(ask::serve(Rc::clone(&worker))));
        tokio::select! {
            () = shutdown.draining() => {}
            () = shared.controls.closing() => {}
        }
        // As with PgBouncer, administrators may still come over Unix sockets, which no other process shares.
        tcp.iter().for_each(tokio::task::JoinHandle::abort);
        shutdown.draining().await;
        asking.iter().for_each(tokio::task::JoinHandle::abort);
        unix.iter().for_each(tokio::task::JoinHandle::abort);
        boarding.abort();
        janitor::drain(&worker);
        tokio::select! {
            () = worker.closed() => {}
            () = shutdown.stopping() => {}
        }
        janitor.abort();
    });
}

async fn accept(worker: Rc<Worker>, listener: Listener) {
    let listening = match listener {
        Listener::Tcp(socket) => Listening::tcp(socket),
        Listener::Unix(socket, path) => {
            UnixListener::from_std(socket).map(|socket| Listening::Unix(socket, path))
        }
    };
    let Ok(listening) = listening else { return worker.shared.context.shutdown.stop() };
    worker.shared.context.handover.opened().await;
    loop {
        match listening.accept().await {
            Ok((socket, peer)) => {
                let open = worker.connection();
                let worker = Rc::clone(&worker);
                tokio::task::spawn_local(async move {
                    login::serve(worker, socket, peer).await;
                    drop(open);
                });
            }
            Err(error) if is_connection_error(&error) => {}
            Err(error) => {
                worker.shared.context.events.emit(AcceptFailed { reason: error.to_string() });
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

/// Serves the clients that come from the process before this one.
async fn board(worker: Rc<Worker>, mut passengers: mpsc::UnboundedReceiver<Passenger>) {
    while let Some(passenger) = passengers.recv().await {
        let open = worker.connection();
        let worker = Rc::clone(&worker);
        tokio::task::spawn_local(async move {
            login::board(worker, passenger).await;
            drop(open);
        });
    }
}

enum Listening {
    /// With its address, unless that is all addresses.
    Tcp(TcpListener, Option<SocketAddr>),
    Unix(UnixListener, String),
}

impl Listening {
    fn tcp(socket: std::net::TcpListener) -> io::Result<Self> {
        // Connections have it from the socket they come to: small messages are sent at once.
        SockRef::from(&socket).set_tcp_nodelay(true)?;
        let address = socket.local_addr()?;
        let listener = TcpListener::from_std(socket)?;
        Ok(Self::Tcp(listener, Some(address).filter(|address| !address.ip().is_unspecified())))
    }

    async fn accept(&self) -> io::Result<(Socket, Peer)> {
        match self {
            Self::Tcp(listener, address) => {
                let (tcp, remote) = listener.accept().await?;
                let local = match address {
                    Some(address) => *address,
                    None => tcp.local_addr()?,
                };
                let peer = Peer::tcp(remote, local);
                Ok((Socket::Tcp(tcp), peer))
            }
            Self::Unix(listener, path) => {
                let (unix, _) = listener.accept().await?;
                let peer = Peer::unix(&unix, path);
                Ok((Socket::Unix(unix), peer))
            }
        }
    }
}

/// The connection failed before we had it; the listener is fine.
fn is_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, NotConnected};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted | NotConnected
    )
}
