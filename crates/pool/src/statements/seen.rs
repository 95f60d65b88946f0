//! Which texts come again.

use std::hash::{BuildHasher, Hasher};

/// As many texts are remembered at most; of two that fall on the same place the later one.
const PLACES: usize = 4_096;

/// Remembers texts by their hashes: which of them come again, of any number that come once. 32 KiB.
#[derive(Debug)]
pub(crate) struct Seen {
    places: Box<[u64]>,
    state: foldhash::fast::RandomState,
}

impl Default for Seen {
    fn default() -> Self {
        Self { places: vec![0; PLACES].into(), state: foldhash::fast::RandomState::default() }
    }
}

impl Seen {
    /// Whether the text came before with the same types, which is so from now on.
    pub(crate) fn again(&mut self, text: &[u8], types: &[u8]) -> bool {
        let mut hasher = self.state.build_hasher();
        hasher.write(text);
        hasher.write(types);
        // Nothing is seen where there is a zero.
        let hash = hasher.finish() | 1 << 63;
        let place = &mut self.places[hash as usize % PLACES];
        std::mem::replace(place, hash) == hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_seen_again_among_others() {
        let mut seen = Seen::default();
        assert!(!seen.again(b"SELECT $1", &[0, 0]));
        assert!(!seen.again(b"SELECT $1", &[0, 1, 0, 0, 0, 23]), "its types are others");
        let others: Vec<_> = (0..64).map(|n| format!("SELECT {n}")).collect();
        let known = others.iter().filter(|text| seen.again(text.as_bytes(), &[0, 0])).count();
        assert_eq!(known, 0);
        let again = others.iter().filter(|text| seen.again(text.as_bytes(), &[0, 0])).count();
        assert!(again > 48, "{again} of 64");
    }
}
