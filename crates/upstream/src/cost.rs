//! What each guard costs a request when nothing is wrong:
//! `cargo test --profile quick -p deepwater-upstream cost -- --ignored --nocapture`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::breaker::{Breaker, CircuitBreaker, Verdict};
use crate::budget::{Budget, RetryBudget};
use crate::gate::{Entered, Gate, Priority, WaitingRoom};
use crate::limit::{Concurrency, Limit};
use crate::rate::{Rate, RateLimiter};

const CALLS: u32 = 2_000_000;
/// A request every 20 µs.
const STEP: u64 = 20_000;

/// Nanoseconds for each call on so many threads at once.
fn nanos_per_call(threads: u32, call: &(impl Fn(u64) + Sync)) -> f64 {
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..u64::from(CALLS)).for_each(|number| call(number * STEP)));
        }
    });
    begin.elapsed().as_nanos() as f64 / f64::from(CALLS)
}

fn print(name: &str, call: impl Fn(u64) + Sync) {
    let [one, two] = [1, 2].map(|threads| nanos_per_call(threads, &call));
    println!("{name:<32} {one:>6.1} ns alone, {two:>6.1} ns on each of two cores at once");
}

#[test]
#[ignore = "a measurement"]
fn cost() {
    let breaker = CircuitBreaker::new(Breaker::default(), 1, Box::new(|_| ()));
    let success = Verdict::Success { latency: Duration::from_millis(1) };
    print("breaker, pass and record", |now| {
        if let Ok(pass) = breaker.try_pass(now) {
            breaker.record(pass, now, success);
        }
    });
    let budget = RetryBudget::new(&Budget::default());
    print("retry budget, deposit", |now| budget.deposit(now));
    for limit in Limit::ALL {
        let concurrency = Concurrency { limit: *limit, ..Concurrency::default() };
        let gate = Gate::new(&concurrency, &WaitingRoom::default(), 1);
        let visit = |gate: &Arc<Gate>, now: u64| {
            if let Entered::Go(permit) = gate.enter(Priority::Normal, now) {
                permit.done(now, Duration::from_millis(1), false);
            }
        };
        print(&format!("gate, enter and done ({limit})"), |now| visit(&gate, now));
    }
    let rate = Rate { requests: u32::MAX, per: Duration::from_secs(1), burst: 1_000 };
    let limiter = RateLimiter::new(rate, 100_000, [1, 2]);
    print("rate limit, one key", |now| {
        limiter.take(b"192.0.2.1", now);
    });
    print("rate limit, 10,000 keys", |now| {
        let key = (now / STEP % 10_000).to_le_bytes();
        limiter.take(&key, now);
    });
}
