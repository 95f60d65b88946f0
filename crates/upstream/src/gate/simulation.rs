//! A gate in front of a simulated server that is asked for far more than it can do.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use deepwater_core::random::Random;

use super::*;
use crate::limit::Limit;

const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

struct World {
    gate: Arc<Gate>,
    random: Random,
    now: u64,
    workers: usize,
    service_ns: f64,
    waiting: Vec<(u64, Ticket)>,
    /// Came at, with a permit.
    queue: VecDeque<(u64, Permit)>,
    /// Ends at, by number.
    served: BinaryHeap<Reverse<(u64, usize)>>,
    busy: Vec<Option<(u64, Permit)>>,
}

/// What was seen in some seconds; times in milliseconds.
#[derive(Debug)]
struct Seen {
    /// Share of the capacity.
    goodput: f64,
    /// From coming to the answer, of those who got one.
    p99: f64,
    /// Before being admitted, of those who were.
    wait_p99: f64,
}

fn p99(mut times: Vec<u64>) -> f64 {
    times.sort_unstable();
    times.get(times.len() * 99 / 100).map_or(0.0, |time| *time as f64 / 1e6)
}

impl World {
    fn new(limit: Limit, workers: usize, service_ms: f64, room: &WaitingRoom) -> Self {
        let max = if limit == Limit::Fixed { workers as u32 } else { 1_000 };
        let concurrency = Concurrency { limit, max, ..Concurrency::default() };
        Self {
            gate: Gate::new(&concurrency, room, 3),
            random: Random::from_seed(17),
            now: SECOND,
            workers,
            service_ns: service_ms * 1e6,
            waiting: Vec::new(),
            queue: VecDeque::new(),
            served: BinaryHeap::new(),
            busy: (0..workers).map(|_| None).collect(),
        }
    }

    fn exponential(&mut self, mean: f64) -> u64 {
        (-(1.0 - self.random.unit()).ln() * mean) as u64
    }

    /// Lets those in who were admitted, forgets those who were shed, and gives the workers something to do.
    fn settle(&mut self, waits: &mut Vec<u64>) {
        let mut context = Context::from_waker(Waker::noop());
        let mut waiting = Vec::new();
        for (came, mut ticket) in std::mem::take(&mut self.waiting) {
            match Pin::new(&mut ticket).poll(&mut context) {
                Poll::Pending if ticket.deadline() <= self.now => drop(ticket.expire()),
                Poll::Pending => waiting.push((came, ticket)),
                Poll::Ready(Ok(permit)) => {
                    waits.push(permit.admitted() - came);
                    self.queue.push_back((came, permit));
                }
                Poll::Ready(Err(_)) => {}
            }
        }
        self.waiting = waiting;
        while let Some(worker) = self.busy.iter().position(Option::is_none) {
            let Some(request) = self.queue.pop_front() else { break };
            let ends = self.now + self.exponential(self.service_ns);
            self.busy[worker] = Some(request);
            self.served.push(Reverse((ends, worker)));
        }
    }

    fn run(&mut self, seconds: u64, load: f64) -> Seen {
        let (begin, end) = (self.now, self.now + seconds * SECOND);
        let mean_gap = self.service_ns / self.workers as f64 / load;
        let (mut latencies, mut waits) = (Vec::new(), Vec::new());
        let mut next_arrival = self.now;
        while self.now < end {
            let next_end = self.served.peek().map_or(u64::MAX, |Reverse((ends, _))| *ends);
            self.now = next_arrival.min(next_end);
            if next_arrival <= next_end {
                next_arrival += self.exponential(mean_gap).max(1);
                match self.gate.enter(Priority::Normal, self.now) {
                    Entered::Go(permit) => {
                        waits.push(0);
                        self.queue.push_back((self.now, permit));
                    }
                    Entered::Wait(ticket) => self.waiting.push((self.now, ticket)),
                    Entered::Full => {}
                }
            } else if let Some(Reverse((_, worker))) = self.served.pop()
                && let Some((came, permit)) = self.busy[worker].take()
            {
                latencies.push(self.now - came);
                let latency = Duration::from_nanos(self.now - permit.admitted());
                permit.done(self.now, latency, false);
            }
            self.settle(&mut waits);
        }
        let possible = (self.now - begin) as f64 * self.workers as f64 / self.service_ns;
        Seen { goodput: latencies.len() as f64 / possible, p99: p99(latencies), wait_p99: p99(waits) }
    }
}

#[test]
fn five_times_overload_costs_the_admitted_little_and_the_server_nothing() {
    for limit in Limit::ALL {
        for (workers, service_ms) in [(20, 20.0), (8, 5.0)] {
            let mut world = World::new(*limit, workers, service_ms, &WaitingRoom::default());
            let normal = world.run(10, 0.7);
            assert!(normal.goodput > 0.65, "{limit}: {normal:?}");
            world.run(5, 5.0);
            let seen = world.run(10, 5.0);
            assert!(seen.goodput >= 0.9, "{limit} of {workers}: {seen:?}");
            assert!(seen.p99 <= 2.0 * normal.p99, "{limit} of {workers}: {seen:?}, before {normal:?}");
            assert!(seen.wait_p99 <= 10.0, "{limit} of {workers}: {seen:?}");
            assert!(world.gate.status().overloaded);
            world.run(1, 0.5);
            let after = world.run(5, 0.7);
            assert!(after.p99 <= 1.2 * normal.p99 && after.goodput > 0.65, "{limit}: {after:?}");
        }
    }
}

#[test]
fn overload_is_borne_from_its_first_second_and_when_it_is_mild() {
    for limit in Limit::ALL {
        for (workers, service_ms) in [(20, 20.0), (8, 5.0)] {
            for load in [2.0, 5.0] {
                let mut world = World::new(*limit, workers, service_ms, &WaitingRoom::default());
                let normal = world.run(10, 0.7);
                let first = world.run(1, load);
                let minute = world.run(60, load);
                for seen in [first, minute] {
                    assert!(seen.goodput >= 0.9, "{limit} of {workers} at {load}: {seen:?}");
                    assert!(
                        seen.p99 <= 2.0 * normal.p99,
                        "{limit} of {workers} at {load}: {seen:?}, before {normal:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn without_a_target_the_queue_stands() {
    let never = deepwater_core::config::Duration::from_secs(0);
    let room = WaitingRoom { target_wait: never, ..WaitingRoom::default() };
    let mut world = World::new(Limit::Fixed, 20, 20.0, &room);
    world.run(3, 3.0);
    assert!(world.run(3, 3.0).wait_p99 > 500.0);
}

#[test]
fn a_slow_server_is_kept_busy_although_everybody_waits_long() {
    let mut world = World::new(Limit::Fixed, 2, 1_000.0, &WaitingRoom::default());
    world.run(60, 5.0);
    let seen = world.run(400, 5.0);
    assert!(seen.goodput >= 0.9, "{seen:?}");
}

#[test]
fn a_short_burst_is_served_whole() {
    let gate = Gate::new(&Concurrency { max: 10, ..Concurrency::default() }, &WaitingRoom::default(), 1);
    let mut permits = VecDeque::new();
    let mut tickets = Vec::new();
    for _ in 0..100 {
        match gate.enter(Priority::Normal, 10 * SECOND) {
            Entered::Go(permit) => permits.push_back(permit),
            Entered::Wait(ticket) => tickets.push(ticket),
            Entered::Full => panic!("there is room for a thousand"),
        }
    }
    let mut context = Context::from_waker(Waker::noop());
    let mut served = 0;
    let mut now = 10 * SECOND;
    while let Some(permit) = permits.pop_front() {
        now += MS;
        permit.done(now, Duration::from_millis(10), false);
        served += 1;
        tickets.retain_mut(|ticket| match Pin::new(ticket).poll(&mut context) {
            Poll::Ready(answer) => {
                permits.push_back(answer.expect("nobody is turned away"));
                false
            }
            Poll::Pending => true,
        });
    }
    assert_eq!(served, 100);
}
