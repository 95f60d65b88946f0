//! What every balancer must do, whatever it is.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use deepwater_core::Clock;
use deepwater_core::config::Percent;
use deepwater_core::random::Random;
use proptest::prelude::*;

use super::Balance;
use crate::lease::{Chosen, Lease, Outcome};
use crate::picker::Ask;
use crate::pool::PoolSpec;
use crate::testing::{Bench, position, spec};

/// A bench for a balancer, and a different client for each request.
struct Trial {
    bench: Bench,
    clients: Random,
}

impl Trial {
    fn new(balance: Balance, spec: PoolSpec) -> Self {
        Self::seeded(balance, spec, 7)
    }

    fn seeded(balance: Balance, spec: PoolSpec, seed: u64) -> Self {
        let bench = Bench::seeded(PoolSpec { balance, ..spec }, seed);
        Self { bench, clients: Random::from_seed(seed) }
    }

    fn lease(&mut self) -> Option<Lease> {
        let client = IpAddr::V4(Ipv4Addr::from_bits(self.clients.next_u64() as u32));
        let ask = Ask { client: Some(client), ..Ask::at(self.bench.clock.now()) };
        self.bench.picker.pick(&ask)
    }

    /// How many of so many requests, one after the other, each target serves.
    fn counts(&mut self, targets: usize, requests: usize) -> Vec<usize> {
        let mut counts = vec![0; targets];
        for _ in 0..requests {
            let lease = self.lease().expect("a target is available");
            counts[position(&lease)] += 1;
            lease.done(Outcome::Success { latency: Duration::from_millis(1) });
            self.bench.clock.advance(Duration::from_millis(1));
        }
        counts
    }
}

/// Whether the counts are in proportion to the weights, within a share of the expected.
fn in_proportion(counts: &[usize], weights: &[u32], tolerance: f64) -> bool {
    let requests: usize = counts.iter().sum();
    let total: u32 = weights.iter().sum();
    counts.iter().zip(weights).all(|(count, weight)| {
        let expected = requests as f64 * f64::from(*weight) / f64::from(total);
        (*count as f64 - expected).abs() <= tolerance * expected
    })
}

/// How far from its share a target may be over ten thousand requests: those that take turns hardly at all,
/// those that hash or draw by chance.
fn tolerance(balance: Balance) -> f64 {
    match balance {
        Balance::RoundRobin | Balance::LeastConnections => 0.001,
        Balance::LeastResponseTime => 0.01,
        Balance::IpHash | Balance::ConsistentHash | Balance::Random => 0.1,
    }
}

#[test]
fn an_empty_pool_has_nothing_to_give() {
    for balance in Balance::ALL {
        assert!(Trial::new(*balance, spec(&[])).lease().is_none(), "{balance}");
    }
}

#[test]
fn the_only_target_gets_everything() {
    for balance in Balance::ALL {
        assert_eq!(Trial::new(*balance, spec(&[3])).counts(1, 100), [100], "{balance}");
    }
}

#[test]
fn equal_targets_get_equal_shares() {
    for balance in Balance::ALL {
        let counts = Trial::new(*balance, spec(&[1; 5])).counts(5, 10_000);
        assert!(in_proportion(&counts, &[1; 5], tolerance(*balance)), "{balance}: {counts:?}");
    }
}

#[test]
fn weights_hold_for_requests_one_after_the_other() {
    for balance in Balance::ALL {
        let counts = Trial::new(*balance, spec(&[1, 2, 5])).counts(3, 10_000);
        assert!(in_proportion(&counts, &[1, 2, 5], tolerance(*balance)), "{balance}: {counts:?}");
    }
}

#[test]
fn weights_hold_for_requests_all_at_once() {
    for balance in Balance::ALL {
        let mut trial = Trial::new(*balance, spec(&[1, 2, 5]));
        let mut counts = [0; 3];
        let leases: Vec<Lease> = (0..4_000).map(|_| trial.lease().unwrap()).collect();
        leases.iter().for_each(|lease| counts[position(lease)] += 1);
        assert!(in_proportion(&counts, &[1, 2, 5], 0.15), "{balance}: {counts:?}");
    }
}

#[test]
fn many_targets_get_equal_shares_too() {
    for balance in Balance::ALL {
        let counts = Trial::new(*balance, spec(&[1; 100])).counts(100, 50_000);
        // Chance alone: 500 ± 22 each.
        assert!(in_proportion(&counts, &[1; 100], 0.25), "{balance}: {counts:?}");
    }
}

#[test]
fn what_is_out_gets_nothing_while_another_is_up() {
    for balance in Balance::ALL {
        let mut trial = Trial::new(*balance, spec(&[1, 4, 1, 1]));
        trial.bench.fail(1, 5);
        trial.bench.fail(2, 5);
        assert!(trial.bench.pool.drain("127.0.0.1:3003"));
        assert_eq!(trial.counts(4, 200), [200, 0, 0, 0], "{balance}");
    }
}

#[test]
fn what_was_tried_is_avoided_while_there_is_another() {
    for balance in Balance::ALL {
        for size in [1, 2, 5, 50] {
            let mut trial = Trial::new(*balance, spec(&vec![1; size]));
            let mut tried = Vec::new();
            for _ in 0..size {
                let ask = Ask { avoid: &tried, hash: Some(9), ..Ask::at(trial.bench.clock.now()) };
                let lease = trial.bench.picker.pick(&ask).expect("a target is left");
                let id = lease.target().id;
                assert!(!tried.contains(&id), "{balance} of {size}");
                tried.push(id);
            }
            let ask = Ask { avoid: &tried, ..Ask::at(trial.bench.clock.now()) };
            assert!(trial.bench.picker.pick(&ask).is_some(), "{balance}: again beats not at all");
        }
    }
}

#[test]
fn a_client_sticks_as_long_as_its_target_is_available() {
    for balance in Balance::ALL {
        let mut trial = Trial::new(*balance, spec(&[1; 4]));
        let wanted = trial.bench.pool.targets()[2].id;
        let mut ask = |avoid: &[_]| {
            let ask = Ask { sticky: Some(wanted), avoid, ..Ask::at(trial.bench.clock.now()) };
            let lease = trial.bench.picker.pick(&ask).unwrap();
            (position(&lease) == 2, lease.chosen())
        };
        for _ in 0..20 {
            assert_eq!(ask(&[]), (true, Chosen::StickyKept), "{balance}");
        }
        assert_eq!(ask(&[wanted]), (false, Chosen::StickyMoved), "{balance}");
        trial.bench.fail(2, 5);
        let ask = Ask { sticky: Some(wanted), ..Ask::at(trial.bench.clock.now()) };
        let lease = trial.bench.picker.pick(&ask).unwrap();
        assert_eq!((position(&lease) == 2, lease.chosen()), (false, Chosen::StickyMoved), "{balance}");
    }
}

#[test]
fn cores_do_not_march_in_step() {
    for balance in Balance::ALL {
        // With a key, cores are meant to agree.
        let first = |seed: u64| {
            let trial = Trial::new(*balance, spec(&[1; 20]));
            let now = trial.bench.clock.now();
            position(&trial.bench.pool.picker(seed).pick(&Ask::at(now)).unwrap())
        };
        let firsts: std::collections::BTreeSet<usize> = (0..20).map(first).collect();
        assert!(firsts.len() >= 8, "{balance}: {firsts:?}");
    }
}

#[test]
fn cores_agree_on_keys_and_clients() {
    for balance in [Balance::IpHash, Balance::ConsistentHash] {
        let trial = Trial::new(balance, spec(&[1, 2, 3, 4, 5]));
        let now = trial.bench.clock.now();
        let (mut one, mut other) = (trial.bench.pool.picker(1), trial.bench.pool.picker(2));
        for key in 0..200_u32 {
            let client = Some(IpAddr::V4(Ipv4Addr::from_bits(key)));
            let ask = Ask { client, hash: Some(u64::from(key)), ..Ask::at(now) };
            let place = |lease: Option<Lease>| position(&lease.unwrap());
            assert_eq!(place(one.pick(&ask)), place(other.pick(&ask)), "{balance}, key {key}");
        }
    }
}

/// Where each of a thousand clients goes.
fn places_of_clients(trial: &mut Trial) -> Vec<usize> {
    let place = |key: u32| {
        let client = Some(IpAddr::V4(Ipv4Addr::from_bits(key)));
        let ask = Ask { client, ..Ask::at(trial.bench.clock.now()) };
        position(&trial.bench.picker.pick(&ask).unwrap())
    };
    (0..1_000).map(place).collect()
}

#[test]
fn a_target_that_is_out_moves_only_its_own_keys() {
    for balance in [Balance::IpHash, Balance::ConsistentHash] {
        let mut trial = Trial::new(balance, spec(&[1; 6]));
        let before = places_of_clients(&mut trial);
        trial.bench.fail(3, 5);
        let after = places_of_clients(&mut trial);
        let moved = before.iter().zip(&after).filter(|(old, new)| old != new).count();
        assert_eq!(moved, before.iter().filter(|place| **place == 3).count(), "{balance}");
    }
}

#[test]
fn a_hot_key_spills_over_at_a_quarter_above_the_share() {
    let mut trial = Trial::new(Balance::ConsistentHash, spec(&[1; 4]));
    let mut counts = [0_usize; 4];
    let mut leases = Vec::new();
    for _ in 0..1_000 {
        let ask = Ask { hash: Some(42), ..Ask::at(trial.bench.clock.now()) };
        let lease = trial.bench.picker.pick(&ask).unwrap();
        counts[position(&lease)] += 1;
        leases.push(lease);
        let bound = (1.25 * leases.len() as f64 / 4.0).ceil() as usize;
        assert!(counts.iter().all(|count| *count <= bound), "{counts:?} of {}", leases.len());
    }
    assert!(counts.contains(&313), "{counts:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is out, and whatever was tried, nobody gets a target that is out while another is up, and
    /// the same seed makes the same choices.
    #[test]
    fn choices_are_valid_and_follow_from_the_seed(
        weights in prop::collection::vec(1_u32..=5, 1..40),
        drained in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        failing in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        seed in any::<u64>(),
    ) {
        for balance in Balance::ALL {
            let run = || {
                let never_panic = PoolSpec { panic_threshold: Percent::new(0), ..spec(&weights) };
                let mut trial = Trial::seeded(*balance, never_panic, seed);
                for index in &drained {
                    trial.bench.pool.drain(&crate::testing::address(index.index(weights.len())));
                }
                for index in &failing {
                    trial.bench.fail(index.index(weights.len()), 5);
                }
                let targets = trial.bench.pool.targets();
                let mut choices = Vec::new();
                let mut held = Vec::new();
                for request in 0..100 {
                    trial.bench.clock.advance(Duration::from_millis(20));
                    let Some(lease) = trial.lease() else {
                        assert!(!targets.iter().any(|target| target.is_available()));
                        continue;
                    };
                    assert!(lease.target().is_available());
                    choices.push(position(&lease));
                    if request % 3 == 0 {
                        held.push(lease);
                    }
                }
                choices
            };
            prop_assert_eq!(run(), run(), "{}", balance);
        }
    }

    /// No run of requests is off a target's share by more than two, for any weights (the smooth algorithm's
    /// promise).
    #[test]
    fn round_robin_is_never_more_than_two_off(weights in prop::collection::vec(1_u32..=9, 1..8)) {
        let mut trial = Trial::new(Balance::RoundRobin, spec(&weights));
        let total: u32 = weights.iter().sum();
        let mut counts = vec![0_u32; weights.len()];
        for requests in 1..=200_u32 {
            counts[position(&trial.lease().unwrap())] += 1;
            for (count, weight) in counts.iter().zip(&weights) {
                let expected = f64::from(requests * weight) / f64::from(total);
                prop_assert!((f64::from(*count) - expected).abs() <= 2.0, "{:?} of {}", counts, requests);
            }
        }
    }
}
