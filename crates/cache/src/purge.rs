//! Invalidation by epochs: a purge is a number written down, whatever it purges and however much of it is stored.
//!
//! There is one clock, moved on by every purge. Whoever fetches reads the clock before the fetch begins; the
//! object keeps that epoch ([`Stamp`]) and the names it goes by (its URL, its host, its tags). A purge moves
//! the clock on and notes the new epoch under the name. On a hit the object is valid if none of its names was
//! purged at an epoch later than its own. No index of objects, nothing to walk, nothing forgotten when an
//! object is evicted and fetched again, and a fetch that was under way when its name was purged is caught.
//!
//! Memory is bounded, and each bound errs on the side of purging more:
//! - names share slots by a keyed hash ([`table`]): a collision purges another object too;
//! - prefixes are a short list ([`prefixes`]): when it is full, two that are close become one that covers both.
//!
//! # Why nothing purged is ever served
//!
//! Purges take turns (a mutex). Purge `e` is: (1) write `e` under the name; (2) store the clock, `e`, with
//! release; (3) return. A look at an object is: (1) load the clock, `c`, with acquire; (2) if `checked == c`
//! the object is valid; (3) else read the names' epochs; if none is later than the object's, store `c` in
//! `checked`.
//!
//! - *A look that begins after purge `e` returned finds it.* The clock it loads is at least `e` (the return
//!   happens before the look; the clock only grows). Every purge up to `c` wrote its epoch before the clock was
//!   stored as `c` (its own turn or an earlier one), so step 3 reads an epoch of at least `e` under the name.
//! - *`checked == c` says: no purge up to `c` concerns this object.* That is a fact about the past; it cannot
//!   become false, so `checked` needs no ordering, and a race that stores an older value costs one more look.
//!   It is only ever stored after step 3 has read epochs that are complete up to `c`. A purge that has written
//!   its epoch but not yet the clock will make it `c + 1`, and the comparison fails. (Were the clock moved
//!   before the epoch is written, a look in between would take the new clock for checked: wrong for ever.)
//! - *A fetch that began before purge `e` is older than it.* Its epoch was the clock before (2), less than
//!   `e`. A fetch with epoch `e` loaded the clock after (2): the purge had begun by then, and with it what it
//!   was called for had been written, so the fetch reads the new state.

mod prefixes;
mod request;
mod stamp;
mod table;
mod versions;

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use prefixes::Prefixes;
use table::{Cell, Table};

pub use request::{Purge, split_url};
pub use stamp::Stamp;
pub use versions::{MOST_NAMES, TooManyNames, Versions};

/// A moment on the clock of purges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(u64);

impl Epoch {
    /// As a number, for people and logs.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// Where the purges of a name are noted. Means something to the [`Epochs`] it comes from only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(u32);

/// What a name is a name of. The same text is different names for different kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A tag (`Surrogate-Key`, `Cache-Tag`, `xkey`, a route's).
    Tag,
    /// A URL: all its variants.
    Url,
    /// A host: everything under it.
    Host,
}

/// How much is left of what is purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Nothing: it is as if it had never been stored.
    Hard,
    /// It is stale: to be revalidated, and to be served stale where that is allowed.
    Soft,
}

/// What the purges have left of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Validity {
    /// No purge concerns it.
    Valid,
    /// Purged softly.
    Soft,
    /// Purged.
    Hard,
}

/// The clock and what was purged when. Shared by all who store, serve and purge.
#[derive(Debug)]
pub struct Epochs {
    clock: AtomicU64,
    everything: Cell,
    table: Table,
    prefixes: Prefixes,
    turn: Mutex<()>,
}

impl Default for Epochs {
    fn default() -> Self {
        Self::new()
    }
}

impl Epochs {
    /// Slots by default: 2 MiB.
    pub const DEFAULT_SLOTS: usize = table::MOST_SLOTS;

    /// With [`DEFAULT_SLOTS`](Self::DEFAULT_SLOTS).
    pub fn new() -> Self {
        Self::with_slots(Self::DEFAULT_SLOTS)
    }

    /// With so many slots, rounded up to a power of two, at most 65,536; each takes 32 bytes. Fewer slots purge
    /// more by accident.
    pub fn with_slots(slots: usize) -> Self {
        Self {
            clock: AtomicU64::new(0),
            everything: Cell::default(),
            table: Table::new(slots),
            prefixes: Prefixes::default(),
            turn: Mutex::default(),
        }
    }

    /// The clock. What is fetched is as old as the clock was **before** its fetch began.
    pub fn now(&self) -> Epoch {
        Epoch(self.clock.load(Ordering::Acquire))
    }

    /// Where the purges of a name are noted.
    pub fn slot(&self, kind: Kind, name: &[u8]) -> Slot {
        self.table.slot(kind, name)
    }

    /// Purges what goes by a name. Done when it returns.
    pub fn purge(&self, kind: Kind, name: &[u8], mode: Mode) -> Epoch {
        self.purge_slots(&[self.slot(kind, name)], mode)
    }

    /// Purges what goes by any of several names, in one step of the clock.
    pub fn purge_slots(&self, slots: &[Slot], mode: Mode) -> Epoch {
        self.advance(|epoch| slots.iter().for_each(|slot| self.table.raise(*slot, mode, epoch)))
    }

    /// Purges what is under a prefix of host, path and query, written without a separator:
    /// `shop.example/images/`. The prefix is one of bytes: `/a` is one of `/ab` too.
    pub fn purge_prefix(&self, url_prefix: &[u8], mode: Mode) -> Epoch {
        self.advance(|epoch| {
            if let Some(dropped) = self.prefixes.add(url_prefix, mode, epoch) {
                self.everything.raise(Mode::Hard, dropped.hard);
                self.everything.raise(Mode::Soft, dropped.soft);
            }
        })
    }

    /// Purges everything.
    pub fn purge_everything(&self, mode: Mode) -> Epoch {
        self.advance(|epoch| self.everything.raise(mode, epoch))
    }

    /// What the purges have left of an object as old as `born`, with these slots and this URL (host, path and
    /// query without a separator). A stored object's [`Stamp`] is quicker.
    pub fn check(&self, born: Epoch, slots: &[Slot], url: &[u8]) -> Validity {
        // The clock first: see the module's documentation.
        if self.now() == born {
            return Validity::Valid;
        }
        self.judge(born, born, slots, || url)
    }

    /// How many prefixes are remembered.
    pub fn prefixes(&self) -> usize {
        self.prefixes.len()
    }

    /// One turn of the clock: `note` writes the epoch down, then the clock shows it.
    fn advance(&self, note: impl FnOnce(u64)) -> Epoch {
        let turn = self.turn();
        let epoch = self.clock.load(Ordering::Relaxed) + 1;
        note(epoch);
        self.clock.store(epoch, Ordering::Release);
        drop(turn);
        Epoch(epoch)
    }

    /// A panic during a turn leaves the clock where it was and some epochs too late: purged once too often.
    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The verdict, the clock having been loaded. `valid_until`: no prefix purge up to then concerns it.
    fn judge<'a>(
        &self,
        born: Epoch,
        valid_until: Epoch,
        slots: &[Slot],
        url: impl FnOnce() -> &'a [u8],
    ) -> Validity {
        let named = slots.iter().map(|slot| self.table.state(*slot, born.0)).max();
        let named = named.unwrap_or(Validity::Valid).max(self.everything.state(born.0));
        if named == Validity::Hard || !self.prefixes.any_after(valid_until.0) {
            return named;
        }
        named.max(self.prefixes.state(born.0, valid_until.0, url()))
    }
}
