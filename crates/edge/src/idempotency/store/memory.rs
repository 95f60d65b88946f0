//! Keys in the memory of this process: shared by its cores, bounded in bytes.

mod shard;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use deepwater_core::clock::Clock;

use super::{Begun, Hold, Owner, Step, Store, Terms};
use crate::idempotency::answer::Kept;
use crate::idempotency::digest::Digest;

use shard::Shard;

/// A shard holds at least that much, so that the largest answers find room in it.
const LEAST_SHARD_BYTES: usize = 4 * 1024 * 1024;
const MOST_SHARDS: usize = 64;

/// Keys in memory.
pub(crate) struct Memory {
    clock: Arc<dyn Clock>,
    shards: Vec<Mutex<Shard>>,
}

/// What a memory holds and has forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct MemoryCounts {
    pub keys: usize,
    pub bytes: usize,
    /// Answers forgotten before their time, for want of room.
    pub evicted: u64,
}

impl Memory {
    /// Of that many bytes.
    pub fn new(capacity_bytes: usize, clock: Arc<dyn Clock>) -> Self {
        let shards = (capacity_bytes / LEAST_SHARD_BYTES).clamp(1, MOST_SHARDS);
        let shard = || Mutex::new(Shard::new(capacity_bytes / shards));
        Self { clock, shards: (0..shards).map(|_| shard()).collect() }
    }

    /// Changes how many bytes it may take.
    pub fn resize(&self, capacity_bytes: usize) {
        for shard in &self.shards {
            lock(shard).resize(capacity_bytes / self.shards.len());
        }
    }

    /// What it holds now.
    pub fn counts(&self) -> MemoryCounts {
        let mut all = MemoryCounts::default();
        for shard in &self.shards {
            let counts = lock(shard).counts(self.clock.now());
            all.keys += counts.keys;
            all.bytes += counts.bytes;
            all.evicted += counts.evicted;
        }
        all
    }

    fn shard(&self, lookup: &Digest) -> MutexGuard<'_, Shard> {
        let bytes = lookup.as_bytes();
        let number = usize::from(u16::from_be_bytes([bytes[30], bytes[31]]));
        lock(&self.shards[number % self.shards.len()])
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().expect("no panic while a shard is held")
}

/// A step that is taken at once.
fn taken<'s, T: 's>(outcome: T) -> Step<'s, T> {
    Box::pin(std::future::ready(Ok(outcome)))
}

impl Store for Arc<Memory> {
    fn begin<'s>(
        &'s self,
        lookup: &'s Digest,
        fingerprint: &'s Digest,
        owner: Owner,
        terms: Terms,
    ) -> Step<'s, Begun> {
        taken(self.shard(lookup).begin(*lookup, *fingerprint, owner, terms, self.clock.now()))
    }

    fn sending<'s>(&'s self, lookup: &'s Digest, owner: Owner, terms: Terms) -> Step<'s, Hold> {
        taken(self.shard(lookup).sending(lookup, owner, terms, self.clock.now()))
    }

    fn renew<'s>(&'s self, lookup: &'s Digest, owner: Owner, terms: Terms) -> Step<'s, Hold> {
        taken(self.shard(lookup).renew(lookup, owner, terms, self.clock.now()))
    }

    fn finish<'s>(
        &'s self,
        lookup: &'s Digest,
        owner: Owner,
        kept: Arc<Kept>,
        keep: Duration,
    ) -> Step<'s, Hold> {
        taken(self.shard(lookup).finish(lookup, owner, kept, keep, self.clock.now()))
    }

    fn abandon<'s>(&'s self, lookup: &'s Digest, owner: Owner) -> Step<'s, Hold> {
        taken(self.shard(lookup).abandon(lookup, owner, self.clock.now()))
    }
}
