//! What an HTTP/2 client may do besides asking for things, before it is told to calm down.
//!
//! The `h2` crate ends a connection over what costs memory: requests reset before they are looked at, CONTINUATION
//! without end (CVE-2024-27316), header lists far beyond the limit, empty or tiny DATA frames, and streams it had to
//! reset itself (CVE-2025-8671). What costs only work passes it by: requests reset as soon as they are under way
//! (CVE-2023-44487), and PING, SETTINGS, PRIORITY or WINDOW_UPDATE frames by the million. Those are counted here.

use std::cell::Cell;
use std::time::Instant;

use super::frames::{Kind, Outline};

/// Requests taken back at once: twice what may be under way, as when a user leaves two busy pages.
const RESETS: Rate = Rate { burst: 256, per_second: 32 };
/// Frames that ask for nothing.
const FRAMES: Rate = Rate { burst: 1_024, per_second: 128 };
/// Such frames that a request brings with it: its window, its priority, its end.
const FRAMES_PER_REQUEST: u32 = 8;
/// Such frames that answer one DATA frame of ours: the windows of its stream and of the connection.
const FRAMES_PER_DATA: u32 = 2;
/// Bytes either way that earn another, for clients that open windows in small steps.
const BYTES_PER_FRAME: u32 = 1_024;

/// In what a client went too far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    /// It took requests back as fast as it made them.
    Resets,
    /// It sent frames that ask for nothing.
    Frames,
    /// What the `h2` crate counts.
    Protocol,
}

impl Excess {
    /// All of them, in the order of their counters.
    pub(crate) const ALL: [Self; 3] = [Self::Resets, Self::Frames, Self::Protocol];

    /// The label in metrics and logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Resets => "resets",
            Self::Frames => "frames",
            Self::Protocol => "protocol",
        }
    }
}

/// So many at once, and so many more every second.
#[derive(Debug, Clone, Copy)]
struct Rate {
    burst: u32,
    per_second: u32,
}

/// What is left of a [`Rate`]. The clock is looked at only when nothing is.
#[derive(Debug)]
struct Allowance {
    rate: Rate,
    left: Cell<u32>,
    /// What has been earned up to then is in `left`.
    earned_until: Cell<Instant>,
}

impl Allowance {
    fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, left: Cell::new(rate.burst), earned_until: Cell::new(now) }
    }

    /// Takes one; false when there is none.
    fn take(&self, now: impl FnOnce() -> Instant) -> bool {
        if self.left.get() == 0 {
            let now = now();
            let earned = now.saturating_duration_since(self.earned_until.get()).as_millis()
                * u128::from(self.rate.per_second)
                / 1_000;
            if earned == 0 {
                return false;
            }
            self.earned_until.set(now);
            self.earn(u32::try_from(earned).unwrap_or(u32::MAX));
        }
        self.left.set(self.left.get() - 1);
        true
    }

    fn earn(&self, more: u32) {
        self.left.set(self.left.get().saturating_add(more).min(self.rate.burst));
    }
}

/// The accounts of one connection.
#[derive(Debug)]
pub(super) struct Calm {
    resets: Allowance,
    frames: Allowance,
    excess: Cell<Option<Excess>>,
    /// The head under way, if one is, and since when.
    head: Cell<Option<(u32, Instant)>>,
}

impl Calm {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            resets: Allowance::new(RESETS, now),
            frames: Allowance::new(FRAMES, now),
            excess: Cell::new(None),
            head: Cell::new(None),
        }
    }

    /// The client began a frame.
    pub(super) fn received(&self, frame: Outline, now: impl FnOnce() -> Instant) {
        let (allowance, excess) = match frame.kind {
            Kind::ResetStream => (&self.resets, Excess::Resets),
            Kind::Data if frame.payload_bytes > 0 => {
                return self.frames.earn(frame.payload_bytes / BYTES_PER_FRAME);
            }
            // Heads cost as others do until they turn out to be requests: trailers and refused ones do not.
            Kind::Data | Kind::Headers | Kind::Other => (&self.frames, Excess::Frames),
        };
        if self.excess.get().is_none() && !allowance.take(now) {
            self.excess.set(Some(excess));
        }
    }

    /// We began a frame.
    pub(super) fn sent(&self, frame: Outline) {
        if frame.kind == Kind::Data {
            self.frames.earn(FRAMES_PER_DATA + frame.payload_bytes / BYTES_PER_FRAME);
        }
    }

    /// Bytes came; this head is under way now, by its number, if one is.
    pub(super) fn in_head(&self, number: Option<u32>, now: impl FnOnce() -> Instant) {
        if self.head.get().map(|(known, _)| known) != number {
            self.head.set(number.map(|number| (number, now())));
        }
    }

    /// Since when a head is under way, if one is. The client can send nothing else meanwhile.
    pub(super) fn head_since(&self) -> Option<Instant> {
        self.head.get().map(|(_, since)| since)
    }

    /// The client made a request.
    pub(super) fn asked(&self) {
        self.frames.earn(FRAMES_PER_REQUEST);
    }

    /// In what the client went too far, if it did.
    pub(super) fn excess(&self) -> Option<Excess> {
        self.excess.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const RESET: Outline = Outline { kind: Kind::ResetStream, payload_bytes: 4 };
    const PING: Outline = Outline { kind: Kind::Other, payload_bytes: 8 };
    const HEADERS: Outline = Outline { kind: Kind::Headers, payload_bytes: 20 };
    const DATA: Outline = Outline { kind: Kind::Data, payload_bytes: 16 * 1024 };

    #[test]
    fn a_burst_is_borne_and_a_flood_is_not() {
        let start = Instant::now();
        let calm = Calm::new(start);
        for _ in 0..RESETS.burst {
            calm.received(RESET, || start);
        }
        assert_eq!(calm.excess(), None);
        calm.received(RESET, || start + Duration::from_millis(10));
        assert_eq!(calm.excess(), Some(Excess::Resets));
    }

    #[test]
    fn a_steady_pace_is_borne_for_ever() {
        let start = Instant::now();
        let calm = Calm::new(start);
        for n in 0..20_000 {
            let now = start + Duration::from_millis(n * 1_000 / u64::from(RESETS.per_second));
            calm.received(RESET, || now);
        }
        assert_eq!(calm.excess(), None);
    }

    #[test]
    fn each_head_has_a_time_of_its_own() {
        let start = Instant::now();
        let calm = Calm::new(start);
        let since = |number, second| {
            let now = start + Duration::from_secs(second);
            calm.in_head(number, || now);
            calm.head_since().map(|since| since.duration_since(start).as_secs())
        };
        assert_eq!([since(Some(0), 1), since(Some(0), 9), since(Some(1), 10)], [Some(1), Some(1), Some(10)]);
        assert_eq!([since(None, 11), since(Some(1), 12)], [None, Some(12)]);
    }

    #[test]
    fn frames_that_ask_for_nothing_are_earned_by_those_that_do() {
        let start = Instant::now();
        let calm = Calm::new(start);
        for _ in 0..10_000 {
            calm.received(HEADERS, || start);
            calm.asked();
            calm.received(PING, || start);
            calm.sent(DATA);
            (0..16).for_each(|_| calm.received(PING, || start));
        }
        assert_eq!(calm.excess(), None);
        for _ in 0..=FRAMES.burst {
            calm.received(HEADERS, || start);
        }
        assert_eq!(calm.excess(), Some(Excess::Frames), "heads that are no requests");
    }
}
