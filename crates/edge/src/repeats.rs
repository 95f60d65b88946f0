//! How much of what is asked for comes again, on routes that do not cache: from this the lens says what a cache would bring.
//!
//! A table of fingerprints, shared by all cores, plays a cache whose answers live for a minute: the first request for a URL
//! is entered, and those in the minute after it come again. When more URLs come than the table holds, only every second
//! one is looked at, then every fourth one, and so on; each of their requests then stands for as many (spatial sampling).
//! So few URLs are seen in full, and a million of them in the same 8 KiB.

#[cfg(test)]
mod tests;

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use foldhash::quality::FixedState;

/// Seconds for which an answer would be stored.
pub(crate) const LIFETIME_S: u32 = 60;
/// Fingerprints in a set: it fills a cache line.
const WAYS: usize = 8;
const SETS: usize = 128;
/// Fingerprints entered in one lifetime, from which fewer URLs are looked at: sets hardly overflow with half of them.
const MANY: u32 = (WAYS * SETS / 2) as u32;
/// Below, more URLs are looked at again: twice as many then are still far from too many.
const FEW: u32 = MANY / 8;
/// The sample never gets thinner than one URL in 4,096.
const THINNEST: u32 = 12;

/// What one request stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The same was asked for less than a lifetime before.
    pub again: bool,
    /// As many requests.
    pub weight: u64,
}

/// The URLs of one route that were asked for lately.
pub(crate) struct Repeats {
    began: Instant,
    /// Fingerprint and second of entry, 32 bits each; the second is 0 where there is none. Cores that enter at the same
    /// time may lose an entry of each other: one request more then counts as the first.
    slots: Box<[[AtomicU64; WAYS]; SETS]>,
    /// One URL in 2 to the power of this is looked at.
    thinning: AtomicU32,
    /// Entered since the round began, or since the thinning changed.
    entered: AtomicU32,
    /// Lifetimes that have passed.
    round: AtomicU32,
    hasher: FixedState,
}

impl Repeats {
    pub fn new(now: Instant) -> Self {
        Self {
            began: now,
            slots: Box::new(std::array::from_fn(|_| Default::default())),
            thinning: AtomicU32::new(0),
            entered: AtomicU32::new(0),
            round: AtomicU32::new(0),
            hasher: FixedState::with_seed(0),
        }
    }

    /// Notes a request; none if it is not in the sample.
    #[inline]
    pub fn note(&self, now: Instant, host: &[u8], target: &[u8]) -> Option<Seen> {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(host);
        hasher.write_u8(0);
        hasher.write(target);
        let hash = hasher.finish();
        let second = now.saturating_duration_since(self.began).as_secs() as u32 + 1;
        if self.round.load(Relaxed) != second / LIFETIME_S {
            self.begin_round(second / LIFETIME_S);
        }
        let thinning = self.thinning.load(Relaxed);
        if hash & ((1 << thinning) - 1) != 0 {
            return None;
        }
        Some(Seen { again: self.is_known(hash, second, thinning), weight: 1 << thinning })
    }

    /// Whether a fingerprint is there; if not it is entered, in place of the oldest of its set.
    fn is_known(&self, hash: u64, second: u32, thinning: u32) -> bool {
        let set = &self.slots[(hash >> 16) as usize % SETS];
        let print = (hash >> 32) as u32;
        let (mut oldest, mut oldest_at) = (0, u32::MAX);
        for (way, slot) in set.iter().enumerate() {
            let entry = slot.load(Relaxed);
            let at = entry as u32;
            if (entry >> 32) as u32 == print && at != 0 && second.saturating_sub(at) < LIFETIME_S {
                return true;
            }
            if at < oldest_at {
                (oldest, oldest_at) = (way, at);
            }
        }
        set[oldest].store(u64::from(print) << 32 | u64::from(second), Relaxed);
        if self.entered.fetch_add(1, Relaxed) >= MANY && thinning < THINNEST {
            self.thin(thinning, thinning + 1);
        }
        false
    }

    /// More is looked at again if little was entered in the round before.
    fn begin_round(&self, round: u32) {
        if self.round.swap(round, Relaxed) != round {
            let (thinning, few) = (self.thinning.load(Relaxed), self.entered.load(Relaxed) < FEW);
            self.thin(thinning, thinning.saturating_sub(u32::from(few)));
        }
    }

    fn thin(&self, from: u32, to: u32) {
        self.entered.store(0, Relaxed);
        // Another core may have changed it: then that counts.
        let _ = self.thinning.compare_exchange(from, to, Relaxed, Relaxed);
    }
}
