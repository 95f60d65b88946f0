use std::time::Duration;

use deepwater_core::metrics::Registry;

use super::*;

fn read(planes: &mut Planes, store: &mut Store) {
    planes.read(store, 1.0);
    store.pass(1);
}

#[test]
fn counts_become_rates_means_and_levels() {
    let registry = Registry::default();
    let duration =
        |route| registry.histogram("deepwater_edge_request_duration_seconds", "D.", &[("route", route)]);
    let (shop, images) = (duration("shop"), duration("images"));
    let failed =
        registry.counter("deepwater_edge_requests_total", "R.", &[("route", "shop"), ("status", "5xx")]);
    let used =
        registry.histogram("deepwater_postgres_use_seconds", "U.", &[("database", "shop"), ("user", "app")]);
    shop.observe(Duration::from_secs(5));
    let (mut planes, mut store) = (Planes::new(registry), Store::new(1 << 24));
    read(&mut planes, &mut store);
    assert_eq!(store.latest(&signal::REQUESTS, "shop"), None, "what was before is not of this second");

    for _ in 0..30 {
        shop.observe(Duration::from_millis(20));
        used.observe(Duration::from_millis(100));
    }
    failed.add(3);
    images.observe(Duration::from_millis(10));
    read(&mut planes, &mut store);
    assert_eq!(store.latest(&signal::REQUESTS, "shop"), Some(30.0));
    assert_eq!(store.latest(&signal::REQUESTS, ""), Some(31.0), "all of them, the first of a route included");
    assert_eq!(store.latest(&signal::ERRORS, "shop"), Some(3.0));
    let latency = store.latest(&signal::LATENCY, "shop").unwrap();
    assert!((latency - 0.02).abs() < 1e-6, "{latency}");
    let busy = store.latest(&signal::POOL_BUSY, "shop/app").unwrap();
    assert!((busy - 3.0).abs() < 1e-5, "Little: {busy}");

    // Two seconds without a request: none, which is known; their latency is not.
    planes.read(&mut store, 2.0);
    store.pass(2);
    assert_eq!(store.mean(&signal::REQUESTS, "", 2), Some(0.0));
    assert_eq!(store.mean(&signal::LATENCY, "", 2), None);
}

#[test]
fn shares_of_the_cache_are_by_route() {
    let registry = Registry::default();
    let count = |result| {
        let labels = [("route", "shop"), ("result", result)];
        registry.counter("deepwater_cache_requests_total", "C.", &labels)
    };
    let (hit, miss, stale) = (count("hit"), count("miss"), count("stale"));
    let (mut planes, mut store) = (Planes::new(registry.clone()), Store::new(1 << 24));
    read(&mut planes, &mut store);
    hit.add(6);
    stale.add(2);
    miss.add(2);
    read(&mut planes, &mut store);
    let share = store.latest(&signal::CACHE_HITS, "shop").unwrap();
    assert!((share - 0.8).abs() < 1e-6, "{share}");
}

#[test]
fn a_thousand_routes_are_one_too_many() {
    let registry = Registry::default();
    let routes: Vec<_> = (0..1_000)
        .map(|route: u32| {
            let route = route.to_string();
            registry.histogram("deepwater_edge_request_duration_seconds", "D.", &[("route", &route)])
        })
        .collect();
    let (mut planes, mut store) = (Planes::new(registry), Store::new(1 << 26));
    read(&mut planes, &mut store);
    for _ in 0..2 {
        routes.iter().for_each(|route| route.observe(Duration::from_millis(1)));
        read(&mut planes, &mut store);
    }
    assert_eq!(store.latest(&signal::REQUESTS, ""), Some(1_000.0));
    assert_eq!(store.labels(&signal::REQUESTS).len(), MOST_ROUTES + 2, "those, all and the others");
    assert_eq!(store.latest(&signal::REQUESTS, OTHERS), Some(1_000.0 - MOST_ROUTES as f64));
}

#[test]
fn what_comes_again_is_told_of_routes_where_something_does() {
    let registry = Registry::default();
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
    let (mut planes, mut store) = (Planes::new(registry), Store::new(1 << 24));
    read(&mut planes, &mut store);
    again[0].add(20);
    judged.iter().zip([5, 1, 2, 2]).for_each(|(counter, n)| counter.add(n));
    read(&mut planes, &mut store);
    assert_eq!(store.latest(&signal::REPEATS, "shop"), Some(20.0));
    assert_eq!(store.latest(&signal::STORABLE, "shop"), Some(0.5));
    let with_lifetime = store.latest(&signal::STORABLE_WITH_LIFETIME, "shop").unwrap();
    assert!((with_lifetime - 0.2).abs() < 1e-6, "{with_lifetime}");
    assert_eq!(store.labels(&signal::REPEATS).len(), 1, "of images nothing came again");
    read(&mut planes, &mut store);
    assert_eq!(store.latest(&signal::REPEATS, "shop"), Some(0.0), "and then it is nought, not unknown");
}
