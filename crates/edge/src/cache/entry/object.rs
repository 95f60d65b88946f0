//! A stored response.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use bytes::Bytes;
use deepwater_cache::purge::Stamp;
use deepwater_cache::rules::{Flags, Meta, ranges};
use http::StatusCode;

use super::content::{Content, Large, Other, Piece};
use crate::cache::lines::Lines;

#[cfg(test)]
mod tests;

/// Bodies up to this size are kept in one piece.
const SMALL_BYTES: u64 = 16 * 1024;

/// A stored response, whole or in parts; or the head of one whose body is still arriving.
#[derive(Debug)]
pub(crate) struct Object {
    /// Its times.
    pub meta: Meta,
    /// What purges have left of it.
    pub stamp: Stamp,
    /// After a refresh that failed: not before this time is the next one tried, Unix seconds.
    retry_at_s: AtomicU32,
    /// Length of the field lines where they stand before the body.
    lines: u32,
    content: Content,
}

impl Object {
    fn new(meta: Meta, stamp: Stamp, lines: &[u8], content: Content) -> Self {
        // Heads are limited to far less than 4 GiB.
        Self { meta, stamp, retry_at_s: AtomicU32::new(0), lines: lines.len() as u32, content }
    }

    /// A whole response from the chunks its body came in.
    pub fn whole(meta: Meta, stamp: Stamp, lines: &[u8], chunks: Vec<Bytes>) -> Self {
        let len = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let content = if len <= SMALL_BYTES {
            Content::small(lines, &chunks.concat())
        } else {
            let mut start = 0;
            let mut piece = |bytes: Bytes| {
                let piece = Piece { start, bytes };
                start = piece.end();
                piece
            };
            let pieces = chunks.into_iter().filter(|chunk| !chunk.is_empty()).map(&mut piece).collect();
            Content::of_large(Large { lines: lines.into(), pieces, len: Some(len) })
        };
        Self::new(meta, stamp, lines, content)
    }

    /// A part of a response. `start` is the place of its first byte.
    pub fn part(meta: Meta, stamp: Stamp, lines: &[u8], start: u64, bytes: Bytes, len: Option<u64>) -> Self {
        let large = Large { lines: lines.into(), pieces: vec![Piece { start, bytes }], len };
        Self::new(meta, stamp, lines, Content::of_large(large))
    }

    /// The same content under another head: after a 304 or a HEAD, or a part that joins others.
    pub fn with_head(&self, meta: Meta, stamp: Stamp, lines: &[u8]) -> Self {
        let content = match (self.small_body(), self.content.large()) {
            (_, Some(large)) => Content::of_large(Large { lines: lines.into(), ..large.clone() }),
            (body, None) => Content::small(lines, body.unwrap_or_default()),
        };
        Self::new(meta, stamp, lines, content)
    }

    /// What is missing of the content, if that is one range of it.
    pub fn gap(&self) -> Option<Range<u64>> {
        let large = self.content.large()?;
        let have: Vec<Range<u64>> = large.pieces.iter().map(|piece| piece.start..piece.end()).collect();
        match &missing(&have, 0..large.len?)[..] {
            [gap] => Some(gap.clone()),
            _ => None,
        }
    }

    /// Adds the parts of an older response of the same version. Where both have bytes these stay.
    pub fn join(&mut self, older: &Self) {
        let (Content::Other(own), Some(other)) = (&mut self.content, older.content.large()) else { return };
        let Other::Large(own) = &mut **own else { return };
        for piece in &other.pieces {
            let have: Vec<Range<u64>> = own.pieces.iter().map(|own| own.start..own.end()).collect();
            for gap in missing(&have, piece.start..piece.end()) {
                let mut bytes =
                    piece.bytes.slice((gap.start - piece.start) as usize..(gap.end - piece.start) as usize);
                if bytes.len() * 2 < piece.bytes.len() {
                    // A slice keeps all of its piece in memory.
                    bytes = Bytes::copy_from_slice(&bytes);
                }
                let at = own.pieces.partition_point(|own| own.start < gap.start);
                own.pieces.insert(at, Piece { start: gap.start, bytes });
            }
        }
        own.len = own.len.or(other.len);
    }

    /// Parts that have become the whole are the whole from now on (RFC 9111 §3.4).
    pub fn settle(&mut self) {
        if self.len().is_some_and(|len| self.covers(&(0..len))) {
            self.meta.complete();
        }
    }

    /// The field lines.
    pub fn lines(&self) -> Lines<'_> {
        match &self.content {
            Content::Joined(bytes) => Lines(&bytes[..self.lines as usize]),
            Content::Other(other) => match &**other {
                Other::Apart { lines, .. } => Lines(lines),
                Other::Large(large) => Lines(&large.lines),
            },
        }
    }

    /// The body of a small response, all of it.
    pub fn small_body(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Joined(bytes) => Some(&bytes[self.lines as usize..]),
            Content::Other(other) => match &**other {
                Other::Apart { body, .. } => Some(body),
                Other::Large(_) => None,
            },
        }
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.meta.status
    }

    /// The length of the whole content, bytes, whether or not all of it is here.
    pub fn len(&self) -> Option<u64> {
        match self.content.large() {
            Some(large) => large.len,
            None => self.small_body().map(|body| body.len() as u64),
        }
    }

    /// Whether it holds parts of the content only.
    pub fn is_partial(&self) -> bool {
        self.meta.flags.has(Flags::PARTIAL)
    }

    /// Whether these bytes are here.
    pub fn covers(&self, range: &Range<u64>) -> bool {
        let Some(large) = self.content.large() else { return true };
        let mut next = range.start;
        for piece in &large.pieces {
            if piece.start <= next {
                next = next.max(piece.end());
            }
        }
        next >= range.end
    }

    /// The bytes of a range that is [covered](Self::covers).
    pub fn bytes(&self, range: Range<u64>) -> Vec<Bytes> {
        let Some(large) = self.content.large() else {
            let body = self.small_body().unwrap_or_default();
            return vec![Bytes::copy_from_slice(&body[range.start as usize..range.end as usize])];
        };
        let pieces = large.pieces.iter().filter(|piece| piece.start < range.end && range.start < piece.end());
        let cut = pieces.map(|piece| {
            let from = range.start.max(piece.start) - piece.start;
            let to = range.end.min(piece.end()) - piece.start;
            piece.bytes.slice(from as usize..to as usize)
        });
        cut.collect()
    }

    /// Whether a refresh may be tried: none has failed just now.
    pub fn may_refresh(&self, now_ms: u64) -> bool {
        u64::from(self.retry_at_s.load(Relaxed)) * 1_000 <= now_ms
    }

    /// Lets nobody try a refresh before that time.
    pub fn retry_at(&self, ms: u64) {
        self.retry_at_s.store(u32::try_from(ms.div_ceil(1_000)).unwrap_or(u32::MAX), Relaxed);
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let slots = if self.stamp.slots().len() > 4 { size_of_val(self.stamp.slots()) } else { 0 };
        slots + self.content.heap_bytes()
    }
}

/// What of a range is not there.
fn missing(have: &[Range<u64>], range: Range<u64>) -> Vec<Range<u64>> {
    let mut merged = Vec::new();
    for one in have {
        ranges::merge(&mut merged, one.clone());
    }
    ranges::gaps(&merged, range).collect()
}
