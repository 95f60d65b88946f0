//! Who is in flight and who waits, in one word: whoever leaves sees whoever came to wait, and no wake is
//! lost.

use std::sync::atomic::{AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};

const WAITING_SHIFT: u32 = 32;
const ONE_WAITING: u64 = 1 << WAITING_SHIFT;
const IN_FLIGHT: u64 = ONE_WAITING - 1;

/// In flight in the lower half, waiting in the upper. While somebody waits, only the holder of the room's
/// lock changes it.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn in_flight(&self) -> u32 {
        (self.0.load(Relaxed) & IN_FLIGHT) as u32
    }

    pub(super) fn waiting(&self) -> u32 {
        (self.0.load(Relaxed) >> WAITING_SHIFT) as u32
    }

    /// Enters if nobody waits and there is a place.
    #[inline]
    pub(super) fn try_enter(&self, limit: u32) -> bool {
        // Without waiters the word is the number in flight.
        self.change(|word| (word < u64::from(limit)).then(|| word + 1))
    }

    /// Leaves if nobody waits.
    #[inline]
    pub(super) fn try_leave(&self) -> bool {
        self.change(|word| (word < ONE_WAITING).then(|| word - 1))
    }

    /// Enters (`true`) if nobody waits and there is a place, else waits. Under the room's lock.
    pub(super) fn enter_or_wait(&self, limit: u32) -> bool {
        let mut entered = false;
        self.change(|word| {
            entered = word < u64::from(limit);
            Some(word + if entered { 1 } else { ONE_WAITING })
        });
        entered
    }

    /// One in flight less. Under the room's lock.
    pub(super) fn leave(&self) {
        self.0.fetch_sub(1, AcqRel);
    }

    /// One waiting less. Under the room's lock.
    pub(super) fn leave_room(&self) {
        self.0.fetch_sub(ONE_WAITING, AcqRel);
    }

    /// One who waited is in flight. Under the room's lock.
    pub(super) fn admit(&self) {
        self.0.fetch_sub(ONE_WAITING - 1, AcqRel);
    }

    pub(super) fn has_place(&self, limit: u32) -> bool {
        self.in_flight() < limit
    }

    #[inline]
    fn change(&self, new: impl FnMut(u64) -> Option<u64>) -> bool {
        self.0.fetch_update(AcqRel, Acquire, new).is_ok()
    }
}
