//! What counters and histograms were a tick ago.

use std::collections::HashMap;

use deepwater_core::metrics::Distribution;

type Series = (&'static str, String);

/// What was read last, by metric and labels.
#[derive(Default)]
pub(super) struct Before {
    numbers: HashMap<Series, Seen<f64>>,
    durations: HashMap<Series, Seen<Distribution>>,
}

struct Seen<T> {
    value: T,
    /// It is still there.
    current: bool,
}

impl Before {
    /// By how much a counter has grown; none the first time, and when it went back (it began anew).
    pub(super) fn more(&mut self, name: &'static str, labels: &str, total: f64) -> Option<f64> {
        let now = Seen { value: total, current: true };
        let before = self.numbers.insert((name, labels.to_owned()), now)?;
        (total >= before.value).then_some(total - before.value)
    }

    /// What durations were observed; none the first time, and when there are fewer than before.
    pub(super) fn recent(
        &mut self,
        name: &'static str,
        labels: &str,
        total: &Distribution,
    ) -> Option<Distribution> {
        let now = Seen { value: total.clone(), current: true };
        let before = self.durations.insert((name, labels.to_owned()), now)?;
        (total.count() >= before.value.count()).then(|| total.since(&before.value))
    }

    /// Forgets series that were not read since the last call.
    pub(super) fn forget_others(&mut self) {
        self.numbers.retain(|_, seen| std::mem::take(&mut seen.current));
        self.durations.retain(|_, seen| std::mem::take(&mut seen.current));
    }
}
