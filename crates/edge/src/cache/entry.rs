//! What the store holds: responses, the list of a URL's variants, and notes that nothing may be stored.

use std::mem::size_of;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use deepwater_cache::purge::Stamp;
use deepwater_cache::rules::{Meta, Vary};
use http::StatusCode;
use smallvec::SmallVec;

use super::lines::Lines;

/// Bodies up to this size stand beside their field lines, in one allocation.
const SMALL_BYTES: u64 = 16 * 1024;
/// Lists of fields that a URL's responses depend on, kept per URL; the newest first.
const MOST_VARIES: usize = 8;
/// Variants of one URL that are kept; older ones make room.
const MOST_VARIANTS: usize = 256;

/// What is stored under a key.
#[derive(Debug)]
pub(crate) enum Entry {
    /// A response.
    Object(Object),
    /// The responses of this URL depend on request fields; they are stored under keys of their own.
    Variants(Variants),
    /// The response may not be stored: for a while nobody waits for anybody else's.
    Pass {
        /// Unix milliseconds.
        until_ms: u64,
    },
}

impl Entry {
    /// What the store is told it weighs, beside its key: itself, its counts and what it points to.
    pub fn weight(&self) -> usize {
        let own = size_of::<Self>() + 2 * size_of::<usize>();
        own + match self {
            Self::Object(object) => object.heap_bytes(),
            Self::Variants(variants) => variants.heap_bytes(),
            Self::Pass { .. } => 0,
        }
    }
}

/// A stored response, whole or in parts; or the head of one whose body is still arriving.
#[derive(Debug)]
pub(crate) struct Object {
    /// Its times.
    pub meta: Meta,
    /// What purges have left of it.
    pub stamp: Stamp,
    /// After a refresh that failed: not before this time is the next one tried, Unix milliseconds.
    retry_at_ms: AtomicU64,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// Field lines, then the body.
    Small {
        bytes: Box<[u8]>,
        lines: u32,
    },
    Large(Box<Large>),
}

#[derive(Debug, Clone)]
struct Large {
    lines: Box<[u8]>,
    /// In order of their place in the content, none overlapping. A whole response has pieces from 0 to `len`.
    pieces: Vec<Piece>,
    /// Length of the whole content; unknown only for parts.
    len: Option<u64>,
}

/// Neighbouring bytes of a content.
#[derive(Debug, Clone)]
struct Piece {
    /// Place of the first of them.
    start: u64,
    /// Not empty.
    bytes: Bytes,
}

impl Piece {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl Object {
    /// A whole response from the chunks its body came in.
    pub fn whole(meta: Meta, stamp: Stamp, lines: &[u8], chunks: Vec<Bytes>) -> Self {
        let len = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let content = if len <= SMALL_BYTES {
            let mut bytes = Vec::with_capacity(lines.len() + len as usize);
            bytes.extend_from_slice(lines);
            chunks.iter().for_each(|chunk| bytes.extend_from_slice(chunk));
            Content::Small { bytes: bytes.into(), lines: lines.len() as u32 }
        } else {
            let mut start = 0;
            let mut piece = |bytes: Bytes| {
                let piece = Piece { start, bytes };
                start = piece.end();
                piece
            };
            let pieces = chunks.into_iter().filter(|chunk| !chunk.is_empty()).map(&mut piece).collect();
            Content::Large(Box::new(Large { lines: lines.into(), pieces, len: Some(len) }))
        };
        Self { meta, stamp, retry_at_ms: AtomicU64::new(0), content }
    }

    /// A part of a response. `start` is the place of its first byte.
    pub fn part(meta: Meta, stamp: Stamp, lines: &[u8], start: u64, bytes: Bytes, len: Option<u64>) -> Self {
        let large = Large { lines: lines.into(), pieces: vec![Piece { start, bytes }], len };
        Self { meta, stamp, retry_at_ms: AtomicU64::new(0), content: Content::Large(Box::new(large)) }
    }

    /// The same content under another head: after a 304 or a HEAD, or a part that joins others.
    pub fn with_head(&self, meta: Meta, stamp: Stamp, lines: &[u8]) -> Self {
        let content = match &self.content {
            Content::Small { bytes, lines: old } => {
                let body = &bytes[*old as usize..];
                Content::Small { bytes: [lines, body].concat().into(), lines: lines.len() as u32 }
            }
            Content::Large(large) => {
                Content::Large(Box::new(Large { lines: lines.into(), ..large.as_ref().clone() }))
            }
        };
        Self { meta, stamp, retry_at_ms: AtomicU64::new(0), content }
    }

    /// Adds the parts of an older response of the same version. Where both have bytes these stay.
    pub fn join(&mut self, older: &Self) {
        let (Content::Large(own), Content::Large(other)) = (&mut self.content, &older.content) else {
            return;
        };
        for piece in &other.pieces {
            let have: Vec<Range<u64>> = own.pieces.iter().map(|own| own.start..own.end()).collect();
            for gap in missing(&have, piece.start..piece.end()) {
                let bytes =
                    piece.bytes.slice((gap.start - piece.start) as usize..(gap.end - piece.start) as usize);
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
            Content::Small { bytes, lines } => Lines(&bytes[..*lines as usize]),
            Content::Large(large) => Lines(&large.lines),
        }
    }

    /// The body, where it stands in one piece beside the lines.
    pub fn small_body(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Small { bytes, lines } => Some(&bytes[*lines as usize..]),
            Content::Large(_) => None,
        }
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        // It was one when it was stored.
        StatusCode::from_u16(self.meta.status).unwrap_or(StatusCode::OK)
    }

    /// The length of the whole content, bytes, whether or not all of it is here.
    pub fn len(&self) -> Option<u64> {
        match &self.content {
            Content::Small { bytes, lines } => Some((bytes.len() - *lines as usize) as u64),
            Content::Large(large) => large.len,
        }
    }

    /// Whether it holds parts of the content only.
    pub fn is_partial(&self) -> bool {
        self.meta.flags.has(deepwater_cache::rules::Flags::PARTIAL)
    }

    /// Whether these bytes are here.
    pub fn covers(&self, range: &Range<u64>) -> bool {
        match &self.content {
            Content::Small { .. } => true,
            Content::Large(large) => {
                let mut next = range.start;
                for piece in &large.pieces {
                    if piece.start <= next {
                        next = next.max(piece.end());
                    }
                }
                next >= range.end
            }
        }
    }

    /// The bytes of a range that is [covered](Self::covers).
    pub fn bytes(&self, range: Range<u64>) -> Vec<Bytes> {
        match &self.content {
            Content::Small { bytes, lines } => {
                let body = &bytes[*lines as usize..];
                vec![Bytes::copy_from_slice(&body[range.start as usize..range.end as usize])]
            }
            Content::Large(large) => large
                .pieces
                .iter()
                .filter(|piece| piece.start < range.end && range.start < piece.end())
                .map(|piece| {
                    let from = range.start.max(piece.start) - piece.start;
                    let to = range.end.min(piece.end()) - piece.start;
                    piece.bytes.slice(from as usize..to as usize)
                })
                .collect(),
        }
    }

    /// Whether a refresh may be tried: none has failed just now.
    pub fn may_refresh(&self, now_ms: u64) -> bool {
        self.retry_at_ms.load(Relaxed) <= now_ms
    }

    /// Lets nobody try a refresh before that time.
    pub fn retry_at(&self, ms: u64) {
        self.retry_at_ms.store(ms, Relaxed);
    }

    fn heap_bytes(&self) -> usize {
        let slots = if self.stamp.slots().len() > 4 { size_of_val(self.stamp.slots()) } else { 0 };
        slots
            + match &self.content {
                Content::Small { bytes, .. } => bytes.len(),
                Content::Large(large) => {
                    // A piece has counts of its own somewhere.
                    let piece = size_of::<Piece>() + 3 * size_of::<usize>();
                    let bytes: usize = large.pieces.iter().map(|one| one.bytes.len() + piece).sum();
                    size_of::<Large>() + large.lines.len() + bytes
                }
            }
    }
}

/// What of a range is not there.
fn missing(have: &[Range<u64>], range: Range<u64>) -> Vec<Range<u64>> {
    let mut merged = Vec::new();
    for one in have {
        deepwater_cache::rules::ranges::merge(&mut merged, one.clone());
    }
    deepwater_cache::rules::ranges::gaps(&merged, range).collect()
}

/// How the responses of one URL depend on requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variants {
    varies: SmallVec<[Vary; 1]>,
    /// Keys of the variants, the oldest first.
    keys: Vec<Arc<[u8]>>,
}

impl Variants {
    /// The lists of fields, the newest first.
    pub fn varies(&self) -> &[Vary] {
        &self.varies
    }

    /// Whether a variant is known already, under the list that is asked first.
    pub fn knows(&self, vary: &Vary, key: &[u8]) -> bool {
        self.varies.first() == Some(vary) && self.keys.iter().any(|known| **known == *key)
    }

    /// The same with one more variant, and the keys that make room for it.
    pub fn with(&self, vary: &Vary, key: &[u8]) -> (Self, Vec<Arc<[u8]>>) {
        let mut new = self.clone();
        new.varies.retain(|known| known != vary);
        new.varies.insert(0, vary.clone());
        new.varies.truncate(MOST_VARIES);
        new.keys.retain(|known| **known != *key);
        new.keys.push(key.into());
        let surplus = new.keys.len().saturating_sub(MOST_VARIANTS);
        let dropped = new.keys.drain(..surplus).collect();
        (new, dropped)
    }

    fn heap_bytes(&self) -> usize {
        let names: usize = self.varies.iter().flat_map(Vary::names).map(|name| name.len() + 16).sum();
        let keys: usize = self.keys.iter().map(|key| key.len() + 32).sum();
        names + keys + self.varies.len() * size_of::<Vary>()
    }
}
