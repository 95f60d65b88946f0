//! The books against a model that knows where every connection is, and who came when; and from many threads at once.

use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use deepwater_core::random::Random;

use super::{Acquired, Books, Conn, LIMITS, Ledger, Limits, PoolId, Refusal, SECOND, Ticket, key, poll};

const DATABASES: [&str; 2] = ["shop", "blog"];
const USERS: [&str; 3] = ["app", "web", "job"];

fn seed() -> u64 {
    let given = std::env::var("DEEPWATER_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("DEEPWATER_SEED={seed}");
    seed
}

#[test]
fn the_books_agree_with_a_model() {
    let mut random = Random::from_seed(seed());
    for _ in 0..100 {
        let mut world = World::new(&mut random);
        for _ in 0..400 {
            let at = random.below(world.pools.len());
            world.step(at, &mut random);
            world.check();
        }
        world.serve_all();
    }
}

struct World {
    books: Books,
    /// What all pools of a database, and of a user, may have together.
    database: usize,
    user: usize,
    pools: Vec<Pool>,
}

/// What the model knows of a pool.
struct Pool {
    id: PoolId,
    database: &'static str,
    user: &'static str,
    limits: Limits,
    paused: bool,
    connecting: usize,
    used: Vec<Conn>,
    idle: BTreeSet<u32>,
    /// In the order of arrival.
    queue: VecDeque<Ticket<Conn>>,
}

impl Pool {
    fn total(&self) -> usize {
        self.connecting + self.used.len() + self.idle.len()
    }
}

impl World {
    fn new(random: &mut Random) -> Self {
        let books = Books::new();
        let (database, user) = (random.below(8), random.below(8));
        let mut pools = Vec::new();
        for (name, who) in DATABASES.iter().flat_map(|name| USERS.iter().map(move |who| (*name, *who))) {
            let limits = Limits {
                size: 1 + random.below(4),
                min: random.below(3),
                reserve: random.below(3),
                max_connecting: random.below(4),
                max_waiting: random.below(6),
                max_wait: SECOND * u32::try_from(random.below(20)).unwrap(),
                retry_after: SECOND * u32::try_from(random.below(4)).unwrap(),
                round_robin: random.below(2) == 0,
                database,
                user,
                ..LIMITS
            };
            pools.push(Pool {
                id: books.pool(name, who, limits),
                database: name,
                user: who,
                limits,
                paused: false,
                connecting: 0,
                used: Vec::new(),
                idle: BTreeSet::new(),
                queue: VecDeque::new(),
            });
        }
        Self { books, database, user, pools }
    }

    fn step(&mut self, at: usize, random: &mut Random) {
        let now = self.books.now;
        let id = self.pools[at].id;
        let Self { books, pools, .. } = self;
        let pool = &mut pools[at];
        match random.below(14) {
            0..4 => self.acquire(at, random.below(3)),
            4 if !pool.queue.is_empty() => {
                let ticket = pool.queue.remove(random.below(pool.queue.len()));
                assert!(ticket.unwrap().leave().is_none(), "what is granted has been taken");
            }
            5 | 6 if pool.connecting > 0 => {
                pool.connecting -= 1;
                if random.below(4) == 0 { books.fail(id) } else { self.connected(at) }
            }
            7 | 8 if !pool.used.is_empty() => {
                let connection = pool.used.swap_remove(random.below(pool.used.len()));
                pool.idle.insert(connection.0);
                books.release(id, connection);
            }
            9 if !pool.used.is_empty() => {
                pool.used.swap_remove(random.below(pool.used.len()));
                pool.connecting += usize::from(books.ledger.discard(id, now));
            }
            10 => self.tend(at),
            11 => {
                pool.paused = random.below(2) == 0;
                books.ledger.pause(id, pool.paused, now);
            }
            12 => books.now += Duration::from_millis(random.below(2_000) as u64),
            13 => {
                let gone = books.ledger.take_idle_where(id, now, |_, _, spare| spare > 0);
                gone.iter().for_each(|connection| assert!(pool.idle.remove(&connection.0)));
            }
            _ => {}
        }
    }

    fn acquire(&mut self, at: usize, home: usize) {
        let pool = &mut self.pools[at];
        match self.books.ledger.acquire(pool.id, home, self.books.now) {
            Acquired::Ready(connection) => {
                assert!(pool.queue.is_empty() && !pool.paused, "{connection:?} jumped the queue");
                assert!(pool.idle.remove(&connection.0), "{connection:?} was not idle");
                pool.used.push(connection);
            }
            Acquired::Queued { ticket, connect } => {
                pool.queue.push_back(ticket);
                pool.connecting += usize::from(connect);
            }
            Acquired::Refused(Refusal::TooManyWaiting(most)) => {
                assert!(most > 0 && pool.queue.len() == most);
            }
            Acquired::Refused(refusal) => {
                assert_eq!(refusal, super::still_no_route());
                assert_eq!(pool.total(), 0, "there is a connection");
            }
        }
    }

    fn connected(&mut self, at: usize) {
        let connection = self.books.connected(self.pools[at].id);
        self.pools[at].idle.insert(connection.0);
    }

    /// What is done for a pool from time to time.
    fn tend(&mut self, at: usize) {
        let pool = &mut self.pools[at];
        self.books.ledger.expire_waits(pool.id, self.books.now, SECOND);
        while self.books.ledger.reserve(pool.id, self.books.now) {
            pool.connecting += 1;
        }
        while self.books.ledger.reserve_minimum(pool.id, self.books.now) {
            pool.connecting += 1;
        }
    }

    /// Takes what the ledger has given to clients and taken from pools, and compares.
    fn check(&mut self) {
        for connection in self.books.ledger.take_evicted() {
            let from = self.pools.iter_mut().find_map(|pool| pool.idle.take(&connection.0));
            assert!(from.is_some(), "{connection:?} was evicted, but is idle nowhere");
        }
        for pool in &mut self.pools {
            take_words(pool);
            let counts = self.books.counts(pool.id);
            let seen = (counts.idle, counts.used, counts.connecting, counts.waiting, counts.paused);
            let (idle, used) = (pool.idle.len(), pool.used.len());
            assert_eq!(seen, (idle, used, pool.connecting, pool.queue.len(), pool.paused));
            assert!(
                pool.paused || idle == 0 || pool.queue.is_empty(),
                "somebody waits beside an idle connection"
            );
            assert!(pool.total() <= pool.limits.size + pool.limits.reserve);
            assert!(pool.connecting <= pool.limits.max_connecting.max(1));
        }
        for name in DATABASES {
            let total: usize = self.pools.iter().filter(|pool| pool.database == name).map(Pool::total).sum();
            assert_eq!(self.books.ledger.database_total(name), total);
            assert!(self.database == 0 || total <= self.database);
        }
        for name in USERS {
            let total: usize = self.pools.iter().filter(|pool| pool.user == name).map(Pool::total).sum();
            assert_eq!(self.books.ledger.user_total(name), total);
            assert!(self.user == 0 || total <= self.user);
        }
    }

    /// Whoever waits is served in the end: clients give back what they have, and nothing fails any more.
    fn serve_all(&mut self) {
        for at in 0..self.pools.len() {
            self.pools[at].paused = false;
            self.books.ledger.pause(self.pools[at].id, false, self.books.now);
            // Nobody waits in vain, rather than being told so.
            self.pools[at].limits.max_wait = Duration::ZERO;
            let pool = &self.pools[at];
            self.books.pool(pool.database, pool.user, pool.limits);
        }
        self.check();
        let rounds = self.pools.iter().map(|pool| pool.queue.len()).sum::<usize>() + 5;
        for _ in 0..rounds {
            self.books.now += 5 * SECOND;
            for at in 0..self.pools.len() {
                self.tend(at);
                for _ in 0..std::mem::take(&mut self.pools[at].connecting) {
                    self.connected(at);
                }
                self.check();
                let pool = &mut self.pools[at];
                for connection in std::mem::take(&mut pool.used) {
                    pool.idle.insert(connection.0);
                    self.books.release(pool.id, connection);
                }
                self.check();
            }
        }
        assert_eq!(
            self.pools.iter().map(|pool| pool.queue.len()).sum::<usize>(),
            0,
            "somebody waits for ever"
        );
    }
}

/// Lets those in a queue take what they got: first come, first served.
fn take_words(pool: &mut Pool) {
    let mut waiting = VecDeque::new();
    for mut ticket in std::mem::take(&mut pool.queue) {
        match poll(&mut ticket) {
            Poll::Pending => waiting.push_back(ticket),
            Poll::Ready(Ok(connection)) => {
                assert!(waiting.is_empty(), "{connection:?} went past those who came before");
                assert!(pool.idle.remove(&connection.0), "{connection:?} was not free");
                pool.used.push(connection);
            }
            Poll::Ready(Err(Refusal::WaitedTooLong(longest))) => {
                assert!(waiting.is_empty() && longest == pool.limits.max_wait);
            }
            Poll::Ready(Err(refusal)) => {
                assert_eq!(refusal, super::no_route());
                assert_eq!(pool.total(), 0, "there is a connection to wait for");
            }
        }
    }
    pool.queue = waiting;
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a word on this thread; None when none comes.
fn wait(ticket: &mut Ticket<Conn>) -> Option<Conn> {
    let waker = Arc::new(Unpark(thread::current())).into();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match Pin::new(&mut *ticket).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(word) => return word.ok(),
            Poll::Pending if Instant::now() > deadline => return None,
            Poll::Pending => thread::park_timeout(Duration::from_secs(1)),
        }
    }
}

/// Clients on several threads, which come, wait or lose patience, and now and then break a connection. All who wait are
/// served, and the books balance.
#[test]
fn threads_share_the_books() {
    let seed = seed();
    let ledger = Ledger::default();
    let pool = ledger.pool(&key("shop", "app"), Limits { size: 3, ..LIMITS });
    let made = AtomicU32::new(0);
    let connect = || {
        let connection = Conn(made.fetch_add(1, Ordering::Relaxed), 0);
        ledger.connected(pool, connection, Instant::now());
    };
    let client = |id: u64| {
        let mut random = Random::from_seed(seed ^ id);
        for _ in 0..5_000 {
            let connection = match ledger.acquire(pool, 0, Instant::now()) {
                Acquired::Ready(connection) => connection,
                Acquired::Refused(refusal) => panic!("{refusal:?}"),
                Acquired::Queued { mut ticket, connect: wanted } => {
                    if wanted {
                        connect();
                    }
                    let impatient = random.below(3) == 0;
                    let got = if impatient { ticket.leave() } else { wait(&mut ticket) };
                    assert!(impatient || got.is_some(), "nobody serves the queue");
                    match got {
                        Some(connection) => connection,
                        None => continue,
                    }
                }
            };
            if random.below(4) == 0 {
                thread::yield_now();
            }
            if random.below(20) > 0 {
                ledger.release(pool, connection, Instant::now());
            } else if ledger.discard(pool, Instant::now()) {
                connect();
            }
        }
    };
    thread::scope(|scope| (0..6).for_each(|id| drop(scope.spawn(move || client(id)))));
    let counts = ledger.counts(pool, Instant::now());
    assert_eq!((counts.used, counts.connecting, counts.waiting), (0, 0, 0));
    assert!(counts.idle <= 3);
    assert_eq!(ledger.database_total("shop"), counts.idle);
}
