//! An object's place in the history of purges.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use smallvec::SmallVec;

use super::{Epoch, Epochs, Slot, Validity};

/// What a stored object keeps: how old it is, the names it goes by, and when it was last found valid.
#[derive(Debug)]
pub struct Stamp {
    born: Epoch,
    /// The clock as of which it was found valid.
    checked: AtomicU64,
    slots: SmallVec<[Slot; 4]>,
}

impl Stamp {
    /// For what was fetched by a fetch that began at `born` and goes by the names of these slots.
    pub fn new(born: Epoch, slots: impl IntoIterator<Item = Slot>) -> Self {
        Self { born, checked: AtomicU64::new(born.0), slots: slots.into_iter().collect() }
    }

    /// The clock before the fetch.
    pub fn born(&self) -> Epoch {
        self.born
    }

    /// The names.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// What the purges have left of it. One comparison if there was none since the last look; `url` (host, path
    /// and query without a separator) is asked for only if a prefix was purged since.
    #[inline]
    pub fn state<'a>(&self, epochs: &Epochs, url: impl FnOnce() -> &'a [u8]) -> Validity {
        let now = epochs.now();
        let checked = self.checked.load(Relaxed);
        if checked == now.0 {
            return Validity::Valid;
        }
        let state = epochs.judge(self.born, Epoch(checked), &self.slots, url);
        if state == Validity::Valid {
            self.checked.store(now.0, Relaxed);
        }
        state
    }
}

impl Clone for Stamp {
    fn clone(&self) -> Self {
        let checked = AtomicU64::new(self.checked.load(Relaxed));
        Self { born: self.born, checked, slots: self.slots.clone() }
    }
}
