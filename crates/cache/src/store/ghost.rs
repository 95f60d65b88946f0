//! What was dropped lately, as fingerprints: eight bytes each, no allocation per entry.

/// Entries in a bucket: one cache line.
const WAYS: usize = 8;

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    fingerprint: u32,
    /// The clock when it was dropped; 0 for an empty entry.
    dropped: u32,
}

/// A set of fingerprints that forgets the oldest. A fingerprint seen by mistake (one in 2^32 for each entry)
/// lets one object into the main queue that had to prove itself first: harmless.
#[derive(Debug)]
pub(super) struct Ghost {
    buckets: Vec<[Entry; WAYS]>,
    /// Counts insertions, from one.
    clock: u32,
}

impl Ghost {
    pub(super) const fn new() -> Self {
        Self { buckets: Vec::new(), clock: 0 }
    }

    /// Remembers a fingerprint, with `limit` the number to be remembered.
    pub(super) fn insert(&mut self, fingerprint: u32, limit: usize) {
        self.fit(limit);
        self.clock = self.clock.wrapping_add(1).max(1);
        let clock = self.clock;
        let index = self.index(fingerprint);
        let Some(bucket) = self.buckets.get_mut(index) else { return };
        let oldest = bucket.iter_mut().max_by_key(|entry| age(clock, entry.dropped));
        if let Some(entry) = oldest {
            *entry = Entry { fingerprint, dropped: clock };
        }
    }

    /// How many were dropped after a fingerprint, if it is among the last `limit`; it is forgotten.
    pub(super) fn take(&mut self, fingerprint: u32, limit: usize) -> Option<usize> {
        let clock = self.clock;
        let index = self.index(fingerprint);
        let bucket = self.buckets.get_mut(index)?;
        let entry = bucket.iter_mut().find(|entry| entry.fingerprint == fingerprint && entry.dropped != 0)?;
        let age = age(clock, entry.dropped) as usize;
        *entry = Entry::default();
        (age < limit).then_some(age)
    }

    /// The upper bits choose, so that a larger table is the same entries in the same order.
    fn index(&self, fingerprint: u32) -> usize {
        ((u64::from(fingerprint) * self.buckets.len() as u64) >> 32) as usize
    }

    /// Grows the table when it is more than four fifths full of what is to be remembered.
    fn fit(&mut self, limit: usize) {
        let slots = self.buckets.len() * WAYS;
        if limit.saturating_mul(5) / 4 <= slots {
            return;
        }
        let buckets = (limit / WAYS).max(1) * 3 / 2 + 1;
        let old = std::mem::replace(&mut self.buckets, vec![[Entry::default(); WAYS]; buckets]);
        for entry in old.into_iter().flatten().filter(|entry| entry.dropped != 0) {
            let index = self.index(entry.fingerprint);
            if let Some(slot) = self.buckets[index].iter_mut().find(|slot| slot.dropped == 0) {
                *slot = entry;
            }
        }
    }
}

/// How many were dropped since; an empty entry is older than all.
fn age(clock: u32, dropped: u32) -> u32 {
    if dropped == 0 { u32::MAX } else { clock.wrapping_sub(dropped) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(n: u32) -> u32 {
        n.wrapping_mul(0x9E37_79B9) ^ 0x5bd1_e995
    }

    #[test]
    fn it_remembers_the_last_and_forgets_the_rest() {
        let mut ghost = Ghost::new();
        assert!(ghost.take(1, 100).is_none());
        for n in 0..1000 {
            ghost.insert(fingerprint(n), 100);
        }
        let remembered = (900..1000).filter(|n| ghost.take(fingerprint(*n), 100).is_some()).count();
        assert!(remembered >= 97, "{remembered}");
        assert!((0..900).all(|n| ghost.take(fingerprint(n), 100).is_none()));
        assert!((900..1000).all(|n| ghost.take(fingerprint(n), 100).is_none()), "taken once");
        (0..3).for_each(|n| ghost.insert(n, 100));
        assert_eq!([0, 2, 1].map(|n| ghost.take(n, 2)), [None, Some(0), Some(1)]);
    }

    #[test]
    fn growing_keeps_what_is_there() {
        let mut ghost = Ghost::new();
        for n in 0..5000 {
            ghost.insert(fingerprint(n), n as usize + 10);
        }
        let kept = (0..5000).filter(|n| ghost.take(fingerprint(*n), 5000).is_some()).count();
        assert!(kept > 4850, "{kept}");
        assert!(ghost.buckets.len() * WAYS < 5000 * 2);
    }

    #[test]
    fn a_clock_that_starts_again_does_no_harm() {
        let mut ghost = Ghost::new();
        ghost.clock = u32::MAX - 5;
        for n in 0..10 {
            ghost.insert(fingerprint(n), 20);
        }
        assert!((0..10).all(|n| ghost.take(fingerprint(n), 20).is_some()));
    }
}
