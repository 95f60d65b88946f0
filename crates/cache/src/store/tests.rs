use std::sync::{Arc, Weak};

use super::testing::{Random, seed};
use super::*;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

fn key(n: u64) -> Vec<u8> {
    format!("https://shop.example/products/{n}").into_bytes()
}

fn put(store: &Store<u64>, n: u64, weight: usize) -> Insert {
    store.insert(&key(n), Arc::new(n), weight)
}

fn has(store: &Store<u64>, n: u64) -> bool {
    store.with(&key(n), |value| assert_eq!(*value, n)).is_some()
}

#[test]
fn what_is_stored_is_found_until_it_is_removed() {
    let store = Store::new(MIB);
    assert_eq!(put(&store, 1, KIB), Insert::Stored);
    assert_eq!(store.get(&key(1)).as_deref(), Some(&1));
    assert_eq!(store.with(&key(1), |value| value + 1), Some(2));
    assert_eq!((store.len(), store.bytes()), (1, KIB + OVERHEAD_BYTES));
    assert_eq!(store.get(&key(2)), None);
    assert_eq!(store.remove(&key(1)).as_deref(), Some(&1));
    assert_eq!(store.remove(&key(1)), None);
    assert_eq!((store.get(&key(1)), store.len(), store.bytes()), (None, 0, 0));
    assert_eq!(store.counters(), Counters { inserted: 1, removed: 1, ..Counters::default() });
}

#[test]
fn replacing_keeps_one_entry_and_its_new_weight() {
    let store = Store::new(MIB);
    for round in 1..=5 {
        let expected = if round == 1 { Insert::Stored } else { Insert::Replaced };
        assert_eq!(store.insert(b"k", Arc::new(round), 1000 * round as usize), expected);
        assert_eq!(store.get(b"k").as_deref(), Some(&round));
        assert_eq!((store.len(), store.bytes()), (1, 1000 * round as usize + OVERHEAD_BYTES));
    }
    store.insert(b"k", Arc::new(9), 10);
    assert_eq!(store.bytes(), 10 + OVERHEAD_BYTES);
}

#[test]
fn a_replacement_that_grows_makes_its_room() {
    let store = Store::new(MIB);
    for n in 0..1000 {
        put(&store, n, KIB - OVERHEAD_BYTES);
    }
    for n in 0..1000 {
        store.insert(&key(n), Arc::new(n), 100 * KIB);
        assert!(store.bytes() <= MIB);
        assert!(has(&store, n));
    }
}

#[test]
fn an_object_too_heavy_is_refused_and_its_forerunner_dropped() {
    let store = Store::new(MIB);
    put(&store, 1, 100);
    assert_eq!(put(&store, 1, store.max_weight() + 1), Insert::TooHeavy);
    assert!(!has(&store, 1));
    assert_eq!(put(&store, 1, store.max_weight()), Insert::Stored);
    assert_eq!(store.bytes(), MIB / 8);
    assert_eq!(store.counters().rejected, 1);
    let none = Store::new(0);
    assert_eq!(put(&none, 1, 1), Insert::TooHeavy);
}

#[test]
fn a_new_object_stays_until_the_next() {
    let store = Store::new(MIB);
    let mut random = Random::new(seed());
    for n in 0..5000 {
        let weight = random.below(store.max_weight() as u64) as usize;
        assert_eq!(put(&store, n, weight), Insert::Stored);
        assert!(has(&store, n), "{n}");
        assert!(store.bytes() <= MIB);
    }
}

#[test]
fn one_hit_wonders_do_not_displace_what_is_hot() {
    let store = Store::new(MIB);
    for n in 0..500 {
        put(&store, n, KIB);
        assert!(has(&store, n));
    }
    for wonder in 1000..50_000 {
        put(&store, wonder, KIB);
        if wonder % 10 == 0 {
            let _ = has(&store, wonder % 5000 / 10);
        }
    }
    let survivors = (0..500).filter(|n| has(&store, *n)).count();
    assert_eq!(survivors, 500);
    assert!(store.counters().evicted > 48_000);
}

#[test]
fn what_comes_back_soon_goes_to_the_main_queue() {
    let store = Store::new(MIB);
    for n in 0..2000 {
        put(&store, n, KIB);
    }
    assert!(!has(&store, 900));
    put(&store, 900, KIB);
    assert_eq!(store.counters().ghost_hits, 1);
    for n in 10_000..12_000 {
        put(&store, n, KIB);
    }
    assert!(has(&store, 900));
}

#[test]
fn a_body_is_freed_with_its_entry() {
    let store: Store<Vec<u8>> = Store::new(MIB);
    let body = || Arc::new(vec![0_u8; KIB]);
    let insert = |n: u64, body: Arc<Vec<u8>>| {
        let weak = Arc::downgrade(&body);
        store.insert(&key(n), body, KIB);
        weak
    };
    let removed = insert(1, body());
    store.remove(&key(1));
    assert_eq!(removed.strong_count(), 0);

    let replaced = insert(1, body());
    let second = insert(1, body());
    assert_eq!((replaced.strong_count(), second.strong_count()), (0, 1));

    let read = store.get(&key(1)).unwrap();
    store.remove(&key(1));
    assert_eq!(second.strong_count(), 1, "only the reader's");
    drop(read);
    assert_eq!(second.strong_count(), 0);

    let all: Vec<Weak<_>> = (0..5000).map(|n| insert(n, body())).collect();
    let alive = all.iter().filter(|weak| weak.strong_count() > 0).count();
    assert_eq!(alive, store.len());
    store.clear();
    assert!(all.iter().all(|weak| weak.strong_count() == 0));
    assert_eq!((store.len(), store.bytes()), (0, 0));

    let last = insert(1, body());
    drop(store);
    assert_eq!(last.strong_count(), 0);
}

#[test]
fn a_refused_body_is_freed() {
    let store: Store<u8> = Store::new(KIB);
    let value = Arc::new(1);
    store.insert(b"k", Arc::clone(&value), KIB);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn only_what_was_seen_is_swapped() {
    let store = Store::new(MIB);
    let (one, two, three) = (Arc::new(1), Arc::new(2), Arc::new(3));
    assert!(!store.swap(b"a", &one, Arc::clone(&two), 10), "nothing is there");
    store.insert(b"a", Arc::clone(&one), 10);
    assert!(!store.swap(b"a", &two, Arc::clone(&three), 10));
    assert!(store.swap(b"a", &one, Arc::clone(&two), 500));
    assert!(!store.swap(b"a", &one, Arc::clone(&three), 10));
    assert_eq!((store.peek(b"a").as_deref(), store.bytes()), (Some(&2), 500 + OVERHEAD_BYTES));
    assert!(store.swap(b"a", &two, three, MIB), "too heavy: what was seen is out of date");
    assert_eq!(store.peek(b"a"), None);
}

#[test]
fn what_replaces_another_meanwhile_is_asked_about_too() {
    let store = Store::new(MIB);
    put(&store, 2, 10);
    let mut shown = Vec::new();
    let removed = store.retain(|_, value| {
        shown.push(*value);
        if shown.len() == 1 {
            store.insert(&key(2), Arc::new(3), 10);
        }
        *value != 2
    });
    assert_eq!((removed, shown), (0, vec![2, 3]));
    assert_eq!(store.get(&key(2)).as_deref(), Some(&3));
}

#[test]
fn walking_sees_everything_and_may_remove() {
    let store = Store::new(MIB);
    for n in 0..100 {
        put(&store, n, 10);
    }
    let mut seen = Vec::new();
    store.for_each(|key, value| {
        seen.push(*value);
        if *value % 2 == 0 {
            store.remove(key);
        }
    });
    seen.sort_unstable();
    assert_eq!(seen, (0..100).collect::<Vec<_>>());
    assert_eq!(store.retain(|key, _| key.ends_with(b"1")), 40);
    assert_eq!(store.len(), 10);
}

#[test]
fn peeking_does_not_count() {
    let store = Store::new(MIB);
    for n in 0..5000 {
        put(&store, n, KIB);
        assert!(store.peek(&key(0)).is_some() || n > 800);
    }
    assert!(!has(&store, 0));
}

#[test]
fn keys_are_compared_whole() {
    let store = Store::new(MIB);
    let keys: [&[u8]; 5] = [b"", b"a", b"a\0", b"a\0\0", b"\xff\xfe"];
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(store.insert(key, Arc::new(n), key.len()), Insert::Stored);
    }
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(store.get(key).as_deref(), Some(&n));
    }
}

/// Everything hot, and more comes: each insertion still finds room without walking the whole queue.
#[test]
fn a_cache_full_of_hot_objects_takes_new_ones() {
    let store = Store::new(MIB);
    for n in 0..800 {
        put(&store, n, KIB);
    }
    for n in 0..3000 {
        (0..800).for_each(|hot| drop(store.get(&key(hot))));
        put(&store, 10_000 + n, KIB);
        assert!(has(&store, 10_000 + n));
        assert!(store.bytes() <= MIB);
        if n > 20 {
            break;
        }
    }
}
