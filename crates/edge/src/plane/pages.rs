//! What the console shows of the edge, and the commands it passes on. All of it follows what is in force.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use deepwater_core::metrics::{Distribution, Recent, Registry};
use deepwater_core::{Call, Context, Endpoint, Reply};
use deepwater_upstream::Pool;
use serde_json::{Value, json};

use crate::cache;
use crate::exchange::UNROUTED;
use crate::measure::{CLASSES, names};
use crate::plan::Action;

use super::force::InForce;

/// Totals and listeners, for `/api/status`.
pub(super) fn status(context: &Context, force: &InForce) -> impl Fn() -> Value + Send + Sync + use<> {
    let (metrics, force) = (context.metrics.clone(), force.clone());
    let (recent, clock) = (Recent::default(), Arc::clone(&context.clock));
    move || {
        let durations = recent.of(clock.now(), metrics.distribution(names::DURATION, &[]));
        let listeners: Vec<Value> = force
            .now()
            .listeners
            .iter()
            .map(|listening| {
                let tls = listening.plan.tls.as_ref();
                json!({
                    "address": listening.address(),
                    "protocol": listening.protocol(),
                    "tls": tls.is_some(),
                    "certificates": tls.map(|tls| tls.status()),
                })
            })
            .collect();
        json!({
            "requests": metrics.sum(names::REQUESTS, &[]),
            "in_flight": metrics.level(names::IN_FLIGHT, &[]),
            "latency": percentiles(&durations),
            "connections": {
                "open": metrics.level(names::CONNECTIONS, &[]),
                "accepted": metrics.sum(names::ACCEPTED, &[]),
            },
            "bytes": { "in": metrics.sum(names::RECEIVED, &[]), "out": metrics.sum(names::SENT, &[]) },
            "listeners": listeners,
        })
    }
}

/// Pages and commands for the console.
pub(super) fn endpoints(context: &Context, force: &InForce) -> Vec<Endpoint> {
    let (log, pools) = (force.clone(), force.clone());
    let [cache_page, cache_purge] = cache::endpoints(force, &context.metrics);
    vec![
        Endpoint::post(
            "/api/edge/access-log/reopen",
            "Open the access log anew, after rotating it",
            move |_| {
                log.now().log.log.reopen();
                Reply::ok(&json!({ "reopened": true }))
            },
        ),
        Endpoint::get("/api/edge/pools", "Pools, their targets and how they are", move || {
            let pools: Vec<_> = pools.plan().pools.iter().map(|pool| super::gates::pool(pool)).collect();
            json!({ "pools": pools })
        }),
        routes(context, force),
        cache_page,
        cache_purge,
        target_command(
            force,
            "/api/edge/pools/{pool}/targets/{target}/drain",
            "Send a target no new requests",
            Pool::drain,
        ),
        target_command(
            force,
            "/api/edge/pools/{pool}/targets/{target}/undrain",
            "Send a drained target requests again",
            Pool::undrain,
        ),
    ]
}

fn routes(context: &Context, force: &InForce) -> Endpoint {
    let (metrics, clock, force) = (context.metrics.clone(), Arc::clone(&context.clock), force.clone());
    // By name: a route is the same after a reload if its name is.
    let recent = Mutex::new(HashMap::<String, Recent>::new());
    Endpoint::get("/api/edge/routes", "Routes, their requests and latencies", move || {
        let plan = force.plan();
        let mut recent = recent.lock().expect("no panic while moments are held");
        recent.retain(|name, _| name == UNROUTED || plan.routes.iter().any(|route| route.name == *name));
        let routes = plan.routes.iter().map(|route| {
            let pool = match &route.action {
                Action::Pool(index) => Some(plan.pools[*index].name.as_str()),
                _ => None,
            };
            (route.name.as_str(), pool)
        });
        let rows: Vec<Value> = routes
            .chain([(UNROUTED, None)])
            .map(|(name, pool)| {
                let recent = recent.entry(name.to_owned()).or_default();
                route_row(&metrics, clock.now(), recent, name, pool)
            })
            .collect();
        json!({ "routes": rows })
    })
}

fn target_command(
    force: &InForce,
    path: &'static str,
    about: &'static str,
    act: impl Fn(&Pool, &str) -> bool + Send + Sync + 'static,
) -> Endpoint {
    let force = force.clone();
    Endpoint::post(path, about, move |call: Call| {
        let [pool_name, target] = call.parameters.as_slice() else {
            return Reply::error(400, "the path must name a pool and a target");
        };
        let plan = force.plan();
        let Some(pool) = plan.pools.iter().find(|pool| pool.name == *pool_name) else {
            return Reply::error(404, &format!("there is no pool named `{pool_name}`"));
        };
        if act(&pool.targets, target) {
            Reply::ok(&pool.targets.status())
        } else {
            Reply::error(404, &format!("pool `{pool_name}` has no target `{target}`"))
        }
    })
}

/// Percentiles in milliseconds; null without observations.
fn percentiles(durations: &Distribution) -> Value {
    let ms = |q| durations.quantile(q).map(|duration| duration.as_secs_f64() * 1e3);
    json!({ "p50_ms": ms(0.5), "p95_ms": ms(0.95), "p99_ms": ms(0.99) })
}

fn route_row(metrics: &Registry, now: Instant, recent: &Recent, route: &str, pool: Option<&str>) -> Value {
    let count = |class| metrics.sum(names::REQUESTS, &[("route", route), ("status", class)]);
    let requests: serde_json::Map<String, Value> =
        CLASSES.iter().map(|class| ((*class).to_owned(), count(class).into())).collect();
    let durations = recent.of(now, metrics.distribution(names::DURATION, &[("route", route)]));
    let mut row = json!({
        "name": route,
        "pool": pool,
        "requests": requests,
        "in_flight": metrics.level(names::IN_FLIGHT, &[("route", route)]),
    });
    if let (Some(row), Value::Object(percentiles)) = (row.as_object_mut(), percentiles(&durations)) {
        row.extend(percentiles);
    }
    row
}
