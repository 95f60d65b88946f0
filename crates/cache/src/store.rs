//! The memory store: a shared map with lock-free reads, kept below a number of bytes by S3-FIFO.
//!
//! Three parts:
//! - a concurrent map of nodes. A hit finds its node, counts itself (at most three times between two passes
//!   of the queues; after that it writes nothing) and reads the value in place. No lock, no shared line
//!   written, no reference counted unless asked for;
//! - the queues ([`policy`]): a small FIFO for what is new, a main FIFO for what was asked for again, and a
//!   ghost that remembers the fingerprints of what was dropped. They are behind one mutex that only inserts,
//!   evictions and removals take, for as long as it takes to move a few indices;
//! - the values, each in a cell of its node. Whoever takes a node out empties the cell, so a body is freed
//!   when its last reader is done, whatever the map's own reclamation keeps of the node.
//!
//! Nothing is swept: what has expired is found by whoever asks for it, or pushed out by what is asked for.

mod ghost;
mod links;
#[cfg(test)]
mod measure;
mod node;
mod policy;
mod share;
#[cfg(test)]
mod stress;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::quality::RandomState;
use papaya::HashMap;

use node::{Keyed, Node, Place};
use policy::{Evicted, Queues, Step};

/// What an entry costs beyond its key and value, bytes: node (64), the map's entry and table (about 26), the
/// queue's links (16), the ghosts (14), the value's counts (16), the allocator's rounding (about 8).
pub const OVERHEAD_BYTES: usize = 144;

/// An object may take this part of the capacity: one over it.
const LARGEST_SHARE: usize = 8;
/// Objects looked at in one hold of the lock; more room is made in several.
const STEPS_PER_HOLD: usize = 64;
/// Objects looked at for one insertion before the next is dropped, asked for or not: when everything is hot,
/// no insertion walks all of it.
const STEPS_OF_MERCY: usize = 1024;

/// A map from keys to values that drops what is asked for least when it is full. All operations may be called
/// from any thread.
pub struct Store<V> {
    map: HashMap<Keyed<V>, (), RandomState>,
    /// Of its own, for the ghost.
    fingerprints: RandomState,
    queues: Mutex<Queues<V>>,
    capacity: usize,
    /// What the queues hold, for those who only look.
    bytes: AtomicUsize,
    len: AtomicUsize,
    counts: Counts,
}

impl<V> fmt::Debug for Store<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, bytes) = (self.len.load(Relaxed), self.bytes.load(Relaxed));
        f.debug_struct("Store").field("len", &len).field("bytes", &bytes).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Counts {
    inserted: AtomicU64,
    replaced: AtomicU64,
    removed: AtomicU64,
    evicted: AtomicU64,
    ghost_hits: AtomicU64,
    rejected: AtomicU64,
}

/// What has happened to a store since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Values stored under keys that had none.
    pub inserted: u64,
    /// Values stored in place of another.
    pub replaced: u64,
    /// Values removed by their owner.
    pub removed: u64,
    /// Values dropped to make room.
    pub evicted: u64,
    /// Values that came back soon after they were dropped, and went to the main queue at once.
    pub ghost_hits: u64,
    /// Values refused because they are too heavy.
    pub rejected: u64,
}

/// What became of a value that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insert {
    /// Stored; nothing was there.
    Stored,
    /// Stored in place of another.
    Replaced,
    /// Too heavy, not stored. What was there is gone too: it is out of date.
    TooHeavy,
}

impl<V: Send + Sync + 'static> Store<V> {
    /// An empty store that holds this many bytes, overhead included.
    pub fn new(capacity_bytes: usize) -> Self {
        Self {
            map: HashMap::with_hasher(RandomState::default()),
            fingerprints: RandomState::default(),
            queues: Mutex::new(Queues::new()),
            capacity: capacity_bytes,
            bytes: AtomicUsize::new(0),
            len: AtomicUsize::new(0),
            counts: Counts::default(),
        }
    }

    /// Calls `f` with the value, if there is one: the cheapest hit. Keep `f` short; it may call the store.
    #[inline]
    pub fn with<R>(&self, key: &[u8], f: impl FnOnce(&V) -> R) -> Option<R> {
        let guard = self.map.guard();
        let node = self.node(key, &guard)?;
        let value = node.value.load();
        let value = value.as_deref()?;
        node.touch();
        Some(f(value))
    }

    /// The value, to be kept as long as one likes. Counts as an access.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<Arc<V>> {
        let guard = self.map.guard();
        let node = self.node(key, &guard)?;
        let value = node.value.load_full()?;
        node.touch();
        Some(value)
    }

    /// The value, without counting as an access.
    pub fn peek(&self, key: &[u8]) -> Option<Arc<V>> {
        self.node(key, &self.map.guard())?.value.load_full()
    }

    /// Stores a value under a key, in place of what was there. `weight` is the bytes of key and value; the
    /// store adds [`OVERHEAD_BYTES`]. A value heavier than [`max_weight`](Self::max_weight) is refused.
    pub fn insert(&self, key: &[u8], value: Arc<V>, weight: usize) -> Insert {
        if weight > self.max_weight() {
            self.counts.rejected.fetch_add(1, Relaxed);
            self.take(key, &mut |_| true);
            return Insert::TooHeavy;
        }
        let weight = weight + OVERHEAD_BYTES;
        let guard = self.map.guard();
        let mut fresh: Option<Arc<Node<V>>> = None;
        loop {
            if let Some(node) = self.node(key, &guard) {
                if self.replace(node, &value, weight) {
                    self.counts.replaced.fetch_add(1, Relaxed);
                    return Insert::Replaced;
                }
                // Evicted or removed by someone who has not come to the map yet.
                self.unmap(node, &guard);
                continue;
            }
            let node = fresh.get_or_insert_with(|| {
                let fingerprint = self.fingerprints.hash_one(key) as u32;
                Arc::new(Node::new(key, Arc::clone(&value), weight, fingerprint))
            });
            if self.map.try_insert(Keyed(Arc::clone(node)), (), &guard).is_ok() {
                self.link(node);
                self.counts.inserted.fetch_add(1, Relaxed);
                return Insert::Stored;
            }
        }
    }

    /// Stores a value in place of another, if that one is still there: for a value made of the one that was seen.
    pub fn swap(&self, key: &[u8], seen: &Arc<V>, value: Arc<V>, weight: usize) -> bool {
        let is_seen = |now: &V| std::ptr::eq(now, Arc::as_ptr(seen));
        if weight > self.max_weight() {
            self.counts.rejected.fetch_add(1, Relaxed);
            return self.take(key, &mut |now| is_seen(now)).is_some();
        }
        let weight = weight + OVERHEAD_BYTES;
        let guard = self.map.guard();
        let Some(node) = self.node(key, &guard) else { return false };
        let grows = |queues: &Queues<V>| {
            node.is_linked() && queues.bytes() + weight.saturating_sub(node.weight()) > self.capacity()
        };
        // Values change under the lock only, or after the node is dead.
        let swapped = self.make_room(grows, |queues| {
            let stays = node.value.load().as_deref().is_some_and(is_seen) && queues.reweigh(node, weight);
            stays.then(|| node.value.swap(Some(value)))
        });
        if swapped.is_some() {
            self.counts.replaced.fetch_add(1, Relaxed);
        }
        swapped.is_some()
    }

    /// Removes and returns what is stored under a key.
    pub fn remove(&self, key: &[u8]) -> Option<Arc<V>> {
        let value = self.take(key, &mut |_| true)?;
        self.counts.removed.fetch_add(1, Relaxed);
        Some(value)
    }

    /// Calls `f` with every key and value. Holds no lock: what comes or goes meanwhile may be seen or not.
    /// `f` may call the store.
    pub fn for_each(&self, mut f: impl FnMut(&[u8], &V)) {
        let guard = self.map.guard();
        for (Keyed(node), ()) in self.map.iter(&guard) {
            if let Some(value) = node.value.load().as_deref() {
                f(&node.key, value);
            }
        }
    }

    /// Removes what `keep` does not want, in a walk like [`for_each`](Self::for_each)'s. Returns how many. A value that
    /// `keep` was not shown is not removed: one that replaces another meanwhile is shown too.
    pub fn retain(&self, mut keep: impl FnMut(&[u8], &V) -> bool) -> usize {
        let guard = self.map.guard();
        let mut removed = 0;
        for (Keyed(node), ()) in self.map.iter(&guard) {
            if self.take_node(node, &guard, &mut |value| !keep(&node.key, value)).is_some() {
                removed += 1;
            }
        }
        self.counts.removed.fetch_add(removed as u64, Relaxed);
        removed
    }

    /// Removes everything that is stored when it is called.
    pub fn clear(&self) {
        self.retain(|_, _| false);
    }

    /// How many values are stored.
    pub fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is stored, in bytes: weights and overhead.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// How much may be stored, bytes.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The heaviest value [`insert`](Self::insert) takes: an eighth of the capacity, so that no single object
    /// displaces the rest. Bytes of key and value.
    pub fn max_weight(&self) -> usize {
        (self.capacity() / LARGEST_SHARE).saturating_sub(OVERHEAD_BYTES)
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        let counts = &self.counts;
        Counters {
            inserted: counts.inserted.load(Relaxed),
            replaced: counts.replaced.load(Relaxed),
            removed: counts.removed.load(Relaxed),
            evicted: counts.evicted.load(Relaxed),
            ghost_hits: counts.ghost_hits.load(Relaxed),
            rejected: counts.rejected.load(Relaxed),
        }
    }

    #[inline]
    fn node<'g>(&self, key: &[u8], guard: &'g papaya::LocalGuard<'_>) -> Option<&'g Arc<Node<V>>> {
        self.map.get_key_value(key, guard).map(|(Keyed(node), ())| node)
    }

    /// A panic while the queues were held left them as they were between two steps: each step is whole.
    fn lock(&self) -> MutexGuard<'_, Queues<V>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the others see what the queues hold.
    fn publish(&self, queues: &Queues<V>) {
        self.bytes.store(queues.bytes(), Relaxed);
        self.len.store(queues.len(), Relaxed);
    }

    /// Puts a node that the map has into the queues, unless it was removed before it got there.
    fn link(&self, node: &Arc<Node<V>>) {
        let full = |queues: &Queues<V>| {
            node.place() == Place::New && queues.bytes() + node.weight() > self.capacity()
        };
        let ghost_hit = self.make_room(full, |queues| queues.link(node));
        if ghost_hit {
            self.counts.ghost_hits.fetch_add(1, Relaxed);
        }
    }

    /// Gives a node another value; `false` if the node is dead.
    fn replace(&self, node: &Arc<Node<V>>, value: &Arc<V>, weight: usize) -> bool {
        let grows = |queues: &Queues<V>| {
            node.is_linked() && queues.bytes() + weight.saturating_sub(node.weight()) > self.capacity()
        };
        let old = self.make_room(grows, |queues| {
            queues.reweigh(node, weight).then(|| node.value.swap(Some(Arc::clone(value))))
        });
        old.is_some()
    }

    /// Evicts until the queues are no longer `full`, then does `last` under the same hold of the lock. Values
    /// are freed, and the map is told, with the lock let go.
    fn make_room<R>(&self, full: impl Fn(&Queues<V>) -> bool, last: impl FnOnce(&mut Queues<V>) -> R) -> R {
        let mut steps = 0;
        loop {
            let mut evicted = Evicted::new();
            let mut queues = self.lock();
            let hold_ends = steps + STEPS_PER_HOLD;
            let mut room = !full(&queues);
            while !room && steps < hold_ends {
                match queues.evict(self.capacity(), steps < STEPS_OF_MERCY) {
                    Step::Evicted(node) => evicted.push(node),
                    Step::Spared => {}
                    Step::Empty => break,
                }
                steps += 1;
                room = !full(&queues);
            }
            if room || queues.len() == 0 {
                let result = last(&mut queues);
                self.publish(&queues);
                drop(queues);
                self.dispose(&evicted);
                return result;
            }
            self.publish(&queues);
            drop(queues);
            self.dispose(&evicted);
        }
    }

    fn dispose(&self, evicted: &[Arc<Node<V>>]) {
        if evicted.is_empty() {
            return;
        }
        let guard = self.map.guard();
        for node in evicted {
            node.value.store(None);
            self.unmap(node, &guard);
        }
        self.counts.evicted.fetch_add(evicted.len() as u64, Relaxed);
    }

    /// Takes a dead node out of the map. A living one with the same key stays.
    fn unmap(&self, node: &Arc<Node<V>>, guard: &papaya::LocalGuard<'_>) {
        // An error is the living one.
        let _ = self.map.remove_if(&*node.key, |Keyed(found), ()| Arc::ptr_eq(found, node), guard);
    }

    fn take(&self, key: &[u8], doomed: &mut dyn FnMut(&V) -> bool) -> Option<Arc<V>> {
        let guard = self.map.guard();
        self.take_node(self.node(key, &guard)?, &guard, doomed)
    }

    fn take_node(
        &self,
        node: &Arc<Node<V>>,
        guard: &papaya::LocalGuard<'_>,
        doomed: &mut dyn FnMut(&V) -> bool,
    ) -> Option<Arc<V>> {
        loop {
            let seen = node.value.load_full()?;
            if !doomed(&seen) {
                return None;
            }
            let mut queues = self.lock();
            // Values change under the lock only, or after the node is dead.
            if node.place() == Place::Dead {
                drop(queues);
                // Whoever evicted it may not have come to this yet, and it must be gone when we return.
                node.value.store(None);
                self.unmap(node, guard);
                return None;
            }
            if !node.value.load().as_ref().is_some_and(|now| Arc::ptr_eq(now, &seen)) {
                continue;
            }
            queues.unlink(node);
            self.publish(&queues);
            drop(queues);
            node.value.store(None);
            self.unmap(node, guard);
            return Some(seen);
        }
    }
}
