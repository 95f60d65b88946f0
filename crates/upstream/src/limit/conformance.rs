//! What every limit must do, whatever it is.

use deepwater_core::random::Random;

use super::{Concurrency, Limit, Limiter, Sample};

const MS: u64 = 1_000_000;

fn build(limit: Limit, settings: &Concurrency) -> Box<dyn Limiter> {
    Concurrency { limit, ..settings.clone() }.build(1)
}

/// The limits after each of so many requests, a millisecond apart.
fn run(limiter: &dyn Limiter, from: u64, times: u64, sample: impl Fn(u64) -> (u64, bool)) -> Vec<u32> {
    let mut limits = vec![limiter.initial()];
    for step in 0..times {
        let (latency, dropped) = sample(step);
        let in_flight = *limits.last().unwrap();
        let sample = Sample { now: from + step * MS, latency, in_flight, dropped };
        limits.extend(limiter.observe(&sample));
    }
    limits
}

#[test]
fn the_configuration_uses_the_names_of_the_list() {
    for limit in Limit::ALL {
        assert_eq!(serde_json::to_value(limit).unwrap(), limit.name());
        assert!(limit.description().ends_with('.'), "{}", limit.description());
    }
}

#[test]
fn bounds_hold_whatever_is_seen() {
    let settings = Concurrency { min: 7, max: 90, ..Concurrency::default() };
    for limit in Limit::ALL {
        let limiter = build(*limit, &settings);
        let mut random = Random::from_seed(3);
        let samples: Vec<(u64, bool)> =
            (0..50_000).map(|_| (random.next_u64() >> random.below(64), random.below(2) == 0)).collect();
        let limits = run(&*limiter, 0, 50_000, |step| samples[step as usize]);
        assert!(limits.iter().all(|limit| (7..=90).contains(limit)), "{limit}: {limits:?}");
    }
}

#[test]
fn settings_that_contradict_each_other_do_no_harm() {
    let settings = Concurrency { min: 50, max: 0, initial: 0, tolerance: f64::NAN, ..Concurrency::default() };
    for limit in Limit::ALL {
        let limits = run(&*build(*limit, &settings), 0, 10_000, |step| (step * MS, false));
        assert!(limits.iter().all(|limit| *limit >= 1), "{limit}: {limits:?}");
    }
}

#[test]
fn a_fixed_limit_stands() {
    let settings = Concurrency { max: 12, ..Concurrency::default() };
    assert_eq!(run(&*build(Limit::Fixed, &settings), 0, 10_000, |step| (step * MS, false)), [12]);
}

#[test]
fn failing_fast_does_not_look_fast_and_timing_out_looks_slow() {
    let settled = |dropped_latency: u64| {
        let limiter = build(Limit::Gradient, &Concurrency { max: 100, ..Concurrency::default() });
        run(&*limiter, 0, 5_000, |_| (20 * MS, false));
        let limits = run(&*limiter, 5_000 * MS, 2_000, |step| {
            if step % 2 == 0 { (dropped_latency, true) } else { (20 * MS, false) }
        });
        limits[limits.len() - 1]
    };
    assert_eq!(settled(1), settled(MS), "neither says anything");
    assert!(settled(2_000 * MS) < settled(1) / 2);
}
