//! A connection to a PostgreSQL server.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Instant, SystemTime};

use deepwater_pgwire::message::{self, HEADER_BYTES, backend};
use tokio::sync::Notify;

use crate::config::Host;
use crate::ledger::Connection;
use crate::pools::Pool;
use crate::settings::{Parameters, Settings};
use crate::statements::Prepared;
use crate::stream::Stream;

/// A connection to a server, logged in. Whoever holds it has it alone.
#[derive(Debug)]
pub(crate) struct Server {
    pub stream: Stream,
    /// The thread whose event loop it is on.
    pub home: usize,
    pub pool: Arc<Pool>,
    /// What others may see of it.
    pub info: Arc<ServerInfo>,
    /// What it reports.
    pub parameters: Arc<Parameters>,
    /// What was set on it beyond its defaults.
    pub applied: Settings,
    /// What `connect_query` set on it: every client finds it so.
    pub base: Settings,
    /// Protocol-level prepared statements on it.
    pub prepared: Prepared,
    /// Statements made with SQL's PREPARE on it: whose they are.
    pub sql_prepared: HashMap<Box<str>, u64>,
    /// Names that must be closed before they are prepared again: their plans are stale.
    pub stale: Vec<u64>,
    /// The pool's epoch when it was opened; an older one than the pool's is closed when free.
    pub epoch: u64,
    /// When it is too old.
    pub expires: Option<Instant>,
    /// When it last served.
    pub last_used: Instant,
}

/// What others may see of a server connection.
#[derive(Debug)]
pub(crate) struct ServerInfo {
    /// Unique in this process.
    pub id: u64,
    /// The backend's process, as it names itself.
    pub pid: u32,
    /// Its secret for cancel requests.
    pub key: Vec<u8>,
    /// Where it is.
    pub host: Host,
    /// The server's address and port, or the socket's path.
    pub remote: String,
    /// Our own address and port.
    pub local: String,
    /// The number of its socket; -1 before it has one.
    pub descriptor: i32,
    /// Version and cipher of TLS, if it is used.
    pub tls: Option<String>,
    pub connected_at: SystemTime,
    /// The pool's epoch when it was opened; the last there can be for one that no pool renews.
    pub epoch: u64,
    /// Microseconds since the process began when it was last given back; 0 before.
    pub used_at: AtomicU64,
    /// Prepared statements on it when it was last given back.
    pub prepared: AtomicUsize,
    state: AtomicU8,
    /// The client it serves; 0 for none.
    pub client: AtomicU64,
    /// A question of ours runs on it, which a cancel request must not hit.
    ours: AtomicBool,
    /// Cancel requests on their way; it must not serve another client before they have arrived.
    cancels: AtomicUsize,
    cancelled: Notify,
}

/// What a server connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ServerState {
    Idle,
    Active,
    /// Being tested or cleaned.
    Tested,
}

impl ServerInfo {
    pub(crate) fn new(id: u64, pid: u32, key: Vec<u8>, host: Host) -> Self {
        Self {
            id,
            pid,
            key,
            host,
            remote: String::new(),
            local: String::new(),
            descriptor: -1,
            tls: None,
            connected_at: SystemTime::now(),
            epoch: u64::MAX,
            used_at: AtomicU64::new(0),
            prepared: AtomicUsize::new(0),
            state: AtomicU8::new(ServerState::Idle as u8),
            client: AtomicU64::new(0),
            ours: AtomicBool::new(false),
            cancels: AtomicUsize::new(0),
            cancelled: Notify::new(),
        }
    }

    /// Whether it was opened before its pool was renewed to this epoch: it is closed when it is free.
    pub(crate) fn is_older_than(&self, epoch: u64) -> bool {
        self.epoch < epoch
    }

    pub(crate) fn state(&self) -> ServerState {
        match self.state.load(Ordering::Relaxed) {
            0 => ServerState::Idle,
            1 => ServerState::Active,
            _ => ServerState::Tested,
        }
    }

    #[inline]
    pub(crate) fn set_state(&self, state: ServerState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// Announces a cancel request for the client. None if the server does not serve that client (any more). While the
    /// guard lives the server serves nobody else.
    pub(crate) fn cancel_for(self: &Arc<Self>, client: u64) -> Option<Cancelling> {
        self.cancels.fetch_add(1, Ordering::SeqCst);
        let guard = Cancelling { server: Arc::clone(self) };
        // Whoever releases the server clears `client` first and looks at `cancels` then: one of the two sees the other.
        (self.client.load(Ordering::SeqCst) == client).then_some(guard)
    }

    /// Notes whether a question of ours runs.
    #[inline]
    pub(crate) fn set_ours(&self, ours: bool) {
        self.ours.store(ours, Ordering::Relaxed);
    }

    /// Whether a question of ours runs.
    pub(crate) fn is_ours(&self) -> bool {
        self.ours.load(Ordering::Relaxed)
    }

    /// Whether cancel requests are on their way.
    #[inline]
    pub(crate) fn is_cancelling(&self) -> bool {
        self.cancels.load(Ordering::SeqCst) > 0
    }

    /// Resolves when none are.
    pub(crate) async fn cancels_over(&self) {
        loop {
            let told = self.cancelled.notified();
            if !self.is_cancelling() {
                return;
            }
            told.await;
        }
    }
}

/// A cancel request on its way to a server.
pub(crate) struct Cancelling {
    pub server: Arc<ServerInfo>,
}

impl Drop for Cancelling {
    fn drop(&mut self) {
        self.server.cancels.fetch_sub(1, Ordering::SeqCst);
        self.server.cancelled.notify_waiters();
    }
}

/// Bytes that may arrive on an idle connection before it counts as talking out of turn.
const SETTLE_BYTES: usize = 4 * 1024;

impl Server {
    /// Takes in what arrived while the connection was idle: notices and changed parameters. False when it has ended or
    /// said something else, and must not be used.
    pub(crate) fn settle(&mut self) -> bool {
        if self.stream.is_tls() || !self.stream.is_silent_now() {
            return self.read_unasked();
        }
        true
    }

    fn read_unasked(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let mut bytes = [0; SETTLE_BYTES];
        let n = match self.stream.poll_fill(&mut cx, &mut bytes) {
            Poll::Pending => return true,
            Poll::Ready(Ok(n)) if n > 0 && n < SETTLE_BYTES => n,
            Poll::Ready(_) => return false,
        };
        let mut rest = &bytes[..n];
        while !rest.is_empty() {
            let Ok(Some(header)) = message::header(rest) else { return false };
            let Some(payload) = rest.get(HEADER_BYTES..HEADER_BYTES + header.payload) else { return false };
            match header.tag {
                backend::PARAMETER_STATUS => {
                    let Ok(status) = backend::ParameterStatus::read(payload) else { return false };
                    Parameters::report(&mut self.parameters, status.name, status.value);
                }
                backend::NOTICE_RESPONSE => {}
                _ => return false,
            }
            rest = &rest[HEADER_BYTES + header.payload..];
        }
        true
    }
}

impl Connection for Box<Server> {
    fn home(&self) -> usize {
        self.home
    }
}
