//! Other policies, simulated plainly, to compare with. Weighted by bytes as the store is.

use std::collections::{BTreeMap, HashMap};

use crate::store::{OVERHEAD_BYTES, Store};

/// A cache of keys.
pub(super) trait Policy {
    /// Whether `key` is there; stores it if not.
    fn request(&mut self, key: u64, size: u64) -> bool;
}

/// What an object of a size counts.
fn weight(size: u64) -> u64 {
    size + OVERHEAD_BYTES as u64
}

/// The real one.
pub(super) struct S3Fifo(pub(super) Store<()>);

impl Policy for S3Fifo {
    fn request(&mut self, key: u64, size: u64) -> bool {
        let key = key.to_ne_bytes();
        let hit = self.0.with(&key, |()| ()).is_some();
        if !hit {
            self.0.insert(&key, ().into(), size as usize);
        }
        hit
    }
}

/// Keys in order, oldest first, with their weights.
#[derive(Default)]
struct Queue {
    order: BTreeMap<u64, u64>,
    entries: HashMap<u64, (u64, u64)>,
    next: u64,
    bytes: u64,
}

impl Queue {
    fn push(&mut self, key: u64, weight: u64) {
        self.remove(key);
        self.next += 1;
        self.order.insert(self.next, key);
        self.entries.insert(key, (self.next, weight));
        self.bytes += weight;
    }

    fn remove(&mut self, key: u64) -> Option<u64> {
        let (at, weight) = self.entries.remove(&key)?;
        self.order.remove(&at);
        self.bytes -= weight;
        Some(weight)
    }

    fn pop(&mut self) -> Option<(u64, u64)> {
        let (_, key) = self.order.first_key_value()?;
        let key = *key;
        self.remove(key).map(|weight| (key, weight))
    }

    fn has(&self, key: u64) -> bool {
        self.entries.contains_key(&key)
    }
}

/// First in, first out.
pub(super) struct Fifo {
    queue: Queue,
    capacity: u64,
}

/// Least recently used.
pub(super) struct Lru(Fifo);

impl Fifo {
    pub(super) fn new(capacity: u64) -> Self {
        Self { queue: Queue::default(), capacity }
    }
}

impl Lru {
    pub(super) fn new(capacity: u64) -> Self {
        Self(Fifo::new(capacity))
    }
}

impl Policy for Fifo {
    fn request(&mut self, key: u64, size: u64) -> bool {
        let weight = weight(size);
        if self.queue.has(key) {
            return true;
        }
        if weight <= self.capacity / 8 {
            while self.queue.bytes + weight > self.capacity {
                self.queue.pop();
            }
            self.queue.push(key, weight);
        }
        false
    }
}

impl Policy for Lru {
    fn request(&mut self, key: u64, size: u64) -> bool {
        let hit = self.0.request(key, size);
        if hit {
            self.0.queue.push(key, weight(size));
        }
        hit
    }
}

/// Adaptive replacement (Megiddo and Modha, FAST 2003), bytes for pages.
pub(super) struct Arc {
    recent: Queue,
    frequent: Queue,
    recent_ghost: Queue,
    frequent_ghost: Queue,
    /// The bytes that are to be recent.
    target: u64,
    capacity: u64,
}

impl Arc {
    pub(super) fn new(capacity: u64) -> Self {
        let [recent, frequent, recent_ghost, frequent_ghost] = [(); 4].map(|()| Queue::default());
        Self { recent, frequent, recent_ghost, frequent_ghost, target: 0, capacity }
    }

    fn replace(&mut self, weight: u64, from_frequent_ghost: bool) {
        while self.recent.bytes + self.frequent.bytes + weight > self.capacity {
            let recent = self.recent.bytes > self.target
                || (from_frequent_ghost && self.recent.bytes == self.target && self.recent.bytes > 0);
            let (from, ghost) = if (recent && self.recent.bytes > 0) || self.frequent.bytes == 0 {
                (&mut self.recent, &mut self.recent_ghost)
            } else {
                (&mut self.frequent, &mut self.frequent_ghost)
            };
            if let Some((key, weight)) = from.pop() {
                ghost.push(key, weight);
            }
        }
    }
}

impl Policy for Arc {
    fn request(&mut self, key: u64, size: u64) -> bool {
        let weight = weight(size);
        if self.recent.remove(key).is_some() || self.frequent.has(key) {
            self.frequent.push(key, weight);
            return true;
        }
        if weight > self.capacity / 8 {
            return false;
        }
        let step = |other: u64, own: u64| (weight * other / own.max(1)).max(weight);
        if self.recent_ghost.has(key) {
            let step = step(self.frequent_ghost.bytes, self.recent_ghost.bytes);
            self.target = (self.target + step).min(self.capacity);
            self.recent_ghost.remove(key);
            self.replace(weight, false);
            self.frequent.push(key, weight);
        } else if self.frequent_ghost.has(key) {
            let step = step(self.recent_ghost.bytes, self.frequent_ghost.bytes);
            self.target = self.target.saturating_sub(step);
            self.frequent_ghost.remove(key);
            self.replace(weight, true);
            self.frequent.push(key, weight);
        } else {
            while self.recent.bytes + self.recent_ghost.bytes + weight > self.capacity {
                if self.recent_ghost.pop().is_none() {
                    self.recent.pop();
                }
            }
            let all = |arc: &Self| {
                arc.recent.bytes + arc.frequent.bytes + arc.recent_ghost.bytes + arc.frequent_ghost.bytes
            };
            while all(self) + weight > 2 * self.capacity && self.frequent_ghost.pop().is_some() {}
            self.replace(weight, false);
            self.recent.push(key, weight);
        }
        false
    }
}
