//! Counts over the last few seconds, written by every core.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};
use std::time::Duration;

/// A window slides in this many steps.
const SLOTS: usize = 10;

/// Counts of `N` kinds of things within a sliding window of time, which moves on by a tenth of its length.
///
/// Counting is one atomic addition. Whoever comes first in a new tenth empties its slot under a lock; a
/// core that slept through a whole window in the middle of counting counts into the wrong tenth, once.
/// Times are nanoseconds since any epoch; time that goes backwards counts as the latest known.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Window<const N: usize> {
    /// Nanoseconds in a slot.
    width: u64,
    /// Slots begun since the epoch.
    tick: AtomicU64,
    slots: [[AtomicU32; N]; SLOTS],
    turning: Mutex<()>,
}

impl<const N: usize> Window<N> {
    /// An empty window of this length, at least ten nanoseconds.
    pub(crate) fn new(length: Duration) -> Self {
        Self {
            width: (nanos(length) / SLOTS as u64).max(1),
            tick: AtomicU64::new(0),
            slots: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU32::new(0))),
            turning: Mutex::new(()),
        }
    }

    /// Counts one of a kind.
    #[inline]
    pub(crate) fn add(&self, now: u64, kind: usize) {
        self.slot(now)[kind].fetch_add(1, Relaxed);
    }

    /// What was counted within the window that ends now.
    pub(crate) fn sums(&self, now: u64) -> [u64; N] {
        self.slot(now);
        std::array::from_fn(|kind| self.slots.iter().map(|slot| u64::from(slot[kind].load(Relaxed))).sum())
    }

    /// How far back the first of what was counted within the window lies, in whole steps; zero for nothing.
    pub(crate) fn span(&self, now: u64) -> Duration {
        self.slot(now);
        let tick = self.tick.load(Acquire);
        let counted = |back: &u64| {
            let slot = &self.slots[(tick.saturating_sub(*back) % SLOTS as u64) as usize];
            *back <= tick && slot.iter().any(|count| count.load(Relaxed) > 0)
        };
        let steps = (0..SLOTS as u64).rev().find(counted).map_or(0, |back| back + 1);
        Duration::from_nanos(steps * self.width)
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.slots.iter().flatten().for_each(|count| count.store(0, Relaxed));
    }

    #[inline]
    fn slot(&self, now: u64) -> &[AtomicU32; N] {
        let tick = now / self.width;
        let known = self.tick.load(Acquire);
        if tick > known {
            self.turn(tick);
        }
        &self.slots[(tick.max(known) % SLOTS as u64) as usize]
    }

    #[cold]
    fn turn(&self, tick: u64) {
        let _turning = self.turning.lock().expect("no panic while a window turns");
        let known = self.tick.load(Acquire);
        let passed = tick.saturating_sub(known).min(SLOTS as u64);
        for new in 0..passed {
            let slot = &self.slots[((tick - new) % SLOTS as u64) as usize];
            slot.iter().for_each(|count| count.store(0, Relaxed));
        }
        self.tick.fetch_max(tick, AcqRel);
    }
}

/// Whole nanoseconds; over five centuries is five centuries.
#[inline]
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn counts_leave_when_they_are_as_old_as_the_window() {
        let window = Window::<2>::new(Duration::from_secs(10));
        for second in 100..110 {
            window.add(second * SECOND, 0);
            window.add(second * SECOND, 1);
        }
        assert_eq!(window.sums(109 * SECOND), [10, 10]);
        assert_eq!(window.sums(112 * SECOND), [7, 7]);
        assert_eq!(window.sums(119 * SECOND), [0, 0]);
        window.add(119 * SECOND, 1);
        assert_eq!(window.sums(500 * SECOND), [0, 0], "an idle spell empties it at once");
    }

    #[test]
    fn the_span_is_that_of_what_was_counted() {
        let window = Window::<2>::new(Duration::from_secs(10));
        let spans = |seconds: &[u64]| -> Vec<u64> {
            seconds.iter().map(|second| window.span(second * SECOND).as_secs()).collect()
        };
        assert_eq!(spans(&[0, 3]), [0, 0]);
        window.add(3 * SECOND, 1);
        assert_eq!(spans(&[3, 4]), [1, 2]);
        window.add(8 * SECOND, 0);
        assert_eq!(spans(&[12, 13, 17, 18]), [10, 6, 10, 0]);
    }

    #[test]
    fn time_may_go_backwards() {
        let window = Window::<1>::new(Duration::from_secs(10));
        window.add(100 * SECOND, 0);
        window.add(3 * SECOND, 0);
        assert_eq!(window.sums(2 * SECOND), [2]);
        assert_eq!(window.sums(109 * SECOND), [2]);
        assert_eq!(window.sums(110 * SECOND), [0]);
        window.clear();
        assert_eq!(window.sums(u64::MAX), [0]);
    }

    #[test]
    fn cores_lose_no_count() {
        let window = Window::<1>::new(Duration::from_secs(10));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..9_000).for_each(|step| window.add(step * SECOND / 1_000, 0)));
            }
        });
        assert_eq!(window.sums(9 * SECOND), [36_000]);
    }
}
