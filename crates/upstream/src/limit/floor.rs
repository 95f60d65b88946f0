//! The latency without queueing, as far as it was seen lately.

/// The floor is the minimum over so many spans ...
const SPANS: usize = 6;
/// ... of this length, nanoseconds.
const SPAN: u64 = 10_000_000_000;
/// Requests whose typical latency is believed: of fewer, the minimum would be mere luck.
const BATCH: f64 = 200.0;

/// Minimum of the typical latency over a sliding minute. A minute without requests does not count: after a
/// quiet night the floor is what it was.
#[derive(Debug)]
pub(super) struct Floor {
    /// Nanoseconds; the present span first.
    spans: [f64; SPANS],
    span_ends: u64,
    /// Latencies that are not a batch yet: how many, and the sum of their logarithms.
    pending: (f64, f64),
}

impl Default for Floor {
    fn default() -> Self {
        Self { spans: [f64::INFINITY; SPANS], span_ends: 0, pending: (0.0, 0.0) }
    }
}

impl Floor {
    /// The floor, nanoseconds; `None` while nothing is known.
    pub(super) fn get(&self) -> Option<f64> {
        let least = self.spans.iter().copied().fold(f64::INFINITY, f64::min);
        least.is_finite().then_some(least)
    }

    /// Takes the typical latency of so many requests.
    pub(super) fn observe(&mut self, now: u64, latency: f64, count: u64) {
        self.pending.0 += count as f64;
        self.pending.1 += latency.ln() * count as f64;
        let first = self.get().is_none();
        if first || self.pending.0 >= BATCH {
            let latency = (self.pending.1 / self.pending.0).exp();
            self.pending = (0.0, 0.0);
            self.believe(now, latency);
        }
    }

    /// Takes a latency that is known not to include queueing.
    pub(super) fn believe(&mut self, now: u64, latency: f64) {
        if now >= self.span_ends {
            self.spans.rotate_right(1);
            self.spans[0] = f64::INFINITY;
            self.span_ends = now.saturating_add(SPAN);
        }
        self.spans[0] = self.spans[0].min(latency);
    }

    /// Forgets what was known: the latency without queueing is another now.
    pub(super) fn reset(&mut self, now: u64, latency: f64) {
        *self = Self::default();
        self.believe(now, latency);
    }
}
