//! Read buffers, lent by the core they are used on and given back while a connection is idle.

use std::cell::RefCell;
use std::rc::Rc;

/// Size of one buffer: a large body passes in reads of this size.
pub const SLAB_BYTES: usize = 64 * 1024;
/// Buffers kept for reuse by a core; more are freed.
const KEPT: usize = 128;

/// The spare buffers of one core. The most recently used, still in the cache, is lent first.
#[derive(Debug, Default, Clone)]
pub struct Slabs {
    spare: Rc<RefCell<Vec<Box<[u8]>>>>,
}

impl Slabs {
    fn take(&self) -> Box<[u8]> {
        self.spare.borrow_mut().pop().unwrap_or_else(|| vec![0; SLAB_BYTES].into_boxed_slice())
    }

    fn put(&self, slab: Box<[u8]>) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < KEPT && slab.len() == SLAB_BYTES {
            spare.push(slab);
        }
    }
}

/// Bytes read and not yet used. Holds memory only while it holds bytes or is being filled.
#[derive(Debug)]
pub struct Buffer {
    slabs: Slabs,
    slab: Option<Box<[u8]>>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// An empty buffer that borrows from the core's spare ones.
    pub fn new(slabs: &Slabs) -> Self {
        Self { slabs: slabs.clone(), slab: None, start: 0, end: 0 }
    }

    /// What has been read.
    #[inline]
    pub fn filled(&self) -> &[u8] {
        self.slab.as_deref().map_or(&[], |slab| &slab[self.start..self.end])
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Uses up bytes from the front.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        self.start += n;
        debug_assert!(self.start <= self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Room to read into; empty only when the buffer is full at its largest.
    #[inline]
    pub fn room(&mut self) -> &mut [u8] {
        let slab = self.slab.get_or_insert_with(|| self.slabs.take());
        if self.end == slab.len() && self.start > 0 {
            slab.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        &mut slab[self.end..]
    }

    /// Notes that the first `n` bytes of the room were filled.
    #[inline]
    pub fn advance(&mut self, n: usize) {
        self.end += n;
    }

    /// Doubles the size, for a head larger than one slab.
    pub fn grow(&mut self) {
        let old = self.slab.take().unwrap_or_default();
        let mut larger = vec![0; (old.len() * 2).max(SLAB_BYTES)].into_boxed_slice();
        let len = self.end - self.start;
        larger[..len].copy_from_slice(&old[self.start..self.end]);
        (self.start, self.end) = (0, len);
        self.slabs.put(old);
        self.slab = Some(larger);
    }

    /// Gives the memory back if nothing is in it.
    #[inline]
    pub fn release_if_empty(&mut self) {
        if self.is_empty()
            && let Some(slab) = self.slab.take()
        {
            self.slabs.put(slab);
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(slab) = self.slab.take() {
            self.slabs.put(slab);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(buffer: &mut Buffer, bytes: &[u8]) {
        buffer.room()[..bytes.len()].copy_from_slice(bytes);
        buffer.advance(bytes.len());
    }

    #[test]
    fn memory_is_held_only_while_bytes_are() {
        let slabs = Slabs::default();
        let mut buffer = Buffer::new(&slabs);
        put(&mut buffer, b"hello");
        buffer.consume(2);
        buffer.release_if_empty();
        assert_eq!(buffer.filled(), b"llo");
        buffer.consume(3);
        buffer.release_if_empty();
        assert!(buffer.slab.is_none());
        assert_eq!(slabs.spare.borrow().len(), 1);
        put(&mut buffer, b"x");
        assert_eq!(slabs.spare.borrow().len(), 0);
        drop(buffer);
        assert_eq!(slabs.spare.borrow().len(), 1);
    }

    #[test]
    fn room_is_made_by_moving_then_by_growing() {
        let mut buffer = Buffer::new(&Slabs::default());
        let all: Vec<u8> = (0..SLAB_BYTES).map(|n| n as u8).collect();
        put(&mut buffer, &all);
        assert!(buffer.room().is_empty());
        buffer.consume(10);
        assert_eq!(buffer.room().len(), 10);
        put(&mut buffer, &[7; 10]);
        assert!(buffer.room().is_empty());
        buffer.grow();
        assert_eq!(buffer.room().len(), SLAB_BYTES);
        assert_eq!(&buffer.filled()[..SLAB_BYTES - 10], &all[10..]);
    }
}
