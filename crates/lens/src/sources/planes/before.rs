//! What counters and histograms were a tick ago, and what they tell: labels are read once for each series.

use std::collections::HashMap;

use deepwater_core::metrics::{Distribution, Reading, Sample};

use super::place::Place;

/// What was read last, by metric, then by labels.
#[derive(Default)]
pub(super) struct Before(HashMap<&'static str, HashMap<String, Seen>>);

/// A series as it was read last.
pub(super) struct Seen {
    /// None when it tells nothing.
    pub(super) place: Option<Place>,
    value: Option<Reading>,
    /// It is still there.
    current: bool,
}

impl Before {
    /// What is known of a metric's series.
    pub(super) fn of(&mut self, name: &'static str) -> &mut HashMap<String, Seen> {
        self.0.entry(name).or_default()
    }

    /// Forgets series that were not read since the last call.
    pub(super) fn forget_others(&mut self) {
        for series in self.0.values_mut() {
            series.retain(|_, seen| std::mem::take(&mut seen.current));
        }
    }
}

impl Seen {
    /// Finds the series of a sample, which is still there.
    pub(super) fn of<'a>(
        known: &'a mut HashMap<String, Self>,
        name: &'static str,
        sample: &Sample,
    ) -> &'a mut Self {
        if !known.contains_key(&sample.labels) {
            let seen = Self { place: Place::of(name, sample), value: None, current: true };
            known.insert(sample.labels.clone(), seen);
        }
        let seen = known.get_mut(&sample.labels).expect("it was put there if it was not");
        seen.current = true;
        seen
    }

    /// Whether it is not what it was, or nought at first.
    pub(super) fn moves(&self, now: &Sample) -> bool {
        let before = match &self.value {
            Some(Reading::Number(before)) => *before,
            Some(Reading::Durations(before)) => before.count() as f64,
            None => 0.0,
        };
        now.number() != before
    }

    /// By how much a counter has grown; none the first time, and when it went back (it began anew).
    pub(super) fn more(&mut self, total: f64) -> Option<f64> {
        match self.value.replace(Reading::Number(total))? {
            Reading::Number(before) => (total >= before).then_some(total - before),
            Reading::Durations(_) => None,
        }
    }

    /// What durations were observed; none the first time, and when there are fewer than before.
    pub(super) fn recent(&mut self, total: Box<Distribution>) -> Option<Distribution> {
        let recent = match &self.value {
            Some(Reading::Durations(before)) if total.count() >= before.count() => Some(total.since(before)),
            _ => None,
        };
        self.value = Some(Reading::Durations(total));
        recent
    }
}
