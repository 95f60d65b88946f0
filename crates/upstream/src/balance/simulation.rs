//! Servers that take time, in time that is counted: what the balancers that look at load and latency do
//! over minutes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use deepwater_core::random::Random;

use super::{Balance, Query};
use crate::target::Target;
use crate::testing::{rotation_of, targets};

const SECOND: u64 = 1_000_000_000;

/// Servers with as many workers each, fed by independent arrivals through two cores.
struct Simulation<'a> {
    balance: Balance,
    weights: &'a [f64],
    /// Requests a second.
    rate: f64,
    seconds: u64,
    workers: usize,
    /// Time a request takes once a worker has it: of a server, at a second, by chance.
    service_ms: &'a dyn Fn(usize, u64, &mut Random) -> f64,
}

/// Requests each server got, by second.
type BySecond = Vec<Vec<usize>>;

impl Simulation<'_> {
    fn run(&self, seed: u64) -> BySecond {
        let targets: Vec<Arc<Target>> = targets(self.weights.len());
        let rotation = rotation_of(&targets, self.weights);
        let mut cores = [self.balance.build(seed), self.balance.build(seed + 1)];
        cores.iter_mut().for_each(|core| core.rebuild(&rotation));
        let mut random = Random::from_seed(seed);
        let mut free_at = vec![vec![0_u64; self.workers]; targets.len()];
        let mut answers: BinaryHeap<Reverse<(u64, usize, u64)>> = BinaryHeap::new();
        let mut counts = vec![vec![0; targets.len()]; usize::try_from(self.seconds).unwrap()];
        let mut now = 0_u64;
        loop {
            now += (exponential(&mut random) / self.rate * SECOND as f64) as u64;
            if now >= self.seconds * SECOND {
                return counts;
            }
            while let Some(Reverse((at, server, latency))) = answers.peek().copied() {
                if at > now {
                    break;
                }
                answers.pop();
                targets[server].load.end();
                targets[server].load.succeed(at, Duration::from_nanos(latency));
            }
            let query = Query { now, client: None, hash: None, avoid: &[] };
            let server = cores[random.below(2)].pick(&rotation, &query).unwrap();
            targets[server].load.begin(now);
            counts[(now / SECOND) as usize][server] += 1;
            let worker = free_at[server].iter_mut().min().unwrap();
            let service = (self.service_ms)(server, now / SECOND, &mut random) * 1e6;
            *worker = (*worker).max(now) + service as u64;
            answers.push(Reverse((*worker, server, *worker - now)));
        }
    }
}

fn exponential(random: &mut Random) -> f64 {
    -(1.0 - random.unit()).ln()
}

/// Each server's share from a second on.
fn shares(counts: &BySecond, from: usize) -> Vec<f64> {
    let total: usize = counts[from..].iter().flatten().sum();
    let of = |server| counts[from..].iter().map(|second| second[server]).sum::<usize>();
    (0..counts[0].len()).map(|server| of(server) as f64 / total as f64).collect()
}

const LATENCY: Simulation<'static> = Simulation {
    balance: Balance::LeastResponseTime,
    weights: &[1.0, 1.0],
    rate: 400.0,
    seconds: 60,
    workers: 8,
    service_ms: &|_, _, _| 10.0,
};

#[test]
fn a_twin_that_is_a_little_faster_does_not_get_everything() {
    for rate in [5.0, 50.0, 400.0] {
        let service_ms = &|server, _, _: &mut Random| if server == 0 { 10.0 } else { 10.5 };
        let shares = shares(&Simulation { rate, service_ms, ..LATENCY }.run(1), 0);
        assert!(shares.iter().all(|share| (0.45..0.55).contains(share)), "{rate}/s: {shares:?}");
    }
}

#[test]
fn twins_whose_latency_varies_share_within_a_fifth() {
    for seed in 0..5 {
        for rate in [20.0, 400.0, 1_000.0] {
            let service_ms = &|_, _, random: &mut Random| 10.0 * exponential(random);
            let shares = shares(&Simulation { rate, service_ms, ..LATENCY }.run(seed), 0);
            let fair = shares.iter().all(|share| (0.4..0.6).contains(share));
            assert!(fair, "seed {seed}, {rate}/s: {shares:?}");
        }
    }
}

#[test]
fn twins_with_rare_slow_pages_share_within_a_fifth_too() {
    for seed in 0..5 {
        let slow_page = |_, _, random: &mut Random| if random.below(100) == 0 { 1_000.0 } else { 5.0 };
        let simulation = Simulation { service_ms: &slow_page, seconds: 300, ..LATENCY };
        let shares = shares(&simulation.run(seed), 0);
        assert!(shares.iter().all(|share| (0.4..0.6).contains(share)), "seed {seed}: {shares:?}");
    }
}

#[test]
fn a_slow_server_gets_little_but_is_tried_every_second() {
    let service_ms = &|server, _, _: &mut Random| if server == 2 { 500.0 } else { 10.0 };
    let counts = Simulation { weights: &[1.0; 3], service_ms, ..LATENCY }.run(1);
    for second in &counts[5..] {
        assert!((1..=8).contains(&second[2]), "{second:?}");
    }
}

#[test]
fn a_server_that_recovers_gets_its_share_again() {
    let service_ms = &|server, second, _: &mut Random| if server == 0 && second < 60 { 300.0 } else { 10.0 };
    for rate in [20.0, 400.0] {
        let counts = Simulation { rate, seconds: 180, service_ms, ..LATENCY }.run(1);
        let slow = shares(&counts[..60].to_vec(), 10);
        assert!(slow[0] < 0.1, "{rate}/s: {slow:?}");
        let recovered = shares(&counts, 120);
        assert!((0.4..0.6).contains(&recovered[0]), "{rate}/s: {recovered:?}");
    }
}

#[test]
fn among_many_the_slow_get_less_and_are_not_forgotten() {
    let weights = [1.0; 100];
    let service_ms = &|server, _, _: &mut Random| if server < 10 { 200.0 } else { 10.0 };
    let simulation = Simulation { weights: &weights, rate: 2_000.0, service_ms, ..LATENCY };
    let shares = shares(&simulation.run(1), 10);
    let slow: f64 = shares[..10].iter().sum();
    assert!((0.002..0.03).contains(&slow), "{slow}: a tenth of the servers");
    assert!(shares.iter().all(|share| *share > 0.0001), "{shares:?}");
}

#[test]
fn the_shorter_queue_takes_the_load_off_a_slow_server() {
    for balance in [Balance::LeastConnections, Balance::Random] {
        let service_ms = &|server, _, _: &mut Random| if server == 0 { 80.0 } else { 10.0 };
        let simulation = Simulation { balance, weights: &[1.0; 4], rate: 1_000.0, service_ms, ..LATENCY };
        let shares = shares(&simulation.run(1), 10);
        assert!(shares[0] < 0.15, "{balance}: {shares:?}");
    }
}
