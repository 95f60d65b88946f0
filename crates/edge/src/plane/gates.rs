//! What gates, breakers, rates and idempotency keys look like from outside.

use std::collections::BTreeMap;

use deepwater_core::metrics::{Registry, Sink};
use deepwater_upstream::{Priority, Shed};
use serde_json::{Value, json};

use crate::idempotency;
use crate::measure::names;
use crate::plan::{Plan, PoolPlan};

use super::force::InForce;

/// Shows the gates of all pools and the rates of all routes in the metrics.
pub(super) fn collect(force: &InForce, metrics: &Registry) {
    let force = force.clone();
    metrics.collect(move |sink| {
        let plan = &force.now().plan;
        plan.pools.iter().for_each(|pool| gate(pool, sink));
        rates(plan, sink);
        plan.keys.iter().for_each(|keys| idempotency::show(keys, sink));
    });
}

fn gate(pool: &PoolPlan, sink: &mut Sink) {
    let Some(gate) = &pool.gate else { return };
    let status = gate.status();
    let labels = [("pool", pool.name.as_str())];
    let help = "Requests that may be with the targets at once.";
    sink.gauge(names::CONCURRENCY, help, &labels, f64::from(status.limit));
    let help = "Requests that are with the targets, where their number is limited.";
    sink.gauge(names::ADMITTED, help, &labels, f64::from(status.in_flight));
    for (priority, waiting) in Priority::ALL.iter().zip(status.waiting) {
        let labels = [labels[0], ("priority", priority.as_str())];
        sink.gauge(names::WAITING, "Requests in the waiting room.", &labels, f64::from(waiting));
    }
    for (reason, shed) in Shed::ALL.iter().zip(status.shed) {
        let labels = [labels[0], ("reason", reason.as_str())];
        sink.counter(names::SHED, "Requests that did not get their turn, by reason.", &labels, shed);
    }
}

fn rates(plan: &Plan, sink: &mut Sink) {
    let mut forgotten = BTreeMap::<&str, u64>::new();
    for route in &plan.routes {
        let Some(keys) = route.guard.as_ref().and_then(|guard| guard.forgotten_keys()) else { continue };
        // Routes may share a name.
        *forgotten.entry(&route.name).or_default() += keys;
    }
    let help = "Keys of a rate limit that had to be forgotten while they were in use: max_keys is too low.";
    for (route, keys) in forgotten {
        sink.counter(names::RATE_KEYS_FORGOTTEN, help, &[("route", route)], keys);
    }
}

/// A pool, its targets, and what guards them.
pub(super) fn pool(pool: &PoolPlan) -> Value {
    let mut page = serde_json::to_value(pool.targets.status()).unwrap_or_default();
    if let Value::Object(page) = &mut page {
        page.insert("breakers".into(), pool.breakers.status());
        let gate = pool.gate.as_ref().map(|gate| {
            let status = gate.status();
            let waiting: serde_json::Map<_, _> = Priority::ALL
                .iter()
                .zip(status.waiting)
                .map(|(p, n)| (p.as_str().to_owned(), n.into()))
                .collect();
            let shed: serde_json::Map<_, _> = Shed::ALL
                .iter()
                .zip(status.shed)
                .map(|(why, n)| (why.as_str().to_owned(), n.into()))
                .collect();
            json!({
                "limit": status.limit,
                "in_flight": status.in_flight,
                "waiting": waiting,
                "overloaded": status.overloaded,
                "shed": shed,
            })
        });
        page.insert("concurrency".into(), json!(gate));
    }
    page
}
