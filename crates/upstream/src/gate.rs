//! A limit on requests in flight with a bounded waiting room in front.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::limit::{Concurrency, Limiter};
use crate::window::{Window, nanos};

mod codel;
mod count;
mod permit;
mod room;
mod settings;
mod status;
mod ticket;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use count::Count;
pub use permit::Permit;
use room::Room;
pub use settings::{Priority, WaitingRoom};
use status::ShedCounts;
pub use status::{GateStatus, Shed};
pub use ticket::Ticket;
use ticket::Waiter;

/// What becomes of a request at the gate.
#[must_use = "dropped, it leaves the gate again"]
pub enum Entered {
    /// It may go on.
    Go(Permit),
    /// It has to wait.
    Wait(Ticket),
    /// Nor may it wait: the room is full of requests of its priority or a higher one.
    Full,
}

/// Kinds of ends counted for [`Gate::retry_after`].
const SERVED: usize = 0;
const TURNED_AWAY: usize = 1;
/// Time over which they are.
const PACE: Duration = Duration::from_secs(10);
/// Bounds of what clients are told to wait.
const LEAST_RETRY: u64 = 1;
const MOST_RETRY: u64 = 60;

/// The gate of one pool, shared by every core. While there is room below the limit and nobody waits, a
/// request enters and leaves with one atomic exchange each, takes no lock and allocates nothing.
///
/// Times are nanoseconds since any epoch, the same in every call. A gate that is told nothing of the time
/// for a while (a [`Permit`] that is dropped, a [`Ticket`] that is) goes by the latest it knows.
#[derive(Debug)]
pub struct Gate {
    count: Count,
    limit: AtomicU32,
    /// What finds the limit.
    finder: ArcSwap<Finder>,
    room: Mutex<Room>,
    pace: Window<2>,
    shed: ShedCounts,
}

/// A way to find the limit, and what it was made by.
#[derive(Debug)]
struct Finder {
    limiter: Box<dyn Limiter>,
    concurrency: Concurrency,
}

impl Finder {
    fn new(concurrency: &Concurrency, seed: u64) -> Self {
        Self { limiter: concurrency.build(seed), concurrency: concurrency.clone() }
    }
}

impl Gate {
    /// An empty gate. An adaptive limit draws its jitter from the seed.
    pub fn new(concurrency: &Concurrency, settings: &WaitingRoom, seed: u64) -> Arc<Self> {
        let finder = Finder::new(concurrency, seed);
        Arc::new(Self {
            count: Count::default(),
            limit: AtomicU32::new(finder.limiter.initial()),
            finder: ArcSwap::from_pointee(finder),
            room: Mutex::new(Room::new(settings)),
            pace: Window::new(PACE),
            shed: ShedCounts::default(),
        })
    }

    /// Goes on by other settings. Who is in flight counts on, and who waits keeps the place, unless that is
    /// for longer than anybody may now. A limit found as before goes on from where it is.
    pub fn change(&self, concurrency: &Concurrency, settings: &WaitingRoom, seed: u64) {
        let mut room = self.room();
        room.change(settings);
        let known = self.finder.load();
        if known.concurrency != *concurrency {
            let mut begins = concurrency.clone();
            if known.concurrency.limit == concurrency.limit {
                begins.initial = self.limit.load(Relaxed);
            }
            let limiter = begins.build(seed);
            self.limit.store(limiter.initial(), Relaxed);
            self.finder.store(Arc::new(Finder { limiter, concurrency: concurrency.clone() }));
        }
        drop(room);
        if self.count.waiting() > 0 {
            self.hand_over(None, false);
        }
    }

    /// Asks to go on.
    #[inline]
    pub fn enter(self: &Arc<Self>, priority: Priority, now: u64) -> Entered {
        if self.count.try_enter(self.limit.load(Relaxed)) {
            return Entered::Go(Permit::new(Arc::clone(self), now));
        }
        self.enter_room(priority, now)
    }

    #[cold]
    fn enter_room(self: &Arc<Self>, priority: Priority, now: u64) -> Entered {
        let mut wakers = Vec::new();
        let mut room = self.room();
        let now = room.advance(now);
        self.shed_late(&mut room, &mut wakers);
        let waiting = self.count.waiting();
        let entered = if waiting >= room.settings().max_waiting {
            // One who matters less makes room, the last who came first.
            match (waiting > 0).then(|| room.pop_below(priority)).flatten() {
                Some(displaced) => {
                    self.count.leave_room();
                    self.turn_away(now, &displaced, Shed::Displaced, &mut wakers);
                    self.wait(&mut room, priority, now)
                }
                None if waiting == 0 && self.count.try_enter(self.limit.load(Relaxed)) => {
                    Entered::Go(Permit::new(Arc::clone(self), now))
                }
                None => {
                    self.shed.count(Shed::Full);
                    self.pace.add(now, TURNED_AWAY);
                    Entered::Full
                }
            }
        } else {
            self.wait(&mut room, priority, now)
        };
        drop(room);
        wakers.into_iter().for_each(Waker::wake);
        entered
    }

    /// Joins the queue, unless a place became free in the meantime.
    fn wait(self: &Arc<Self>, room: &mut Room, priority: Priority, now: u64) -> Entered {
        if self.count.enter_or_wait(self.limit.load(Relaxed)) {
            return Entered::Go(Permit::new(Arc::clone(self), now));
        }
        let waiter = Arc::new(Waiter::new(now));
        room.push(priority, Arc::clone(&waiter));
        let deadline = now.saturating_add(nanos(room.settings().max_wait.get()));
        Entered::Wait(Ticket::new(Arc::clone(self), waiter, priority, deadline))
    }

    /// Gives a place back: to who waits, if somebody does.
    fn release(&self, now: Option<u64>) {
        if !self.count.try_leave() {
            self.hand_over(now, true);
        }
    }

    /// Fills the free places from the room.
    fn hand_over(&self, now: Option<u64>, leaving: bool) {
        let mut wakers = Vec::new();
        let mut room = self.room();
        let now = room.advance(now.unwrap_or(0));
        if leaving {
            self.count.leave();
        }
        self.shed_overdue(&mut room, &mut wakers);
        // In this order: somebody who waited too long to be served well is better than nobody.
        let limit = self.limit.load(Relaxed);
        while self.count.has_place(limit) {
            let Some(next) = room.pop_next(limit) else { break };
            self.count.admit();
            wakers.extend(next.grant(now));
        }
        self.shed_late(&mut room, &mut wakers);
        drop(room);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Turns away who waited for longer than anybody may.
    fn shed_overdue(&self, room: &mut Room, wakers: &mut Vec<Waker>) {
        let (now, longest) = (room.now(), nanos(room.settings().max_wait.get()));
        while let Some(waiter) = room.pop_older(longest) {
            self.count.leave_room();
            self.turn_away(now, &waiter, Shed::WaitedTooLong, wakers);
        }
    }

    /// Turns away who waited too long, and under overload who waited too long to be served well.
    fn shed_late(&self, room: &mut Room, wakers: &mut Vec<Waker>) {
        self.shed_overdue(room, wakers);
        let now = room.now();
        if let Some(bound) = room.codel() {
            while let Some(waiter) = room.pop_older(bound) {
                self.count.leave_room();
                self.turn_away(now, &waiter, Shed::Overloaded, wakers);
            }
        }
    }

    fn turn_away(&self, now: u64, waiter: &Waiter, why: Shed, wakers: &mut Vec<Waker>) {
        self.shed.count(why);
        self.pace.add(now, TURNED_AWAY);
        wakers.extend(waiter.shed(why));
    }

    /// A request was served: its latency may move the limit.
    fn observe(&self, now: u64, latency: Duration, dropped: bool) {
        self.pace.add(now, SERVED);
        let in_flight = self.count.in_flight();
        let sample = crate::limit::Sample { now, latency: nanos(latency), in_flight, dropped };
        let finder = self.finder.load();
        if let Some(limit) = finder.limiter.observe(&sample) {
            let before = {
                let _room = self.room();
                // After a change the limit is another's to say.
                if !Arc::ptr_eq(&finder, &self.finder.load()) {
                    return;
                }
                self.limit.swap(limit.max(1), Relaxed)
            };
            // Who came to wait meanwhile, knowing the old limit, is served by the next who leaves.
            if limit > before && self.count.waiting() > 0 {
                self.hand_over(Some(now), false);
            }
        }
    }

    /// What to tell those who are turned away, in whole seconds between 1 and 60: if all who wait and all
    /// who were turned away in the last ten seconds came back, so long would it take to serve them.
    pub fn retry_after(&self, now: u64) -> Duration {
        let ([served, turned_away], counted) = (self.pace.sums(now), self.pace.span(now));
        let back = turned_away + u64::from(self.count.waiting());
        let time = if served == 0 && counted < PACE {
            // Nobody knows yet how long serving takes: longer than that, and who waits is out after `max_wait`.
            counted.max(self.room().settings().max_wait.get())
        } else {
            counted.mul_f64(back as f64 / served.max(1) as f64)
        };
        let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
        Duration::from_secs(seconds.clamp(LEAST_RETRY, MOST_RETRY))
    }

    /// The gate at this moment.
    pub fn status(&self) -> GateStatus {
        let room = self.room();
        GateStatus {
            limit: self.limit.load(Relaxed),
            in_flight: self.count.in_flight(),
            waiting: room.waiting(),
            overloaded: room.overloaded(),
            shed: self.shed.all(),
        }
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().expect("no panic while the room is held")
    }
}
