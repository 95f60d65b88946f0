//! When names were purged last, in memory of a fixed size: a count-min sketch of epochs.

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use foldhash::quality::RandomState;

use super::{Kind, Mode, Slot, Validity};

/// A slot has 16 bits for each of its two cells.
pub(super) const MOST_SLOTS: usize = 1 << 16;

/// The last purges of a name, or of several that share the cell. Written in turns; relaxed, because the clock
/// orders them.
#[derive(Debug, Default)]
pub(super) struct Cell {
    hard: AtomicU64,
    soft: AtomicU64,
}

impl Cell {
    /// Notes a purge; one that is older than what is noted changes nothing.
    pub(super) fn raise(&self, mode: Mode, epoch: u64) {
        match mode {
            Mode::Hard => self.hard.fetch_max(epoch, Relaxed),
            Mode::Soft => self.soft.fetch_max(epoch, Relaxed),
        };
    }

    #[inline]
    pub(super) fn state(&self, born: u64) -> Validity {
        verdict(born, self.hard.load(Relaxed), self.soft.load(Relaxed))
    }
}

/// What purges at these epochs leave of an object as old as `born`.
#[inline]
pub(super) fn verdict(born: u64, hard: u64, soft: u64) -> Validity {
    if hard > born {
        Validity::Hard
    } else if soft > born {
        Validity::Soft
    } else {
        Validity::Valid
    }
}

/// Two rows of cells. A name has one in each, and is purged only as far as both say: names must collide in both
/// rows to be purged for each other.
#[derive(Debug)]
pub(super) struct Table {
    rows: [Box<[Cell]>; 2],
    hasher: RandomState,
}

impl Table {
    pub(super) fn new(slots: usize) -> Self {
        let slots = slots.clamp(1, MOST_SLOTS).next_power_of_two();
        let row = || (0..slots).map(|_| Cell::default()).collect();
        Self { rows: [row(), row()], hasher: RandomState::default() }
    }

    pub(super) fn slot(&self, kind: Kind, name: &[u8]) -> Slot {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u8(kind as u8);
        hasher.write(name);
        Slot(hasher.finish() as u32)
    }

    pub(super) fn raise(&self, slot: Slot, mode: Mode, epoch: u64) {
        self.cells(slot).into_iter().for_each(|cell| cell.raise(mode, epoch));
    }

    #[inline]
    pub(super) fn state(&self, slot: Slot, born: u64) -> Validity {
        let [first, second] = self.cells(slot).map(|cell| cell.state(born));
        first.min(second)
    }

    #[inline]
    fn cells(&self, Slot(bits): Slot) -> [&Cell; 2] {
        let at = |row: &[Cell], half: u32| half as usize & (row.len() - 1);
        let [first, second] = &self.rows;
        [&first[at(first, bits & 0xffff)], &second[at(second, bits >> 16)]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_names_are_apart() {
        let table = Table::new(MOST_SLOTS);
        let slots = [(Kind::Tag, "a"), (Kind::Url, "a"), (Kind::Host, "a"), (Kind::Tag, "b")];
        let slots = slots.map(|(kind, name)| table.slot(kind, name.as_bytes()));
        table.raise(slots[0], Mode::Hard, 5);
        assert_eq!(table.state(slots[0], 4), Validity::Hard);
        assert_eq!(table.state(slots[0], 5), Validity::Valid);
        assert!(slots[1..].iter().all(|slot| table.state(*slot, 4) == Validity::Valid));
    }

    #[test]
    fn few_others_are_purged_by_accident() {
        let table = Table::new(MOST_SLOTS);
        for n in 0..1000_u32 {
            table.raise(table.slot(Kind::Tag, &n.to_be_bytes()), Mode::Hard, 1);
        }
        let hit = |n: &u32| table.state(table.slot(Kind::Url, &n.to_be_bytes()), 0) != Validity::Valid;
        let accidents = (0..100_000).filter(hit).count();
        // (1000 / 65,536)^2 of 100,000 is 23; one row alone would have had 1,500.
        assert!(accidents < 70, "{accidents}");
    }

    #[test]
    fn one_slot_purges_all() {
        let table = Table::new(0);
        table.raise(table.slot(Kind::Tag, b"a"), Mode::Soft, 1);
        assert_eq!(table.state(table.slot(Kind::Url, b"b"), 0), Validity::Soft);
    }

    #[test]
    fn hard_outweighs_soft() {
        let cell = Cell::default();
        cell.raise(Mode::Hard, 3);
        cell.raise(Mode::Soft, 6);
        cell.raise(Mode::Soft, 2);
        let states = [2, 3, 5, 6].map(|born| cell.state(born));
        assert_eq!(states, [Validity::Hard, Validity::Soft, Validity::Soft, Validity::Valid]);
    }
}
