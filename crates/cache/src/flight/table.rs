//! The fetches under way, by key.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Broken, Flight, Reader};
use crate::purge::Epoch;

/// Locks the table is spread over.
const SHARDS: usize = 64;

type Shard<H, E> = HashMap<Box<[u8]>, Arc<Flight<H, E>>>;

/// All fetches under way; shared by all cores.
#[derive(Debug)]
pub struct Flights<H, E> {
    shards: Box<[Mutex<Shard<H, E>>]>,
    hasher: RandomState,
    max_readers: usize,
    held: Arc<AtomicUsize>,
}

/// How one takes part in a fetch.
#[derive(Debug)]
pub enum Joined<H, E: Clone> {
    /// The fetch is yours to make; the reader is for the client you make it for.
    Leading(Lead<H, E>, Reader<H, E>),
    /// Somebody else makes it.
    Waiting(Reader<H, E>),
    /// As many wait as may.
    Full,
}

/// The duty to make a fetch. Dropping it ends the fetch, as broken off where it was not ended.
#[derive(Debug)]
pub struct Lead<H, E: Clone> {
    flights: Arc<Flights<H, E>>,
    flight: Arc<Flight<H, E>>,
    key: Box<[u8]>,
    /// What waiters are told if the fetch dies without a word.
    death: E,
}

impl<H, E: Clone> Flights<H, E> {
    /// An empty table; at most `max_readers` read one fetch.
    pub fn new(max_readers: usize) -> Arc<Self> {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Arc::new(Self { shards, hasher: RandomState::new(), max_readers, held: Arc::default() })
    }

    fn shard(&self, key: &[u8]) -> MutexGuard<'_, Shard<H, E>> {
        let index = self.hasher.hash_one(key) as usize % self.shards.len();
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the fetch under way for a key, or begins one.
    ///
    /// `is_current` says whether a fetch begun at that epoch may still answer: what was purged since may not be
    /// served from before. `now` is the epoch a new fetch begins at; `death` is what its waiters are told if the lead
    /// is dropped without an answer.
    pub fn join(
        self: &Arc<Self>,
        key: &[u8],
        now: Epoch,
        death: E,
        is_current: impl FnOnce(Epoch) -> bool,
    ) -> Joined<H, E> {
        let mut shard = self.shard(key);
        if let Some(found) = shard.get(key)
            && is_current(found.born)
            && let Some(joined) = Reader::join(found, self.max_readers)
        {
            return joined.map_or(Joined::Full, Joined::Waiting);
        }
        let flight = Arc::new(Flight::new(now, Arc::clone(&self.held)));
        shard.insert(key.into(), Arc::clone(&flight));
        drop(shard);
        let reader = Reader::new(Arc::clone(&flight), true);
        Joined::Leading(Lead { flights: Arc::clone(self), flight, key: key.into(), death }, reader)
    }

    /// Begins a fetch nobody waits for, unless one is under way.
    pub fn begin(self: &Arc<Self>, key: &[u8], now: Epoch, death: E) -> Option<Lead<H, E>> {
        match self.shard(key).entry(key.into()) {
            Entry::Occupied(_) => None,
            Entry::Vacant(free) => {
                let flight = Arc::clone(free.insert(Arc::new(Flight::new(now, Arc::clone(&self.held)))));
                Some(Lead { flights: Arc::clone(self), flight, key: key.into(), death })
            }
        }
    }

    /// Whether a fetch for a key is under way that others may join.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.shard(key).contains_key(key)
    }

    /// What all fetches hold of their bodies, bytes: those that are still read after they have landed too.
    pub fn held_bytes(&self) -> usize {
        self.held.load(Relaxed)
    }

    /// How many fetches are under way.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<H, E: Clone> Lead<H, E> {
    /// The fetch.
    pub fn flight(&self) -> &Flight<H, E> {
        &self.flight
    }

    /// What the fetch is for.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Lets nobody else join: the answer is in the store, or for the leader only.
    pub fn leave_table(&self) {
        let mut shard = self.flights.shard(&self.key);
        if shard.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            shard.remove(&self.key);
        }
    }
}

impl<H, E: Clone> Drop for Lead<H, E> {
    fn drop(&mut self) {
        // First out of the table: whoever asks from now on begins anew.
        self.leave_table();
        self.flight.fail(self.death.clone());
        self.flight.end(Err(Broken));
    }
}
