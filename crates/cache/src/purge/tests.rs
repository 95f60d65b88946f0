use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;

use super::*;
use crate::store::Store;
use crate::store::testing::{Random, seed};

#[test]
fn a_purge_concerns_what_is_older() {
    let epochs = Epochs::new();
    let stamp = |tags: &[&str]| {
        let born = epochs.now();
        Stamp::new(born, tags.iter().map(|tag| epochs.slot(Kind::Tag, tag.as_bytes())))
    };
    let state = |stamp: &Stamp| stamp.state(&epochs, || b"shop.example/p/1");
    let before = stamp(&["p1", "pricing"]);
    let other = stamp(&["p2"]);
    assert_eq!((state(&before), state(&other)), (Validity::Valid, Validity::Valid));
    epochs.purge(Kind::Tag, b"pricing", Mode::Soft);
    assert_eq!((state(&before), state(&other)), (Validity::Soft, Validity::Valid));
    let between = stamp(&["pricing"]);
    assert_eq!(state(&between), Validity::Valid);
    epochs.purge(Kind::Tag, b"pricing", Mode::Hard);
    assert_eq!(
        (state(&before), state(&between), state(&other)),
        (Validity::Hard, Validity::Hard, Validity::Valid)
    );
    epochs.purge_prefix(b"shop.example/p/", Mode::Soft);
    assert_eq!(state(&other), Validity::Soft);
    let after = stamp(&["p2"]);
    assert_eq!(state(&after), Validity::Valid);
    epochs.purge_everything(Mode::Hard);
    assert_eq!((state(&other), state(&after)), (Validity::Hard, Validity::Hard));
    assert_eq!(state(&stamp(&["p2"])), Validity::Valid);
}

#[test]
fn the_url_is_asked_for_only_when_a_prefix_was_purged_since() {
    let epochs = Epochs::new();
    epochs.purge_prefix(b"a/", Mode::Hard);
    let stamp = Stamp::new(epochs.now(), []);
    let unasked = || -> &'static [u8] { unreachable!() };
    assert_eq!(stamp.state(&epochs, unasked), Validity::Valid);
    epochs.purge(Kind::Url, b"a/1", Mode::Hard);
    assert_eq!(stamp.state(&epochs, unasked), Validity::Valid);
    epochs.purge_prefix(b"b/", Mode::Hard);
    assert_eq!(stamp.state(&epochs, || b"a/1"), Validity::Valid);
    assert_eq!(stamp.state(&epochs, unasked), Validity::Valid);
    epochs.purge_prefix(b"a/", Mode::Hard);
    assert_eq!(stamp.state(&epochs, || b"a/1"), Validity::Hard);
    assert_eq!(stamp.clone().state(&epochs, || b"a/1"), Validity::Hard);
}

#[test]
fn a_fetch_under_way_is_caught() {
    let epochs = Epochs::new();
    let slots = [epochs.slot(Kind::Url, b"a/1"), epochs.slot(Kind::Host, b"a")];
    let born = epochs.now();
    epochs.purge(Kind::Host, b"a", Mode::Hard);
    assert_eq!(epochs.check(born, &slots, b"a/1"), Validity::Hard);
    assert_eq!(epochs.check(epochs.now(), &slots, b"a/1"), Validity::Valid);
}

#[test]
fn many_prefixes_purge_at_least_what_they_say() {
    let epochs = Epochs::with_slots(16);
    let born = epochs.now();
    for n in 0..1000 {
        epochs.purge_prefix(format!("host{n}/").as_bytes(), Mode::Hard);
    }
    assert!(epochs.prefixes() <= prefixes::MOST_PREFIXES);
    assert!((0..1000).all(|n| epochs.check(born, &[], format!("host{n}/").as_bytes()) == Validity::Hard));
    assert_eq!(epochs.check(epochs.now(), &[], b"host1/"), Validity::Valid);
}

const KEYS: u64 = 64;

/// The state of the world: versions of objects, and the versions as of which purges have returned.
struct World {
    epochs: Epochs,
    store: Store<(u64, Stamp)>,
    truth: Vec<AtomicU64>,
    floor: Vec<AtomicU64>,
    done: AtomicBool,
    served: AtomicU64,
}

fn url(key: u64) -> Vec<u8> {
    format!("host{}/{}/{key}", key % 4, key % 8).into_bytes()
}

impl World {
    /// Changes some objects, purges them by one means or another, and notes what may not be seen from now on.
    fn change(&self, random: &mut Random) {
        let key = random.below(KEYS);
        let concerns: &dyn Fn(u64) -> bool = match random.below(64) {
            0 => &|_| true,
            1 => &|other| other % 4 == key % 4,
            2..=5 => &|other| other % 8 == key % 8,
            _ => &|other| other == key,
        };
        let concerned: Vec<u64> = (0..KEYS).filter(|other| concerns(*other)).collect();
        let bump = |key: &u64| self.truth[*key as usize].fetch_add(1, SeqCst) + 1;
        let versions: Vec<u64> = concerned.iter().map(bump).collect();
        let mode = if random.below(2) == 0 { Mode::Hard } else { Mode::Soft };
        match concerned.len() as u64 {
            KEYS => self.epochs.purge_everything(mode),
            1 if random.below(2) == 0 => self.epochs.purge(Kind::Url, &url(key), mode),
            1 => self.epochs.purge(Kind::Tag, &key.to_be_bytes(), mode),
            8 => self.epochs.purge_prefix(format!("host{}/{}/", key % 4, key % 8).as_bytes(), mode),
            _ => self.epochs.purge(Kind::Host, &[(key % 4) as u8], mode),
        };
        for (key, version) in concerned.iter().zip(versions) {
            self.floor[*key as usize].fetch_max(version, SeqCst);
        }
    }

    /// Serves an object from the store, or fetches it.
    fn read(&self, random: &mut Random) {
        let key = random.below(KEYS);
        let url = url(key);
        let floor = self.floor[key as usize].load(SeqCst);
        let valid = self.store.with(&url, |(version, stamp)| {
            (stamp.state(&self.epochs, || &url) == Validity::Valid).then_some(*version)
        });
        if let Some(version) = valid.flatten() {
            assert!(version >= floor, "key {key}: {version} was served after {floor} was purged");
            self.served.fetch_add(1, SeqCst);
            return;
        }
        let epochs = &self.epochs;
        let born = epochs.now();
        let version = self.truth[key as usize].load(SeqCst);
        if random.below(4) == 0 {
            thread::yield_now();
        }
        let slots = [
            epochs.slot(Kind::Url, &url),
            epochs.slot(Kind::Host, &[(key % 4) as u8]),
            epochs.slot(Kind::Tag, &key.to_be_bytes()),
        ];
        self.store.insert(&url, Arc::new((version, Stamp::new(born, slots))), 100);
    }
}

#[test]
fn nothing_older_than_its_last_purge_is_served() {
    let seed = seed();
    let counters = || (0..KEYS).map(|_| AtomicU64::new(0)).collect();
    let world = World {
        epochs: Epochs::with_slots(1024),
        // Some of it does not fit.
        store: Store::new(KEYS as usize * 150),
        truth: counters(),
        floor: counters(),
        done: AtomicBool::new(false),
        served: AtomicU64::new(0),
    };
    let rounds = if cfg!(debug_assertions) { 20_000 } else { 200_000 };
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|reader| {
                let world = &world;
                scope.spawn(move || {
                    let mut random = Random::new(seed ^ reader);
                    let mut reads = 0;
                    while !world.done.load(SeqCst) || reads < rounds {
                        world.read(&mut random);
                        reads += 1;
                    }
                })
            })
            .collect();
        let purgers: Vec<_> = (10..12)
            .map(|purger| {
                let world = &world;
                scope.spawn(move || {
                    let mut random = Random::new(seed ^ purger);
                    (0..rounds).for_each(|_| world.change(&mut random));
                })
            })
            .collect();
        let failed = purgers.into_iter().filter_map(|purger| purger.join().err()).count();
        world.done.store(true, SeqCst);
        let failed = failed + readers.into_iter().filter_map(|reader| reader.join().err()).count();
        assert_eq!(failed, 0);
    });
    // When all is quiet, what is valid is the truth itself.
    let mut valid = 0;
    world.store.for_each(|url, (version, stamp)| {
        let key = String::from_utf8_lossy(url).rsplit('/').next().and_then(|key| key.parse::<usize>().ok());
        if stamp.state(&world.epochs, || url) == Validity::Valid {
            assert_eq!(*version, world.truth[key.unwrap()].load(SeqCst));
            valid += 1;
        }
    });
    assert!(valid > 0 && world.served.load(SeqCst) > 0);
}
