//! A client's place in a pool's queue.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::PoolKey;
use crate::plan::Face;

/// Why a client gets no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// As many as may wait do already.
    TooManyWaiting(usize),
    /// It waited as long as it may.
    WaitedTooLong(Duration),
    /// The server could not be connected to for it.
    ConnectFailed(Arc<Failure>),
    /// The server could not be connected to a moment ago.
    StillFailing(Arc<Failure>),
    /// An administrator closed the pool's connections.
    Killed,
}

/// Why the server cannot be connected to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The server's SQLSTATE; PgBouncer's own if it said none.
    pub code: &'static str,
    pub why: Box<str>,
}

impl Refusal {
    /// SQLSTATE and sentence for the client.
    pub(crate) fn words(&self, key: &PoolKey, face: Face) -> (&'static str, String) {
        let database = &key.database;
        match (self, face) {
            (Self::WaitedTooLong(_), Face::PgBouncer) => ("08P01", "query_wait_timeout".into()),
            (Self::ConnectFailed(failure), Face::PgBouncer) => (failure.code, failure.why.to_string()),
            (Self::StillFailing(failure), Face::PgBouncer) => {
                let why = &failure.why;
                ("08P01", format!("server login has been failing, cached error: {why} (server_login_retry)"))
            }
            (Self::Killed, Face::PgBouncer) => ("08P01", "database removed".into()),
            (Self::TooManyWaiting(limit), _) => (
                "53300",
                format!(
                    "{limit} clients are waiting for a connection to database {database} already, as many as may"
                ),
            ),
            (Self::WaitedTooLong(limit), _) => (
                "53300",
                format!("no connection to database {database} became free within {} s", limit.as_secs_f64()),
            ),
            (Self::ConnectFailed(failure) | Self::StillFailing(failure), _) => {
                ("08001", format!("no connection to the server of database {database}: {}", failure.why))
            }
            (Self::Killed, _) => {
                ("57P01", format!("the connections to database {database} were closed by an administrator"))
            }
        }
    }
}

/// One client in a queue. Shared between the client and whoever serves it.
pub(crate) struct Waiter<C> {
    pub since: Instant,
    /// It has not been told yet that it is logged in.
    pub logs_in: bool,
    state: Mutex<State<C>>,
    notified: AtomicBool,
    /// How many wait in the same queue: this one too, as long as its state says so.
    waiting: Arc<AtomicUsize>,
}

enum State<C> {
    Waiting(Option<Waker>),
    Granted(C),
    Refused(Refusal),
    /// The client has taken what it got, or left.
    Over,
}

impl<C> Waiter<C> {
    pub(super) fn new(logs_in: bool, since: Instant, waiting: Arc<AtomicUsize>) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        let state = Mutex::new(State::Waiting(None));
        Self { since, logs_in, state, notified: AtomicBool::new(false), waiting }
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().expect("no panic while a waiter is held")
    }

    /// Gives the client a connection; back if it has left.
    pub(super) fn grant(&self, connection: C) -> Result<(), C> {
        let mut state = self.state();
        let State::Waiting(waker) = &mut *state else { return Err(connection) };
        let waker = waker.take();
        *state = State::Granted(connection);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Tells the client that it gets none.
    pub(super) fn refuse(&self, refusal: Refusal) {
        let mut state = self.state();
        let State::Waiting(waker) = &mut *state else { return };
        let waker = waker.take();
        *state = State::Refused(refusal);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Wakes the client so that it can say that it waits. Only the first time.
    pub(super) fn notify(&self) {
        if !self.notified.swap(true, Ordering::Relaxed)
            && let State::Waiting(Some(waker)) = &*self.state()
        {
            waker.wake_by_ref();
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(*self.state(), State::Waiting(_))
    }
}

/// The client's side of its place; a future of what it gets. Dropping it leaves the queue.
pub(crate) struct Ticket<C> {
    waiter: Arc<Waiter<C>>,
}

impl<C> Ticket<C> {
    pub(super) fn new(waiter: Arc<Waiter<C>>) -> Self {
        Self { waiter }
    }

    /// Since when the client waits.
    pub(crate) fn since(&self) -> Instant {
        self.waiter.since
    }

    /// Whether the client should be told that it waits.
    pub(crate) fn is_notified(&self) -> bool {
        self.waiter.notified.load(Ordering::Relaxed)
    }

    /// Leaves the queue. A connection granted in the meantime is returned: it must be released.
    pub(crate) fn leave(&self) -> Option<C> {
        match std::mem::replace(&mut *self.waiter.state(), State::Over) {
            State::Granted(connection) => Some(connection),
            State::Waiting(_) => {
                self.waiter.waiting.fetch_sub(1, Ordering::Relaxed);
                None
            }
            State::Refused(_) | State::Over => None,
        }
    }
}

impl<C> Drop for Ticket<C> {
    fn drop(&mut self) {
        let granted = self.leave();
        debug_assert!(granted.is_none(), "a granted connection must be released");
    }
}

impl<C> Future for Ticket<C> {
    type Output = Result<C, Refusal>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.waiter.state();
        match &mut *state {
            State::Waiting(waker) => {
                if waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
                    *waker = Some(cx.waker().clone());
                }
                Poll::Pending
            }
            _ => match std::mem::replace(&mut *state, State::Over) {
                State::Granted(connection) => Poll::Ready(Ok(connection)),
                State::Refused(refusal) => Poll::Ready(Err(refusal)),
                State::Waiting(_) | State::Over => Poll::Pending,
            },
        }
    }
}
