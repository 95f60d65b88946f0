//! A look at everything: the pages of the console, and what the customers have seen.

use std::time::{Duration, Instant};

use deepwater_core::metrics::Registry;
use deepwater_core::{Call, Context};
use deepwater_shop::load::{Load, Snapshot};
use deepwater_upstream::{State, TargetStatus};
use serde::Deserialize;

use super::guards::{PoolRow, PoolsPage};
use super::pool;
use super::screen::{CacheView, InstanceView, PoolView, View};
use super::shop::Instance;
use super::stage::{Act, SLOWNESS, Stage};
use super::trend::{Answered, Sample};

/// Names of the edge's metrics as `/metrics` shows them.
pub(super) const REQUESTS: &str = "deepwater_edge_requests_total";
const IN_FLIGHT: &str = "deepwater_edge_in_flight";
const REQUEST_DURATION: &str = "deepwater_edge_request_duration_seconds";

/// The page of `/api/cache`, as far as it is shown.
#[derive(Deserialize, Default)]
#[serde(default)]
struct CachePage {
    memory: CacheMemory,
    routes: Vec<CacheRoute>,
}

#[derive(Deserialize, Default)]
struct CacheMemory {
    bytes: u64,
    objects: u64,
}

#[derive(Deserialize)]
struct CacheRoute {
    hits: u64,
    stale: u64,
    coalesced: u64,
    revalidated: u64,
    misses: u64,
    bypassed: u64,
}

impl CachePage {
    fn answered(&self) -> Answered {
        let mut all = Answered::default();
        for route in &self.routes {
            let answered = route.hits + route.stale + route.coalesced + route.revalidated;
            all.answered += answered;
            all.asked += answered + route.misses + route.bypassed;
        }
        all
    }
}

impl Stage<'_> {
    /// How everything is.
    pub(super) async fn look(&mut self) -> View {
        let pools = self.pools().await;
        let shop = pools.shop();
        self.look_at_breakers(shop).await;
        if let Some(shop) = shop {
            let rush = matches!(self.act, Some(Act::Overload(_)));
            self.guards.look(shop, rush, &self.planes.context.events);
        }
        let targets = shop.map_or(&[][..], |shop| &shop.status.targets);
        let cache = self.cache().await;
        let pool = self.look_at_pool().await;
        let figures = Figures::read(self.load.as_ref(), &self.planes.context.metrics);
        let of = |instance: &Instance| {
            let address = instance.address.to_string();
            targets.iter().find(|target| target.address == address)
        };
        let answers =
            |instance| of(instance).map_or(0, |target| target.requests.saturating_sub(target.failures));
        self.trend.add(Sample {
            at: Instant::now(),
            finished: figures.finished,
            failed: figures.failed,
            answers: self.instances.iter().map(answers).collect(),
            reached: pools.reached(),
            turned_away: shop.map_or(0, PoolRow::turned_away),
            cache: cache.answered(),
        });
        let recent = self.trend.recent();
        let shares = recent.shares.into_iter().chain(std::iter::repeat(0.0));
        let instances = self.instances.iter().zip(shares);
        View {
            elapsed: self.started.elapsed(),
            finished_per_second: recent.finished_per_second,
            failed_per_second: recent.failed_per_second,
            sale: self.sale_ends.map(|ends| ends.saturating_duration_since(Instant::now())),
            instances: instances
                .map(|(instance, share)| instance_view(instance, shop, of(instance), share))
                .collect(),
            guards: shop.and_then(|shop| shop.view(recent.turned_away_per_second)),
            cache: CacheView {
                hit_ratio: recent.hit_ratio,
                reached_per_second: recent.reached_per_second,
                objects: cache.memory.objects,
                bytes: cache.memory.bytes,
            },
            pool,
            finished: figures.finished,
            failed: figures.failed,
            in_flight: figures.in_flight,
            p50: figures.p50,
            p95: figures.p95,
            p99: figures.p99,
        }
    }

    /// What the edge thinks of the instances, and what guards them, as the console shows it.
    async fn pools(&self) -> PoolsPage {
        let reply = self.ask("/api/edge/pools", Call::default()).await;
        reply.and_then(|reply| serde_json::from_value(reply.body).ok()).unwrap_or_default()
    }

    /// What the cache holds and does, as the console shows it.
    async fn cache(&self) -> CachePage {
        let reply = self.ask("/api/cache", Call::default()).await;
        reply.and_then(|reply| serde_json::from_value(reply.body).ok()).unwrap_or_default()
    }

    /// How the pool in front of the database is, as the console shows it.
    async fn look_at_pool(&mut self) -> Option<PoolView> {
        let reply = self.ask("/api/postgres/pools", Call::default()).await?;
        let page: pool::PoolsPage = serde_json::from_value(reply.body).unwrap_or_default();
        let Context { metrics, events, .. } = &self.planes.context;
        self.pool.look(page, self.buyers.is_some(), metrics, events)
    }
}

/// Totals and recent latencies: as the customers see them, or as the edge does when there are none.
pub(super) struct Figures {
    pub finished: u64,
    pub failed: u64,
    in_flight: u64,
    p50: Option<Duration>,
    p95: Option<Duration>,
    pub p99: Option<Duration>,
}

impl Figures {
    pub(super) fn read(load: Option<&Load>, metrics: &Registry) -> Self {
        load.map_or_else(|| Self::of_the_edge(metrics), |load| Self::of_customers(&load.snapshot()))
    }

    /// A request that was due and could not even be sent is a failed one.
    pub(super) fn of_customers(seen: &Snapshot) -> Self {
        Self {
            finished: seen.finished(),
            failed: seen.server_errors + seen.transport_errors + seen.dropped,
            in_flight: seen.in_flight,
            p50: seen.p50,
            p95: seen.p95,
            p99: seen.p99,
        }
    }

    pub(super) fn of_the_edge(metrics: &Registry) -> Self {
        let durations = metrics.distribution(REQUEST_DURATION, &[]);
        Self {
            finished: metrics.sum(REQUESTS, &[]),
            failed: metrics.sum(REQUESTS, &[("status", "5xx")]),
            in_flight: u64::try_from(metrics.level(IN_FLIGHT, &[])).unwrap_or(0),
            p50: durations.quantile(0.50),
            p95: durations.quantile(0.95),
            p99: durations.quantile(0.99),
        }
    }
}

fn instance_view(
    instance: &Instance,
    pool: Option<&PoolRow>,
    target: Option<&TargetStatus>,
    share: f64,
) -> InstanceView {
    let state = target.map_or(State::Unknown, |target| target.state);
    let serves = matches!(state, State::Healthy | State::SlowStart | State::Failing | State::Unknown);
    InstanceView {
        name: instance.name.clone(),
        address: instance.address,
        state: state.as_str(),
        serves: serves && instance.is_running(),
        note: note(instance, pool, target),
        share,
        in_flight: target.map_or(0, |target| target.in_flight),
    }
}

/// What was done to an instance, and what the edge has to say about it.
fn note(instance: &Instance, pool: Option<&PoolRow>, target: Option<&TargetStatus>) -> String {
    let slow = || instance.slow.then(|| format!("slow by {} ms", SLOWNESS.as_millis()));
    let done = match (instance.is_running(), instance.fails) {
        (false, _) => Some("not running".to_owned()),
        (true, true) => Some("answers 500".to_owned()),
        (true, false) => slow(),
    };
    let breaker = pool.zip(target).and_then(|(pool, target)| pool.breakers.of(target.id));
    let breaker = breaker.map(|state| format!("breaker {state}"));
    let back =
        target.and_then(|target| target.ejected_for_seconds).map(|left| format!("back in {left:.0} s"));
    let reason = target.and_then(|target| target.reason.clone());
    [done, breaker, back, reason].into_iter().flatten().collect::<Vec<_>>().join("; ")
}
