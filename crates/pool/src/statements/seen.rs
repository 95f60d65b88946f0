//! Which texts come again.

use std::hash::{BuildHasher, Hasher};

/// As many texts are remembered at most; of two that fall on the same place the later one.
const PLACES: usize = 4_096;

/// A text longer than this is known by its hash alone, in bytes.
const TEXT_BYTES: usize = 512;

/// Remembers texts: which of them come again, of any number that come once, and which of these leave nothing behind in a
/// session. Takes 96 KiB, and at most 2 MiB for texts.
#[derive(Debug)]
pub(crate) struct Seen {
    places: Box<[Place]>,
    state: foldhash::fast::RandomState,
    /// The place of the last text.
    last: usize,
}

#[derive(Debug, Default, Clone)]
struct Place {
    /// Nothing was seen where it is zero.
    hash: u64,
    /// The text itself, if it leaves nothing behind: hashes may be equal by chance or design.
    plain: Option<Box<[u8]>>,
}

/// What is known of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// It was not seen lately.
    First,
    /// It came before.
    Again,
    /// It came before, and was found to leave nothing behind.
    Plain,
}

impl Default for Seen {
    fn default() -> Self {
        let places = vec![Place::default(); PLACES].into();
        Self { places, state: foldhash::fast::RandomState::default(), last: 0 }
    }
}

impl Seen {
    /// What is known of a text with these types, which has been seen from now on.
    pub(crate) fn see(&mut self, text: &[u8], types: &[u8]) -> Sight {
        let mut hasher = self.state.build_hasher();
        hasher.write(text);
        hasher.write(types);
        let hash = hasher.finish() | 1 << 63;
        self.last = hash as usize % PLACES;
        let place = &mut self.places[self.last];
        if place.hash != hash {
            *place = Place { hash, plain: None };
            return Sight::First;
        }
        if place.plain.as_deref() == Some(text) { Sight::Plain } else { Sight::Again }
    }

    /// Notes that the text seen last leaves nothing behind.
    pub(crate) fn note_plain(&mut self, text: &[u8]) {
        if text.len() <= TEXT_BYTES {
            self.places[self.last].plain = Some(text.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_seen_again_among_others() {
        let mut seen = Seen::default();
        assert_eq!(seen.see(b"SELECT $1", &[0, 0]), Sight::First);
        assert_eq!(seen.see(b"SELECT $1", &[0, 1, 0, 0, 0, 23]), Sight::First, "its types are others");
        let others: Vec<_> = (0..64).map(|n| format!("SELECT {n}")).collect();
        let mut known =
            || others.iter().filter(|text| seen.see(text.as_bytes(), &[0, 0]) == Sight::Again).count();
        assert_eq!(known(), 0);
        let again = known();
        assert!(again > 48, "{again} of 64");
    }

    #[test]
    fn what_leaves_nothing_behind_is_known_by_its_text() {
        let mut seen = Seen::default();
        for sight in [Sight::First, Sight::Again] {
            assert_eq!(seen.see(b"SELECT 1", &[0, 0]), sight);
        }
        seen.note_plain(b"SELECT 1");
        assert_eq!(seen.see(b"SELECT 1", &[0, 0]), Sight::Plain);
        // As if another text had the same hash.
        seen.note_plain(b"SET a = b");
        assert_eq!(seen.see(b"SELECT 1", &[0, 0]), Sight::Again);
        let long = [b'x'; TEXT_BYTES + 1];
        seen.see(&long, &[]);
        seen.note_plain(&long);
        assert_eq!(seen.see(&long, &[]), Sight::Again);
    }
}
