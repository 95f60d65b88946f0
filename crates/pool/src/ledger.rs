//! Who has which server connection, who waits, and when another is opened. One lock for all pools: limits that span
//! pools (by database, by user) are exact, and a connection goes to the client that has waited longest, whatever thread
//! either is on. Knows nothing of sockets: `C` is whatever a connection is.

mod limits;
mod pool;
#[cfg(test)]
mod tests;
mod waiter;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use pool::{PoolState, Totals};

pub(crate) use limits::Limits;
pub(crate) use waiter::{Failure, Refusal, Ticket};

/// A pool: the database clients ask for, and the user that servers are logged in to as.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PoolKey {
    pub database: Arc<str>,
    pub user: Arc<str>,
}

/// A pool's place in the ledger; good until [`Ledger::remove`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PoolId(usize);

/// What a client that wants a connection gets.
pub(crate) enum Acquired<C> {
    /// A connection, at once.
    Ready(C),
    /// A place in the queue, and whether the caller must open a connection on the pool's behalf.
    Queued { ticket: Ticket<C>, connect: bool },
    /// Nothing.
    Refused(Refusal),
}

/// What the ledger needs to know of a connection.
pub(crate) trait Connection {
    /// The thread whose event loop it is on.
    fn home(&self) -> usize;
}

/// How a pool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub idle: usize,
    pub used: usize,
    pub connecting: usize,
    pub waiting: usize,
    /// How long the first in the queue has waited.
    pub longest_wait: Duration,
    pub paused: bool,
    pub failing: bool,
}

impl Counts {
    /// Connections, opening ones too.
    pub(crate) fn total(&self) -> usize {
        self.idle + self.used + self.connecting
    }
}

/// All pools.
pub(crate) struct Ledger<C> {
    state: Mutex<State<C>>,
}

struct State<C> {
    pools: Vec<Option<PoolState<C>>>,
    by_key: HashMap<PoolKey, PoolId>,
    databases: HashMap<Arc<str>, Totals>,
    users: HashMap<Arc<str>, Totals>,
    /// Idle connections that had to go for another pool's.
    evicted: Vec<C>,
}

impl<C: Connection> Default for Ledger<C> {
    fn default() -> Self {
        let state = State {
            pools: Vec::new(),
            by_key: HashMap::new(),
            databases: HashMap::new(),
            users: HashMap::new(),
            evicted: Vec::new(),
        };
        Self { state: Mutex::new(state) }
    }
}

impl<C: Connection> Ledger<C> {
    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().expect("no panic while the ledger is held")
    }

    /// The pool of a key; made if it is new. Its limits become the given ones.
    pub(crate) fn pool(&self, key: &PoolKey, limits: Limits) -> PoolId {
        let mut state = self.state();
        state.databases.entry(Arc::clone(&key.database)).or_default().limit = limits.database;
        state.users.entry(Arc::clone(&key.user)).or_default().limit = limits.user;
        if let Some(&id) = state.by_key.get(key) {
            state.pool_mut(id).limits = limits;
            return id;
        }
        let pool = PoolState::new(key.clone(), limits);
        let id = match state.pools.iter().position(Option::is_none) {
            Some(free) => {
                state.pools[free] = Some(pool);
                PoolId(free)
            }
            None => {
                state.pools.push(Some(pool));
                PoolId(state.pools.len() - 1)
            }
        };
        state.by_key.insert(key.clone(), id);
        id
    }

    /// Forgets a pool that holds nothing; false when it does.
    pub(crate) fn remove(&self, id: PoolId) -> bool {
        let mut state = self.state();
        let pool = state.pool_mut(id);
        if pool.total() > 0 || pool.first().is_some() {
            return false;
        }
        let key = pool.key.clone();
        state.by_key.remove(&key);
        state.pools[id.0] = None;
        // Clients may choose the names of databases: what was kept of them must go.
        if !state.by_key.keys().any(|other| other.database == key.database) {
            state.databases.remove(&key.database);
        }
        if !state.by_key.keys().any(|other| other.user == key.user) {
            state.users.remove(&key.user);
        }
        true
    }

    /// A connection for a client on a thread, or a place behind all who came before.
    pub(crate) fn acquire(&self, id: PoolId, home: usize, now: Instant) -> Acquired<C> {
        self.acquire_as(false, id, home, now)
    }

    /// The same for a client that is not told yet that it is logged in.
    pub(crate) fn acquire_for_login(&self, id: PoolId, home: usize, now: Instant) -> Acquired<C> {
        self.acquire_as(true, id, home, now)
    }

    fn acquire_as(&self, logs_in: bool, id: PoolId, home: usize, now: Instant) -> Acquired<C> {
        let mut state = self.state();
        let pool = state.pool_mut(id);
        if !pool.paused && pool.first().is_none() {
            if let Some(connection) = pool.take_idle(home) {
                pool.used += 1;
                return Acquired::Ready(connection);
            }
            if let Some(error) = pool.failing(now) {
                return Acquired::Refused(error);
            }
        }
        if pool.limits.max_waiting > 0 && pool.waiting() >= pool.limits.max_waiting {
            return Acquired::Refused(Refusal::TooManyWaiting(pool.limits.max_waiting));
        }
        let waiter = pool.queue(logs_in, now);
        let connect = state.reserve(id, now);
        Acquired::Queued { ticket: Ticket::new(waiter), connect }
    }

    /// Whether another connection must be opened for this pool now; if so its place is taken. Others may have been
    /// [evicted](Self::take_evicted) for it.
    pub(crate) fn reserve(&self, id: PoolId, now: Instant) -> bool {
        self.state().reserve(id, now)
    }

    /// Connections that had to go so that others can be opened: to be closed before those are.
    pub(crate) fn take_evicted(&self) -> Vec<C> {
        std::mem::take(&mut self.state().evicted)
    }

    /// Takes a place for a connection that nobody waits for yet, to keep the pool at its minimum.
    pub(crate) fn reserve_minimum(&self, id: PoolId, now: Instant) -> bool {
        let mut state = self.state();
        let pool = state.pool_mut(id);
        let wanted = pool.limits.min.min(pool.limits.size);
        if pool.paused
            || pool.has_just_failed(now)
            || pool.total() >= wanted
            || pool.connecting >= pool.limits.max_connecting.max(1)
        {
            return false;
        }
        if !state.below_totals(id) {
            return false;
        }
        state.opened(id);
        true
    }

    /// An opened connection joins its pool: it goes to the first in the queue, or is idle.
    pub(crate) fn connected(&self, id: PoolId, connection: C, now: Instant) {
        let mut state = self.state();
        let pool = state.pool_mut(id);
        pool.connecting -= 1;
        pool.failure = None;
        pool.used += 1;
        pool.hand_over(connection, now);
    }

    /// A connection could not be opened. With no other in the pool, all who wait are told why.
    pub(crate) fn connect_failed(&self, id: PoolId, why: &Arc<Failure>, now: Instant) {
        let mut state = self.state();
        let pool = state.pool_mut(id);
        pool.connecting -= 1;
        pool.failure = Some((now, Arc::clone(why)));
        pool.refuse_hopeless();
        state.closed(id);
    }

    /// A connection that is clean goes to the first in the queue, or is idle.
    pub(crate) fn release(&self, id: PoolId, connection: C, now: Instant) {
        self.state().pool_mut(id).hand_over(connection, now);
    }

    /// A used connection was closed. Whether the caller must open another for those who wait.
    pub(crate) fn discard(&self, id: PoolId, now: Instant) -> bool {
        let mut state = self.state();
        let pool = state.pool_mut(id);
        pool.used -= 1;
        // It may have been the last, while no other can be opened.
        if pool.has_just_failed(now) {
            pool.refuse_hopeless();
        }
        state.closed(id);
        state.reserve(id, now)
    }

    /// Removes idle connections that a predicate picks, and returns them to be closed. It is given the time each has
    /// been idle, and how many more may go before the pool is below its minimum.
    pub(crate) fn take_idle_where(
        &self,
        id: PoolId,
        now: Instant,
        mut pick: impl FnMut(&mut C, Duration, usize) -> bool,
    ) -> Vec<C> {
        let mut state = self.state();
        let pool = state.pool_mut(id);
        let mut spare = pool.total().saturating_sub(pool.limits.min);
        let mut picked = Vec::new();
        let mut kept = std::collections::VecDeque::with_capacity(pool.idle.len());
        for mut idle in pool.idle.drain(..) {
            if pick(&mut idle.connection, now.saturating_duration_since(idle.since), spare) {
                spare = spare.saturating_sub(1);
                picked.push(idle.connection);
            } else {
                kept.push_back(idle);
            }
        }
        pool.idle = kept;
        for _ in &picked {
            state.closed(id);
        }
        picked
    }

    /// Tells those who have waited too long, and those who should know that they wait. Each queue is looked at from its
    /// front only as far as needed.
    pub(crate) fn expire_waits(&self, id: PoolId, now: Instant, notify_after: Duration) {
        let mut state = self.state();
        let pool = state.pool_mut(id);
        pool.refuse_expired(now);
        if !notify_after.is_zero() {
            for waiter in pool.queued() {
                if now.saturating_duration_since(waiter.since) < notify_after {
                    break;
                }
                waiter.notify();
            }
        }
    }

    /// Stops or resumes handing out connections of a pool. Who resumes must [`reserve`](Self::reserve) for those whom
    /// the idle connections do not suffice.
    pub(crate) fn pause(&self, id: PoolId, paused: bool, now: Instant) {
        let mut state = self.state();
        state.pool_mut(id).pause(paused, now);
    }

    /// Refuses all who wait in a pool.
    pub(crate) fn refuse_all(&self, id: PoolId, refusal: &Refusal) {
        self.state().pool_mut(id).refuse_all(refusal);
    }

    /// Forgets that connecting failed: the next client tries again at once.
    pub(crate) fn forget_failure(&self, id: PoolId) {
        self.state().pool_mut(id).failure = None;
    }

    /// How a pool stands.
    pub(crate) fn counts(&self, id: PoolId, now: Instant) -> Counts {
        let mut state = self.state();
        let pool = state.pool_mut(id);
        Counts {
            idle: pool.idle.len(),
            used: pool.used,
            connecting: pool.connecting,
            waiting: pool.waiting(),
            longest_wait: pool.longest_wait(now),
            paused: pool.paused,
            failing: pool.failure.is_some(),
        }
    }

    /// Connections to a database, all its pools together.
    pub(crate) fn database_total(&self, database: &str) -> usize {
        self.state().databases.get(database).map_or(0, |totals| totals.servers)
    }

    /// Connections of a user, all databases together.
    pub(crate) fn user_total(&self, user: &str) -> usize {
        self.state().users.get(user).map_or(0, |totals| totals.servers)
    }
}

impl<C: Connection> State<C> {
    fn pool_mut(&mut self, id: PoolId) -> &mut PoolState<C> {
        self.pools[id.0].as_mut().expect("an id is used only while its pool exists")
    }

    /// Takes a place for another connection if those who wait need one and the limits allow it. Idle connections of
    /// other pools may have to go for it.
    fn reserve(&mut self, id: PoolId, now: Instant) -> bool {
        if !self.pool_mut(id).wants_another(now) {
            return false;
        }
        while !self.below_totals(id) {
            if !self.evict_for(id) {
                return false;
            }
        }
        self.opened(id);
        true
    }

    fn totals(&self, id: PoolId) -> Option<(&Totals, &Totals)> {
        let key = &self.pools[id.0].as_ref()?.key;
        Some((self.databases.get(&key.database)?, self.users.get(&key.user)?))
    }

    fn below_totals(&self, id: PoolId) -> bool {
        self.totals(id).is_some_and(|(database, user)| database.has_room() && user.has_room())
    }

    /// Evicts the longest idle connection of each exhausted limit from the other pools that share it; false, and nothing is
    /// evicted, if one of them has none to give.
    fn evict_for(&mut self, id: PoolId) -> bool {
        let Some((database, user)) = self.totals(id) else { return false };
        let (database_full, user_full) = (!database.has_room(), !user.has_room());
        let key = self.pool_mut(id).key.clone();
        // No other pool shares both limits: two victims are never the same connection.
        let of_database = self.longest_idle(|other| other.database == key.database && other.user != key.user);
        let of_user = self.longest_idle(|other| other.user == key.user && other.database != key.database);
        if (database_full && of_database.is_none()) || (user_full && of_user.is_none()) {
            return false;
        }
        of_database.filter(|_| database_full).into_iter().for_each(|victim| self.evict(victim));
        of_user.filter(|_| user_full).into_iter().for_each(|victim| self.evict(victim));
        true
    }

    /// The pool whose first connection has been idle longest, among some. Who waits comes before a minimum that nobody
    /// uses, but those that have more than their minimum give first.
    fn longest_idle(&self, among: impl Fn(&PoolKey) -> bool) -> Option<PoolId> {
        let pools = self.pools.iter().enumerate().filter_map(|(at, pool)| Some((at, pool.as_ref()?)));
        let (.., at) = pools
            .filter(|(_, pool)| among(&pool.key))
            .filter_map(|(at, pool)| Some((pool.total() <= pool.limits.min, pool.idle.front()?.since, at)))
            .min()?;
        Some(PoolId(at))
    }

    fn evict(&mut self, id: PoolId) {
        let Some(idle) = self.pool_mut(id).idle.pop_front() else { return };
        self.evicted.push(idle.connection);
        self.closed(id);
    }

    fn opened(&mut self, id: PoolId) {
        self.pool_mut(id).connecting += 1;
        self.count(id, |totals| totals.servers += 1);
    }

    fn closed(&mut self, id: PoolId) {
        self.count(id, |totals| totals.servers -= 1);
    }

    fn count(&mut self, id: PoolId, change: impl Fn(&mut Totals)) {
        let Some(pool) = self.pools[id.0].as_ref() else { return };
        self.databases.get_mut(&pool.key.database).into_iter().for_each(&change);
        self.users.get_mut(&pool.key.user).into_iter().for_each(&change);
    }
}
