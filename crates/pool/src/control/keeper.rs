//! Sees to it that what was asked for happens: on the control runtime, from what there is, again and again while
//! something is left to do.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::ending::Ending;
use super::events::PoolTotals;
use super::wait::{are_released, pools_of};
use super::{Mode, code};
use crate::clients::ClientState;
use crate::history::Average;
use crate::pools::Pool;
use crate::server::Server;
use crate::shared::Shared;

/// Between two rounds while something is left to do.
const ROUND: Duration = Duration::from_millis(20);
/// Between two looks at which pools have been measured for a minute.
const LOOK: Duration = Duration::from_secs(5);
/// Between two rounds of averages, unless the configuration has a word on it.
const STATS_PERIOD: Duration = Duration::from_secs(60);

/// Runs until the process stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let stopping = shared.context.shutdown.stopping();
    tokio::pin!(stopping);
    let mut look = Instant::now() + LOOK;
    let mut averages = Instant::now() + stats_period(&shared);
    let mut totals = next_totals(&shared);
    shared.history.start(&shared);
    loop {
        let asked = shared.controls.asked.notified();
        let busy = round(&shared);
        shared.controls.looked.notify_waiters();
        tokio::select! {
            () = &mut stopping => return,
            () = asked => {}
            () = sleep(ROUND), if busy => {}
            () = sleep_until(look) => {
                look = Instant::now() + LOOK;
                shared.history.note_minutes(&shared);
            }
            () = sleep_until(averages) => {
                averages = Instant::now() + stats_period(&shared);
                shared.history.note_averages(&shared);
            }
            () = sleep_until(totals.unwrap_or(look)), if totals.is_some() => {
                tell_totals(&shared);
                totals = next_totals(&shared);
            }
        }
        // It may have been switched on.
        totals = totals.or_else(|| next_totals(&shared));
    }
}

fn stats_period(shared: &Shared) -> Duration {
    let period = shared.controls.settings.get().map_or(STATS_PERIOD, |settings| settings.stats_period());
    // Averages over nothing are none.
    period.max(Duration::from_secs(1))
}

fn next_totals(shared: &Shared) -> Option<Instant> {
    let every = shared.plan.load().config.log.stats_every.get();
    (!every.is_zero()).then(|| Instant::now() + every)
}

fn tell_totals(shared: &Shared) {
    let Average { rows, .. } = shared.history.average(shared, None);
    let [_, transactions, queries, received, sent, transaction_us, query_us, wait_us, ..] = rows;
    shared.context.events.emit(PoolTotals {
        transactions,
        queries,
        received,
        sent,
        transaction_us,
        query_us,
        wait_us,
    });
}

/// One look at everything; whether something is left to do.
fn round(shared: &Arc<Shared>) -> bool {
    let mut busy = shared.controls.waiting.load(Ordering::SeqCst) > 0;
    let mode = shared.controls.mode();
    for pool in pools_of(shared, None) {
        let paused = shared.controls.is_paused(&pool.key.database);
        if paused && !matches!(mode, Mode::Suspended(_)) {
            close_free(shared, &pool);
            busy |= shared.ledger.counts(pool.id, shared.context.clock.now()).total() > 0;
        } else if busy {
            close_stale(shared, &pool);
        }
    }
    if let Mode::Suspended(since) = mode {
        busy |= end_suspension(shared, since);
    }
    busy | go_on_ending(shared)
}

/// Ends what keeps the process from being suspended in time; whether something does.
fn end_suspension(shared: &Shared, since: std::time::Instant) -> bool {
    if are_released(shared, None, true) {
        return false;
    }
    let limit = shared.plan.load().config.timeouts.suspend.get();
    if !limit.is_zero() && since.elapsed() >= limit {
        for client in shared.clients.all() {
            let served = client.server.lock().expect("no panic while a server is held").is_some();
            if served {
                client.kill(code(shared), "suspend_timeout");
            }
        }
    }
    true
}

/// Ends the process if it may end now; whether it is on its way.
fn go_on_ending(shared: &Shared) -> bool {
    let Some(ending) = shared.controls.wanted().ending else { return false };
    let over = match ending {
        Ending::Now => true,
        Ending::ServersReleased => {
            // They would wait for what never comes.
            for client in shared.clients.all() {
                if client.state() == ClientState::Waiting {
                    client.kill(code(shared), "server shutting down");
                }
            }
            are_released(shared, None, false)
        }
        // Those who are logging in have a seat already.
        Ending::ClientsLeft => shared.login.seats.taken() <= shared.controls.administrators(),
    };
    if over {
        shared.context.shutdown.stop();
    }
    true
}

/// Closes the pool's free connections.
pub(super) fn close_free(shared: &Shared, pool: &Pool) {
    close(shared, pool, |_| true);
}

/// Closes those of the pool's free connections that were opened before the pool was renewed.
pub(crate) fn close_stale(shared: &Shared, pool: &Pool) {
    let epoch = pool.epoch.load(Ordering::SeqCst);
    close(shared, pool, |server| server.epoch < epoch);
}

fn close(shared: &Shared, pool: &Pool, pick: impl Fn(&Server) -> bool) {
    let now = shared.context.clock.now();
    let picked = shared.ledger.take_idle_where(pool.id, now, |server, _, _| pick(server));
    picked.into_iter().for_each(|server| shared.close(server));
}
