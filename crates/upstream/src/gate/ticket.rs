//! A place in the waiting room.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use super::{Gate, Permit, Priority, Shed};

/// One who waits. Shared by the ticket and the room. It ceases to wait only under the room's lock.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) since: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Waiting(Option<Waker>),
    /// Admitted at; a place in flight is taken.
    Granted(u64),
    Shed(Shed),
    /// The ticket has got its answer, or left.
    Over,
}

impl Waiter {
    pub(super) fn new(since: u64) -> Self {
        Self { since, state: Mutex::new(State::Waiting(None)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while a waiter is held")
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(*self.state(), State::Waiting(_))
    }

    /// Must be waiting. Whoever is returned is to be woken.
    pub(super) fn grant(&self, now: u64) -> Option<Waker> {
        self.settle(State::Granted(now))
    }

    /// Must be waiting. Whoever is returned is to be woken.
    pub(super) fn shed(&self, why: Shed) -> Option<Waker> {
        self.settle(State::Shed(why))
    }

    fn settle(&self, answer: State) -> Option<Waker> {
        match std::mem::replace(&mut *self.state(), answer) {
            State::Waiting(waker) => waker,
            _ => None,
        }
    }
}

/// A place in the waiting room; a future of what becomes of it. Dropping it leaves the room.
///
/// The gate has no timer: poll it with one for [`Ticket::deadline`], and then call [`Ticket::expire`].
#[must_use = "dropped, it leaves the room"]
pub struct Ticket {
    gate: Arc<Gate>,
    waiter: Arc<Waiter>,
    priority: Priority,
    deadline: u64,
}

impl Ticket {
    pub(super) fn new(gate: Arc<Gate>, waiter: Arc<Waiter>, priority: Priority, deadline: u64) -> Self {
        Self { gate, waiter, priority, deadline }
    }

    /// When it will have waited for as long as it may.
    pub fn deadline(&self) -> u64 {
        self.deadline
    }

    /// Gives up at the deadline.
    ///
    /// # Errors
    /// Why it was turned away, unless it was admitted in the meantime.
    pub fn expire(self) -> Result<Permit, Shed> {
        self.leave(Shed::WaitedTooLong);
        self.answer().unwrap_or(Err(Shed::WaitedTooLong))
    }

    /// Leaves the room, if it waits still.
    fn leave(&self, why: Shed) {
        let mut room = self.gate.room();
        if self.waiter.is_waiting() {
            // The ticket itself is here: nobody has to be woken.
            let _ = self.waiter.shed(why);
            room.left(self.priority);
            self.gate.count.leave_room();
            self.gate.shed.count(why);
            if why == Shed::WaitedTooLong {
                self.gate.pace.add(room.now(), super::TURNED_AWAY);
            }
        }
    }

    /// Takes the answer; `None` while there is none, or when it was taken.
    fn answer(&self) -> Option<Result<Permit, Shed>> {
        let mut state = self.waiter.state();
        if matches!(*state, State::Waiting(_)) {
            return None;
        }
        match std::mem::replace(&mut *state, State::Over) {
            State::Granted(admitted) => Some(Ok(Permit::new(Arc::clone(&self.gate), admitted))),
            State::Shed(why) => Some(Err(why)),
            State::Waiting(_) | State::Over => None,
        }
    }
}

impl Future for Ticket {
    type Output = Result<Permit, Shed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let State::Waiting(waker) = &mut *self.waiter.state() {
            if waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        self.answer().map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.waiter.is_waiting() {
            self.leave(Shed::Left);
        }
        // A permit granted to nobody goes to the next.
        drop(self.answer());
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (priority, deadline) = (self.priority, self.deadline);
        f.debug_struct("Ticket")
            .field("priority", &priority)
            .field("deadline", &deadline)
            .finish_non_exhaustive()
    }
}
