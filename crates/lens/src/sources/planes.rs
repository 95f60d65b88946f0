//! What the planes count, from the metrics they register: rates, means and levels of the last second.
//!
//! Metrics are read by their public names, so the lens needs no plane and a plane needs no lens.

mod before;
mod sums;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use deepwater_core::metrics::{Family, Reading, Registry, Sample};

use crate::signal::{self, Signal};
use crate::store::Store;

use before::Before;
use sums::{Storing, Sums};

/// Routes that are told apart; requests of further ones count in all, and together as [`OTHERS`].
const MOST_ROUTES: usize = 64;
/// The label of the routes that are not told apart.
pub(crate) const OTHERS: &str = "others";

/// The planes' metrics, and what they were a tick ago.
pub(crate) struct Planes {
    metrics: Registry,
    before: Before,
    routes: BTreeSet<String>,
}

impl Planes {
    pub(crate) fn new(metrics: Registry) -> Self {
        Self { metrics, before: Before::default(), routes: BTreeSet::new() }
    }

    /// Measures what happened in the `seconds` since the last time. The first time there is nothing to compare with.
    pub(crate) fn read(&mut self, store: &mut Store, seconds: f64) {
        let mut sums = Sums::default();
        for family in self.metrics.read() {
            self.family(&family, &mut sums);
        }
        self.before.forget_others();
        sums.tell(store, seconds);
    }

    fn family(&mut self, family: &Family, sums: &mut Sums) {
        for sample in &family.samples {
            let Some((kind, label)) = self.place(family.name, sample) else { continue };
            match (kind, &sample.reading) {
                (Kind::Level(signal), Reading::Number(value)) => sums.add(signal, label, *value),
                (Kind::Rate(signal), Reading::Number(total)) => {
                    if let Some(more) = self.before.more(family.name, &sample.labels, *total) {
                        sums.add_rate(signal, label, more);
                    }
                }
                (Kind::Rare(signal), Reading::Number(total)) => {
                    if let Some(more) = self.before.more(family.name, &sample.labels, *total) {
                        sums.add_rare(signal, label, more);
                    }
                }
                (Kind::Judged(storing), Reading::Number(total)) => {
                    if let Some(more) = self.before.more(family.name, &sample.labels, *total) {
                        sums.add_judged(label, storing, more);
                    }
                }
                (Kind::Cached(hit), Reading::Number(total)) => {
                    if let Some(more) = self.before.more(family.name, &sample.labels, *total) {
                        sums.add_cached(label, hit, more);
                    }
                }
                (Kind::Times(times), Reading::Durations(total)) => {
                    if let Some(recent) = self.before.recent(family.name, &sample.labels, total) {
                        sums.add_times(times, label, &recent);
                    }
                }
                _ => {}
            }
        }
    }

    /// What a series of a metric tells, and of which route or pool.
    fn place(&mut self, name: &str, sample: &Sample) -> Option<(Kind, String)> {
        use Kind::{Cached, Judged, Level, Rare, Rate, Times};
        let label = |name| sample.label(name).unwrap_or_default();
        Some(match name {
            "deepwater_edge_requests_total" if label("status") == "5xx" => {
                (Rate(&signal::ERRORS), self.route(sample))
            }
            "deepwater_edge_denied_total" => (Rare(&signal::DENIED), self.route(sample)),
            "deepwater_edge_sampled_total" if label("seen") == "again" => {
                (Rare(&signal::REPEATS), self.route(sample))
            }
            "deepwater_edge_repeats_judged_total" => {
                let storing = match label("stored").as_str() {
                    "as_is" => Storing::AsIs,
                    "with_lifetime" => Storing::WithLifetime,
                    _ => Storing::Else,
                };
                (Judged(storing), self.route(sample))
            }
            "deepwater_edge_request_duration_seconds" => (Times(&ANSWERED), self.route(sample)),
            "deepwater_edge_in_flight" => (Level(&signal::IN_FLIGHT), self.route(sample)),
            "deepwater_edge_sent_bytes_total" => (Rate(&signal::SENT), String::new()),
            "deepwater_edge_received_bytes_total" => (Rate(&signal::RECEIVED), String::new()),
            "deepwater_edge_connections" => (Level(&signal::CONNECTIONS), String::new()),
            "deepwater_edge_upstream_response_seconds" => (Times(&UPSTREAM), label("pool")),
            "deepwater_edge_upstream_wait_seconds" => (Times(&UPSTREAM_WAIT), label("pool")),
            "deepwater_edge_upstream_concurrency_limit" => (Level(&signal::UPSTREAM_LIMIT), label("pool")),
            "deepwater_edge_upstream_shed_total" => (Rate(&signal::SHED), label("pool")),
            "deepwater_postgres_use_seconds" => (Times(&POOL_USE), user(sample)),
            "deepwater_postgres_wait_seconds" => (Times(&POOL_WAITED), user(sample)),
            "deepwater_postgres_pool_size" => (Level(&signal::POOL_SIZE), user(sample)),
            "deepwater_postgres_queries_total" => (Rate(&signal::QUERIES), user(sample)),
            "deepwater_postgres_transactions_total" => (Rate(&signal::TRANSACTIONS), user(sample)),
            "deepwater_postgres_refused_total" => (Rate(&signal::POOL_REFUSED), user(sample)),
            "deepwater_postgres_pins_total" => (Rate(&signal::PINS), user(sample)),
            "deepwater_cache_requests_total" => match label("result").as_str() {
                "bypass" => return None,
                result => (Cached(matches!(result, "hit" | "stale" | "coalesced")), label("route")),
            },
            "deepwater_cache_fetches_total" => (Rate(&signal::CACHE_FETCHES), label("route")),
            "deepwater_cache_bytes" => (Level(&signal::CACHE_BYTES), String::new()),
            "deepwater_cache_evicted_total" => (Rate(&signal::CACHE_EVICTED), String::new()),
            _ => return None,
        })
    }

    /// The route a series belongs to, or what further ones are called together.
    fn route(&mut self, sample: &Sample) -> String {
        let route = sample.label("route").unwrap_or_default();
        if self.routes.contains(&route) {
            return route;
        }
        // A route counts from its first request.
        if sample.number() == 0.0 || self.routes.len() >= MOST_ROUTES {
            return OTHERS.into();
        }
        self.routes.insert(route.clone());
        route
    }
}

/// `database/user`
fn user(sample: &Sample) -> String {
    let label = |name| sample.label(name).unwrap_or_default();
    format!("{}/{}", label("database"), label("user"))
}

/// What a metric tells.
enum Kind {
    /// Its value.
    Level(&'static Signal),
    /// Its growth in a second.
    Rate(&'static Signal),
    /// Its growth in a second, which for most labels is always nought: only of others there is a series.
    Rare(&'static Signal),
    /// Its growth in a second is a part of the answers that were looked at, and what a cache would do with them.
    Judged(Storing),
    /// Its growth in a second is a part of what was asked of the cache, and whether the cache had it.
    Cached(bool),
    /// How many there were in a second, how long they took, and how many were under way (Little's law).
    Times(&'static TimeSignals),
}

/// What durations tell.
struct TimeSignals {
    rate: Option<&'static Signal>,
    mean: Option<&'static Signal>,
    /// Mean number under way: their durations, summed up, in each second.
    level: Option<&'static Signal>,
    p95: Option<&'static Signal>,
    /// Variance over the square of the mean.
    variation: Option<&'static Signal>,
    /// Whether there is one of all labels together.
    total: bool,
}

static ANSWERED: TimeSignals = TimeSignals {
    rate: Some(&signal::REQUESTS),
    mean: Some(&signal::LATENCY),
    level: None,
    p95: Some(&signal::LATENCY_P95),
    variation: None,
    total: true,
};
static UPSTREAM: TimeSignals = TimeSignals {
    rate: Some(&signal::UPSTREAM_RATE),
    mean: Some(&signal::UPSTREAM_SECONDS),
    level: Some(&signal::UPSTREAM_BUSY),
    p95: None,
    variation: None,
    total: false,
};
static UPSTREAM_WAIT: TimeSignals = TimeSignals {
    rate: None,
    mean: None,
    level: Some(&signal::UPSTREAM_WAITING),
    p95: None,
    variation: None,
    total: false,
};
static POOL_USE: TimeSignals = TimeSignals {
    rate: Some(&signal::POOL_RATE),
    mean: Some(&signal::POOL_HOLD),
    level: Some(&signal::POOL_BUSY),
    p95: None,
    variation: Some(&signal::POOL_HOLD_VARIATION),
    total: false,
};
static POOL_WAITED: TimeSignals = TimeSignals {
    rate: None,
    mean: Some(&signal::POOL_WAIT),
    level: Some(&signal::POOL_WAITING),
    p95: Some(&signal::POOL_WAIT_P95),
    variation: None,
    total: false,
};
