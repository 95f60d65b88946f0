//! One pool's books.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::limits::Limits;
use super::waiter::{Failure, Refusal, Waiter};
use super::{Connection, PoolKey};

/// How many idle connections are looked at for one on the client's own thread.
const LOOK_AT: usize = 8;

/// Connections that share a limit.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub servers: usize,
    /// 0 for none.
    pub limit: usize,
}

impl Totals {
    pub(super) fn has_room(&self) -> bool {
        self.limit == 0 || self.servers < self.limit
    }
}

/// A connection nobody uses.
pub(super) struct Idle<C> {
    pub connection: C,
    pub since: Instant,
}

pub(super) struct PoolState<C> {
    pub key: PoolKey,
    pub limits: Limits,
    /// The most recently used at the back.
    pub idle: VecDeque<Idle<C>>,
    pub used: usize,
    pub connecting: usize,
    pub paused: bool,
    /// When it was served again after it had been paused.
    resumed: Option<Instant>,
    /// When and why connecting failed last, until it succeeds.
    pub failure: Option<(Instant, Arc<Failure>)>,
    /// The one who came first at the front; some may have left.
    waiters: VecDeque<Arc<Waiter<C>>>,
    /// How many of them have not. Clients leave without the ledger's lock: what must not be wrong even for a moment
    /// asks for the first instead.
    waiting: Arc<AtomicUsize>,
}

impl<C: Connection> PoolState<C> {
    pub(super) fn new(key: PoolKey, limits: Limits) -> Self {
        Self {
            key,
            limits,
            idle: VecDeque::new(),
            used: 0,
            connecting: 0,
            paused: false,
            resumed: None,
            failure: None,
            waiters: VecDeque::new(),
            waiting: Arc::default(),
        }
    }

    pub(super) fn total(&self) -> usize {
        self.idle.len() + self.used + self.connecting
    }

    /// Takes an idle connection: the most recently used, on the given thread if there is one.
    pub(super) fn take_idle(&mut self, home: usize) -> Option<C> {
        if self.limits.round_robin {
            return self.idle.pop_front().map(|idle| idle.connection);
        }
        let near = self.idle.iter().rev().take(LOOK_AT).position(|idle| idle.connection.home() == home);
        let at = self.idle.len().checked_sub(1 + near.unwrap_or(0))?;
        self.idle.remove(at).map(|idle| idle.connection)
    }

    /// A place at the end of the queue.
    pub(super) fn queue(&mut self, logs_in: bool, now: Instant) -> Arc<Waiter<C>> {
        // The queue holds at most about as many who have left as who wait.
        if self.waiters.len() > 2 * self.waiting() + LOOK_AT {
            self.waiters.retain(|waiter| waiter.is_waiting());
        }
        let waiter = Arc::new(Waiter::new(logs_in, now, Arc::clone(&self.waiting)));
        self.waiters.push_back(Arc::clone(&waiter));
        waiter
    }

    /// The first in the queue who has not left.
    pub(super) fn first(&mut self) -> Option<&Arc<Waiter<C>>> {
        while self.waiters.front().is_some_and(|waiter| !waiter.is_waiting()) {
            self.waiters.pop_front();
        }
        self.waiters.front()
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(super) fn longest_wait(&mut self, now: Instant) -> Duration {
        self.first().map_or(Duration::ZERO, |waiter| now.saturating_duration_since(waiter.since))
    }

    pub(super) fn queued(&self) -> impl Iterator<Item = &Arc<Waiter<C>>> {
        self.waiters.iter()
    }

    /// Refuses everybody in the queue.
    pub(super) fn refuse_all(&mut self, refusal: &Refusal) {
        for waiter in self.waiters.drain(..) {
            waiter.refuse(refusal.clone());
        }
    }

    /// Refuses everybody if connecting has failed and nothing is open that could be waited for. A paused pool keeps its
    /// clients: they wait for an administrator, not for the database. A patient one keeps all who have logged in, up to the
    /// longest wait.
    pub(super) fn refuse_hopeless(&mut self) {
        let Some((_, why)) = &self.failure else { return };
        if self.paused || self.total() > 0 {
            return;
        }
        let (refusal, patient) = (Refusal::ConnectFailed(Arc::clone(why)), self.limits.patient);
        self.waiters.retain(|waiter| {
            let stays = patient && !waiter.logs_in;
            if !stays {
                waiter.refuse(refusal.clone());
            }
            stays
        });
    }

    /// Hands out no connections, or does so again.
    pub(super) fn pause(&mut self, paused: bool, now: Instant) {
        if self.paused && !paused {
            self.resumed = Some(now);
        }
        self.paused = paused;
        if !paused {
            self.serve_queue(now);
        }
    }

    /// Refuses those who have waited too long, though none of a paused pool: who waited for that to end begins anew.
    pub(super) fn refuse_expired(&mut self, now: Instant) {
        let longest = self.limits.max_wait;
        if longest.is_zero() || self.paused {
            return;
        }
        let resumed = self.resumed;
        let waited =
            |since: Instant| now.saturating_duration_since(resumed.map_or(since, |at| at.max(since)));
        while self.first().is_some_and(|first| waited(first.since) >= longest)
            && let Some(waiter) = self.waiters.pop_front()
        {
            waiter.refuse(Refusal::WaitedTooLong(longest));
        }
    }

    /// Gives a used connection to the first in the queue, or keeps it idle.
    pub(super) fn hand_over(&mut self, mut connection: C, now: Instant) {
        if !self.paused {
            while let Some(waiter) = self.waiters.pop_front() {
                match waiter.grant(connection) {
                    Ok(()) => return,
                    Err(back) => connection = back,
                }
            }
        }
        self.used -= 1;
        self.idle.push_back(Idle { connection, since: now });
    }

    /// Serves the queue from what is idle.
    pub(super) fn serve_queue(&mut self, now: Instant) {
        while self.first().is_some()
            && let Some(idle) = self.idle.pop_back()
        {
            self.used += 1;
            self.hand_over(idle.connection, now);
        }
    }

    /// Whether it is too early to try to connect again.
    pub(super) fn has_just_failed(&self, now: Instant) -> bool {
        let failed = self.failure.as_ref();
        failed.is_some_and(|(at, _)| now.saturating_duration_since(*at) < self.limits.retry_after)
    }

    /// Why nobody can be connected now, if connecting failed a moment ago and nothing else is open.
    pub(super) fn failing(&self, now: Instant) -> Option<Refusal> {
        let (_, why) = self.failure.as_ref()?;
        let hopeless = self.has_just_failed(now) && self.used + self.connecting == 0;
        hopeless.then(|| Refusal::StillFailing(Arc::clone(why)))
    }

    /// Whether those who wait need another connection and this pool may have it.
    pub(super) fn wants_another(&mut self, now: Instant) -> bool {
        let waiting = self.waiting();
        if self.paused || waiting <= self.connecting || self.connecting >= self.limits.max_connecting.max(1) {
            return false;
        }
        if self.has_just_failed(now) {
            return false;
        }
        let total = self.total();
        total < self.limits.size
            || (total < self.limits.size + self.limits.reserve
                && self.longest_wait(now) >= self.limits.reserve_after)
    }
}
