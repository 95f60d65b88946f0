//! What a series of a metric tells, and of which route or pool.

use std::sync::Arc;

use deepwater_core::metrics::Sample;

use super::sums::Storing;
use super::times::{ANSWERED, POOL_USE, POOL_WAITED, TimeSignals, UPSTREAM, UPSTREAM_WAIT};
use crate::signal::{self, Signal};

/// Where what a series tells belongs.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) of: Of,
}

/// What it is about.
#[derive(Clone)]
pub(super) enum Of {
    /// This label.
    Label(Arc<str>),
    /// This route, if it is told apart.
    Route(Arc<str>),
}

/// What a metric tells.
#[derive(Clone, Copy)]
pub(super) enum Kind {
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
    /// Requests of a route that are under way.
    UnderWay,
    /// Requests with the application, where their number is limited.
    Admitted,
}

impl Place {
    /// None for what tells nothing.
    pub(super) fn of(name: &str, sample: &Sample) -> Option<Self> {
        use Kind::{Admitted, Cached, Judged, Level, Rare, Rate, Times, UnderWay};
        let label = |name| sample.label(name).unwrap_or_default();
        let whole = |kind| Self { kind, of: Of::Label("".into()) };
        let route = |kind| Self { kind, of: Of::Route(label("route").into()) };
        let pool = |kind| Self { kind, of: Of::Label(label("pool").into()) };
        let user =
            |kind| Self { kind, of: Of::Label(format!("{}/{}", label("database"), label("user")).into()) };
        Some(match name {
            "deepwater_edge_requests_total" if label("status") == "5xx" => route(Rate(&signal::ERRORS)),
            "deepwater_edge_requests_total" => {
                Self { kind: Rate(&signal::ANSWERS), of: Of::Label(label("status").into()) }
            }
            "deepwater_edge_failures_total"
                if label("status").starts_with('5') && label("blame") != "client" =>
            {
                Self { kind: Rare(&signal::FAILURES), of: Of::Label(label("error").into()) }
            }
            "deepwater_edge_denied_total" => route(Rare(&signal::DENIED)),
            "deepwater_edge_sampled_total" if label("seen") == "again" => route(Rare(&signal::REPEATS)),
            "deepwater_edge_repeats_judged_total" => route(Judged(match label("stored").as_str() {
                "as_is" => Storing::AsIs,
                "with_lifetime" => Storing::WithLifetime,
                _ => Storing::Else,
            })),
            "deepwater_edge_request_duration_seconds" => route(Times(&ANSWERED)),
            "deepwater_edge_in_flight" => route(UnderWay),
            "deepwater_edge_sent_bytes_total" => whole(Rate(&signal::SENT)),
            "deepwater_edge_received_bytes_total" => whole(Rate(&signal::RECEIVED)),
            "deepwater_edge_connections" => whole(Level(&signal::CONNECTIONS)),
            "deepwater_edge_upstream_response_seconds" => pool(Times(&UPSTREAM)),
            "deepwater_edge_upstream_wait_seconds" => pool(Times(&UPSTREAM_WAIT)),
            "deepwater_edge_upstream_concurrency_limit" => pool(Level(&signal::UPSTREAM_LIMIT)),
            "deepwater_edge_upstream_admitted" => pool(Admitted),
            "deepwater_edge_upstream_shed_total" => pool(Rate(&signal::SHED)),
            "deepwater_postgres_use_seconds" => user(Times(&POOL_USE)),
            "deepwater_postgres_wait_seconds" => user(Times(&POOL_WAITED)),
            "deepwater_postgres_server_connections" if label("state") == "active" => {
                user(Level(&signal::POOL_ACTIVE))
            }
            "deepwater_postgres_waiting_clients" => user(Level(&signal::POOL_QUEUE)),
            "deepwater_postgres_longest_wait_seconds" => user(Level(&signal::POOL_LONGEST_WAIT)),
            "deepwater_postgres_pool_size" => user(Level(&signal::POOL_SIZE)),
            "deepwater_postgres_queries_total" => user(Rate(&signal::QUERIES)),
            "deepwater_postgres_transactions_total" => user(Rate(&signal::TRANSACTIONS)),
            "deepwater_postgres_refused_total" => user(Rate(&signal::POOL_REFUSED)),
            "deepwater_postgres_server_parses_total" => user(Rate(&signal::SERVER_PARSES)),
            "deepwater_postgres_repeated_parses_total" => user(Rate(&signal::REPEATED_PARSES)),
            "deepwater_postgres_pins_total" => user(Rate(&signal::PINS)),
            "deepwater_cache_requests_total" => match label("result").as_str() {
                "bypass" => return None,
                result => route(Cached(matches!(result, "hit" | "stale" | "coalesced"))),
            },
            "deepwater_cache_fetches_total" => route(Rate(&signal::CACHE_FETCHES)),
            "deepwater_cache_bytes" => whole(Level(&signal::CACHE_BYTES)),
            "deepwater_cache_evicted_total" => whole(Rate(&signal::CACHE_EVICTED)),
            _ => return None,
        })
    }
}
