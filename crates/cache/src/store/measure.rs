//! What a hit costs and what an entry takes. Run by hand, optimised:
//! `cargo test --profile quick -p deepwater-cache -- --ignored --nocapture --test-threads 1 store::measure`

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use super::testing::Random;
use super::*;

fn key(n: u64) -> Vec<u8> {
    format!("https://shop.example/products/{n:08}?page=1").into_bytes()
}

#[test]
#[ignore = "a measurement"]
fn nanoseconds_per_hit() {
    const ROUNDS: u64 = 20_000_000;
    for keys in [100, 10_000, 1_000_000] {
        let store = Store::new(1 << 32);
        let names: Vec<_> = (0..keys).map(key).collect();
        for name in &names {
            store.insert(name, Arc::new(1), 100);
        }
        let mut random = Random::new(1);
        let mut time = |hit: &dyn Fn(&[u8]) -> bool| {
            let start = Instant::now();
            let hits = (0..ROUNDS).filter(|_| hit(&names[random.below(keys) as usize])).count();
            assert_eq!(hits as u64, ROUNDS);
            start.elapsed().as_nanos() as f64 / ROUNDS as f64
        };
        let nothing = time(&|key| !black_box(key).is_empty());
        let with = time(&|key| store.with(key, |value: &u64| black_box(*value)).is_some());
        let get = time(&|key| black_box(store.get(key)).is_some());
        let (with, get) = (with - nothing, get - nothing);
        println!("{keys} keys of {} bytes: with {with:.1} ns, get {get:.1} ns", names[0].len());
    }
}

#[test]
#[ignore = "a measurement"]
fn hits_while_others_evict() {
    const ROUNDS: usize = 3_000_000;
    let store = Store::new(64 << 20);
    let hot: Vec<_> = (0..1000).map(key).collect();
    let done = AtomicBool::new(false);
    let measure = |title: &str| {
        let mut random = Random::new(1);
        let mut times = Vec::with_capacity(ROUNDS);
        let mut misses = 0;
        for _ in 0..ROUNDS {
            let key = &hot[random.below(1000) as usize];
            let start = Instant::now();
            let hit = store.with(key, |value: &Vec<u8>| value.len());
            times.push(start.elapsed().as_nanos() as u32);
            if hit.is_none() {
                misses += 1;
                store.insert(key, Arc::new(vec![0; 1000]), 1050);
            }
        }
        times.sort_unstable();
        let at = |share: f64| times[(ROUNDS as f64 * share) as usize];
        let (p50, p99, p999) = (at(0.5), at(0.99), at(0.999));
        println!("{title}: p50 {p50} ns, p99 {p99} ns, p99.9 {p999} ns, {misses} misses");
    };
    measure("alone");
    thread::scope(|scope| {
        scope.spawn(|| {
            let start = Instant::now();
            let mut n = 1 << 20;
            while !done.load(Ordering::Relaxed) {
                store.insert(&key(n), Arc::new(vec![0; 1000]), 1050);
                n += 1;
            }
            let rate = (n - (1 << 20)) as f64 / start.elapsed().as_secs_f64();
            println!("{rate:.0} insertions a second, {:?}", store.counters());
        });
        measure("beside insertions and evictions");
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
#[ignore = "a measurement"]
fn bytes_per_entry() {
    // With its counts it fills an allocator's size class.
    const VALUE: usize = 1008;
    // Resident pages: what the allocator in use makes of it.
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    };
    // None is dropped before the end: what it had would be used again.
    let mut stores = Vec::new();
    for entries in [150_000, 200_000, 260_000_usize] {
        // Full, with the ghost at its length: three times as many were pushed out.
        let weight = VALUE + key(0).len();
        let store = Store::new(entries * (weight + OVERHEAD_BYTES));
        let before = resident();
        for n in 0..4 * entries as u64 {
            store.insert(&key(n), Arc::new([0_u8; VALUE]), weight);
            if n % 3 == 0 {
                let _ = store.get(&key(n));
            }
        }
        let each = (resident() - before) as f64 / store.len() as f64;
        let overhead = each - weight as f64;
        println!("{} entries of {weight} bytes: {overhead:.0} bytes of overhead", store.len());
        stores.push(store);
    }
}
