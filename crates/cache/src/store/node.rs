//! One entry: its key, the cell of its value, and what the queues note about it.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering::Relaxed};

use arc_swap::ArcSwapOption;

/// How far accesses are counted (S3-FIFO: two bits).
pub(super) const MOST_HITS: u8 = 3;

/// An entry. `place`, `link` and `weight` change under the queues' lock only, hence relaxed.
pub(super) struct Node<V> {
    /// Empty once the node is dead.
    pub(super) value: ArcSwapOption<V>,
    pub(super) key: Box<[u8]>,
    weight: AtomicUsize,
    pub(super) fingerprint: u32,
    link: AtomicU32,
    hits: AtomicU8,
    place: AtomicU8,
}

/// Where a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the map, on its way into a queue.
    New,
    /// In the small queue.
    Small,
    /// In the main queue.
    Main,
    /// In no queue; on its way out of the map, and never to return.
    Dead,
}

impl<V> Node<V> {
    pub(super) fn new(key: &[u8], value: Arc<V>, weight: usize, fingerprint: u32) -> Self {
        Self {
            value: ArcSwapOption::new(Some(value)),
            key: key.into(),
            weight: AtomicUsize::new(weight),
            fingerprint,
            link: AtomicU32::new(0),
            hits: AtomicU8::new(0),
            place: AtomicU8::new(Place::New as u8),
        }
    }

    /// Counts an access. Two at once may count as one: the counter is a hint, and a plain store keeps the
    /// line from being fought over. Once it is full nothing is written.
    #[inline]
    pub(super) fn touch(&self) {
        let hits = self.hits.load(Relaxed);
        if hits < MOST_HITS {
            self.hits.store(hits + 1, Relaxed);
        }
    }

    pub(super) fn hits(&self) -> u8 {
        self.hits.load(Relaxed)
    }

    pub(super) fn set_hits(&self, hits: u8) {
        self.hits.store(hits, Relaxed);
    }

    pub(super) fn place(&self) -> Place {
        match self.place.load(Relaxed) {
            0 => Place::New,
            1 => Place::Small,
            2 => Place::Main,
            _ => Place::Dead,
        }
    }

    pub(super) fn is_linked(&self) -> bool {
        matches!(self.place(), Place::Small | Place::Main)
    }

    pub(super) fn set_place(&self, place: Place) {
        self.place.store(place as u8, Relaxed);
    }

    /// Bytes, overhead included.
    pub(super) fn weight(&self) -> usize {
        self.weight.load(Relaxed)
    }

    pub(super) fn set_weight(&self, weight: usize) {
        self.weight.store(weight, Relaxed);
    }

    /// Its position among the [`Links`](super::links::Links).
    pub(super) fn link(&self) -> u32 {
        self.link.load(Relaxed)
    }

    pub(super) fn set_link(&self, link: u32) {
        self.link.store(link, Relaxed);
    }
}

/// A node as the map sees it: equal and hashed by its key, whole.
pub(super) struct Keyed<V>(pub(super) Arc<Node<V>>);

impl<V> Borrow<[u8]> for Keyed<V> {
    fn borrow(&self) -> &[u8] {
        &self.0.key
    }
}

impl<V> Hash for Keyed<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

impl<V> PartialEq for Keyed<V> {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl<V> Eq for Keyed<V> {}
