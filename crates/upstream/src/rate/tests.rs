use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use deepwater_core::random::Random;
use proptest::prelude::*;

use super::*;

const SECOND: u64 = 1_000_000_000;
const SEED: [u64; 2] = [7, 9];

fn limiter(requests: u32, burst: u32, max_keys: usize) -> RateLimiter {
    RateLimiter::new(Rate { requests, per: Duration::from_secs(1), burst }, max_keys, SEED)
}

fn allowed(limiter: &RateLimiter, key: &[u8], now: u64, times: usize) -> usize {
    (0..times).filter(|_| limiter.take(key, now).allowed).count()
}

#[test]
fn a_burst_then_the_rate() {
    let limiter = limiter(10, 5, 100);
    assert_eq!(allowed(&limiter, b"a", SECOND, 20), 5);
    assert_eq!(allowed(&limiter, b"b", SECOND, 20), 5, "another key has a bucket of its own");
    assert_eq!(allowed(&limiter, b"a", SECOND + SECOND / 10 - 1, 20), 0);
    assert_eq!(allowed(&limiter, b"a", SECOND + SECOND / 10, 20), 1);
    assert_eq!(allowed(&limiter, b"a", 2 * SECOND, 20), 5, "no more is saved up than the burst");
}

#[test]
fn what_is_told_is_true() {
    let limiter = limiter(10, 3, 100);
    let tenth = |tenths: u64| Duration::from_millis(100 * tenths);
    let take = |now| limiter.take(b"a", now);
    let taken = |allowed, remaining, reset, retry| Taken {
        allowed,
        remaining,
        reset_after: tenth(reset),
        retry_after: tenth(retry),
    };
    assert_eq!(take(SECOND), taken(true, 2, 1, 0));
    assert_eq!(take(SECOND), taken(true, 1, 2, 0));
    assert_eq!(take(SECOND), taken(true, 0, 3, 1));
    let refused = take(SECOND);
    assert_eq!(refused, taken(false, 0, 3, 1));
    assert!(!take(SECOND + nanos(refused.retry_after) - 1).allowed);
    assert!(take(SECOND + nanos(refused.retry_after)).allowed);
}

#[test]
fn a_clock_that_goes_backwards_is_harmless() {
    let limiter = limiter(10, 5, 100);
    assert_eq!(allowed(&limiter, b"a", 100 * SECOND, 5), 5);
    assert_eq!(limiter.take(b"a", 0).retry_after, Duration::from_millis(100), "time stands still");
    assert!(limiter.take(b"b", 0).allowed);
    assert_eq!(allowed(&limiter, b"a", 101 * SECOND, 9), 5);
}

#[test]
fn no_setting_or_time_makes_it_panic() {
    for requests in [0, 1, u32::MAX] {
        for per in [Duration::ZERO, Duration::from_secs(1), Duration::MAX] {
            for burst in [0, 1, u32::MAX] {
                for max_keys in [0, 1, 1_000] {
                    let limiter = RateLimiter::new(Rate { requests, per, burst }, max_keys, SEED);
                    assert!(limiter.take(b"a", 0).allowed, "{requests} {per:?} {burst}");
                    limiter.take(b"b", u64::MAX);
                    limiter.take(b"a", 0);
                    limiter.sweep(u64::MAX);
                }
            }
        }
    }
}

#[test]
fn many_threads_take_exactly_the_burst() {
    let limiter = limiter(10, 1_000, 100);
    let taken = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| taken.fetch_add(allowed(&limiter, b"a", SECOND, 500) as u32, SeqCst));
        }
    });
    assert_eq!(taken.load(SeqCst), 1_000);
}

fn bytes(limiter: &RateLimiter) -> usize {
    limiter.shards.iter().map(|shard| size_of::<Shard>() + limiter.table(shard).size_bytes()).sum()
}

#[test]
fn a_million_keys_cost_at_most_a_hundred_bytes_each_and_are_forgotten() {
    let limiter = limiter(1, 60, 1_100_000);
    for key in 0..1_000_000_u64 {
        assert!(limiter.take(&key.to_le_bytes(), SECOND).allowed);
        if key.is_power_of_two() && key > 10_000 {
            let each = bytes(&limiter) as u64 / key;
            assert!(each <= 100, "{each} bytes for each of {key} keys");
        }
    }
    assert_eq!((limiter.keys(), limiter.forgotten()), (1_000_000, 0));
    assert!(bytes(&limiter) <= 100_000_000, "{}", bytes(&limiter));
    for _ in 0..40 {
        for key in 0..64_000_u64 {
            limiter.take(&key.to_le_bytes(), 100 * SECOND);
        }
    }
    assert!(limiter.keys() <= 64_000, "{} keys remain", limiter.keys());
    assert!(bytes(&limiter) <= 64_000 * 200, "memory is given back: {}", bytes(&limiter));
    limiter.sweep(1_000 * SECOND);
    assert_eq!(limiter.keys(), 0);
    assert!(bytes(&limiter) < 100_000);
}

#[test]
fn too_many_busy_keys_cost_the_least_busy() {
    let limiter = limiter(1, 100, 1_024);
    let heavy = 0..100_u64;
    for key in heavy.clone() {
        assert_eq!(allowed(&limiter, &key.to_le_bytes(), SECOND, 100), 100);
    }
    for key in 1_000..50_000_u64 {
        limiter.take(&key.to_le_bytes(), SECOND);
    }
    assert!(limiter.keys() <= 1_024);
    assert!(limiter.forgotten() >= 49_000 - 1_024, "{}", limiter.forgotten());
    let kept = heavy.filter(|key| !limiter.take(&key.to_le_bytes(), SECOND).allowed).count();
    assert!(kept >= 95, "{kept} of 100 exhausted keys are still refused");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// As a map of plain token buckets says, for any order of keys and times.
    #[test]
    fn it_does_what_token_buckets_do(
        requests in 1_u32..50,
        burst in 1_u32..20,
        seed in any::<u64>(),
    ) {
        let limiter = RateLimiter::new(
            Rate { requests: 1, per: Duration::from_millis(u64::from(requests)), burst }, 100_000, SEED,
        );
        let refill_ns = u64::from(requests) * 1_000_000;
        // Tokens in nanoseconds of refill, and when they were counted.
        let mut model: HashMap<u64, (u64, u64)> = HashMap::new();
        let mut random = Random::from_seed(seed);
        let mut now = SECOND;
        for step in 0..5_000 {
            now += random.below(refill_ns as usize / 4) as u64;
            let key = random.below(1 + step / 10) as u64;
            let full = refill_ns * u64::from(burst);
            let (tokens, at) = model.entry(key).or_insert((full, now));
            *tokens = (*tokens + (now - *at)).min(full);
            *at = now;
            let expected = *tokens >= refill_ns;
            if expected {
                *tokens -= refill_ns;
            }
            let taken = limiter.take(&key.to_le_bytes(), now);
            prop_assert_eq!(taken.allowed, expected, "step {}", step);
            prop_assert_eq!(u64::from(taken.remaining), *tokens / refill_ns, "step {}", step);
            prop_assert_eq!(nanos(taken.reset_after), full - *tokens, "step {}", step);
        }
    }
}
