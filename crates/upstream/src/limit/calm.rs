//! Stretches in which the limit holds nobody back.

/// Shortest stretch whose latency is believed, nanoseconds.
const LEAST: u64 = 1_000_000_000;
/// Fewest requests of it.
const REQUESTS: f64 = 100.0;

/// What is typical of the latency while no more is in flight than clients want and all of them are admitted.
/// The service may well queue a little then (its load may be 95 %): as a floor, such a latency is a guess on
/// the side of admitting, which the first measurement at the limit puts right.
#[derive(Debug, Default)]
pub(super) struct Calm {
    /// Nanoseconds.
    since: u64,
    count: f64,
    /// Sum of the logarithms of the latencies.
    logs: f64,
}

impl Calm {
    /// Takes the typical latency of so many requests; that of a stretch, when there was one.
    pub(super) fn observe(&mut self, now: u64, latency: f64, count: u64, held_back: bool) -> Option<f64> {
        if held_back {
            *self = Self::default();
            return None;
        }
        if self.count == 0.0 {
            self.since = now;
        }
        self.count += count as f64;
        self.logs += latency.ln() * count as f64;
        let enough = self.count >= REQUESTS && now.saturating_sub(self.since) >= LEAST;
        enough.then(|| {
            let stretch = std::mem::take(self);
            (stretch.logs / stretch.count).exp()
        })
    }
}
