//! The edge's metrics, registered before the first request so that counting one is a store.

use std::cell::{Cell, OnceCell};
use std::time::Duration;

use deepwater_core::metrics::{Counter, Gauge, Histogram, Registry};
use http::StatusCode;

use crate::failure::Failure;
use crate::hostile::Hostile;
use crate::idempotency::KeyMetrics;

/// Status classes, in the order of their counters.
pub(crate) const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Names other parts read these metrics by.
pub(crate) mod names {
    pub(crate) const REQUESTS: &str = "deepwater_edge_requests_total";
    pub(crate) const IN_FLIGHT: &str = "deepwater_edge_in_flight";
    pub(crate) const DURATION: &str = "deepwater_edge_request_duration_seconds";
    pub(crate) const CONNECTIONS: &str = "deepwater_edge_connections";
    pub(crate) const ACCEPTED: &str = "deepwater_edge_accepted_total";
    pub(crate) const RECEIVED: &str = "deepwater_edge_received_bytes_total";
    pub(crate) const SENT: &str = "deepwater_edge_sent_bytes_total";
    pub(crate) const FAILURES: &str = "deepwater_edge_failures_total";
    pub(crate) const STICKY_MOVED: &str = "deepwater_edge_sticky_moved_total";
    pub(crate) const UPSTREAM: &str = "deepwater_edge_upstream_response_seconds";
    pub(crate) const WAITED: &str = "deepwater_edge_upstream_wait_seconds";
    pub(crate) const CONCURRENCY: &str = "deepwater_edge_upstream_concurrency_limit";
    pub(crate) const ADMITTED: &str = "deepwater_edge_upstream_admitted";
    pub(crate) const WAITING: &str = "deepwater_edge_upstream_waiting";
    pub(crate) const SHED: &str = "deepwater_edge_upstream_shed_total";
    pub(crate) const CONNECTS: &str = "deepwater_edge_upstream_connects_total";
    pub(crate) const REUSED: &str = "deepwater_edge_upstream_reused_total";
    pub(crate) const RETRIES: &str = "deepwater_edge_upstream_retries_total";
    pub(crate) const LOG_DROPPED: &str = "deepwater_edge_access_log_dropped_total";
    pub(crate) const DENIED: &str = "deepwater_edge_denied_total";
    pub(crate) const SAMPLED: &str = "deepwater_edge_sampled_total";
    pub(crate) const JUDGED: &str = "deepwater_edge_repeats_judged_total";
    pub(crate) const CACHE_REQUESTS: &str = "deepwater_cache_requests_total";
    pub(crate) const CACHE_REFRESHES: &str = "deepwater_cache_refreshes_total";
    pub(crate) const CACHE_FETCHES: &str = "deepwater_cache_fetches_total";
    pub(crate) const CACHE_SERVED: &str = "deepwater_cache_served_bytes_total";
    pub(crate) const CACHE_BYTES: &str = "deepwater_cache_bytes";
    pub(crate) const CACHE_OBJECTS: &str = "deepwater_cache_objects";
    pub(crate) const CACHE_EVICTED: &str = "deepwater_cache_evicted_total";
    pub(crate) const CACHE_PURGES: &str = "deepwater_cache_purges_total";
    pub(crate) const IDLE: &str = "deepwater_edge_upstream_idle_connections";
    pub(crate) const RATE_LIMITED: &str = "deepwater_edge_rate_limited_total";
    pub(crate) const RATE_KEYS_FORGOTTEN: &str = "deepwater_edge_rate_limit_keys_forgotten_total";
    pub(crate) const AUTH: &str = "deepwater_edge_auth_total";
    pub(crate) const AUTH_CHECKS: &str = "deepwater_edge_auth_checks_total";
    pub(crate) const KEY_FETCHES: &str = "deepwater_edge_auth_key_fetches_total";
}

/// Of one core.
pub(crate) struct EdgeMetrics {
    pub accepted: Counter,
    pub connections: Gauge,
    pub received_bytes: Counter,
    pub sent_bytes: Counter,
    pub hostile: Hostile,
    failures: Vec<Counter>,
}

impl EdgeMetrics {
    pub fn register(registry: &Registry) -> Self {
        let failure = |failure: &Failure| {
            let (error, blame) = (failure.error(), failure.blame().as_str());
            let status = failure.status();
            let labels = [("error", error), ("blame", blame), ("status", status.as_str())];
            registry.counter(names::FAILURES, "Requests that failed, by RFC 9209 error and blame.", &labels)
        };
        Self {
            accepted: registry.counter(names::ACCEPTED, "Client connections accepted.", &[]),
            connections: registry.gauge(names::CONNECTIONS, "Client connections open.", &[]),
            received_bytes: registry.counter(
                names::RECEIVED,
                "Bytes of request bodies and tunnels received.",
                &[],
            ),
            sent_bytes: registry.counter(names::SENT, "Bytes of response bodies and tunnels sent.", &[]),
            hostile: Hostile::register(registry),
            failures: Failure::ALL.iter().map(failure).collect(),
        }
    }

    pub fn failed(&self, failure: Failure) {
        if let Some(position) = Failure::ALL.iter().position(|known| *known == failure) {
            self.failures[position].increment();
        }
    }
}

/// How requests of routes that cache are answered, as labels and in the console.
pub(crate) const CACHE_RESULTS: [&str; 6] = ["hit", "stale", "coalesced", "revalidated", "miss", "bypass"];

/// Of the cache, for one route on one core.
pub(crate) struct CacheMetrics {
    /// From the store, fresh.
    pub hits: Counter,
    /// From the store, stale.
    pub stale: Counter,
    /// With what another request's fetch brought.
    pub coalesced: Counter,
    /// From the store, after the origin had said that it is current.
    pub revalidated: Counter,
    /// With what its own fetch brought.
    pub misses: Counter,
    /// By the origin, past the cache.
    pub bypassed: Counter,
    pub refreshed_early: Counter,
    pub refreshed_stale: Counter,
    /// Requests to the origin that fill the cache.
    pub fetches: Counter,
    pub served_bytes: Counter,
}

impl CacheMetrics {
    fn register(registry: &Registry, route: &str) -> Self {
        let result = |result| {
            let help = "Requests on routes that cache, by what answered them.";
            registry.counter(names::CACHE_REQUESTS, help, &[("route", route), ("result", result)])
        };
        let refresh = |reason| {
            let help = "Refreshes in the background, by reason.";
            registry.counter(names::CACHE_REFRESHES, help, &[("route", route), ("reason", reason)])
        };
        let [hits, stale, coalesced, revalidated, misses, bypassed] = CACHE_RESULTS.map(result);
        let labels = [("route", route)];
        Self {
            hits,
            stale,
            coalesced,
            revalidated,
            misses,
            bypassed,
            refreshed_early: refresh("early"),
            refreshed_stale: refresh("stale"),
            fetches: registry.counter(
                names::CACHE_FETCHES,
                "Requests to origins that fill the cache.",
                &labels,
            ),
            served_bytes: registry.counter(names::CACHE_SERVED, "Body bytes served by the cache.", &labels),
        }
    }
}

/// What a cache would do with an answer that was asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storing {
    /// It states a lifetime of a minute or more.
    AsIs,
    /// It states a shorter one.
    Briefly,
    /// It states none, and may be given one.
    WithLifetime,
    /// It is for one client alone, or not to be kept.
    Never,
}

impl Storing {
    const ALL: [(Self, &str); 4] = [
        (Self::AsIs, "as_is"),
        (Self::Briefly, "briefly"),
        (Self::WithLifetime, "with_lifetime"),
        (Self::Never, "never"),
    ];
}

/// Of what is asked for again on a route that does not cache, on one core.
pub(crate) struct RepeatMetrics {
    pub first: Counter,
    pub again: Counter,
    judged: [Counter; 4],
    /// Until the next answer is judged.
    pub until_judged: Cell<u32>,
}

impl RepeatMetrics {
    pub fn register(registry: &Registry, route: &str) -> Self {
        let sampled = |seen| {
            let help = "GET requests without Authorization on routes that do not cache, by whether the same had been \
                        asked for in the minute before; estimated from a sample.";
            registry.counter(names::SAMPLED, help, &[("route", route), ("seen", seen)])
        };
        let judged = |(_, stored)| {
            let help =
                "Answers of those asked for again that were looked at, by whether a cache would store them.";
            registry.counter(names::JUDGED, help, &[("route", route), ("stored", stored)])
        };
        Self {
            first: sampled("first"),
            again: sampled("again"),
            judged: Storing::ALL.map(judged),
            until_judged: Cell::new(0),
        }
    }

    pub fn judged(&self, storing: Storing) {
        if let Some(position) = Storing::ALL.iter().position(|(known, _)| *known == storing) {
            self.judged[position].increment();
        }
    }
}

/// Of one `[auth.<name>]` on one core.
pub(crate) struct AuthMetrics {
    /// Let in with what they proved.
    pub accepted: Counter,
    /// Let in with nothing, where that is allowed.
    pub anonymous: Counter,
    /// Came with nothing.
    pub missing: Counter,
    /// Came with what cannot be read.
    pub malformed: Counter,
    /// Came with what does not hold.
    pub invalid: Counter,
    /// Have proved who they are, and may not.
    pub insufficient: Counter,
    /// Could not be judged.
    pub unavailable: Counter,
    /// Tokens and passwords known from shortly before.
    pub remembered: Counter,
    /// Tokens and passwords that had to be verified.
    pub verified: Counter,
}

impl AuthMetrics {
    pub fn register(registry: &Registry, auth: &str) -> Self {
        let result = |result| {
            let help = "Requests on routes with auth, by what came of their proof.";
            registry.counter(names::AUTH, help, &[("auth", auth), ("result", result)])
        };
        let check = |cache| {
            let help = "Tokens and passwords looked at, by whether they were remembered.";
            registry.counter(names::AUTH_CHECKS, help, &[("auth", auth), ("cache", cache)])
        };
        Self {
            accepted: result("accepted"),
            anonymous: result("anonymous"),
            missing: result("missing"),
            malformed: result("malformed"),
            invalid: result("invalid"),
            insufficient: result("insufficient"),
            unavailable: result("unavailable"),
            remembered: check("hit"),
            verified: check("miss"),
        }
    }
}

/// Of one route on one core.
pub(crate) struct RouteMetrics {
    /// If it caches.
    pub cache: Option<CacheMetrics>,
    /// Since the first request that could repeat, if it does not cache.
    pub repeats: OnceCell<RepeatMetrics>,
    /// If it honours idempotency keys.
    pub keys: Option<KeyMetrics>,
    /// Refused because too many had come.
    pub rate_limited: Counter,
    /// Answered with 401 or 403, by whomever.
    denied: Counter,
    requests: [Counter; 5],
    in_flight: Gauge,
    duration: Histogram,
}

impl RouteMetrics {
    pub fn register(registry: &Registry, route: &str, (caches, keyed): (bool, bool)) -> Self {
        let class = |class| {
            let labels = [("route", route), ("status", class)];
            registry.counter(names::REQUESTS, "Requests answered, by route and status class.", &labels)
        };
        let labels = [("route", route)];
        Self {
            cache: caches.then(|| CacheMetrics::register(registry, route)),
            repeats: OnceCell::new(),
            keys: keyed.then(|| KeyMetrics::register(registry, route)),
            rate_limited: registry.counter(
                names::RATE_LIMITED,
                "Requests refused by a route's rate limit.",
                &labels,
            ),
            denied: registry.counter(names::DENIED, "Requests answered with 401 or 403, by route.", &labels),
            requests: CLASSES.map(class),
            in_flight: registry.gauge(names::IN_FLIGHT, "Requests under way.", &labels),
            duration: registry.histogram(
                names::DURATION,
                "From a request's head to its answer's end.",
                &labels,
            ),
        }
    }

    #[inline]
    pub fn answered(&self, status: StatusCode, duration: Duration) {
        self.requests[usize::from(status.as_u16() / 100).clamp(1, 5) - 1].increment();
        if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
            self.denied.increment();
        }
        self.duration.observe(duration);
    }

    /// Counts a request as under way until the guard is dropped, however it ends.
    #[inline]
    pub fn begin(&self) -> InFlight<'_> {
        self.in_flight.add(1);
        InFlight(&self.in_flight)
    }
}

/// A request under way.
pub(crate) struct InFlight<'a>(&'a Gauge);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}

/// Of one pool on one core.
pub(crate) struct PoolMetrics {
    pub response: Histogram,
    /// Time in the waiting room.
    pub waited: Histogram,
    pub connects: Counter,
    pub reused: Counter,
    pub retries: Counter,
    pub sticky_moved: Counter,
    pub idle: Level,
}

impl PoolMetrics {
    pub fn register(registry: &Registry, pool: &str) -> Self {
        let labels = [("pool", pool)];
        let counter = |name, help| registry.counter(name, help, &labels);
        Self {
            response: registry.histogram(
                names::UPSTREAM,
                "From choosing a target to its response head.",
                &labels,
            ),
            waited: registry.histogram(names::WAITED, "Time in a pool's waiting room.", &labels),
            connects: counter(names::CONNECTS, "Connections opened to targets."),
            reused: counter(names::REUSED, "Requests sent over a connection used before."),
            retries: counter(names::RETRIES, "Requests sent again, to the same or another target."),
            sticky_moved: counter(
                names::STICKY_MOVED,
                "Clients moved because the target they stuck to was gone.",
            ),
            idle: Level {
                gauge: registry.gauge(names::IDLE, "Idle connections to targets.", &labels),
                last: Cell::new(0),
            },
        }
    }
}

/// A gauge that is set rather than changed.
pub(crate) struct Level {
    gauge: Gauge,
    last: Cell<i64>,
}

impl Level {
    pub fn set(&self, value: i64) {
        self.gauge.add(value - self.last.replace(value));
    }
}
