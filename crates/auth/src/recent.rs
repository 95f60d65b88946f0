//! Values that were asked for lately, by digest, in bounded memory.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::digest::Digest;

/// Two generations: what is new or asked for stands in the young one. When that holds half of what is allowed, it becomes
/// the old one, and what was still in the old one goes. A hit moves at most one entry, and nothing is ever swept.
#[derive(Debug)]
pub(crate) struct Recent<V> {
    young: Half<V>,
    old: Half<V>,
    half_capacity: usize,
}

#[derive(Debug)]
struct Half<V> {
    entries: HashMap<Digest, Entry<V>, RandomState>,
    weight: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: usize,
    /// Unix time in seconds.
    until: u64,
}

impl<V> Default for Half<V> {
    fn default() -> Self {
        Self { entries: HashMap::default(), weight: 0 }
    }
}

impl<V> Recent<V> {
    /// Holds values whose weights add up to `capacity` at most.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { young: Half::default(), old: Half::default(), half_capacity: capacity / 2 }
    }

    /// What is remembered and still holds at `now`.
    pub(crate) fn get(&mut self, digest: &Digest, now: u64) -> Option<&V> {
        if !self.young.entries.contains_key(digest) {
            let entry = self.old.take(digest)?;
            self.add(*digest, entry);
        }
        if self.young.entries.get(digest)?.until <= now {
            self.young.take(digest);
            return None;
        }
        self.young.entries.get(digest).map(|entry| &entry.value)
    }

    /// Remembers a value until a time, Unix time in seconds.
    pub(crate) fn insert(&mut self, digest: Digest, value: V, weight: usize, until: u64) {
        self.old.take(&digest);
        self.add(digest, Entry { value, weight, until });
    }

    fn add(&mut self, digest: Digest, entry: Entry<V>) {
        self.young.take(&digest);
        if entry.weight > self.half_capacity {
            return;
        }
        if self.young.weight + entry.weight > self.half_capacity {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.weight += entry.weight;
        self.young.entries.insert(digest, entry);
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.young = Half::default();
        self.old = Half::default();
    }

    /// The weights of all that is held.
    pub(crate) const fn weight(&self) -> usize {
        self.young.weight + self.old.weight
    }

    /// How many values are held.
    pub(crate) fn len(&self) -> usize {
        self.young.entries.len() + self.old.entries.len()
    }
}

impl<V> Half<V> {
    fn take(&mut self, digest: &Digest) -> Option<Entry<V>> {
        let entry = self.entries.remove(digest)?;
        self.weight -= entry.weight;
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use deepwater_core::random::Random;

    use super::*;

    fn name(number: usize) -> Digest {
        Digest::of_token(&number.to_be_bytes())
    }

    #[test]
    fn never_outgrows_its_bound_nor_gives_what_was_not_given() {
        let seed = 0x5eed;
        println!("seed {seed}");
        let mut random = Random::from_seed(seed);
        let mut recent = Recent::new(1_000);
        let mut given: HashMap<usize, (u64, u64)> = HashMap::new();
        for now in 0..20_000_u64 {
            let number = random.below(60);
            if random.below(3) == 0 {
                let until = now + random.below(50) as u64;
                let weight = random.below(600);
                recent.insert(name(number), now, weight, until);
                given.insert(number, (now, until));
            } else if let Some(value) = recent.get(&name(number), now) {
                let (expected, until) = given[&number];
                assert!(*value == expected && now < until, "at {now}");
            }
            assert!(recent.weight() <= 1_000);
            let sum: usize = [&recent.young, &recent.old]
                .into_iter()
                .flat_map(|half| half.entries.values())
                .map(|entry| entry.weight)
                .sum();
            assert_eq!(sum, recent.weight());
        }
    }

    #[test]
    fn what_is_asked_for_outlives_a_flood() {
        let mut recent = Recent::new(100);
        recent.insert(name(0), "kept", 1, 10);
        for number in 1..1_000 {
            recent.insert(name(number), "flood", 1, 10);
            assert_eq!(recent.get(&name(0), 0), Some(&"kept"));
        }
        assert_eq!(recent.get(&name(1), 0), None, "pushed out");
        assert!(recent.len() <= 100);
        assert_eq!(recent.get(&name(0), 10), None, "its time is over");
        recent.clear();
        assert_eq!((recent.len(), recent.weight()), (0, 0));
        assert_eq!(recent.get(&name(999), 0), None);
    }
}
