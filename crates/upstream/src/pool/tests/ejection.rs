//! Passive ejection, panic, slow start and draining, with the clock moved by hand.

use std::sync::Arc;

use std::collections::BTreeSet;
use std::time::Duration;

use deepwater_core::Clock;
use deepwater_core::config::{self, Percent};

use crate::health::HealthCheck;
use crate::lease::{FailureKind, Outcome};
use crate::outlier::Outlier;
use crate::picker::Ask;
use crate::pool::PoolSpec;
use crate::probe::Report;
use crate::status::State;
use crate::testing::{Bench, address, position, spec};

/// Which targets serve, of a few hundred requests.
fn serving(bench: &mut Bench) -> Vec<usize> {
    let served: BTreeSet<usize> = (0..200).filter_map(|_| bench.serve()).collect();
    served.into_iter().collect()
}

fn states(bench: &Bench) -> Vec<State> {
    bench.pool.status().targets.iter().map(|target| target.state).collect()
}

#[test]
fn five_failures_in_a_row_eject_for_half_a_minute() {
    let mut bench = Bench::new(spec(&[1, 1, 1]));
    bench.fail(1, 4);
    assert_eq!(serving(&mut bench), [0, 1, 2], "a success in between");
    bench.fail(1, 5);
    assert_eq!(serving(&mut bench), [0, 2]);
    let status = bench.pool.status().targets.remove(1);
    assert_eq!(status.state, State::Ejected);
    assert_eq!(status.reason.as_deref(), Some("5 failures in a row, the last one: connect"));
    assert_eq!((status.ejections, status.failures), (1, 9));
    assert!((30.0..=33.0).contains(&status.ejected_for_seconds.unwrap()), "{status:?}");

    bench.advance(29.9);
    assert_eq!(serving(&mut bench), [0, 2]);
    bench.advance(3.2);
    assert_eq!(serving(&mut bench), [0, 1, 2]);
    assert_eq!((bench.told("target_ejected"), bench.told("target_returned")), (1, 1));

    bench.fail(1, 5);
    bench.advance(59.9);
    assert_eq!(serving(&mut bench), [0, 2], "the second time lasts twice as long");
    bench.advance(6.2);
    assert_eq!(serving(&mut bench), [0, 1, 2]);
}

#[test]
fn the_last_one_left_that_fails_is_told_and_so_is_its_recovery() {
    let mut bench = Bench::new(spec(&[1]));
    let told = |bench: &Bench| (bench.told("target_failing"), bench.told("target_recovered"));
    bench.fail(0, 1);
    assert_eq!(told(&bench), (1, 0), "it was never reached: the first failure tells");
    let status = bench.pool.status().targets.remove(0);
    assert_eq!(status.state, State::Failing);
    assert_eq!(
        status.reason.as_deref(),
        Some("no connection: does it run, and are its address and protocol right?")
    );
    bench.fail(0, 9);
    assert_eq!(told(&bench), (1, 0), "once is enough");
    assert_eq!(bench.serve(), Some(0), "it is used nevertheless");
    bench.advance(1.1);
    bench.serve();
    assert_eq!((told(&bench), states(&bench)), ((1, 1), vec![State::Healthy]));

    bench.fail(0, 4);
    assert_eq!(told(&bench), (1, 1), "what has served may fail a few");
    bench.fail(0, 1);
    assert_eq!(told(&bench), (2, 1));
}

#[test]
fn of_two_that_fail_one_is_ejected_and_the_other_told() {
    let mut bench = Bench::new(spec(&[1, 1]));
    bench.fail(0, 5);
    bench.fail(1, 5);
    assert_eq!(states(&bench), [State::Ejected, State::Failing]);
    assert_eq!((bench.told("target_ejected"), bench.told("target_failing")), (1, 1));
}

#[test]
fn a_lease_that_is_withdrawn_counts_for_nothing() {
    let mut bench = Bench::new(spec(&[1]));
    bench.pick().unwrap().withdraw();
    let target = bench.pool.status().targets.remove(0);
    assert_eq!((target.requests, target.cancelled, target.in_flight), (0, 0, 0));
}

#[test]
fn no_more_than_half_are_ejected_and_never_the_last() {
    let mut bench = Bench::new(spec(&[1; 4]));
    for target in 0..4 {
        bench.fail(target, 5);
    }
    assert_eq!(serving(&mut bench), [2, 3]);
    let mut pair = Bench::new(spec(&[1; 2]));
    pair.fail(0, 5);
    pair.fail(1, 20);
    assert_eq!(serving(&mut pair), [1]);
    let mut alone = Bench::new(spec(&[1]));
    alone.fail(0, 50);
    assert_eq!(serving(&mut alone), [0]);
    // One of two is drained: the other is the last.
    let mut drained = Bench::new(spec(&[1; 2]));
    assert!(drained.pool.drain(&address(0)));
    drained.fail(1, 50);
    assert_eq!(serving(&mut drained), [1]);
}

#[test]
fn a_target_refused_ejection_is_ejected_when_there_is_room() {
    let mut bench = Bench::new(spec(&[1; 3]));
    bench.fail(0, 5);
    bench.fail(1, 5);
    assert_eq!(states(&bench), [State::Ejected, State::Unknown, State::Unknown]);
    bench.advance(33.1);
    bench.fail(1, 5);
    assert_eq!(states(&bench)[1], State::Ejected, "the tenth failure in a row");
}

#[test]
fn ejection_can_be_switched_off() {
    let outlier = Outlier { consecutive_failures: 0, ..Outlier::default() };
    let mut bench = Bench::new(PoolSpec { outlier, ..spec(&[1; 3]) });
    bench.fail(0, 100);
    assert_eq!(serving(&mut bench), [0, 1, 2]);
}

#[test]
fn a_target_that_is_slow_by_far_is_ejected() {
    let mut bench = Bench::new(spec(&[1; 3]));
    for _ in 0..100 {
        bench.advance(0.11);
        for _ in 0..3 {
            let lease = bench.pick().unwrap();
            let milliseconds = if position(&lease) == 2 { 900 } else { 20 };
            lease.done(Outcome::Success { latency: Duration::from_millis(milliseconds) });
        }
    }
    assert_eq!(states(&bench), [State::Healthy, State::Healthy, State::Ejected]);
    let reason = bench.pool.status().targets.remove(2).reason.unwrap();
    assert!(reason.starts_with("latency about ") && reason.contains("ms, the others about"), "{reason}");
    assert_eq!(serving(&mut bench), [0, 1]);
}

#[test]
fn when_nearly_all_are_out_all_serve_but_the_draining() {
    let health = Some(HealthCheck { unhealthy_threshold: 1, healthy_threshold: 1, ..HealthCheck::default() });
    let mut bench = Bench::new(PoolSpec { health, ..spec(&[1; 4]) });
    assert!(bench.pool.drain(&address(3)));
    let targets = bench.pool.targets();
    for target in &targets[..2] {
        bench.pool.checked(target.id, Report::unhealthy("status 503", Duration::ZERO));
    }
    assert_eq!(serving(&mut bench), [2]);
    bench.pool.checked(targets[2].id, Report::unhealthy("status 503", Duration::ZERO));
    assert_eq!(serving(&mut bench), [0, 1, 2]);
    assert!(bench.pool.status().panic);
    // Nobody sticks to a target that is only used for want of a better one.
    let ask = Ask { sticky: Some(targets[0].id), ..Ask::at(bench.clock.now()) };
    assert!(!bench.picker.pick(&ask).unwrap().sticky_kept());

    bench.pool.checked(targets[0].id, Report::healthy("status 200", Duration::ZERO));
    assert_eq!(serving(&mut bench), [0]);
    assert_eq!((bench.told("pool_panic_entered"), bench.told("pool_panic_left")), (1, 1));
    assert_eq!((bench.told("target_unhealthy"), bench.told("target_healthy")), (3, 1));
}

#[test]
fn without_panic_nothing_serves_when_all_are_out() {
    let health = Some(HealthCheck { unhealthy_threshold: 1, ..HealthCheck::default() });
    let mut bench = Bench::new(PoolSpec { health, panic_threshold: Percent::new(0), ..spec(&[1]) });
    let id = bench.pool.targets()[0].id;
    bench.pool.checked(id, Report::unhealthy("status 503", Duration::ZERO));
    assert!(bench.pick().is_none());
}

#[test]
fn a_target_that_returns_gets_its_share_by_and_by() {
    let slow_start = config::Duration::from_secs(20);
    let mut bench = Bench::new(PoolSpec { slow_start, ..spec(&[1, 1]) });
    let share = |bench: &mut Bench| (0..1_000).filter(|_| bench.serve() == Some(0)).count();
    assert_eq!(share(&mut bench), 500, "no slow start at the start: all are cold");
    bench.fail(0, 5);
    bench.advance(33.1);
    let first = share(&mut bench);
    assert!((85..97).contains(&first), "a tenth of the weight: {first}");
    assert_eq!(states(&bench)[0], State::SlowStart);
    bench.advance(10.0);
    let half = share(&mut bench);
    assert!((345..365).contains(&half), "0.55 of the weight: {half}");
    bench.advance(10.1);
    assert_eq!(share(&mut bench), 500);
    assert_eq!(states(&bench)[0], State::Healthy);
}

#[test]
fn a_drained_target_finishes_what_it_has() {
    let mut bench = Bench::new(spec(&[1, 1]));
    let leases = [bench.pick().unwrap(), bench.pick().unwrap()];
    assert!(bench.pool.drain(&address(0)));
    assert_eq!(serving(&mut bench), [1]);
    assert_eq!(bench.pool.status().targets[0].in_flight, 1);
    drop(leases);
    assert_eq!(bench.pool.status().targets[0].in_flight, 0);
    assert_eq!(bench.pool.status().targets[0].cancelled, 1);

    let id = bench.pool.targets()[0].id.to_string();
    assert!(bench.pool.undrain(&id), "by identity");
    assert_eq!(serving(&mut bench), [0, 1]);
    assert!(!bench.pool.drain("127.0.0.1:9"), "no such target");
    assert_eq!((bench.told("target_draining"), bench.told("target_undrained")), (1, 1));
}

#[test]
fn all_drained_means_none() {
    let mut bench = Bench::new(spec(&[1, 1]));
    assert!(bench.pool.drain(&address(0)) && bench.pool.drain(&address(1)));
    assert!(bench.pick().is_none());
    assert!(!bench.pool.status().panic);
}

#[test]
fn a_request_given_up_shows_in_the_latency_estimate() {
    let mut bench = Bench::new(spec(&[1]));
    bench.serve();
    let lease = bench.pick().unwrap();
    let target = Arc::clone(lease.target());
    bench.advance(3.0);
    drop(lease);
    let status = bench.pool.status().targets.remove(0);
    assert_eq!((status.requests, status.cancelled, status.failures), (2, 1, 0));
    let estimate = target.load.estimate().unwrap();
    assert!((estimate / 1e6 - 3_000.0).abs() < 1.0, "{estimate}");
}

#[test]
fn metrics_live_as_long_as_the_pool() {
    let mut bench = Bench::new(spec(&[1, 1]));
    bench.fail(0, 5);
    bench.serve();
    let text = bench.context.metrics.render();
    let labels = r#"{pool="app",target="127.0.0.1:3000",address="127.0.0.1:3000"}"#;
    for line in [
        format!("deepwater_upstream_target_up{labels} 0\n"),
        format!("deepwater_upstream_target_failures_total{labels} 5\n"),
        format!("deepwater_upstream_target_requests_total{labels} 5\n"),
        format!("deepwater_upstream_target_ejections_total{labels} 1\n"),
        format!("deepwater_upstream_target_in_flight{labels} 0\n"),
        "deepwater_upstream_pool_panic{pool=\"app\"} 0\n".into(),
    ] {
        assert!(text.contains(&line), "{line}{text}");
    }
    let Bench { context, pool, picker, .. } = bench;
    drop((pool, picker));
    assert!(!context.metrics.render().contains("deepwater_upstream"));
}

#[test]
fn the_status_is_plain_json() {
    let mut bench = Bench::new(spec(&[1, 1]));
    let lease = bench.pick().unwrap();
    lease.done(Outcome::Failure { kind: FailureKind::Timeout, latency: Duration::from_secs(2) });
    let status = bench.pool.status();
    let json = serde_json::to_value(&status).unwrap();
    assert_eq!(json["balance"], "round_robin");
    assert_eq!(json["targets"][0]["state"], "unknown");
    assert_eq!(json["targets"][0]["since"], "1970-01-01T00:00:00Z");
    assert_eq!(serde_json::from_value::<crate::PoolStatus>(json).unwrap(), status);
}

#[test]
fn an_ejected_target_is_the_last_resort_of_a_request_all_others_refused() {
    let mut bench = Bench::new(spec(&[1, 1, 1]));
    bench.fail(2, 5);
    assert_eq!(serving(&mut bench), [0, 1]);
    let ids: Vec<_> = bench.pool.targets().iter().map(|target| target.id).collect();
    let mut picker = bench.pool.picker(1);
    let mut pick = |avoid: &[crate::target::TargetId]| {
        let lease = picker.pick(&Ask { avoid, ..Ask::at(std::time::Instant::now()) }).unwrap();
        lease.target().id
    };
    assert_eq!(pick(&ids[..2]), ids[2]);
    assert!(ids[..2].contains(&pick(&ids)), "when it was tried too, one in rotation");
}
