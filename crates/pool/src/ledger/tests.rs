//! The books of pools whose connections are no more than numbers.

mod model;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::{Acquired, Connection, Counts, Failure, Ledger, Limits, PoolId, PoolKey, Refusal, Ticket};

const SECOND: Duration = Duration::from_secs(1);

/// A connection: which one, and its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Conn(u32, usize);

impl Connection for Conn {
    fn home(&self) -> usize {
        self.1
    }
}

/// One thing at a time, and no other limit.
const LIMITS: Limits = Limits {
    size: 2,
    min: 0,
    reserve: 0,
    reserve_after: SECOND,
    max_connecting: 100,
    max_waiting: 0,
    max_wait: Duration::ZERO,
    retry_after: Duration::from_secs(15),
    patient: false,
    database: 0,
    user: 0,
    round_robin: false,
};

fn key(database: &str, user: &str) -> PoolKey {
    PoolKey { database: database.into(), user: user.into() }
}

/// A ledger, and the time.
struct Books {
    ledger: Ledger<Conn>,
    now: Instant,
    made: u32,
}

impl Books {
    fn new() -> Self {
        Self { ledger: Ledger::default(), now: Instant::now(), made: 0 }
    }

    fn with(limits: Limits) -> (Self, PoolId) {
        let books = Self::new();
        let pool = books.pool("shop", "app", limits);
        (books, pool)
    }

    fn pool(&self, database: &str, user: &str, limits: Limits) -> PoolId {
        self.ledger.pool(&key(database, user), limits)
    }

    fn counts(&self, pool: PoolId) -> Counts {
        self.ledger.counts(pool, self.now)
    }

    fn ready(&self, pool: PoolId) -> Conn {
        self.ready_on(pool, 0)
    }

    fn ready_on(&self, pool: PoolId, home: usize) -> Conn {
        match self.ledger.acquire(pool, home, self.now) {
            Acquired::Ready(connection) => connection,
            Acquired::Queued { .. } => panic!("it should not have to wait"),
            Acquired::Refused(refusal) => panic!("{refusal:?}"),
        }
    }

    /// A place in the queue, and whether a connection is to be opened.
    fn queued(&self, pool: PoolId) -> (Ticket<Conn>, bool) {
        match self.ledger.acquire(pool, 0, self.now) {
            Acquired::Queued { ticket, connect } => (ticket, connect),
            Acquired::Ready(connection) => panic!("{connection:?} jumped the queue"),
            Acquired::Refused(refusal) => panic!("{refusal:?}"),
        }
    }

    fn refused(&self, pool: PoolId) -> Refusal {
        match self.ledger.acquire(pool, 0, self.now) {
            Acquired::Refused(refusal) => refusal,
            Acquired::Ready(connection) => panic!("{connection:?} should not be given"),
            Acquired::Queued { .. } => panic!("it should not wait"),
        }
    }

    /// A connection that was being opened is there.
    fn connected(&mut self, pool: PoolId) -> Conn {
        self.made += 1;
        let connection = Conn(self.made, 0);
        self.ledger.connected(pool, connection, self.now);
        connection
    }

    /// A connection in use, for which another client has waited.
    fn open(&mut self, pool: PoolId) -> Conn {
        let (ticket, connect) = self.queued(pool);
        assert!(connect, "there is room for another");
        let connection = self.connected(pool);
        assert_eq!(granted(ticket), connection);
        connection
    }

    fn release(&self, pool: PoolId, connection: Conn) {
        self.ledger.release(pool, connection, self.now);
    }

    fn fail(&self, pool: PoolId) {
        self.ledger.connect_failed(pool, &Arc::new(failure()), self.now);
    }
}

fn poll(ticket: &mut Ticket<Conn>) -> Poll<Result<Conn, Refusal>> {
    Pin::new(ticket).poll(&mut Context::from_waker(Waker::noop()))
}

fn waits(ticket: &mut Ticket<Conn>) -> bool {
    poll(ticket).is_pending()
}

fn granted(mut ticket: Ticket<Conn>) -> Conn {
    match poll(&mut ticket) {
        Poll::Ready(Ok(connection)) => connection,
        other => panic!("{other:?}"),
    }
}

fn refusal(mut ticket: Ticket<Conn>) -> Refusal {
    match poll(&mut ticket) {
        Poll::Ready(Err(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn failure() -> Failure {
    Failure { code: "08P01", why: "no route".into() }
}

fn no_route() -> Refusal {
    Refusal::ConnectFailed(Arc::new(failure()))
}

/// What who comes a moment later is told.
fn still_no_route() -> Refusal {
    Refusal::StillFailing(Arc::new(failure()))
}

#[test]
fn a_connection_goes_to_the_one_who_has_waited_longest() {
    let (mut books, pool) = Books::with(Limits { size: 1, ..LIMITS });
    let mut connection = books.open(pool);
    let tickets: Vec<_> = (0..10).map(|_| books.queued(pool).0).collect();
    for mut ticket in tickets {
        assert!(waits(&mut ticket));
        books.release(pool, connection);
        connection = granted(ticket);
    }
    assert_eq!(books.counts(pool), Counts { used: 1, ..Counts::default() });
}

#[test]
fn those_who_leave_the_queue_are_passed_over() {
    let (mut books, pool) = Books::with(Limits { size: 1, ..LIMITS });
    let connection = books.open(pool);
    let mut tickets: Vec<_> = (0..6).map(|_| Some(books.queued(pool).0)).collect();
    // At the front, in the middle, at the end.
    [0, 2, 3, 5].into_iter().for_each(|at| tickets[at] = None);
    assert_eq!(books.counts(pool).waiting, 2);
    books.release(pool, connection);
    assert_eq!(granted(tickets[1].take().unwrap()), connection);
    books.release(pool, connection);
    assert_eq!(granted(tickets[4].take().unwrap()), connection);
    books.release(pool, connection);
    assert_eq!(books.counts(pool), Counts { idle: 1, ..Counts::default() });
}

#[test]
fn a_queue_does_not_keep_those_who_have_left() {
    let (mut books, pool) = Books::with(Limits { size: 1, ..LIMITS });
    let _used = books.open(pool);
    let _waiting: Vec<_> = (0..3).map(|_| books.queued(pool)).collect();
    (0..10_000).for_each(|_| drop(books.queued(pool)));
    assert_eq!(books.counts(pool).waiting, 3);
    assert!(books.ledger.state().pool_mut(pool).queued().count() < 50);
}

#[test]
fn who_leaves_in_the_moment_of_a_grant_gives_the_connection_back() {
    let (mut books, pool) = Books::with(Limits { size: 1, ..LIMITS });
    let connection = books.open(pool);
    let (first, second) = (books.queued(pool).0, books.queued(pool).0);
    books.release(pool, connection);
    assert_eq!(first.leave(), Some(connection));
    books.release(pool, connection);
    assert_eq!(granted(second), connection);
}

#[test]
fn an_idle_connection_is_taken_from_the_clients_own_thread_if_it_was_used_lately() {
    let (books, pool) = Books::with(Limits { size: 20, ..LIMITS });
    let tickets: Vec<_> = (0..20).map(|_| books.queued(pool).0).collect();
    (0..20).for_each(|n| books.ledger.connected(pool, Conn(n, usize::from(n % 2 == 0)), books.now));
    let used: Vec<_> = tickets.into_iter().map(granted).collect();
    used.iter().for_each(|&connection| books.release(pool, connection));
    assert_eq!(books.ready_on(pool, 0), Conn(19, 0));
    assert_eq!(books.ready_on(pool, 0), Conn(17, 0));
    assert_eq!(books.ready_on(pool, 1), Conn(18, 1));
    // A thread without any takes the one used last.
    assert_eq!(books.ready_on(pool, 7), Conn(16, 1));
}

#[test]
fn round_robin_hands_out_the_one_used_longest_ago() {
    let (mut books, pool) = Books::with(Limits { size: 3, round_robin: true, ..LIMITS });
    let used: Vec<_> = (0..3).map(|_| books.open(pool)).collect();
    used.iter().for_each(|&connection| books.release(pool, connection));
    for expected in [&used[..], &used[..]].concat() {
        let connection = books.ready(pool);
        assert_eq!(connection, expected);
        books.release(pool, connection);
    }
}

#[test]
fn a_pool_has_no_more_than_its_size() {
    let (mut books, pool) = Books::with(Limits { size: 2, ..LIMITS });
    let (one, _two) = (books.open(pool), books.open(pool));
    let (mut third, connect) = books.queued(pool);
    assert!(!connect && !books.ledger.reserve(pool, books.now) && waits(&mut third));
    // One is closed: another takes its place.
    assert!(books.ledger.discard(pool, books.now), "{one:?} makes room");
    let connection = books.connected(pool);
    assert_eq!(granted(third), connection);
    // Nobody waits: it is not replaced.
    assert!(!books.ledger.discard(pool, books.now));
    assert_eq!(books.ledger.database_total("shop"), 1);
}

#[test]
fn no_more_are_opened_than_there_are_clients_waiting_for_them() {
    let (mut books, pool) = Books::with(Limits { size: 10, ..LIMITS });
    let (first, connect) = books.queued(pool);
    assert!(connect && !books.ledger.reserve(pool, books.now));
    drop(first);
    let (second, connect) = books.queued(pool);
    assert!(!connect, "the one on its way will do");
    let connection = books.connected(pool);
    assert_eq!(granted(second), connection);
}

#[test]
fn few_are_opened_at_a_time() {
    let (mut books, pool) = Books::with(Limits { size: 10, max_connecting: 2, ..LIMITS });
    let tickets: Vec<_> = (0..5).map(|_| books.queued(pool)).collect();
    assert_eq!(tickets.iter().filter(|(_, connect)| *connect).count(), 2);
    books.connected(pool);
    assert!(books.ledger.reserve(pool, books.now) && !books.ledger.reserve(pool, books.now));
    assert_eq!(books.counts(pool).connecting, 2);
    assert_eq!(granted(tickets.into_iter().next().unwrap().0), Conn(1, 0));
}

#[test]
fn the_reserve_is_for_those_who_have_waited() {
    let (mut books, pool) = Books::with(Limits { size: 1, reserve: 1, reserve_after: 5 * SECOND, ..LIMITS });
    let _used = books.open(pool);
    let (first, connect) = books.queued(pool);
    assert!(!connect);
    books.now += 4 * SECOND;
    assert!(!books.ledger.reserve(pool, books.now));
    books.now += SECOND;
    assert_eq!(books.counts(pool).longest_wait, 5 * SECOND);
    assert!(books.ledger.reserve(pool, books.now));
    books.connected(pool);
    let _second = books.queued(pool);
    books.now += 60 * SECOND;
    assert!(!books.ledger.reserve(pool, books.now), "the reserve is used up");
    assert_eq!(granted(first), Conn(2, 0));
}

#[test]
fn too_many_may_not_wait() {
    let (mut books, pool) = Books::with(Limits { size: 1, max_waiting: 2, ..LIMITS });
    let _used = books.open(pool);
    let (first, _second) = (books.queued(pool), books.queued(pool));
    assert_eq!(books.refused(pool), Refusal::TooManyWaiting(2));
    drop(first);
    let _third = books.queued(pool);
    assert_eq!(books.refused(pool), Refusal::TooManyWaiting(2));
}

#[test]
fn waits_end() {
    let (mut books, pool) = Books::with(Limits { size: 1, max_wait: 30 * SECOND, ..LIMITS });
    let connection = books.open(pool);
    let (first, gone) = (books.queued(pool).0, books.queued(pool).0);
    books.now += 10 * SECOND;
    let mut later = books.queued(pool).0;
    drop(gone);
    books.now += 19 * SECOND;
    books.ledger.expire_waits(pool, books.now, 20 * SECOND);
    assert!(first.is_notified() && !later.is_notified());
    books.now += SECOND;
    books.ledger.expire_waits(pool, books.now, Duration::ZERO);
    assert_eq!(refusal(first), Refusal::WaitedTooLong(30 * SECOND));
    assert!(waits(&mut later) && !later.is_notified());
    books.release(pool, connection);
    assert_eq!(granted(later), connection);
}

#[test]
fn who_is_told_that_it_waits_is_woken_once() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    struct Count(AtomicUsize);
    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (mut books, pool) = Books::with(Limits { size: 1, ..LIMITS });
    let _used = books.open(pool);
    let (mut ticket, _) = books.queued(pool);
    let woken = Arc::new(Count(AtomicUsize::new(0)));
    assert!(Pin::new(&mut ticket).poll(&mut Context::from_waker(&Arc::clone(&woken).into())).is_pending());
    books.now += SECOND;
    (0..3).for_each(|_| books.ledger.expire_waits(pool, books.now, SECOND));
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
}

#[test]
fn a_database_and_a_user_have_limits_of_their_own() {
    let mut books = Books::new();
    let limits = Limits { database: 3, user: 2, ..LIMITS };
    let (shop_app, shop_web) = (books.pool("shop", "app", limits), books.pool("shop", "web", limits));
    let (blog_app, blog_web) = (books.pool("blog", "app", limits), books.pool("blog", "web", limits));
    let _used = [books.open(shop_app), books.open(shop_app)];
    assert!(!books.queued(blog_app).1, "app has its two");
    books.open(shop_web);
    assert!(!books.queued(shop_web).1, "shop has its three");
    books.open(blog_web);
    assert_eq!(["shop", "blog"].map(|database| books.ledger.database_total(database)), [3, 1]);
    assert_eq!(["app", "web"].map(|user| books.ledger.user_total(user)), [2, 2]);
    assert!(!books.queued(blog_web).1, "web has its two");
}

#[test]
fn an_idle_connection_of_another_pool_goes_for_those_who_wait() {
    let mut books = Books::new();
    let limits = Limits { database: 3, ..LIMITS };
    let pools = ["app", "web", "job"].map(|user| books.pool("shop", user, limits));
    let [first, second, third] = pools.map(|pool| books.open(pool));
    books.release(pools[1], second);
    books.now += SECOND;
    books.release(pools[0], first);
    let (ticket, connect) = books.queued(pools[2]);
    assert!(connect);
    assert_eq!(books.ledger.take_evicted(), [second], "idle for longest");
    assert_eq!(books.ledger.database_total("shop"), 3);
    let connection = books.connected(pools[2]);
    assert_eq!(granted(ticket), connection);
    // One that is more than a minimum goes first, though it has been idle for less long.
    books.pool("shop", "app", Limits { min: 1, ..limits });
    books.now += SECOND;
    books.release(pools[2], third);
    let (_first, connect) = books.queued(pools[1]);
    assert!(connect);
    assert_eq!(books.ledger.take_evicted(), [third]);
    assert!(!books.ledger.reserve_minimum(pools[2], books.now));
    // Then the minimum does: somebody waits.
    let (_second, connect) = books.queued(pools[1]);
    assert!(connect);
    assert_eq!(books.ledger.take_evicted(), [first]);
}

#[test]
fn where_both_limits_are_exhausted_one_goes_for_each() {
    let mut books = Books::new();
    let limits = Limits { database: 1, user: 1, ..LIMITS };
    let wanted = books.pool("shop", "app", limits);
    let (same_database, same_user) = (books.pool("shop", "web", limits), books.pool("blog", "app", limits));
    let (first, second) = (books.open(same_database), books.open(same_user));
    books.release(same_database, first);
    let (ticket, connect) = books.queued(wanted);
    assert!(!connect, "the user's only connection is in use");
    assert_eq!(books.ledger.take_evicted(), [], "so it would be of no use to close the database's");
    books.release(same_user, second);
    assert!(books.ledger.reserve(wanted, books.now));
    assert_eq!(books.ledger.take_evicted(), [first, second]);
    books.connected(wanted);
    granted(ticket);
}

#[test]
fn a_failure_to_connect_is_told_to_everybody_when_nothing_is_open() {
    let (mut books, pool) = Books::with(Limits { size: 5, ..LIMITS });
    let tickets: Vec<_> = (0..3).map(|_| books.queued(pool).0).collect();
    books.fail(pool);
    books.fail(pool);
    assert_eq!(books.counts(pool).waiting, 3, "another attempt may yet succeed");
    books.fail(pool);
    tickets.into_iter().for_each(|ticket| assert_eq!(refusal(ticket), no_route()));
    assert_eq!(books.counts(pool), Counts { failing: true, ..Counts::default() });
    assert_eq!(books.ledger.database_total("shop"), 0);
    // Who comes now is told at once, until it is time to try again.
    books.now += 14 * SECOND;
    assert_eq!(books.refused(pool), still_no_route());
    assert!(!books.ledger.reserve_minimum(pool, books.now));
    books.now += SECOND;
    assert!(books.queued(pool).1);
    books.connected(pool);
    assert!(!books.counts(pool).failing);
}

#[test]
fn a_failure_may_be_forgotten() {
    let (books, pool) = Books::with(LIMITS);
    let (ticket, _) = books.queued(pool);
    books.fail(pool);
    assert_eq!(refusal(ticket), no_route());
    books.ledger.forget_failure(pool);
    assert!(books.queued(pool).1);
}

#[test]
fn a_failure_is_told_though_it_may_be_tried_again_at_once() {
    let (books, pool) = Books::with(Limits { retry_after: Duration::ZERO, ..LIMITS });
    let (ticket, _) = books.queued(pool);
    books.fail(pool);
    assert_eq!(refusal(ticket), no_route());
    assert!(books.queued(pool).1);
}

#[test]
fn a_failure_is_not_told_while_a_connection_is_open() {
    let (mut books, pool) = Books::with(LIMITS);
    let connection = books.open(pool);
    let (mut ticket, connect) = books.queued(pool);
    assert!(connect);
    books.fail(pool);
    assert!(waits(&mut ticket));
    let (other, connect) = books.queued(pool);
    assert!(!connect, "it is too early");
    books.release(pool, connection);
    assert_eq!(granted(ticket), connection);
    // The last one breaks: there is nothing to wait for any more.
    assert!(!books.ledger.discard(pool, books.now));
    assert_eq!(refusal(other), no_route());
}

#[test]
fn a_minimum_is_not_tried_for_again_and_again() {
    let (mut books, pool) = Books::with(Limits { size: 5, min: 3, ..LIMITS });
    let _used = books.open(pool);
    assert!(books.ledger.reserve_minimum(pool, books.now));
    books.fail(pool);
    assert!(!books.ledger.reserve_minimum(pool, books.now));
    books.now += 15 * SECOND;
    assert!(books.ledger.reserve_minimum(pool, books.now));
}

#[test]
fn a_minimum_is_within_all_limits() {
    let mut books = Books::new();
    let pool =
        books.pool("shop", "app", Limits { size: 3, min: 5, max_connecting: 2, database: 4, ..LIMITS });
    let minimum = |books: &Books| books.ledger.reserve_minimum(pool, books.now);
    assert!(minimum(&books) && minimum(&books) && !minimum(&books), "two at a time");
    books.connected(pool);
    books.connected(pool);
    assert!(minimum(&books) && !minimum(&books), "no more than the pool's size");
    books.connected(pool);
    let other = books.pool("shop", "web", Limits { min: 2, database: 4, ..LIMITS });
    assert!(books.ledger.reserve_minimum(other, books.now));
    assert!(!books.ledger.reserve_minimum(other, books.now), "no more than the database's");
    assert_eq!(books.counts(pool), Counts { idle: 3, ..Counts::default() });
}

#[test]
fn a_paused_pool_hands_out_nothing() {
    let (mut books, pool) = Books::with(Limits { max_wait: SECOND, size: 3, ..LIMITS });
    let (one, two) = (books.open(pool), books.open(pool));
    books.release(pool, one);
    books.ledger.pause(pool, true, books.now);
    let (mut first, connect) = books.queued(pool);
    let (mut second, _) = books.queued(pool);
    assert!(!connect);
    books.release(pool, two);
    books.now += 10 * SECOND;
    books.ledger.expire_waits(pool, books.now, Duration::ZERO);
    assert!(waits(&mut first) && waits(&mut second), "they wait for the administrator");
    assert!(!books.ledger.reserve(pool, books.now) && !books.ledger.reserve_minimum(pool, books.now));
    assert_eq!(
        books.counts(pool),
        Counts { idle: 2, waiting: 2, longest_wait: 10 * SECOND, paused: true, ..Counts::default() }
    );
    // Resumed, it serves in the order of arrival.
    let (third, _) = books.queued(pool);
    books.ledger.pause(pool, false, books.now);
    assert_eq!((granted(first), granted(second)), (two, one));
    assert!(books.ledger.reserve(pool, books.now));
    let connection = books.connected(pool);
    assert_eq!(granted(third), connection);
}

#[test]
fn the_time_a_pool_was_paused_is_no_wait() {
    let (mut books, pool) = Books::with(Limits { max_wait: 3 * SECOND, size: 1, ..LIMITS });
    let used = books.open(pool);
    let (mut ticket, _) = books.queued(pool);
    books.ledger.pause(pool, true, books.now);
    books.now += 10 * SECOND;
    // Said twice it is resumed once.
    books.ledger.pause(pool, false, books.now);
    books.now += 2 * SECOND;
    books.ledger.pause(pool, false, books.now);
    books.ledger.expire_waits(pool, books.now, Duration::ZERO);
    assert!(waits(&mut ticket), "it has waited for two seconds");
    books.now += SECOND;
    books.ledger.expire_waits(pool, books.now, Duration::ZERO);
    assert_eq!(refusal(ticket), Refusal::WaitedTooLong(3 * SECOND));
    books.release(pool, used);
}

#[test]
fn a_patient_pool_does_not_lose_its_clients_to_a_failure() {
    let (mut books, pool) = Books::with(Limits { size: 1, patient: true, max_wait: 20 * SECOND, ..LIMITS });
    let (mut ticket, connect) = books.queued(pool);
    assert!(connect);
    let Acquired::Queued { ticket: login, .. } = books.ledger.acquire_for_login(pool, 0, books.now) else {
        panic!("nothing is free")
    };
    books.fail(pool);
    assert_eq!(refusal(login), no_route(), "it is not in yet");
    assert!(waits(&mut ticket) && !books.ledger.reserve(pool, books.now), "not before it is tried again");
    books.now += 15 * SECOND;
    assert!(books.ledger.reserve(pool, books.now));
    books.fail(pool);
    books.now += 5 * SECOND;
    books.ledger.expire_waits(pool, books.now, Duration::ZERO);
    assert_eq!(refusal(ticket), Refusal::WaitedTooLong(20 * SECOND));
}

#[test]
fn a_paused_pool_does_not_lose_its_clients_to_a_failure() {
    let (mut books, pool) = Books::with(LIMITS);
    let (mut ticket, connect) = books.queued(pool);
    assert!(connect);
    books.ledger.pause(pool, true, books.now);
    books.fail(pool);
    assert!(waits(&mut ticket));
    books.ledger.pause(pool, false, books.now);
    books.now += 15 * SECOND;
    assert!(books.ledger.reserve(pool, books.now));
    let connection = books.connected(pool);
    assert_eq!(granted(ticket), connection);
}

#[test]
fn idle_connections_may_be_taken_out() {
    let (mut books, pool) = Books::with(Limits { size: 4, min: 1, ..LIMITS });
    let used: Vec<_> = (0..4).map(|_| books.open(pool)).collect();
    for &connection in &used[..3] {
        books.release(pool, connection);
        books.now += SECOND;
    }
    // One in use and three idle: no more than three may go, and the last to go is asked for.
    let mut seen = Vec::new();
    let taken = books.ledger.take_idle_where(pool, books.now, |connection, idle, spare| {
        seen.push((*connection, idle, spare));
        idle > SECOND
    });
    assert_eq!(seen, [(used[0], 3 * SECOND, 3), (used[1], 2 * SECOND, 2), (used[2], SECOND, 1)]);
    assert_eq!(taken, used[..2]);
    assert_eq!(books.ledger.user_total("app"), 2);
    assert_eq!(books.ready(pool), used[2]);
}

#[test]
fn all_who_wait_may_be_refused() {
    let (mut books, pool) = Books::with(Limits { size: 1, ..LIMITS });
    let connection = books.open(pool);
    let (ticket, _) = books.queued(pool);
    books.ledger.refuse_all(pool, &Refusal::Killed);
    assert_eq!(refusal(ticket), Refusal::Killed);
    let (next, _) = books.queued(pool);
    books.release(pool, connection);
    assert_eq!(granted(next), connection);
}

#[test]
fn a_pool_that_holds_nothing_may_be_forgotten() {
    let (mut books, pool) = Books::with(Limits { size: 1, database: 1, ..LIMITS });
    let connection = books.open(pool);
    assert!(!books.ledger.remove(pool), "a connection is in use");
    let (ticket, _) = books.queued(pool);
    books.release(pool, connection);
    granted(ticket);
    books.ledger.pause(pool, true, books.now);
    let (ticket, _) = books.queued(pool);
    books.ledger.discard(pool, books.now);
    assert!(!books.ledger.remove(pool), "somebody waits");
    drop(ticket);
    assert!(books.ledger.remove(pool));
    let state = books.ledger.state();
    assert!(state.databases.is_empty() && state.users.is_empty() && state.by_key.is_empty());
    drop(state);
    // Its place is free, and nothing of it is left there.
    let other = books.pool("blog", "app", LIMITS);
    assert_eq!(other, pool);
    assert_eq!(books.counts(other), Counts::default());
}

#[test]
fn what_pools_share_outlives_one_of_them() {
    let mut books = Books::new();
    let limits = Limits { database: 1, ..LIMITS };
    let (first, second) = (books.pool("shop", "app", limits), books.pool("shop", "web", limits));
    books.open(second);
    assert!(books.ledger.remove(first));
    assert_eq!(books.ledger.database_total("shop"), 1);
    assert!(!books.queued(second).1, "the limit holds");
}

#[test]
fn other_limits_hold_from_now_on() {
    let (mut books, pool) = Books::with(Limits { size: 1, ..LIMITS });
    let connection = books.open(pool);
    let (ticket, connect) = books.queued(pool);
    assert!(!connect);
    assert_eq!(books.pool("shop", "app", Limits { size: 2, ..LIMITS }), pool);
    assert!(books.ledger.reserve(pool, books.now));
    books.connected(pool);
    granted(ticket);
    // Fewer than there are: no further ones, and none is taken away from its client.
    books.pool("shop", "app", Limits { size: 1, ..LIMITS });
    assert!(!books.ledger.discard(pool, books.now));
    let (ticket, connect) = books.queued(pool);
    assert!(!connect);
    books.release(pool, connection);
    granted(ticket);
}
