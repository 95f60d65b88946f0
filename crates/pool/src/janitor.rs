//! What is done from time to time: waits that are too long, connections that are too old, queries that take too long.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::clients::{ClientInfo, DRAIN, RENEW};
use crate::config::PoolMode;
use crate::plan::Face;
use crate::pools::Pool;
use crate::worker::Worker;

/// Between two rounds: how late a deadline may be noticed.
const ROUND: Duration = Duration::from_millis(100);
/// Rounds between two looks at idle connections.
const ROUNDS_PER_SWEEP: u32 = 5;

/// Looks after a thread's connections; the first thread looks after what all share, too.
pub(crate) async fn run(worker: Rc<Worker>) {
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut round = 0u32;
    loop {
        rounds.tick().await;
        let now = Instant::now();
        round = round.wrapping_add(1);
        let pools = worker.shared.pools.all();
        for pool in &pools {
            if worker.id == 0 {
                tend(&worker, pool, now);
            }
            if round.is_multiple_of(ROUNDS_PER_SWEEP) {
                sweep(&worker, pool, now);
            }
        }
        if worker.id == 0 {
            worker.close_evicted();
            enforce_deadlines(&worker, now);
            let unused: Vec<_> = pools.iter().filter(|pool| is_unused(&worker, pool, now)).cloned().collect();
            drop(pools);
            retire(&worker, unused, now);
        }
    }
}

/// Asks all clients to leave as soon as they are between transactions.
pub(crate) fn drain(worker: &Worker) {
    if worker.id == 0 {
        worker.shared.clients.all().iter().for_each(|client| client.signal(DRAIN));
    }
}

/// Waits that are too long, and connections that are missing.
fn tend(worker: &Rc<Worker>, pool: &Arc<Pool>, now: Instant) {
    let shared = &worker.shared;
    let plan = shared.plan.load();
    shared.ledger.expire_waits(pool.id, now, plan.config.timeouts.wait_notify.get());
    // Others may have to come from the reserve, or be tried again after a failure.
    while shared.ledger.reserve(pool.id, now) {
        worker.open(pool);
    }
    if plan.config.fast_close && pool.settings.load().mode == PoolMode::Session {
        ask_to_renew(worker, pool);
    }
    // As with PgBouncer: a minimum is kept for pools that are used, or that need nobody's password.
    let wanted = pool.clients.load(Ordering::Relaxed) > 0 || pool.settings.load().database.user.is_some();
    while wanted && shared.ledger.reserve_minimum(pool.id, now) {
        worker.open(pool);
    }
}

/// Whether a pool that came from `databases."*"` has had no clients for so long that it may be forgotten.
fn is_unused(worker: &Worker, pool: &Pool, now: Instant) -> bool {
    let shared = &worker.shared;
    if !pool.settings.load().database.is_fallback {
        return false;
    }
    if pool.clients.load(Ordering::Relaxed) > 0 {
        pool.unused_since.store(0, Ordering::Relaxed);
        return false;
    }
    let now = shared.micros(now).max(1);
    let since = pool.unused_since.load(Ordering::Relaxed);
    if since == 0 {
        pool.unused_since.store(now, Ordering::Relaxed);
        return false;
    }
    let limit = shared.plan.load().config.timeouts.autodb_idle.get();
    !limit.is_zero() && u128::from(now.saturating_sub(since)) >= limit.as_micros()
}

/// Forgets pools; one that is taken into use meanwhile is kept.
fn retire(worker: &Worker, unused: Vec<Arc<Pool>>, now: Instant) {
    let shared = &worker.shared;
    for pool in unused {
        let idle = shared.ledger.take_idle_where(pool.id, now, |_, _, _| true);
        idle.into_iter().for_each(|server| worker.close(server));
        let key = pool.key.clone();
        drop(pool);
        shared.pools.remove_unused(&key, |id| shared.ledger.remove(id));
    }
}

/// Asks clients to leave servers that are to be closed.
fn ask_to_renew(worker: &Worker, pool: &Pool) {
    let epoch = pool.epoch.load(Ordering::SeqCst);
    for client in worker.shared.clients.all().iter().filter(|client| client.database == pool.key.database) {
        let server = client.server.lock().expect("no panic while it is held").clone();
        if server.is_some_and(|server| server.is_older_than(epoch)) {
            client.signal(RENEW);
        }
    }
}

/// Idle connections of this thread that have ended, are too old or not needed.
fn sweep(worker: &Rc<Worker>, pool: &Arc<Pool>, now: Instant) {
    let shared = &worker.shared;
    let idle_limit = shared.plan.load().config.timeouts.server_idle.get();
    let epoch = pool.epoch.load(Ordering::SeqCst);
    let unfit = shared.ledger.take_idle_where(pool.id, now, |server, idle, spare| {
        server.home == worker.id
            && (server.epoch < epoch
                || server.expires.is_some_and(|expires| expires <= now)
                || (!idle_limit.is_zero() && idle >= idle_limit && spare > 0)
                || !server.settle())
    });
    unfit.into_iter().for_each(|server| worker.close(server));
}

/// Queries, transactions and silences that are too long.
fn enforce_deadlines(worker: &Worker, now: Instant) {
    let shared = &worker.shared;
    let plan = shared.plan.load();
    let write_limit = plan.config.timeouts.client_write.get();
    let any_user = plan.config.users.values().any(|user| {
        user.query_timeout.is_some()
            || user.transaction_timeout.is_some()
            || user.idle_transaction_timeout.is_some()
            || user.client_idle_timeout.is_some()
    });
    if !plan.deadlines("").any() && !any_user && write_limit.is_zero() {
        return;
    }
    let now = shared.micros(now);
    let beyond = |since: &AtomicU64, limit: Option<Duration>| {
        let since = since.load(Ordering::Relaxed);
        since > 0 && limit.is_some_and(|limit| u128::from(now.saturating_sub(since)) > limit.as_micros())
    };
    for client in shared.clients.all() {
        let limits = plan.deadlines(&client.user);
        let in_transaction = client.transaction_since.load(Ordering::Relaxed) > 0;
        let why = if beyond(&client.query_since, limits.query) {
            "query timeout"
        } else if beyond(&client.transaction_since, limits.transaction) {
            "transaction timeout"
        } else if in_transaction && beyond(&client.idle_since, limits.idle_transaction) {
            "idle transaction timeout"
        } else if !in_transaction && beyond(&client.idle_since, limits.client_idle) {
            "client_idle_timeout"
        } else if beyond(&client.blocked_since, Some(write_limit).filter(|limit| !limit.is_zero())) {
            "client_write_timeout"
        } else {
            continue;
        };
        end(&client, plan.face, why);
    }
}

fn end(client: &ClientInfo, face: Face, why: &str) {
    let code = match (face, why) {
        (Face::PgBouncer, _) => "08P01",
        (Face::Native, "query timeout") => "57014",
        (Face::Native, "idle transaction timeout") => "25P03",
        (Face::Native, "transaction timeout") => "25P04",
        (Face::Native, _) => "57P05",
    };
    client.kill(code, why);
}
