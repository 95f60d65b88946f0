//! The cache's page and command in the console, and its figures for the whole process.

use std::sync::Arc;

use deepwater_cache::purge::Purge;
use deepwater_core::metrics::Registry;
use deepwater_core::{Call, Endpoint, Reply};
use serde_json::{Map, Value, json};

use crate::measure::{CACHE_RESULTS, names};
use crate::plan::Plan;
use crate::plane::InForce;

use super::HttpCache;

/// `GET /api/cache` and `POST /api/cache/purge`.
pub(crate) fn endpoints(force: &InForce, metrics: &Registry) -> [Endpoint; 2] {
    let (page, command) = (force.clone(), force.clone());
    let metrics = metrics.clone();
    [
        Endpoint::get("/api/cache", "The cache: what it holds, and what answered requests", move || {
            status(&page.plan(), &metrics)
        }),
        Endpoint::post(
            "/api/cache/purge",
            "Purge by tag, url, prefix, host or version, or all of it",
            move |call: Call| match &command.plan().cache {
                None => Reply::error(
                    409,
                    "no route caches, so there is nothing to purge: add `cache = true` to a route",
                ),
                Some(cache) => purge(cache, &call.body),
            },
        ),
    ]
}

fn purge(cache: &HttpCache, body: &[u8]) -> Reply {
    match Purge::parse(body).and_then(|purge| cache.purge(&purge)) {
        Ok(purged) => Reply::ok(&purged),
        Err(fault) => Reply::error(400, &fault),
    }
}

fn status(plan: &Plan, metrics: &Registry) -> Value {
    let Some(cache) = &plan.cache else { return json!({ "enabled": false, "routes": [] }) };
    let counters = cache.store.counters();
    let caching = plan.routes.iter().filter(|route| route.cache.is_some());
    let routes: Vec<Value> = caching.map(|route| route_row(metrics, &route.name)).collect();
    let versions: Map<String, Value> =
        cache.versions.all().into_iter().map(|(name, version)| (name, version.into())).collect();
    let purges: Map<String, Value> =
        cache.purges.all().map(|(name, count)| (name.to_owned(), count.into())).collect();
    json!({
        "enabled": true,
        "name": cache.name,
        "memory": {
            "bytes": cache.store.bytes(),
            "capacity": cache.store.capacity(),
            "objects": cache.store.len(),
            "largest": cache.store.max_weight(),
        },
        "store": {
            "inserted": counters.inserted,
            "replaced": counters.replaced,
            "removed": counters.removed,
            "evicted": counters.evicted,
            "ghost_hits": counters.ghost_hits,
            "rejected": counters.rejected,
        },
        "hit_ratio": hit_ratio(&CACHE_RESULTS.map(|result| {
            metrics.sum(names::CACHE_REQUESTS, &[("result", result)])
        })),
        "fetches_in_flight": cache.fetches.len(),
        "refreshes_in_flight": cache.refreshing(),
        "purges": purges,
        "versions": versions,
        "routes": routes,
    })
}

fn route_row(metrics: &Registry, route: &str) -> Value {
    let results = CACHE_RESULTS
        .map(|result| metrics.sum(names::CACHE_REQUESTS, &[("route", route), ("result", result)]));
    let [hits, stale, coalesced, revalidated, misses, bypassed] = results;
    let refreshed = |reason| metrics.sum(names::CACHE_REFRESHES, &[("route", route), ("reason", reason)]);
    json!({
        "name": route,
        "hits": hits,
        "stale": stale,
        "coalesced": coalesced,
        "revalidated": revalidated,
        "misses": misses,
        "bypassed": bypassed,
        "refreshed_early": refreshed("early"),
        "refreshed_stale": refreshed("stale"),
        "fetches": metrics.sum(names::CACHE_FETCHES, &[("route", route)]),
        "hit_ratio": hit_ratio(&results),
        "served_bytes": metrics.sum(names::CACHE_SERVED, &[("route", route)]),
    })
}

/// The share of requests answered without a fetch of their own; none before the first.
fn hit_ratio(results: &[u64; 6]) -> Option<f64> {
    let all: u64 = results.iter().sum();
    let answered: u64 = results[..4].iter().sum();
    (all > 0).then(|| answered as f64 / all as f64)
}

/// Offers the figures of the whole cache to whoever collects metrics, for as long as it is in use.
pub(crate) fn collect(cache: &Arc<HttpCache>, metrics: &Registry) {
    let cache = Arc::downgrade(cache);
    metrics.collect(move |sink| {
        let Some(cache) = cache.upgrade() else { return };
        let store = &cache.store;
        sink.gauge(names::CACHE_BYTES, "What the cache holds, overhead included.", &[], store.bytes() as f64);
        sink.gauge(names::CACHE_OBJECTS, "How many things the cache holds.", &[], store.len() as f64);
        let evicted = store.counters().evicted;
        sink.counter(names::CACHE_EVICTED, "What was dropped to make room.", &[], evicted);
        for (kind, count) in cache.purges.all() {
            let help = "Names purged, by what they are names of.";
            sink.counter(names::CACHE_PURGES, help, &[("kind", kind)], count);
        }
    });
}
