//! One thread: the clients that arrived on it, and the server connections it opened or was handed.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use deepwater_core::random::Random;
use tokio::sync::Notify;

use crate::connect;
use crate::events::ServerConnectFailed;
use crate::ledger::{Failure, PoolId};
use crate::measure::PoolMetrics;
use crate::plan::Face;
use crate::pools::Pool;
use crate::secrets::Secrets;
use crate::server::{Server, ServerState};
use crate::session::Link;
use crate::shared::{Moment, Shared};
use crate::statements::Seen;

/// Size of the buffer that all connections of a thread read into.
const INPUT_BYTES: usize = 64 * 1024;

/// Links kept for reuse.
const LINKS_KEPT: usize = 256;

/// One thread.
pub(crate) struct Worker {
    pub id: usize,
    pub shared: Arc<Shared>,
    pub random: RefCell<Random>,
    pub secrets: RefCell<Secrets>,
    /// Texts that clients have prepared without a name.
    pub seen: RefCell<Seen>,
    /// What is read into, borrowed for the length of one poll.
    input: Cell<Option<Box<[u8]>>>,
    /// What is written from, likewise.
    output: Cell<Vec<u8>>,
    // Boxed, so that lending one moves a pointer.
    #[allow(clippy::vec_box)]
    links: RefCell<Vec<Box<Link>>>,
    metrics: RefCell<HashMap<PoolId, Rc<PoolMetrics>>>,
    open: Cell<usize>,
    all_closed: Notify,
}

impl Worker {
    pub(crate) fn new(id: usize, shared: Arc<Shared>, seed: u64) -> Rc<Self> {
        Rc::new(Self {
            id,
            shared,
            random: RefCell::new(Random::from_seed(seed)),
            secrets: RefCell::new(Secrets::new()),
            seen: RefCell::default(),
            input: Cell::new(None),
            output: Cell::default(),
            links: RefCell::default(),
            metrics: RefCell::default(),
            open: Cell::new(0),
            all_closed: Notify::new(),
        })
    }

    /// Lends the input buffer. Must be given back before the task lets another run.
    #[inline]
    pub(crate) fn take_input(&self) -> Box<[u8]> {
        self.input.take().unwrap_or_else(|| vec![0; INPUT_BYTES].into_boxed_slice())
    }

    #[inline]
    pub(crate) fn give_input(&self, input: Box<[u8]>) {
        self.input.set(Some(input));
    }

    /// Lends the output buffer, empty.
    #[inline]
    pub(crate) fn take_output(&self) -> Vec<u8> {
        self.output.take()
    }

    #[inline]
    pub(crate) fn give_output(&self, mut output: Vec<u8>) {
        if output.capacity() <= INPUT_BYTES {
            output.clear();
            self.output.set(output);
        }
    }

    /// A link for a client, used before or new.
    #[inline]
    pub(crate) fn take_link(&self, now: Moment) -> Box<Link> {
        self.links.borrow_mut().pop().unwrap_or_else(|| Box::new(Link::new(now)))
    }

    #[inline]
    pub(crate) fn give_link(&self, link: Box<Link>) {
        let mut links = self.links.borrow_mut();
        if links.len() < LINKS_KEPT {
            links.push(link);
        }
    }

    /// This thread's counters of a pool.
    pub(crate) fn metrics(&self, pool: &Pool) -> Rc<PoolMetrics> {
        let mut all = self.metrics.borrow_mut();
        let registry = &self.shared.context.metrics;
        Rc::clone(all.entry(pool.id).or_insert_with(|| Rc::new(PoolMetrics::register(registry, &pool.key))))
    }

    /// Counts a client connection as open until the guard is dropped.
    pub(crate) fn connection(self: &Rc<Self>) -> Open {
        self.open.set(self.open.get() + 1);
        Open { worker: Rc::clone(self) }
    }

    /// Resolves when no client connection is open.
    pub(crate) async fn closed(&self) {
        while self.open.get() > 0 {
            self.all_closed.notified().await;
        }
    }

    /// Opens a connection for a pool whose place in the ledger is taken, and further ones while they are needed.
    pub(crate) fn open(self: &Rc<Self>, pool: &Arc<Pool>) {
        let (worker, pool) = (Rc::clone(self), Arc::clone(pool));
        tokio::task::spawn_local(async move {
            let shared = &worker.shared;
            loop {
                worker.close_evicted();
                match connect::open(&worker, &pool).await {
                    Ok(server) => {
                        shared.servers.enter(&pool.key, &server.info);
                        shared.ledger.connected(pool.id, server, Instant::now());
                    }
                    Err(error) => {
                        let why = error.to_string();
                        shared.context.events.emit(ServerConnectFailed {
                            database: pool.key.database.to_string(),
                            user: pool.key.user.to_string(),
                            reason: why.clone(),
                        });
                        let told = if error.is_unreachable() && shared.plan.load().face == Face::PgBouncer {
                            "connect failed".into()
                        } else {
                            why.into()
                        };
                        let failure = Arc::new(Failure { code: error.told_code(), why: told });
                        return shared.ledger.connect_failed(pool.id, &failure, Instant::now());
                    }
                }
                if !shared.ledger.reserve(pool.id, Instant::now()) {
                    return;
                }
            }
        });
    }

    /// Gives a clean connection back.
    pub(crate) fn release(self: &Rc<Self>, server: Box<Server>) {
        self.release_at(server, self.shared.moment(Instant::now()));
    }

    /// Gives a clean connection back at a time just read.
    pub(crate) fn release_at(self: &Rc<Self>, mut server: Box<Server>, now: Moment) {
        let pool = Arc::clone(&server.pool);
        let renewed = server.epoch < pool.epoch.load(std::sync::atomic::Ordering::SeqCst);
        if renewed || server.expires.is_some_and(|expires| expires <= now.at) {
            return self.discard(server);
        }
        server.info.client.store(0, std::sync::atomic::Ordering::SeqCst);
        if server.info.is_cancelling() {
            // A cancel request that is on its way must not hit the next client's query.
            let worker = Rc::clone(self);
            server.info.set_state(ServerState::Tested);
            tokio::task::spawn_local(async move {
                let info = Arc::clone(&server.info);
                info.cancels_over().await;
                worker.release(server);
            });
            return;
        }
        server.info.set_state(ServerState::Idle);
        server.info.used_at.store(now.micros, std::sync::atomic::Ordering::Relaxed);
        server.info.prepared.store(server.prepared.len(), std::sync::atomic::Ordering::Relaxed);
        server.last_used = now.at;
        self.shared.ledger.release(pool.id, server, now.at);
    }

    /// Closes a used connection; another is opened if it is needed.
    pub(crate) fn discard(self: &Rc<Self>, server: Box<Server>) {
        let pool = Arc::clone(&server.pool);
        self.close(server);
        if self.shared.ledger.discard(pool.id, Instant::now()) {
            self.open(&pool);
        }
    }

    /// Closes the connections that had to go for others.
    pub(crate) fn close_evicted(&self) {
        self.shared.ledger.take_evicted().into_iter().for_each(|server| self.close(server));
    }

    /// Says goodbye to a server and forgets it. The ledger must know.
    pub(crate) fn close(&self, server: Box<Server>) {
        self.shared.close(server);
    }
}

/// A client connection that is open.
pub(crate) struct Open {
    worker: Rc<Worker>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let open = self.worker.open.get() - 1;
        self.worker.open.set(open);
        if open == 0 {
            self.worker.all_closed.notify_waiters();
        }
    }
}
