//! What the store holds: responses, the list of a URL's variants, and notes that nothing may be stored.

use std::mem::size_of;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use bytes::Bytes;
use deepwater_cache::purge::{Epoch, Stamp};
use deepwater_cache::rules::{Meta, Vary};
use http::StatusCode;
use smallvec::SmallVec;

use super::lines::Lines;

/// Bodies up to this size are kept in one piece.
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
    /// What is known of a URL that has no response for all requests.
    Notes(Box<Notes>),
}

impl Entry {
    /// What the store is told it weighs, beside its key: itself, its counts and what it points to.
    pub fn weight(&self) -> usize {
        let own = size_of::<Self>() + 2 * size_of::<usize>();
        own + match self {
            Self::Object(object) => object.heap_bytes(),
            Self::Notes(notes) => notes.heap_bytes(),
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
    /// After a refresh that failed: not before this time is the next one tried, Unix seconds.
    retry_at_s: AtomicU32,
    /// Length of the field lines where they stand before the body.
    lines: u32,
    content: Content,
}

/// One word tells the two apart, so that an entry fills a size class of the allocator.
#[derive(Debug)]
enum Content {
    /// Field lines, then the body.
    Joined(Box<[u8]>),
    Other(Box<Other>),
}

#[derive(Debug)]
enum Other {
    /// Field lines and body in allocations of their own.
    Apart {
        lines: Box<[u8]>,
        body: Box<[u8]>,
    },
    Large(Box<Large>),
}

impl Content {
    /// Of a small response, in one allocation or in two, whichever wastes less.
    fn small(lines: &[u8], body: &[u8]) -> Self {
        let apart = size_class(lines.len()) + size_class(body.len()) + size_of::<Other>();
        if apart < size_class(lines.len() + body.len()) {
            Self::Other(Box::new(Other::Apart { lines: lines.into(), body: body.into() }))
        } else {
            Self::Joined([lines, body].concat().into())
        }
    }

    fn of_large(large: Large) -> Self {
        Self::Other(Box::new(Other::Large(Box::new(large))))
    }

    fn large(&self) -> Option<&Large> {
        match self {
            Self::Other(other) => match &**other {
                Other::Large(large) => Some(large),
                Other::Apart { .. } => None,
            },
            Self::Joined(_) => None,
        }
    }

    fn heap_bytes(&self) -> usize {
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
        self.meta.flags.has(deepwater_cache::rules::Flags::PARTIAL)
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

    fn heap_bytes(&self) -> usize {
        let slots = if self.stamp.slots().len() > 4 { size_of_val(self.stamp.slots()) } else { 0 };
        slots + self.content.heap_bytes()
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

/// What is known of a URL: how its responses depend on requests, where those are stored, and that others may not be.
#[derive(Debug, Clone)]
pub(crate) struct Notes {
    /// Variants from before are none of it: writes could not find them.
    born: Epoch,
    varies: SmallVec<[Vary; 1]>,
    /// Keys of the variants, the oldest first.
    keys: Vec<Arc<[u8]>>,
    /// Until then nobody waits for a fetch of somebody else: what it brings may not be stored. Unix milliseconds.
    pass_until_ms: u64,
}

impl Notes {
    /// Of a URL of which nothing was known at that epoch.
    pub fn new(born: Epoch) -> Self {
        Self { born, varies: SmallVec::new(), keys: Vec::new(), pass_until_ms: 0 }
    }

    /// Whether a variant was stored since something is known of the URL.
    pub fn covers(&self, variant: &Object) -> bool {
        variant.stamp.born() >= self.born
    }

    /// Whether requests that nothing stored answers pass the cache by.
    pub fn passes(&self, now_ms: u64) -> bool {
        now_ms < self.pass_until_ms
    }

    /// The same, but passing until then.
    pub fn passing_until(&self, ms: u64) -> Self {
        Self { pass_until_ms: ms, ..self.clone() }
    }

    /// The lists of request fields that responses depend on, the newest first.
    pub fn varies(&self) -> &[Vary] {
        &self.varies
    }

    /// Whether a variant is known already, under the list that is asked first.
    pub fn knows(&self, vary: &Vary, key: &[u8]) -> bool {
        self.varies.first() == Some(vary) && self.keys.iter().any(|known| **known == *key)
    }

    /// The same with one more variant, and the keys that make room for it.
    pub fn with(&self, vary: &Vary, key: &[u8]) -> (Self, Vec<Arc<[u8]>>) {
        let mut new = Self { pass_until_ms: 0, ..self.clone() };
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
        size_of::<Self>() + names + keys + self.varies.len() * size_of::<Vary>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepwater_cache::purge::Epochs;
    use deepwater_cache::rules::{Flags, Freshness};

    fn meta(status: u16) -> Meta {
        Meta {
            response_ms: 0,
            initial_age_ms: 0,
            lifetime_ms: 1,
            stale_while_revalidate_ms: 0,
            stale_if_error_ms: 0,
            fetch_ms: 0,
            status: StatusCode::from_u16(status).unwrap(),
            flags: if status == 206 { Flags::PARTIAL } else { Flags::default() },
        }
    }

    fn stamp() -> Stamp {
        Stamp::new(Epochs::with_slots(1).now(), [])
    }

    fn part(start: u64, bytes: &'static [u8]) -> Object {
        Object::part(meta(206), stamp(), b"a: b\r\n", start, Bytes::from_static(bytes), Some(10))
    }

    fn text(object: &Object, range: Range<u64>) -> Vec<u8> {
        object.bytes(range).concat()
    }

    #[test]
    fn an_entry_is_small() {
        // With its counts it fills a size class of the allocator.
        assert!(size_of::<Entry>() <= 112, "{}", size_of::<Entry>());
    }

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

    #[test]
    fn what_wastes_less_is_chosen() {
        for (lines, body, apart) in
            [(150, 1_024, true), (150, 1_100, false), (100, 10, false), (0, 1_024, false)]
        {
            let (lines, body) = (vec![b'a'; lines], vec![b'b'; body]);
            let object = Object::whole(meta(200), stamp(), &lines, vec![Bytes::from(body.clone())]);
            assert_eq!(matches!(object.content, Content::Other(_)), apart, "{} {}", lines.len(), body.len());
            assert_eq!((object.lines().0, object.small_body()), (&lines[..], Some(&body[..])));
            assert_eq!(object.bytes(0..body.len() as u64).concat(), body);
        }
    }

    #[test]
    fn whole_bodies_small_and_large() {
        let chunks = || vec![Bytes::from(vec![1; 9_000]), Bytes::new(), Bytes::from(vec![2; 9_000])];
        let large = Object::whole(meta(200), stamp(), b"a: b\r\n", chunks());
        assert_eq!((large.len(), large.small_body()), (Some(18_000), None));
        assert_eq!(text(&large, 8_999..9_001), [1, 2]);
        assert!(large.covers(&(0..18_000)) && !large.covers(&(0..18_001)));
        let small = Object::whole(meta(200), stamp(), b"a: b\r\n", vec![Bytes::from_static(b"0123456789")]);
        assert_eq!((small.len(), small.small_body()), (Some(10), Some(&b"0123456789"[..])));
        assert_eq!(text(&small, 2..5), b"234");
        for object in [large, small] {
            let other = object.with_head(meta(203), stamp(), b"c: d\r\ne: f\r\n");
            assert_eq!(other.lines().iter().count(), 2);
            assert_eq!((other.len(), other.status().as_u16()), (object.len(), 203));
            assert_eq!(text(&other, 0..4), text(&object, 0..4));
        }
    }

    #[test]
    fn parts_join_and_become_the_whole() {
        let mut object = part(2, b"234");
        assert!(object.is_partial() && object.covers(&(3..5)) && !object.covers(&(1..3)));
        for (older, covered) in [(part(4, b"4567"), 2..8), (part(0, b"01"), 0..8), (part(1, b"123"), 0..8)] {
            object.join(&older);
            assert!(object.covers(&covered));
            object.settle();
            assert!(object.is_partial());
        }
        object.join(&part(6, b"6789"));
        object.settle();
        assert!(!object.is_partial());
        assert_eq!((object.status(), text(&object, 0..10)), (StatusCode::OK, b"0123456789".to_vec()));
        assert_eq!(text(&object, 3..7), b"3456");
        assert!(matches!(object.meta.freshness(0), Freshness::Fresh { left_ms: 1 }));
    }

    #[test]
    fn the_oldest_variants_make_room() {
        let vary = |name| Vary::of([("vary", name)].as_slice()).unwrap();
        let mut notes = Notes::new(Epoch::default());
        let key = |n: usize| n.to_le_bytes();
        for n in 0..MOST_VARIANTS {
            let (next, dropped) = notes.with(&vary("a"), &key(n));
            assert!(dropped.is_empty() && next.knows(&vary("a"), &key(n)));
            notes = next;
        }
        let (next, dropped) = notes.with(&vary("b"), &key(MOST_VARIANTS));
        assert_eq!(dropped.iter().map(|key| key.to_vec()).collect::<Vec<_>>(), [key(0).to_vec()]);
        assert_eq!(next.varies(), [vary("b"), vary("a")]);
    }
}
