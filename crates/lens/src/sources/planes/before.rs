//! What counters and histograms were a tick ago, and what they tell: labels are read once for each series.

use std::collections::HashMap;
use std::sync::Arc;

use deepwater_core::metrics::{Distribution, Reading, Sample};

use super::place::{Kind, Of, Place};
use super::routes::Routes;

/// What was read last, by metric.
#[derive(Default)]
pub(super) struct Before(HashMap<&'static str, Metric>);

/// Series in the order in which they are read, which is hardly ever another one than the last time.
#[derive(Default)]
struct Metric {
    series: Vec<Seen>,
    /// It is still there.
    current: bool,
}

/// A series as it was read last.
pub(super) struct Seen {
    labels: String,
    /// None when it tells nothing.
    place: Option<Place>,
    /// What its route is called, and which choice of routes that goes by.
    called: Option<(u32, Arc<str>)>,
    value: Option<Reading>,
}

impl Before {
    /// What is known of the series of a metric, one for each sample. What is not among them is forgotten.
    pub(super) fn of(&mut self, name: &'static str, samples: &[Sample]) -> &mut [Seen] {
        let Metric { series, current } = self.0.entry(name).or_default();
        *current = true;
        let same = |(seen, sample): (&Seen, &Sample)| seen.labels == sample.labels;
        if series.len() != samples.len() || !series.iter().zip(samples).all(same) {
            let mut known: HashMap<String, Seen> =
                series.drain(..).map(|seen| (seen.labels.clone(), seen)).collect();
            let seen =
                |sample: &Sample| known.remove(&sample.labels).unwrap_or_else(|| Seen::new(name, sample));
            series.extend(samples.iter().map(seen));
        }
        series
    }

    /// Forgets metrics that were not read since the last call.
    pub(super) fn forget_others(&mut self) {
        self.0.retain(|_, metric| std::mem::take(&mut metric.current));
    }
}

impl Seen {
    fn new(name: &'static str, sample: &Sample) -> Self {
        let place = Place::of(name, sample);
        Self { labels: sample.labels.clone(), place, called: None, value: None }
    }

    /// What it tells; none when it tells nothing.
    pub(super) fn kind(&self) -> Option<Kind> {
        self.place.as_ref().map(|place| place.kind)
    }

    /// The route it is about.
    pub(super) fn route(&self) -> Option<&Arc<str>> {
        match &self.place {
            Some(Place { of: Of::Route(route), .. }) => Some(route),
            _ => None,
        }
    }

    /// What it is about is called.
    pub(super) fn label(&mut self, sample: &Sample, routes: &mut Routes) -> Arc<str> {
        let route = match &self.place {
            Some(Place { of: Of::Route(route), .. }) => route,
            Some(Place { of: Of::Label(label), .. }) => return Arc::clone(label),
            None => return Arc::default(),
        };
        if let Some((choice, label)) = &self.called
            && *choice == routes.choice()
        {
            return Arc::clone(label);
        }
        let label = routes.label(route, || self.moves(sample));
        // While there is room, a route that is not told apart may be at any time.
        self.called = routes.are_all().then(|| (routes.choice(), Arc::clone(&label)));
        label
    }

    /// Whether it is not what it was, or nought at first.
    fn moves(&self, now: &Sample) -> bool {
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
