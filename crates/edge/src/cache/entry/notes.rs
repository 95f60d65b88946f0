//! What is known of a URL that has no response for all requests.

use std::mem::size_of;
use std::sync::Arc;

use deepwater_cache::purge::Epoch;
use deepwater_cache::rules::Vary;
use smallvec::SmallVec;

use super::Object;

/// Lists of fields that a URL's responses depend on, kept per URL; the newest first.
const MOST_VARIES: usize = 8;
/// Variants of one URL that are kept; older ones make room.
const MOST_VARIANTS: usize = 256;

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

    pub(super) fn heap_bytes(&self) -> usize {
        let names: usize = self.varies.iter().flat_map(Vary::names).map(|name| name.len() + 16).sum();
        let keys: usize = self.keys.iter().map(|key| key.len() + 32).sum();
        size_of::<Self>() + names + keys + self.varies.len() * size_of::<Vary>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
