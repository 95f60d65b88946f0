use std::time::Duration;

use deepwater_core::metrics::Registry;

use super::routes::MOST;
use super::*;
use crate::facts::Route;

/// What is read, and when.
struct Bench {
    registry: Registry,
    planes: Planes,
    store: Store,
    facts: Facts,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let registry = Registry::default();
        let planes = Planes::new(registry.clone());
        let (store, facts) = (Store::new(1 << 26), Facts::default());
        Self { registry, planes, store, facts, now: Instant::now() }
    }

    /// Reads, so many seconds after the last time.
    fn read_after(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.planes.read(&mut self.store, &self.facts, self.now);
        self.store.pass(seconds);
    }

    fn read(&mut self) {
        self.read_after(1);
    }

    fn latest(&self, signal: &signal::Signal, label: &str) -> Option<f64> {
        self.store.latest(signal, label)
    }

    fn requests(&self, route: &str) -> deepwater_core::metrics::Histogram {
        self.registry.histogram("deepwater_edge_request_duration_seconds", "D.", &[("route", route)])
    }
}

#[test]
fn counts_become_rates_means_and_levels() {
    let mut bench = Bench::new();
    let registry = bench.registry.clone();
    let duration =
        |route| registry.histogram("deepwater_edge_request_duration_seconds", "D.", &[("route", route)]);
    let (shop, images) = (duration("shop"), duration("images"));
    let failed =
        registry.counter("deepwater_edge_requests_total", "R.", &[("route", "shop"), ("status", "5xx")]);
    let answered =
        registry.counter("deepwater_edge_requests_total", "R.", &[("route", "shop"), ("status", "2xx")]);
    let used =
        registry.histogram("deepwater_postgres_use_seconds", "U.", &[("database", "shop"), ("user", "app")]);
    shop.observe(Duration::from_secs(5));
    bench.read();
    assert_eq!(bench.latest(&signal::REQUESTS, "shop"), None, "what was before is not of this second");

    for _ in 0..30 {
        shop.observe(Duration::from_millis(20));
        used.observe(Duration::from_millis(100));
    }
    failed.add(3);
    answered.add(28);
    images.observe(Duration::from_millis(10));
    bench.read();
    assert_eq!(bench.latest(&signal::REQUESTS, "shop"), Some(30.0));
    assert_eq!(bench.latest(&signal::REQUESTS, ""), Some(31.0), "all of them, the first of a route included");
    assert_eq!(bench.latest(&signal::ERRORS, "shop"), Some(3.0));
    assert_eq!(bench.latest(&signal::ANSWERS, "2xx"), Some(28.0));
    let quantile = |signal| bench.latest(signal, "").unwrap();
    let (half, most) = (quantile(&signal::LATENCY_P50), quantile(&signal::LATENCY_P99));
    assert!(half > 0.01 && most < 0.03 && half <= most, "{half} {most}");
    let latency = bench.latest(&signal::LATENCY, "shop").unwrap();
    assert!((latency - 0.02).abs() < 1e-6, "{latency}");
    let busy = bench.latest(&signal::POOL_BUSY, "shop/app").unwrap();
    assert!((busy - 3.0).abs() < 1e-5, "Little: {busy}");

    // Two seconds without a request: none, which is known; their latency is not.
    bench.read_after(2);
    assert_eq!(bench.store.mean(&signal::REQUESTS, "", 2), Some(0.0));
    assert_eq!(bench.store.mean(&signal::LATENCY, "", 2), None);
}

#[test]
fn shares_of_the_cache_are_by_route() {
    let mut bench = Bench::new();
    let registry = bench.registry.clone();
    let count = |result| {
        let labels = [("route", "shop"), ("result", result)];
        registry.counter("deepwater_cache_requests_total", "C.", &labels)
    };
    let (hit, miss, stale) = (count("hit"), count("miss"), count("stale"));
    bench.read();
    hit.add(6);
    stale.add(2);
    miss.add(2);
    bench.read();
    let share = bench.latest(&signal::CACHE_HITS, "shop").unwrap();
    assert!((share - 0.8).abs() < 1e-6, "{share}");
}

#[test]
fn a_thousand_routes_are_one_too_many() {
    let mut bench = Bench::new();
    let registry = bench.registry.clone();
    let routes: Vec<_> = (0..1_000)
        .map(|route: u32| {
            let route = route.to_string();
            registry.histogram("deepwater_edge_request_duration_seconds", "D.", &[("route", &route)])
        })
        .collect();
    bench.read();
    for _ in 0..2 {
        routes.iter().for_each(|route| route.observe(Duration::from_millis(1)));
        bench.read();
    }
    assert_eq!(bench.latest(&signal::REQUESTS, ""), Some(1_000.0));
    assert_eq!(bench.store.labels(&signal::REQUESTS).len(), MOST + 2, "those, all and the others");
    assert_eq!(bench.latest(&signal::REQUESTS, OTHERS), Some(1_000.0 - MOST as f64));
}

#[test]
fn what_comes_again_is_told_of_routes_where_something_does() {
    let mut bench = Bench::new();
    let registry = bench.registry.clone();
    let routes = ["shop", "images"];
    let again = routes.map(|route| {
        registry.counter("deepwater_edge_sampled_total", "S.", &[("route", route), ("seen", "again")])
    });
    let judged = ["as_is", "briefly", "with_lifetime", "never"].map(|stored| {
        registry.counter(
            "deepwater_edge_repeats_judged_total",
            "J.",
            &[("route", "shop"), ("stored", stored)],
        )
    });
    // A route counts from its first request.
    again.iter().chain(&judged).for_each(|counter| counter.add(1));
    bench.read();
    again[0].add(20);
    judged.iter().zip([5, 1, 2, 2]).for_each(|(counter, n)| counter.add(n));
    bench.read();
    assert_eq!(bench.latest(&signal::REPEATS, "shop"), Some(20.0));
    assert_eq!(bench.latest(&signal::STORABLE, "shop"), Some(0.5));
    let with_lifetime = bench.latest(&signal::STORABLE_WITH_LIFETIME, "shop").unwrap();
    assert!((with_lifetime - 0.2).abs() < 1e-6, "{with_lifetime}");
    assert_eq!(bench.store.labels(&signal::REPEATS).len(), 1, "of images nothing came again");
    bench.read();
    assert_eq!(bench.latest(&signal::REPEATS, "shop"), Some(0.0), "and then it is nought, not unknown");
}

#[test]
fn a_route_that_becomes_busy_is_told_apart_whoever_came_first() {
    let mut bench = Bench::new();
    let routes: Vec<_> = (0..1_000).map(|route: u32| bench.requests(&route.to_string())).collect();
    let hot = bench.requests("hot");
    bench.read();
    for route in &routes {
        route.observe(Duration::from_millis(1));
    }
    bench.read();
    for _ in 0..20 {
        (0..60).for_each(|_| hot.observe(Duration::from_millis(1)));
        bench.read();
    }
    assert_eq!(bench.latest(&signal::REQUESTS, "hot"), Some(60.0));
    assert_eq!(bench.latest(&signal::REQUESTS, ""), Some(60.0));
    assert_eq!(bench.latest(&signal::REQUESTS, OTHERS), Some(0.0));
}

#[test]
fn routes_that_a_reload_took_away_leave_their_place() {
    let mut bench = Bench::new();
    let named = |name: String| Route { name, ..Route::default() };
    let old: Vec<_> = (0..MOST).map(|route| bench.requests(&format!("old{route}"))).collect();
    let new: Vec<_> = (0..MOST).map(|route| bench.requests(&format!("new{route}"))).collect();
    bench.read();
    old.iter().for_each(|route| route.observe(Duration::from_millis(1)));
    bench.read();
    bench.facts.routes = (0..MOST).map(|route| named(format!("new{route}"))).collect();
    for _ in 0..300 {
        bench.read();
    }
    new.iter().for_each(|route| route.observe(Duration::from_millis(1)));
    bench.read();
    assert_eq!(bench.latest(&signal::REQUESTS, "new7"), Some(1.0));
    assert_eq!(bench.latest(&signal::REQUESTS, "old7"), None);
    assert_eq!(bench.latest(&signal::REQUESTS, ""), Some(MOST as f64));
}

#[test]
fn what_is_held_for_minutes_is_in_use_all_the_time_and_once() {
    let mut bench = Bench::new();
    let labels = [("database", "shop"), ("user", "app")];
    let used = bench.registry.histogram("deepwater_postgres_use_seconds", "U.", &labels);
    let waiting = bench.registry.gauge("deepwater_postgres_waiting_clients", "W.", &labels);
    let labels = [labels[0], labels[1], ("state", "active")];
    let active = bench.registry.gauge("deepwater_postgres_server_connections", "S.", &labels);
    bench.read();
    active.add(5);
    waiting.add(1);
    for _ in 0..60 {
        bench.read();
    }
    assert_eq!(bench.latest(&signal::POOL_BUSY, "shop/app"), Some(5.0));
    assert_eq!(bench.latest(&signal::POOL_WAITING, "shop/app"), Some(1.0));
    active.add(-1);
    used.observe(Duration::from_secs(60));
    bench.read();
    assert_eq!(
        bench.latest(&signal::POOL_BUSY, "shop/app"),
        Some(5.0),
        "the four that are, and the one that was"
    );
    // What takes little is what Little says, whatever a glance sees.
    active.add(-4);
    for _ in 0..5 {
        (0..20).for_each(|_| used.observe(Duration::from_millis(100)));
        bench.read();
    }
    let busy = bench.latest(&signal::POOL_BUSY, "shop/app").unwrap();
    assert!((busy - 2.0).abs() < 1e-5, "{busy}");
}

#[test]
fn requests_that_are_not_answered_yet_are_with_the_application() {
    let mut bench = Bench::new();
    let route = |name: &str, cached| Route {
        name: name.into(),
        application: Some("app".into()),
        cached,
        ..Route::default()
    };
    bench.facts.routes = vec![route("shop", false), route("images", true)];
    let gauge = |route| bench.registry.gauge("deepwater_edge_in_flight", "F.", &[("route", route)]);
    let (shop, images) = (gauge("shop"), gauge("images"));
    shop.add(7);
    images.add(100);
    for _ in 0..6 {
        bench.read();
    }
    assert_eq!(bench.latest(&signal::UPSTREAM_BUSY, "app"), Some(7.0));
    // Where their number is limited it is known.
    bench.registry.gauge("deepwater_edge_upstream_admitted", "A.", &[("pool", "app")]).add(4);
    bench.read();
    assert_eq!(bench.latest(&signal::UPSTREAM_ACTIVE, "app"), Some(4.0));
}

#[test]
fn a_second_that_was_read_late_has_the_rate_of_the_time_it_took() {
    let mut bench = Bench::new();
    let shop = bench.requests("shop");
    bench.read();
    for seconds in [1, 5, 1, 3] {
        (0..125 * seconds).for_each(|_| shop.observe(Duration::from_millis(1)));
        bench.read_after(seconds);
        assert_eq!(bench.latest(&signal::REQUESTS, ""), Some(125.0));
    }
}
