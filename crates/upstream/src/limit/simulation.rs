//! Adaptive limits in front of simulated servers of known capacity.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use deepwater_core::random::Random;

use super::{Concurrency, Limit, Limiter, Sample};

mod mix;

const SECOND: u64 = 1_000_000_000;

/// So many workers, a queue in front of them, exponential times of service.
struct World {
    limiter: Box<dyn Limiter>,
    limit: u32,
    random: Random,
    now: u64,
    next_arrival: u64,
    workers: usize,
    busy: usize,
    service_ns: f64,
    /// Admitted at.
    queue: VecDeque<u64>,
    /// Ends at, was admitted at.
    served: BinaryHeap<Reverse<(u64, u64)>>,
}

/// What was seen in some seconds.
#[derive(Debug)]
struct Seen {
    /// Share of the capacity.
    throughput: f64,
    /// Mean latency of the admitted over the mean time of service.
    latency: f64,
    limit: f64,
    /// Share of the requests.
    refused: f64,
}

impl World {
    fn new(workers: usize, service_ms: f64, seed: u64) -> Self {
        let settings = Concurrency { limit: Limit::Gradient, max: 2_000, ..Concurrency::default() };
        let limiter = settings.build(seed);
        Self {
            limit: limiter.initial(),
            limiter,
            random: Random::from_seed(seed),
            now: 0,
            next_arrival: 0,
            workers,
            busy: 0,
            service_ns: service_ms * 1e6,
            queue: VecDeque::new(),
            served: BinaryHeap::new(),
        }
    }

    fn exponential(&mut self, mean: f64) -> u64 {
        (-(1.0 - self.random.unit()).ln() * mean) as u64
    }

    fn in_flight(&self) -> u32 {
        (self.queue.len() + self.busy) as u32
    }

    fn begin(&mut self) {
        while self.busy < self.workers {
            let Some(admitted) = self.queue.pop_front() else { return };
            let ends = self.now + self.exponential(self.service_ns);
            self.busy += 1;
            self.served.push(Reverse((ends, admitted)));
        }
    }

    /// Lets requests arrive at so many times the capacity.
    fn run(&mut self, seconds: u64, load: f64) -> Seen {
        let (begin, end) = (self.now, self.now + seconds * SECOND);
        let capacity = self.workers as f64 / self.service_ns;
        let (mut done, mut latencies, mut limits) = (0_u64, 0.0, 0.0);
        let (mut came, mut refused) = (0_u64, 0_u64);
        self.next_arrival = self.now;
        while self.now < end {
            let next_end = self.served.peek().map_or(u64::MAX, |Reverse((ends, _))| *ends);
            if self.next_arrival < next_end {
                self.now = self.next_arrival;
                self.next_arrival += self.exponential(1.0 / (capacity * load)).max(1);
                came += 1;
                if self.in_flight() < self.limit {
                    self.queue.push_back(self.now);
                } else {
                    refused += 1;
                }
            } else {
                self.now = next_end;
                let Some(Reverse((_, admitted))) = self.served.pop() else { unreachable!() };
                let latency = self.now - admitted;
                let in_flight = self.in_flight();
                let sample = Sample { now: self.now, latency, in_flight, dropped: false };
                self.limit = self.limiter.observe(&sample).unwrap_or(self.limit);
                self.busy -= 1;
                done += 1;
                latencies += latency as f64;
                limits += f64::from(self.limit);
            }
            self.begin();
        }
        Seen {
            throughput: done as f64 / (capacity * (self.now - begin) as f64),
            latency: latencies / done as f64 / self.service_ns,
            limit: limits / done as f64,
            refused: refused as f64 / came as f64,
        }
    }
}

fn at_the_knee(seen: &Seen, workers: usize, load: f64, what: &str) {
    // At a load of exactly 1, chance alone leaves places empty (Erlang's loss formula).
    let least = if load > 1.0 { 0.9 } else { 0.85 };
    assert!(seen.throughput >= least, "{what}: {seen:?}");
    assert!(seen.latency <= 2.0, "{what}: {seen:?}");
    let knee = workers as f64;
    assert!((0.9 * knee..2.0 * knee + 4.0).contains(&seen.limit), "{what}: {seen:?}");
}

#[test]
fn it_settles_at_the_knee_of_any_server_and_stays_there() {
    for (workers, service_ms) in [(8, 5.0), (20, 20.0), (100, 50.0)] {
        for load in [1.0, 5.0] {
            let mut world = World::new(workers, service_ms, 11);
            world.run(20, 0.5);
            world.run(10, load);
            for minute in 0..4 {
                let seen = world.run(60, load);
                at_the_knee(
                    &seen,
                    workers,
                    load,
                    &format!("{workers} workers, load {load}, minute {minute}"),
                );
            }
        }
    }
}

#[test]
fn overload_from_the_first_moment_is_found_out() {
    let mut world = World::new(20, 20.0, 5);
    world.run(60, 5.0);
    at_the_knee(&world.run(30, 5.0), 20, 5.0, "no quiet time before");
}

#[test]
fn below_capacity_nobody_is_refused() {
    let mut world = World::new(20, 20.0, 7);
    world.run(20, 0.5);
    let seen = world.run(120, 0.5);
    assert!(seen.throughput > 0.49, "{seen:?}");
    assert!(seen.latency < 1.1, "{seen:?}");
}

#[test]
fn capacity_that_changes_is_followed_within_seconds() {
    let mut world = World::new(40, 20.0, 9);
    world.run(20, 0.5);
    world.run(20, 5.0);
    world.workers = 20;
    world.run(5, 5.0);
    at_the_knee(&world.run(5, 5.0), 20, 5.0, "half the workers");
    world.workers = 40;
    world.run(5, 5.0);
    at_the_knee(&world.run(5, 5.0), 40, 5.0, "as many as before");
    world.service_ns *= 2.0;
    world.run(8, 5.0);
    at_the_knee(&world.run(10, 5.0), 40, 5.0, "each half as fast");
    world.service_ns /= 2.0;
    world.run(5, 5.0);
    at_the_knee(&world.run(10, 5.0), 40, 5.0, "each as fast as before");
}

#[test]
fn an_idle_night_does_not_blow_the_limit_up() {
    let mut world = World::new(20, 20.0, 13);
    world.run(10, 0.5);
    world.run(20, 5.0);
    let evening = world.limit;
    world.run(8 * 3_600, 0.002);
    assert!(world.limit <= evening + 1, "{evening} became {}", world.limit);
    world.run(5, 5.0);
    at_the_knee(&world.run(20, 5.0), 20, 5.0, "in the morning");
}
