//! What the console and metrics show.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use deepwater_core::Endpoint;
use deepwater_core::metrics::Distribution;
use serde_json::{Map, Value, json};

use super::Bound;
use crate::advice;
use crate::config::PoolMode;
use crate::ledger::Counts;
use crate::measure::{PINS, names};
use crate::pools::Pool;
use crate::shared::Shared;

/// What lives in the ledger, told at every scrape.
pub(super) fn collect(shared: &Arc<Shared>) {
    let weak = Arc::downgrade(shared);
    shared.context.metrics.collect(move |sink| {
        let Some(shared) = weak.upgrade() else { return };
        let clients = "Client connections that are logged in.";
        sink.gauge("deepwater_postgres_client_connections", clients, &[], shared.clients.len() as f64);
        let now = shared.context.clock.now();
        for pool in shared.pools.all() {
            let counts = shared.ledger.counts(pool.id, now);
            let labels = [("database", &*pool.key.database), ("user", &*pool.key.user)];
            let servers = "Server connections, by what they do.";
            for (state, count) in
                [("idle", counts.idle), ("active", counts.used), ("connecting", counts.connecting)]
            {
                let labels = [labels[0], labels[1], ("state", state)];
                sink.gauge("deepwater_postgres_server_connections", servers, &labels, count as f64);
            }
            let mut gauge = |name, help, value: f64| sink.gauge(name, help, &labels, value);
            gauge(
                "deepwater_postgres_pool_clients",
                "Clients of the pool.",
                pool.clients.load(Ordering::Relaxed) as f64,
            );
            gauge("deepwater_postgres_waiting_clients", "Clients in the queue.", counts.waiting as f64);
            gauge(
                "deepwater_postgres_longest_wait_seconds",
                "How long the first in the queue has waited.",
                counts.longest_wait.as_secs_f64(),
            );
            let limits = shared.plan.load().limits(&pool.settings.load().database, &pool.key.user);
            gauge(
                "deepwater_postgres_pool_size",
                "Server connections the pool may have.",
                limits.size as f64,
            );
        }
    });
}

pub(super) fn not_ready(shared: &Shared) -> Vec<String> {
    let now = shared.context.clock.now();
    let failing = |pool: &Arc<Pool>| {
        let counts = shared.ledger.counts(pool.id, now);
        (counts.failing && counts.total() == 0)
            .then(|| format!("no server of database {} can be connected to", pool.key.database))
    };
    shared.pools.all().iter().filter_map(failing).collect()
}

pub(super) fn status(shared: &Arc<Shared>, addresses: &[Bound]) -> impl Fn() -> Value + Send + Sync + use<> {
    let shared = Arc::clone(shared);
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    move || {
        let metrics = &shared.context.metrics;
        let now = shared.context.clock.now();
        let counts: Vec<_> =
            shared.pools.all().iter().map(|pool| shared.ledger.counts(pool.id, now)).collect();
        json!({
            "queries": metrics.sum(names::QUERIES, &[]),
            "transactions": metrics.sum(names::TRANSACTIONS, &[]),
            "clients": shared.clients.len(),
            "waiting": counts.iter().map(|counts| counts.waiting).sum::<usize>(),
            "servers": counts.iter().map(Counts::total).sum::<usize>(),
            "wait": quantiles(&metrics.distribution(names::WAIT, &[])),
            "listeners": addresses,
        })
    }
}

pub(super) fn endpoints(shared: &Arc<Shared>) -> Vec<Endpoint> {
    let pools = Arc::clone(shared);
    vec![Endpoint::get(
        "/api/postgres/pools",
        "Pools of PostgreSQL connections and how they are",
        move || {
            let rows: Vec<Value> = pools.pools.all().iter().map(|pool| row(&pools, pool)).collect();
            json!({ "pools": rows })
        },
    )]
}

fn row(shared: &Shared, pool: &Pool) -> Value {
    let metrics = &shared.context.metrics;
    let labels = [("database", &*pool.key.database), ("user", &*pool.key.user)];
    let sum = |name| metrics.sum(name, &labels);
    let counts = shared.ledger.counts(pool.id, shared.context.clock.now());
    let settings = pool.settings.load();
    let limits = shared.plan.load().limits(&settings.database, &pool.key.user);
    let last_minute = shared.history.latest(&pool.key);
    let pins: Map<String, Value> = PINS
        .iter()
        .map(|reason| {
            let labels = [labels[0], labels[1], ("reason", reason)];
            ((*reason).to_owned(), metrics.sum(names::PINS, &labels).into())
        })
        .collect();
    json!({
        "database": &*pool.key.database,
        "user": &*pool.key.user,
        "mode": mode_name(settings.mode),
        "size": limits.size,
        "min_size": limits.min,
        "reserve_size": limits.reserve,
        "clients": pool.clients.load(Ordering::Relaxed),
        "waiting": counts.waiting,
        "longest_wait_ms": counts.longest_wait.as_secs_f64() * 1e3,
        "servers": { "idle": counts.idle, "active": counts.used, "connecting": counts.connecting },
        "paused": counts.paused,
        "failing": counts.failing,
        "queries": sum(names::QUERIES),
        "queries_per_second": last_minute.map(|minute| minute.queries as f64 / minute.seconds.max(1.0)),
        "transactions": sum(names::TRANSACTIONS),
        "bytes": { "received": sum(names::RECEIVED), "sent": sum(names::SENT) },
        "wait_seconds": sum(names::WAIT_MICROS) as f64 / 1e6,
        "wait": quantiles(&metrics.distribution(names::WAIT, &labels)),
        "use": quantiles(&metrics.distribution(names::USE, &labels)),
        "refused": sum(names::REFUSED),
        "advice": advice::of(shared, pool),
        "pins": pins,
    })
}

/// Milliseconds; null without observations.
fn quantiles(distribution: &Distribution) -> Value {
    let ms = |q| distribution.quantile(q).map(|duration| duration.as_secs_f64() * 1e3);
    json!({ "count": distribution.count(), "p50_ms": ms(0.5), "p95_ms": ms(0.95), "p99_ms": ms(0.99) })
}

/// The word of the configuration.
pub(crate) fn mode_name(mode: PoolMode) -> &'static str {
    match mode {
        PoolMode::Session => "session",
        PoolMode::Transaction => "transaction",
        PoolMode::Statement => "statement",
    }
}
