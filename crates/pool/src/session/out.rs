//! Bytes on their way out: what passes unchanged stays where it was read, and is copied only where something else must
//! come between.

/// Output made of stretches of the input and of bytes of our own.
pub(super) struct Out<'a> {
    input: &'a [u8],
    /// A stretch of the input that nothing of ours has come before.
    start: usize,
    end: usize,
    owned: &'a mut Vec<u8>,
}

impl<'a> Out<'a> {
    /// Nothing yet; `owned` must be empty.
    pub(super) fn new(input: &'a [u8], owned: &'a mut Vec<u8>) -> Self {
        debug_assert!(owned.is_empty());
        Self { input, start: 0, end: 0, owned }
    }

    /// Passes a stretch of the input.
    #[inline]
    pub(super) fn pass(&mut self, from: usize, to: usize) {
        if self.owned.is_empty() {
            if self.start == self.end {
                (self.start, self.end) = (from, to);
                return;
            }
            if self.end == from {
                self.end = to;
                return;
            }
        }
        let input = self.input;
        self.own().extend_from_slice(&input[from..to]);
    }

    /// Where bytes of our own are appended.
    pub(super) fn own(&mut self) -> &mut Vec<u8> {
        if self.owned.is_empty() && self.start < self.end {
            self.owned.extend_from_slice(&self.input[self.start..self.end]);
            (self.start, self.end) = (0, 0);
        }
        self.owned
    }

    /// All of it.
    pub(super) fn finish(self) -> &'a [u8] {
        if self.owned.is_empty() { &self.input[self.start..self.end] } else { self.owned }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_whole_is_not_copied() {
        let input = b"hello world".to_vec();
        let mut owned = Vec::new();
        let mut out = Out::new(&input, &mut owned);
        out.pass(0, 5);
        out.pass(5, 11);
        assert_eq!(out.finish().as_ptr(), input.as_ptr());
    }

    #[test]
    fn the_order_is_kept() {
        let input = b"abcdef".to_vec();
        let mut owned = Vec::new();
        let mut out = Out::new(&input, &mut owned);
        out.pass(0, 2);
        out.pass(4, 5);
        out.own().push(b'!');
        out.pass(5, 6);
        assert_eq!(out.finish(), b"abe!f");
    }
}
