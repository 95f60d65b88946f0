//! How field lines and body lie in memory, and what that takes.

use std::mem::size_of;

use bytes::Bytes;

/// One word tells the two apart, so that an entry fills a size class of the allocator.
#[derive(Debug)]
pub(super) enum Content {
    /// Field lines, then the body.
    Joined(Box<[u8]>),
    Other(Box<Other>),
}

#[derive(Debug)]
pub(super) enum Other {
    /// Field lines and body in allocations of their own.
    Apart {
        lines: Box<[u8]>,
        body: Box<[u8]>,
    },
    Large(Box<Large>),
}

impl Content {
    /// Of a small response, in one allocation or in two, whichever wastes less.
    pub fn small(lines: &[u8], body: &[u8]) -> Self {
        let apart = size_class(lines.len()) + size_class(body.len()) + size_of::<Other>();
        if apart < size_class(lines.len() + body.len()) {
            Self::Other(Box::new(Other::Apart { lines: lines.into(), body: body.into() }))
        } else {
            Self::Joined([lines, body].concat().into())
        }
    }

    pub fn of_large(large: Large) -> Self {
        Self::Other(Box::new(Other::Large(Box::new(large))))
    }

    pub fn large(&self) -> Option<&Large> {
        match self {
            Self::Other(other) => match &**other {
                Other::Large(large) => Some(large),
                Other::Apart { .. } => None,
            },
            Self::Joined(_) => None,
        }
    }

    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Joined(bytes) => size_class(bytes.len()),
            Self::Other(other) => match &**other {
                Other::Apart { lines, body } => {
                    size_class(lines.len()) + size_class(body.len()) + size_of::<Other>()
                }
                Other::Large(large) => {
                    // A piece has counts of its own somewhere.
                    let piece = size_of::<Piece>() + 3 * size_of::<usize>();
                    let bytes: usize = large.pieces.iter().map(|one| one.bytes.len() + piece).sum();
                    size_of::<Other>() + size_of::<Large>() + large.lines.len() + bytes
                }
            },
        }
    }
}

/// What an allocation of that size takes: allocators with size classes have four between two powers of two.
fn size_class(len: usize) -> usize {
    if len <= 64 {
        return len.next_multiple_of(8);
    }
    len.next_multiple_of((1 << (len - 1).ilog2()) / 4)
}

#[derive(Debug, Clone)]
pub(super) struct Large {
    pub lines: Box<[u8]>,
    /// In order of their place in the content, none overlapping. A whole response has pieces from 0 to `len`.
    pub pieces: Vec<Piece>,
    /// Length of the whole content; unknown only for parts.
    pub len: Option<u64>,
}

/// Neighbouring bytes of a content.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// Place of the first of them.
    pub start: u64,
    /// Not empty.
    pub bytes: Bytes,
}

impl Piece {
    pub fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes() {
        for (len, class) in [
            (0, 0),
            (9, 16),
            (64, 64),
            (65, 80),
            (128, 128),
            (129, 160),
            (1_024, 1_024),
            (1_025, 1_280),
            (1_281, 1_536),
        ] {
            assert_eq!(size_class(len), class, "{len}");
        }
    }
}
