//! Many threads at once on a small store.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use super::testing::{Random, seed};
use super::*;

const THREADS: u64 = 4;
const STEPS: u64 = if cfg!(debug_assertions) { 30_000 } else { 300_000 };

/// A value that knows its key and counts the living.
struct Value {
    key: u64,
    version: u64,
    alive: Arc<AtomicU64>,
}

impl Value {
    fn new(key: u64, version: u64, alive: &Arc<AtomicU64>) -> Arc<Self> {
        alive.fetch_add(1, Ordering::SeqCst);
        Arc::new(Self { key, version, alive: Arc::clone(alive) })
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn nothing_is_lost_leaked_or_too_much() {
    let seed = seed();
    let alive = Arc::new(AtomicU64::new(0));
    let capacity = 256 * 1024;
    let store = Store::new(capacity);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let bytes = store.bytes();
                assert!(bytes <= capacity, "{bytes}");
                thread::yield_now();
            }
        });
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (store, alive) = (&store, &alive);
                scope.spawn(move || {
                    let mut random = Random::new(seed ^ thread);
                    for step in 0..STEPS {
                        work(store, &mut random, step, alive);
                    }
                })
            })
            .collect();
        let panicked = workers.into_iter().any(|worker| worker.join().is_err());
        done.store(true, Ordering::Relaxed);
        assert!(!panicked);
    });
    let mut walked = 0;
    store.for_each(|_, _| walked += 1);
    assert_eq!(walked, store.len());
    assert_eq!(alive.load(Ordering::SeqCst), walked as u64);
    store.clear();
    assert_eq!((store.len(), store.bytes()), (0, 0));
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    let counters = store.counters();
    assert_eq!(counters.inserted, counters.removed + counters.evicted);
    assert!(counters.evicted > 0 && counters.replaced > 0);
}

fn work(store: &Store<Value>, random: &mut Random, step: u64, alive: &Arc<AtomicU64>) {
    // Few keys for collisions of threads, many for evictions.
    let n = if random.below(2) == 0 { random.below(16) } else { random.below(2000) };
    let key = n.to_be_bytes();
    let check = |value: &Value| assert_eq!(value.key, n);
    match random.below(20) {
        0..=6 => drop(store.with(&key, check)),
        7..=9 => drop(store.get(&key).inspect(|value| check(value))),
        10..=15 => {
            store.insert(&key, Value::new(n, step, alive), random.below(4000) as usize);
        }
        16..=17 => drop(store.remove(&key).inspect(|value| check(value))),
        18 => {
            if let Some(seen) = store.get(&key).filter(|value| value.version % 2 == 0) {
                store.swap(&key, &seen, Value::new(n, step, alive), random.below(4000) as usize);
            }
        }
        _ if step.is_multiple_of(1000) => {
            store.retain(|_, value| value.key % 3 != 0);
        }
        _ => {}
    }
}

/// Each key has one owner who knows what is there; the others only read and push things out.
#[test]
fn an_owner_sees_what_it_did_last() {
    let seed = seed();
    let store: Store<(u64, u64)> = Store::new(64 * 1024 * 1024);
    let start = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for owner in 0..THREADS {
            let (store, start) = (&store, &start);
            scope.spawn(move || {
                let mut random = Random::new(seed ^ (owner << 32));
                let mut expected = [None; 64];
                start.wait();
                for step in 0..STEPS {
                    let n = random.below(64);
                    let key = [owner.to_be_bytes(), n.to_be_bytes()].concat();
                    match random.below(3) {
                        0 => {
                            store.insert(&key, Arc::new((owner, step)), 100);
                            expected[n as usize] = Some((owner, step));
                        }
                        1 => {
                            assert_eq!(store.remove(&key).as_deref().copied(), expected[n as usize].take());
                        }
                        _ => {}
                    }
                    // The capacity is never reached: nothing may vanish.
                    assert_eq!(store.with(&key, |value| *value), expected[n as usize]);
                }
            });
        }
    });
    assert_eq!(store.counters().evicted, 0);
}

/// With evictions going on: what was removed is not seen again, what is seen is the last that was stored.
#[test]
fn what_was_removed_stays_away_while_others_evict() {
    let seed = seed();
    let store: Store<(u64, u64)> = Store::new(64 * 1024);
    thread::scope(|scope| {
        for owner in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                let mut random = Random::new(seed ^ (owner << 32));
                let mut last = [None; 256];
                for step in 0..STEPS {
                    let n = random.below(256);
                    let key = [owner.to_be_bytes(), n.to_be_bytes()].concat();
                    if random.below(2) == 0 {
                        store.insert(&key, Arc::new((owner, step)), 400);
                        last[n as usize] = Some((owner, step));
                    } else if random.below(2) == 0 {
                        store.remove(&key);
                        last[n as usize] = None;
                    }
                    if let Some(seen) = store.with(&key, |value| *value) {
                        assert_eq!(Some(seen), last[n as usize]);
                    }
                }
            });
        }
    });
    assert!(store.counters().evicted > 0);
}
