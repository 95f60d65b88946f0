//! Rate limits by key: token buckets in the form of GCRA, one number for each key that is not idle.

use std::hash::Hasher;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::window::nanos;

mod table;

#[cfg(test)]
mod tests;

use table::{Key, Table};

/// Most parts the keys are spread over, each with a lock of its own.
const SHARDS: usize = 64;
/// A part is made for no fewer keys than this.
const SMALLEST_SHARD: usize = 16;

/// So many requests in such a time, and how many of them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many, at least 1.
    pub requests: u32,
    /// In what time.
    pub per: Duration,
    /// How many at once after an idle spell, at least 1.
    pub burst: u32,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Whether it may pass.
    pub allowed: bool,
    /// How many more may pass at once.
    pub remaining: u32,
    /// Until the bucket is full again.
    pub reset_after: Duration,
    /// Until another request may pass; zero when it may now.
    pub retry_after: Duration,
}

/// A limit for each of many keys, shared by every core.
///
/// A bucket is the time at which it will be full ("theoretical arrival time"), so a bucket that is full
/// needs no memory: keys without recent requests are forgotten by and by, a few with each request. When all
/// of `max_keys` are busy, the one closest to idle of a few is forgotten: it starts with a full bucket when
/// it returns, and is counted.
///
/// Keys are kept as 128 bits of SipHash-1-3 under the seed: whoever does not know the seed can neither
/// make keys collide nor crowd a part of the table. Times are nanoseconds since any epoch, the same in
/// every call, to within a nanosecond for each request.
#[derive(Debug)]
pub struct RateLimiter {
    seed: [u64; 2],
    /// Nanoseconds a token takes to return.
    interval: u64,
    /// Nanoseconds a whole bucket takes.
    capacity: u64,
    shards: Box<[Shard]>,
    forgotten: AtomicU64,
}

/// A lock in a cache line of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Shard(Mutex<Table>);

impl RateLimiter {
    /// A limiter that remembers at most `max_keys` keys, at least one. The seed must be secret from those
    /// who choose the keys.
    pub fn new(rate: Rate, max_keys: usize, seed: [u64; 2]) -> Self {
        let interval = (nanos(rate.per) / u64::from(rate.requests.max(1))).max(1);
        let shards = (max_keys / SMALLEST_SHARD).clamp(1, SHARDS);
        let shards = 1 << shards.ilog2();
        let each = (max_keys / shards).max(1);
        Self {
            seed,
            interval,
            capacity: interval.saturating_mul(u64::from(rate.burst.max(1))),
            shards: (0..shards).map(|_| Shard(Mutex::new(Table::new(each)))).collect(),
            forgotten: AtomicU64::new(0),
        }
    }

    /// Takes a token from the key's bucket, if there is one.
    pub fn take(&self, key: &[u8], now: u64) -> Taken {
        let key = self.hash(key);
        let mut table = self.table(&self.shards[key.shard(self.shards.len())]);
        // Time that goes backwards stands still.
        let now = table.advance(now);
        let full_at = table.get(key).unwrap_or(0).max(now);
        let then = full_at.saturating_add(self.interval);
        let allowed = then - now <= self.capacity;
        let (owed, retry_after) = if allowed {
            if table.set(key, then) {
                self.forgotten.fetch_add(1, Relaxed);
            }
            let next = then.saturating_add(self.interval) - now;
            (then - now, next.saturating_sub(self.capacity))
        } else {
            (full_at - now, then - now - self.capacity)
        };
        drop(table);
        let left = self.capacity.saturating_sub(owed) / self.interval;
        Taken {
            allowed,
            remaining: u32::try_from(left).unwrap_or(u32::MAX),
            reset_after: Duration::from_nanos(owed),
            retry_after: Duration::from_nanos(retry_after),
        }
    }

    /// Forgets every idle key at once and gives its memory back. Requests do so by and by; for a limiter
    /// that gets none any more.
    pub fn sweep(&self, now: u64) {
        self.shards.iter().for_each(|shard| self.table(shard).sweep(now));
    }

    /// Keys remembered, some of them perhaps idle.
    pub fn keys(&self) -> usize {
        self.shards.iter().map(|shard| self.table(shard).len()).sum()
    }

    /// Keys forgotten while they were not idle, because there were too many.
    pub fn forgotten(&self) -> u64 {
        self.forgotten.load(Relaxed)
    }

    fn table<'a>(&self, shard: &'a Shard) -> MutexGuard<'a, Table> {
        shard.0.lock().expect("no panic while a table is held")
    }

    fn hash(&self, key: &[u8]) -> Key {
        let mut hasher = SipHasher13::new_with_keys(self.seed[0], self.seed[1]);
        hasher.write(key);
        let hash = hasher.finish128();
        Key([hash.h1, hash.h2])
    }
}
