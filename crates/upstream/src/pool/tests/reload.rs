//! A specification is replaced while requests are under way.

use std::sync::Arc;

use crate::address::Endpoint;
use crate::balance::Balance;
use crate::pool::{PoolSpec, TargetSpec};
use crate::status::State;
use crate::testing::{Bench, address, position, spec};

#[test]
fn targets_that_stay_keep_their_state_and_counts() {
    let mut bench = Bench::new(spec(&[1, 1, 1]));
    bench.serve();
    bench.fail(1, 5);
    assert!(bench.pool.drain(&address(0)));
    let before = bench.pool.targets();
    let lease = bench.pick().unwrap();
    assert_eq!(position(&lease), 2);

    bench.pool.update(PoolSpec { balance: Balance::Random, ..spec(&[1, 7, 1, 2]) });
    let after = bench.pool.targets();
    assert!(before.iter().zip(&after).all(|(old, new)| Arc::ptr_eq(old, new)));
    let status = bench.pool.status();
    let states: Vec<State> = status.targets.iter().map(|target| target.state).collect();
    assert_eq!(states[..2], [State::Draining, State::Ejected]);
    assert_eq!((status.targets[1].weight, status.targets[1].failures), (7, 5));
    assert_eq!((status.targets[2].in_flight, status.balance), (1, Balance::Random));
    assert!((0..100).any(|_| bench.serve() == Some(3)), "the new one serves");

    bench.pool.update(spec(&[1]));
    assert_eq!(bench.pool.targets().len(), 1);
    assert_eq!(lease.target().in_flight(), 1, "a target that went still has its request");
    drop(lease);
    assert_eq!(after[2].in_flight(), 0);
}

#[test]
fn a_target_named_twice_has_both_weights() {
    let target = |weight| TargetSpec { name: address(0), weight };
    let bench = Bench::new(PoolSpec { targets: vec![target(2), target(0), target(3)], ..spec(&[]) });
    let targets = bench.pool.targets();
    assert_eq!((targets.len(), targets[0].weight()), (1, 6));
}

#[test]
fn unix_sockets_are_targets() {
    let bench = Bench::new(PoolSpec::new("app", ["unix:/run/app.sock"]));
    assert_eq!(bench.pool.targets()[0].endpoint, Endpoint::Unix("/run/app.sock".into()));
}

#[test]
fn what_is_no_address_is_reported_and_not_used() {
    let mut bench = Bench::new(PoolSpec::new("app", ["127.0.0.1", "127.0.0.1:3000"]));
    assert_eq!(bench.serve(), Some(0));
    let names = bench.pool.status().names;
    assert_eq!(names.len(), 1);
    assert!(names[0].error.as_ref().unwrap().contains("has no port"), "{names:?}");
}
