use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::mpsc;

use super::*;

const SECOND: u64 = 1_000_000_000;
const FAST: Verdict = Verdict::Success { latency: Duration::from_millis(1) };
const SLOW_ANSWER: Verdict = Verdict::Success { latency: Duration::from_secs(2) };

struct Bench {
    breaker: Arc<CircuitBreaker>,
    changes: mpsc::Receiver<Change>,
}

impl Bench {
    fn new(settings: Breaker) -> Self {
        let (tell, changes) = mpsc::channel();
        let on_change = Box::new(move |change: &Change| drop(tell.send(change.clone())));
        Self { breaker: CircuitBreaker::new(settings, 1, on_change), changes }
    }

    /// How many of so many requests passed, all ending like this.
    fn send(&self, now: u64, times: usize, verdict: Verdict) -> usize {
        let pass = || self.breaker.try_pass(now).map(|pass| self.breaker.record(pass, now, verdict));
        (0..times).filter(|_| pass().is_ok()).count()
    }

    fn states(&self) -> Vec<&'static str> {
        self.changes.try_iter().map(|change| change.state.as_str()).collect()
    }

    fn open_times(&self) -> Vec<u64> {
        let opened = self.changes.try_iter().filter(|change| change.state == BreakerState::Open);
        opened.map(|change| change.open_for.as_secs()).collect()
    }

    fn until(&self) -> u64 {
        self.breaker.until.load(Relaxed)
    }
}

#[test]
fn it_opens_at_the_share_and_not_below_the_volume() {
    let bench = Bench::new(Breaker::default());
    assert_eq!(bench.send(0, 19, Verdict::Failure), 19, "nineteen requests prove nothing");
    assert_eq!(bench.send(0, 100, Verdict::Failure), 1);
    assert_eq!(bench.states(), ["open"]);

    let bench = Bench::new(Breaker::default());
    bench.send(0, 51, FAST);
    assert_eq!(bench.send(0, 100, Verdict::Failure), 51);
    let change = bench.changes.try_recv().unwrap();
    assert_eq!(change.reason, "51 of 102 requests failed");
    assert_eq!(bench.breaker.opened(), 1);
}

#[test]
fn cancelled_requests_count_for_nothing() {
    let bench = Bench::new(Breaker::default());
    bench.send(0, 1_000, Verdict::Cancelled);
    assert_eq!(bench.send(0, 100, Verdict::Failure), 20);
}

#[test]
fn failures_are_forgotten_after_the_window() {
    let bench = Bench::new(Breaker::default());
    for round in 0..10 {
        assert_eq!(bench.send(round * 10 * SECOND, 19, Verdict::Failure), 19);
    }
    assert_eq!(bench.states(), [""; 0]);
}

#[test]
fn slow_answers_open_it_when_asked() {
    let bench = Bench::new(Breaker::default());
    assert_eq!(bench.send(0, 100, SLOW_ANSWER), 100, "nothing is slow unless configured");
    let settings = Breaker {
        slow_after: deepwater_core::config::Duration::from_secs(1),
        slow_share: deepwater_core::config::Percent::new(80),
        ..Breaker::default()
    };
    let bench = Bench::new(settings);
    bench.send(0, 10, FAST);
    assert_eq!(bench.send(0, 100, SLOW_ANSWER), 40);
    assert_eq!(bench.changes.try_recv().unwrap().reason, "40 of 50 requests took 1s or longer");
}

#[test]
fn a_share_of_nothing_means_never() {
    let zero = deepwater_core::config::Percent::new(0);
    let bench = Bench::new(Breaker { failure_share: zero, ..Breaker::default() });
    assert_eq!(bench.send(0, 100, Verdict::Failure), 100);
}

#[test]
fn it_closes_after_good_probes_and_starts_afresh() {
    let bench = Bench::new(Breaker::default());
    bench.send(0, 20, Verdict::Failure);
    let refused = bench.breaker.try_pass(SECOND).err().unwrap();
    assert!((4..=5).contains(&refused.retry_after.as_secs()), "{refused:?}");
    assert!(bench.breaker.is_open(SECOND));
    let now = bench.until();
    assert!(!bench.breaker.is_open(now));
    assert_eq!(bench.send(now, 3, FAST), 3);
    assert_eq!(bench.states(), ["open", "half_open", "closed"]);
    assert_eq!(bench.send(now, 100, Verdict::Failure), 20, "the old failures are forgotten");
}

#[test]
fn the_shares_decide_over_the_probes_too() {
    let bench = Bench::new(Breaker::default());
    bench.send(0, 20, Verdict::Failure);
    let now = bench.until();
    assert_eq!(bench.send(now, 1, Verdict::Failure), 1);
    assert_eq!(bench.send(now, 2, FAST), 2);
    assert_eq!(bench.states(), ["open", "half_open", "closed"], "one of three is less than half");
    bench.send(now, 20, Verdict::Failure);
    let now = bench.until();
    assert_eq!(bench.send(now, 100, Verdict::Failure), 2, "two of three is certain");
    assert_eq!(bench.states(), ["open", "half_open", "open"]);
}

#[test]
fn the_open_time_doubles_is_capped_and_is_forgiven() {
    let bench = Bench::new(Breaker::default());
    bench.send(0, 20, Verdict::Failure);
    for _ in 0..5 {
        bench.send(bench.until(), 3, Verdict::Failure);
    }
    let times = bench.open_times();
    let expected = [5, 10, 20, 40, 60, 60];
    let fits = |(time, due): (&u64, u64)| (due..=due + due / 10).contains(time);
    assert!(times.len() == 6 && times.iter().zip(expected).all(fits), "{times:?}");

    let closed = bench.until();
    bench.send(closed, 3, FAST);
    bench.send(closed + 9 * SECOND, 20, Verdict::Failure);
    assert!(bench.open_times()[0] >= 60, "less than a window of good behaviour");
    let closed = bench.until();
    bench.send(closed, 3, FAST);
    bench.send(closed + 10 * SECOND, 20, Verdict::Failure);
    assert_eq!(bench.open_times(), [5]);
}

#[test]
fn a_probe_that_is_dropped_or_cancelled_gives_its_place_back() {
    let bench = Bench::new(Breaker::default());
    bench.send(0, 20, Verdict::Failure);
    let now = bench.until();
    assert_eq!(bench.send(now, 50, Verdict::Cancelled), 50);
    let held: Vec<Pass> = (0..3).map(|_| bench.breaker.try_pass(now).ok().unwrap()).collect();
    assert!(bench.breaker.try_pass(now).is_err());
    drop(held);
    assert_eq!(bench.send(now, 3, FAST), 3);
    assert_eq!(bench.breaker.state(), BreakerState::Closed);
}

#[test]
fn probes_that_never_end_are_replaced_and_heard_no_more() {
    let bench = Bench::new(Breaker::default());
    bench.send(0, 20, Verdict::Failure);
    let now = bench.until();
    let lost: Vec<Pass> = (0..3).map(|_| bench.breaker.try_pass(now).ok().unwrap()).collect();
    assert!(bench.breaker.try_pass(now + 59 * SECOND).is_err());
    let later = now + 60 * SECOND;
    assert_eq!(bench.send(later, 2, FAST), 2);
    lost.into_iter().for_each(|pass| bench.breaker.record(pass, later, Verdict::Failure));
    assert_eq!(bench.breaker.state(), BreakerState::HalfOpen, "the lost ones belong to another trial");
    bench.send(later, 1, FAST);
    assert_eq!(bench.breaker.state(), BreakerState::Closed);
}

#[test]
fn what_was_sent_before_it_opened_says_nothing_after() {
    let bench = Bench::new(Breaker::default());
    let old: Vec<Pass> = (0..100).map(|_| bench.breaker.try_pass(0).ok().unwrap()).collect();
    bench.send(0, 20, Verdict::Failure);
    let now = bench.until();
    bench.send(now, 3, FAST);
    old.into_iter().for_each(|pass| bench.breaker.record(pass, now, Verdict::Failure));
    assert_eq!(bench.breaker.state(), BreakerState::Closed);
}

/// Eight threads at a half-open breaker, some of them dropping their pass: never more than three hold one,
/// and exactly three verdicts close it.
#[test]
fn many_threads_never_get_more_than_the_probes() {
    for round in 0..200 {
        let bench = Bench::new(Breaker { probes: 3, ..Breaker::default() });
        bench.send(0, 20, Verdict::Failure);
        let now = bench.until();
        let (held, verdicts, most) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
        let attempt = |chance: &mut Random| {
            let Ok(Pass::Probe(probe)) = bench.breaker.try_pass(now) else { return };
            most.fetch_max(held.fetch_add(1, SeqCst) + 1, SeqCst);
            std::thread::yield_now();
            held.fetch_sub(1, SeqCst);
            if chance.below(3) > 0 {
                verdicts.fetch_add(1, SeqCst);
                bench.breaker.record(Pass::Probe(probe), now, FAST);
            }
        };
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let mut chance = Random::from_seed(round * 8 + thread);
                let attempt = &attempt;
                scope.spawn(move || (0..50).for_each(|_| attempt(&mut chance)));
            }
        });
        assert!(most.load(SeqCst) <= 3, "round {round}: {most:?} probes at once");
        assert!(verdicts.load(SeqCst) <= 3, "round {round}: {verdicts:?} verdicts");
        assert_eq!(bench.breaker.state() == BreakerState::Closed, verdicts.load(SeqCst) == 3, "{round}");
    }
}
