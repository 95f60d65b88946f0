//! A server connection of a pool for the short time that a login needs one.

use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::ledger::{Acquired, Refusal, Ticket};
use crate::pools::Pool;
use crate::server::{Server, ServerState};
use crate::worker::Worker;

/// A server connection that is closed when it is dropped: its holder may have left in the middle of something.
pub(super) struct Lease {
    worker: Rc<Worker>,
    server: Option<Box<Server>>,
}

/// A place in the queue, left when it is dropped.
struct Place<'a> {
    worker: &'a Rc<Worker>,
    ticket: Ticket<Box<Server>>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.ticket.leave().into_iter().for_each(|server| self.worker.release(server));
    }
}

impl Lease {
    /// A connection of a pool; waits for one as queries do, but not for a server that cannot be connected to.
    pub(super) async fn take(worker: &Rc<Worker>, pool: &Arc<Pool>) -> Result<Self, Refusal> {
        loop {
            let server = match worker.shared.ledger.acquire_for_login(pool.id, worker.id, Instant::now()) {
                Acquired::Ready(server) => server,
                Acquired::Refused(refusal) => return Err(refusal),
                Acquired::Queued { ticket, connect } => {
                    let mut place = Place { worker, ticket };
                    if connect {
                        worker.open(pool);
                    }
                    (&mut place.ticket).await?
                }
            };
            let mut lease = Self { worker: Rc::clone(worker), server: Some(server) };
            if lease.is_fit() {
                return Ok(lease);
            }
        }
    }

    /// Brings the connection to this thread and takes in what it said while idle; false when it is of no use any more.
    fn is_fit(&mut self) -> bool {
        let home = self.worker.id;
        let server = &mut **self;
        if server.home != home {
            if server.stream.rehome().is_err() {
                return false;
            }
            server.home = home;
        }
        server.info.set_state(ServerState::Active);
        server.info.client.store(0, Ordering::SeqCst);
        server.settle()
    }

    /// Gives the connection back; it must be as it was.
    pub(super) fn give_back(mut self) {
        self.server.take().into_iter().for_each(|server| self.worker.release(server));
    }
}

impl Deref for Lease {
    type Target = Server;

    fn deref(&self) -> &Server {
        self.server.as_ref().expect("it is there until it is given back")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Server {
        self.server.as_mut().expect("it is there until it is given back")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.server.take().into_iter().for_each(|server| self.worker.discard(server));
    }
}
