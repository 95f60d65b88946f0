//! A body that can be read again from its start, as long as it is short, and whose trailers say nothing they may not.

use std::cell::{Cell, OnceCell};
use std::task::{Context, Poll};

use crate::head::Fields;

use super::{BodyError, BodyRead, Frame};

/// A body whose first bytes are kept, so that another attempt can send them once more.
pub(crate) struct Replay<'a, B> {
    source: &'a mut B,
    kept: Vec<u8>,
    /// How much of what is kept was read again.
    at: usize,
    /// Bytes that may be kept.
    bound: usize,
    /// Told when more was read than is kept: there is no way back.
    is_spent: &'a Cell<bool>,
    /// Whether a trailer field of this name goes no further: a server that takes trailers for header fields would believe
    /// of the client what is for the edge to say.
    is_barred: &'a dyn Fn(&[u8]) -> bool,
    /// The trailers without those, where there are some.
    trailers: OnceCell<Fields>,
}

impl<'a, B: BodyRead> Replay<'a, B> {
    /// Keeps up to `bound` bytes; `is_spent` is set when there were more. Trailer fields that are barred are left out.
    pub fn new(
        source: &'a mut B,
        bound: usize,
        is_spent: &'a Cell<bool>,
        is_barred: &'a dyn Fn(&[u8]) -> bool,
    ) -> Self {
        is_spent.set(false);
        Self { source, kept: Vec::new(), at: 0, bound, is_spent, is_barred, trailers: OnceCell::new() }
    }

    /// Starts over; false when more has been read than is kept.
    pub fn rewind(&mut self) -> bool {
        if !self.is_spent.get() {
            self.at = 0;
        }
        !self.is_spent.get()
    }

    fn again(&self) -> &[u8] {
        &self.kept[self.at..]
    }
}

impl<B: BodyRead> BodyRead for Replay<'_, B> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, BodyError>> {
        if self.again().is_empty() { self.source.poll_frame(cx) } else { Poll::Ready(Ok(Frame::Data)) }
    }

    fn data(&self) -> &[u8] {
        if self.again().is_empty() { self.source.data() } else { self.again() }
    }

    fn consume(&mut self, n: usize) {
        if !self.again().is_empty() {
            self.at += n;
            return;
        }
        if n > 0 && !self.is_spent.get() {
            if self.kept.len() + n <= self.bound {
                self.kept.extend_from_slice(&self.source.data()[..n]);
                self.at = self.kept.len();
            } else {
                self.is_spent.set(true);
                self.kept = Vec::new();
                self.at = 0;
            }
        }
        self.source.consume(n);
    }

    fn ends_with_data(&self) -> bool {
        let nothing_follows = self.source.data().is_empty() && self.source.ends_with_data();
        if self.again().is_empty() { self.source.ends_with_data() } else { nothing_follows }
    }

    fn trailers(&self) -> Option<&Fields> {
        let trailers = self.source.trailers()?;
        if !trailers.iter().any(|(_, name, _)| (self.is_barred)(name)) {
            return Some(trailers);
        }
        Some(self.trailers.get_or_init(|| {
            let mut others = trailers.clone();
            others.remove_where(|_, name, _| (self.is_barred)(name));
            others
        }))
    }

    fn is_done(&self) -> bool {
        self.again().is_empty() && self.source.is_done()
    }

    fn become_conversation(&mut self) {
        self.source.become_conversation();
    }

    fn become_tunnel(&mut self) {
        // What comes now is no body, and is sent once.
        self.is_spent.set(true);
        self.kept = Vec::new();
        self.at = 0;
        self.source.become_tunnel();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// A body that arrives in pieces.
    struct Pieces(Vec<&'static [u8]>);

    impl BodyRead for Pieces {
        fn poll_frame(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Frame, BodyError>> {
            Poll::Ready(Ok(if self.0.is_empty() { Frame::End } else { Frame::Data }))
        }
        fn data(&self) -> &[u8] {
            self.0.first().copied().unwrap_or_default()
        }
        fn consume(&mut self, n: usize) {
            let Some(first) = self.0.first_mut() else { return };
            *first = &first[n..];
            if first.is_empty() {
                self.0.remove(0);
            }
        }
        fn ends_with_data(&self) -> bool {
            self.0.len() <= 1
        }
        fn trailers(&self) -> Option<&Fields> {
            None
        }
        fn is_done(&self) -> bool {
            self.0.is_empty()
        }
    }

    /// Reads up to `most` bytes, in steps.
    fn read(body: &mut impl BodyRead, most: usize, step: usize) -> Vec<u8> {
        let mut all = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        while all.len() < most && matches!(body.poll_frame(&mut cx), Poll::Ready(Ok(Frame::Data))) {
            let n = body.data().len().min(step).min(most - all.len());
            all.extend_from_slice(&body.data()[..n]);
            if body.ends_with_data() && n == body.data().len() {
                body.consume(n);
                break;
            }
            body.consume(n);
        }
        all
    }

    #[test]
    fn a_short_body_is_read_again_from_wherever_it_was_left() {
        for left_at in 0..=11 {
            for step in 1..12 {
                let is_spent = Cell::new(true);
                let mut source = Pieces(vec![b"hello ", b"wo", b"rld"]);
                let mut body = Replay::new(&mut source, 11, &is_spent, &|_| false);
                read(&mut body, left_at, step);
                assert!(body.rewind());
                assert_eq!(read(&mut body, 99, step), b"hello world", "left at {left_at} in steps of {step}");
                assert!(body.is_done() && body.rewind());
                assert!(!body.is_done());
                assert_eq!(read(&mut body, 99, step), b"hello world");
            }
        }
    }

    #[test]
    fn of_a_long_body_nothing_is_kept() {
        let is_spent = Cell::new(false);
        let mut source = Pieces(vec![b"hello ", b"world"]);
        let mut body = Replay::new(&mut source, 10, &is_spent, &|_| false);
        assert_eq!(read(&mut body, 6, 6), b"hello ");
        assert_eq!(read(&mut body, 99, 6), b"world");
        assert!(!body.rewind() && body.is_done() && is_spent.get());
    }
}
