//! Whether the room is overloaded: controlled delay, as Meta runs it (folly's `Codel`; "Fail at Scale", ACM
//! Queue 13/8).

/// A queue that is never shorter than the target for this long, nanoseconds, is not a burst.
const INTERVAL: u64 = 100_000_000;
/// Overloaded, whoever waited for this many times the target is turned away.
const SLOUGH: u64 = 2;

/// Watches how long the one who waits longest has waited. That is the delay of the queue, whoever is served
/// first; the delay of those served would be next to nothing as soon as the youngest are.
#[derive(Debug)]
pub(super) struct Codel {
    target: u64,
    interval_ends: u64,
    least: u64,
    overloaded: bool,
}

impl Codel {
    pub(super) fn new(target: u64) -> Self {
        Self { target, interval_ends: 0, least: 0, overloaded: false }
    }

    pub(super) fn overloaded(&self) -> bool {
        self.overloaded
    }

    /// Takes the delay of the queue, 0 when it is empty. The wait beyond which to turn away, if it is
    /// overloaded; never the first time in an interval.
    pub(super) fn observe(&mut self, now: u64, delay: u64) -> Option<u64> {
        if now >= self.interval_ends {
            self.overloaded = self.least > self.target;
            self.interval_ends = now.saturating_add(INTERVAL);
            self.least = delay;
            return None;
        }
        self.least = self.least.min(delay);
        self.overloaded.then_some(self.target.saturating_mul(SLOUGH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_burst_is_not_overload_and_a_standing_queue_is() {
        let mut codel = Codel::new(5 * MS);
        assert_eq!(codel.observe(1_000 * MS, 50 * MS), None);
        assert_eq!(codel.observe(1_050 * MS, 4 * MS), None);
        assert_eq!(codel.observe(1_100 * MS, 80 * MS), None, "it was short once");
        assert_eq!(codel.observe(1_150 * MS, 6 * MS), None);
        assert_eq!(codel.observe(1_200 * MS, 6 * MS), None, "never the first of an interval");
        assert_eq!(codel.observe(1_201 * MS, 6 * MS), Some(10 * MS));
        assert_eq!(codel.observe(1_250 * MS, 0), Some(10 * MS));
        codel.observe(1_300 * MS, 0);
        assert!(!codel.overloaded());
    }
}
