//! Requests that become dearer, which is not queueing, and overload all the same.

use super::*;

/// Servers and the time of service of cheap requests; dear ones take ten times that.
const SERVERS: [(usize, f64); 3] = [(8, 5.0), (20, 20.0), (100, 20.0)];
const SEEDS: std::ops::Range<u64> = 20..26;

/// What follows for each server and seed.
fn for_each(mut story: impl FnMut(World, &str)) {
    for (workers, service_ms) in SERVERS {
        for seed in SEEDS {
            story(World::new(workers, service_ms, seed), &format!("{workers} workers, seed {seed}"));
        }
    }
}

/// Like [`at_the_knee`], with some room: measuring costs more where little is served in a second, and what is measured at
/// few workers is a matter of luck.
fn found(seen: &Seen, workers: usize, what: &str) {
    let (knee, room) = (workers as f64, if workers < 20 { 1.5 } else { 1.0 });
    assert!(seen.throughput >= 0.85 && seen.latency <= 2.0 * room, "{what}: {seen:?}");
    assert!((0.9 * knee..(2.0 * knee + 4.0) * room).contains(&seen.limit), "{what}: {seen:?}");
}

#[test]
fn dearer_requests_at_half_load_are_all_admitted() {
    for_each(|mut world, what| {
        world.run(20, 0.5);
        world.service_ns *= 10.0;
        for second in 0..30 {
            let seen = world.run(1, 0.5);
            assert!(seen.refused < 0.01, "{what}, second {second}: {seen:?}");
        }
    });
}

#[test]
fn requests_as_many_as_before_but_dearer_are_admitted_within_seconds() {
    for_each(|mut world, what| {
        world.run(20, 0.05);
        world.service_ns *= 10.0;
        // Up to fifty times as much in flight as the limit ever saw use for.
        world.run(15, 0.5);
        let seen = world.run(60, 0.5);
        assert!(seen.refused < 0.02, "{what}: {seen:?}");
    });
}

#[test]
fn a_mix_that_swings_is_admitted() {
    for_each(|mut world, what| {
        world.run(20, 0.5);
        let cheap = world.service_ns;
        let mut random = Random::from_seed(1);
        let mut refused = 0.0;
        for step in 0..40 {
            world.service_ns = cheap * (1.0 + 9.0 * random.unit());
            let seen = world.run(1 + random.below(4) as u64, 0.5);
            assert!(seen.refused < 0.05, "{what}, step {step}: {seen:?}");
            refused += seen.refused / 40.0;
        }
        assert!(refused < 0.002, "{what}: {refused}");
    });
}

#[test]
fn overload_after_the_mix_changed_is_found() {
    for_each(|mut world, what| {
        world.run(20, 0.5);
        world.service_ns *= 10.0;
        world.run(20, 0.5);
        world.run(10, 5.0);
        found(&world.run(20, 5.0), world.workers, what);
        world.service_ns /= 10.0;
        world.run(15, 5.0);
        found(&world.run(20, 5.0), world.workers, &format!("{what}, cheap again"));
    });
}

#[test]
fn a_mix_that_changes_under_overload_costs_some_seconds() {
    for_each(|mut world, what| {
        world.run(20, 0.5);
        world.run(20, 5.0);
        world.service_ns *= 10.0;
        world.run(25, 5.0);
        found(&world.run(20, 5.0), world.workers, what);
    });
}

#[test]
fn load_that_creeps_up_to_overload_is_found() {
    for_each(|mut world, what| {
        for percent in (50..150).step_by(2) {
            world.run(2, f64::from(percent) / 100.0);
        }
        found(&world.run(30, 1.5), world.workers, what);
    });
}
