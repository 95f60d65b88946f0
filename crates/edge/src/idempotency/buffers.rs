//! Memory for what requests under way hold: their bodies, and answers being recorded. All cores share one bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How much is held, and how much may be.
#[derive(Debug)]
pub(crate) struct Buffers {
    capacity: usize,
    held: AtomicUsize,
}

impl Buffers {
    pub fn new(capacity_bytes: usize) -> Arc<Self> {
        Arc::new(Self { capacity: capacity_bytes, held: AtomicUsize::new(0) })
    }

    /// Bytes held.
    pub fn held_bytes(&self) -> usize {
        self.held.load(Relaxed)
    }
}

/// One holder's share; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    buffers: Arc<Buffers>,
    bytes: usize,
}

impl Share {
    /// An empty one.
    pub fn of(buffers: &Arc<Buffers>) -> Self {
        Self { buffers: Arc::clone(buffers), bytes: 0 }
    }

    /// Takes more; false when there is no more.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let capacity = self.buffers.capacity;
        let grown = self
            .buffers
            .held
            .fetch_update(Relaxed, Relaxed, |held| held.checked_add(bytes).filter(|held| *held <= capacity));
        if grown.is_ok() {
            self.bytes += bytes;
        }
        grown.is_ok()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.buffers.held.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_bounded_and_given_back() {
        let buffers = Buffers::new(10);
        let (mut one, mut other) = (Share::of(&buffers), Share::of(&buffers));
        assert!(one.grow(4) && one.grow(3) && !other.grow(4) && other.grow(3) && !one.grow(1));
        assert!(!one.grow(usize::MAX));
        drop(one);
        assert_eq!(buffers.held_bytes(), 3);
        assert!(other.grow(7));
        drop(other);
        assert_eq!(buffers.held_bytes(), 0);
    }
}
