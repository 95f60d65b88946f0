//! The queues of the waiting room.

use std::collections::VecDeque;
use std::sync::Arc;

use super::codel::Codel;
use super::ticket::Waiter;
use super::{Priority, WaitingRoom};
use crate::window::nanos;

/// A queue is cleared of those who left when they are more than the others and this many.
const LEFTOVERS: usize = 32;
/// A queue of more than so many times those served at once ...
const LONG_QUEUE: u32 = 2;
/// ... and of more than this many is longer than chance alone makes it below capacity.
const LEAST_LONG: u32 = 32;

/// One queue for each priority, the oldest in front. Everything here happens under the room's lock.
#[derive(Debug)]
pub(super) struct Room {
    queues: [Queue; Priority::ALL.len()],
    settings: WaitingRoom,
    codel: Option<Codel>,
    /// The latest time known.
    now: u64,
}

/// Those who left stay in it until they come up, or are too many.
#[derive(Debug, Default)]
struct Queue {
    waiters: VecDeque<Arc<Waiter>>,
    waiting: u32,
}

impl Queue {
    fn pop_front(&mut self) -> Option<Arc<Waiter>> {
        while let Some(waiter) = self.waiters.pop_front() {
            if waiter.is_waiting() {
                self.waiting -= 1;
                return Some(waiter);
            }
        }
        None
    }

    fn pop_back(&mut self) -> Option<Arc<Waiter>> {
        while let Some(waiter) = self.waiters.pop_back() {
            if waiter.is_waiting() {
                self.waiting -= 1;
                return Some(waiter);
            }
        }
        None
    }

    /// Since when the oldest waits.
    fn oldest(&mut self) -> Option<u64> {
        while let Some(waiter) = self.waiters.front() {
            if waiter.is_waiting() {
                return Some(waiter.since);
            }
            self.waiters.pop_front();
        }
        None
    }

    fn left(&mut self) {
        self.waiting -= 1;
        let waiting = self.waiting as usize;
        if self.waiters.len() > 2 * waiting + LEFTOVERS {
            self.waiters.retain(|waiter| waiter.is_waiting());
        }
    }
}

impl Room {
    pub(super) fn new(settings: &WaitingRoom) -> Self {
        let codel = codel_of(settings);
        Self { queues: Default::default(), settings: settings.clone(), codel, now: 0 }
    }

    pub(super) fn settings(&self) -> &WaitingRoom {
        &self.settings
    }

    /// Goes on by other settings.
    pub(super) fn change(&mut self, settings: &WaitingRoom) {
        if self.settings.target_wait != settings.target_wait {
            self.codel = codel_of(settings);
        }
        self.settings = settings.clone();
    }

    /// Moves time on, never back, and returns it.
    pub(super) fn advance(&mut self, now: u64) -> u64 {
        self.now = self.now.max(now);
        self.now
    }

    pub(super) fn now(&self) -> u64 {
        self.now
    }

    pub(super) fn waiting(&self) -> [u32; Priority::ALL.len()] {
        std::array::from_fn(|priority| self.queues[priority].waiting)
    }

    pub(super) fn overloaded(&self) -> bool {
        self.codel.as_ref().is_some_and(Codel::overloaded)
    }

    pub(super) fn push(&mut self, priority: Priority, waiter: Arc<Waiter>) {
        let queue = &mut self.queues[priority as usize];
        queue.waiters.push_back(waiter);
        queue.waiting += 1;
    }

    /// One of this priority has just ceased to wait.
    pub(super) fn left(&mut self, priority: Priority) {
        self.queues[priority as usize].left();
        // Emptied like this, the queue is short too.
        self.codel();
    }

    /// Who is to be served next, where so many are served at once. In a long queue that is the last to come:
    /// whoever is in front has waited for too long to be served well, whether that is overload, which takes
    /// two intervals to tell, or a burst, in which somebody has to be last.
    pub(super) fn pop_next(&mut self, limit: u32) -> Option<Arc<Waiter>> {
        let overloaded = self.overloaded();
        let queue = self.queues.iter_mut().rev().find(|queue| queue.waiting > 0)?;
        let long = queue.waiting > LEAST_LONG.max(limit.saturating_mul(LONG_QUEUE));
        // Without a target everybody waits in line.
        if overloaded || long && self.codel.is_some() { queue.pop_back() } else { queue.pop_front() }
    }

    /// The youngest of the lowest priority that is below this one.
    pub(super) fn pop_below(&mut self, priority: Priority) -> Option<Arc<Waiter>> {
        self.queues[..priority as usize].iter_mut().find(|queue| queue.waiting > 0)?.pop_back()
    }

    /// One who has waited for longer than this, the least important first.
    pub(super) fn pop_older(&mut self, wait: u64) -> Option<Arc<Waiter>> {
        let now = self.now;
        let late = |queue: &mut Queue| queue.oldest().is_some_and(|since| now - since > wait);
        self.queues.iter_mut().find_map(|queue| if late(queue) { queue.pop_front() } else { None })
    }

    /// Looks at the queue's delay. The wait beyond which to turn away, if it is overloaded.
    pub(super) fn codel(&mut self) -> Option<u64> {
        let oldest = self.queues.iter_mut().filter_map(Queue::oldest).min();
        let delay = oldest.map_or(0, |since| self.now - since);
        self.codel.as_mut()?.observe(self.now, delay)
    }

    /// Places in the queues, those of who left included.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.queues.iter().map(|queue| queue.waiters.len()).sum()
    }
}

fn codel_of(settings: &WaitingRoom) -> Option<Codel> {
    let target = nanos(settings.target_wait.get());
    (target > 0).then(|| Codel::new(target))
}
