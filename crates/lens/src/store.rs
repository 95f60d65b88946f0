//! What was measured: each second for ten minutes, each ten seconds for six hours, each minute for fourteen days, and no
//! more bytes than allowed.
//!
//! All series share one clock, the *tick* (a second). What was not measured in a tick is not a number there, never the
//! value before or nought.

mod series;
mod snapshot;
mod tables;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::signal::Signal;

use series::Series;
pub use series::Span;
pub use snapshot::SnapshotError;
pub(crate) use tables::{Column, EXPRESSION, OTHER, SEQUENTIAL, Table};

/// What was measured in one tick, before it is put into the store: reading may block, and nobody who looks at the store
/// should wait for that.
#[derive(Debug, Default)]
pub struct Samples(Vec<(&'static Signal, String, f64)>);

impl Samples {
    /// Notes a value.
    pub fn put(&mut self, signal: &'static Signal, label: &str, value: f64) {
        self.0.push((signal, label.to_owned(), value));
    }
}

/// All series.
#[derive(Debug)]
pub struct Store {
    /// By name, then by label.
    series: BTreeMap<&'static str, BTreeMap<Arc<str>, Series>>,
    /// The largest tables, by database: as they were when they were asked for last.
    tables: BTreeMap<String, Vec<Table>>,
    /// Ticks that have passed.
    ticks: u64,
    most_bytes: usize,
    dropped: u64,
}

impl Store {
    /// An empty one.
    pub fn new(most_bytes: usize) -> Self {
        Self { series: BTreeMap::new(), tables: BTreeMap::new(), ticks: 0, most_bytes, dropped: 0 }
    }

    /// Notes what was measured in this tick. What is not a finite number was not measured. A series that would be one too
    /// many is counted, and dropped.
    pub fn put(&mut self, signal: &Signal, label: &str, value: f64) {
        if !value.is_finite() {
            return;
        }
        if let Some(series) = self.series.get_mut(signal.name).and_then(|labels| labels.get_mut(label)) {
            series.put(value);
            return;
        }
        if self.most() <= self.count() && !self.forget_one() {
            self.dropped += 1;
            return;
        }
        let mut series = Series::default();
        series.put(value);
        self.series.entry(signal.name).or_default().insert(label.into(), series);
    }

    /// The same of many.
    pub fn put_all(&mut self, samples: &Samples) {
        samples.0.iter().for_each(|(signal, label, value)| self.put(signal, label, *value));
    }

    /// Notes what is known of a database's largest tables, in place of what was.
    pub(crate) fn set_tables(&mut self, database: &str, tables: Vec<Table>) {
        self.tables.insert(database.to_owned(), tables);
    }

    /// What is known of a table, if it is one of the largest.
    pub(crate) fn table(&self, database: &str, name: &str) -> Option<&Table> {
        self.tables.get(database)?.iter().find(|table| table.name == name)
    }

    /// The tick is over, and perhaps further ones in which nothing was measured.
    pub fn pass(&mut self, ticks: u64) {
        // More than the longest span forgets all there is, and need not be counted out.
        for _ in 0..ticks.min(series::LONGEST_SECONDS) {
            self.ticks += 1;
            let now = self.ticks;
            self.all_mut().for_each(|series| series.pass(now));
        }
    }

    /// The values of the last `n` ticks that have passed, the oldest first; NaN where nothing was measured.
    pub fn seconds(&self, signal: &Signal, label: &str, n: usize) -> Vec<f64> {
        self.points(signal.name, label, Span::Second, n)
    }

    /// The last `n` means of a span, the oldest first; NaN where nothing was measured.
    pub fn points(&self, name: &str, label: &str, span: Span, n: usize) -> Vec<f64> {
        match self.get(name, label) {
            Some(series) => series.last(span, n),
            None => vec![f64::NAN; n.min(span.most())],
        }
    }

    /// The mean over the last `n` ticks of what was measured in them; none when nothing was.
    pub fn mean(&self, signal: &Signal, label: &str, n: usize) -> Option<f64> {
        let (sum, count) = self
            .seconds(signal, label, n)
            .into_iter()
            .filter(|value| value.is_finite())
            .fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
        (count > 0).then(|| sum / count as f64)
    }

    /// The newest value of the last ten ticks.
    pub fn latest(&self, signal: &Signal, label: &str) -> Option<f64> {
        self.seconds(signal, label, 10).into_iter().rev().find(|value| value.is_finite())
    }

    /// The labels of a signal that were measured at all.
    pub fn labels(&self, signal: &Signal) -> Vec<Arc<str>> {
        self.series.get(signal.name).into_iter().flat_map(|labels| labels.keys().cloned()).collect()
    }

    /// Name, label and newest value of every series.
    pub fn newest(&self) -> impl Iterator<Item = (&'static str, &str, Option<f64>)> {
        self.series.iter().flat_map(|(name, labels)| {
            labels.iter().map(|(label, series)| {
                let newest = series.last(Span::Second, 10);
                (*name, &**label, newest.into_iter().rev().find(|value| value.is_finite()))
            })
        })
    }

    /// Ticks that have passed since the start.
    pub fn ticks(&self) -> u64 {
        self.ticks
    }

    /// Measurements that had no room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Bytes in use, at most.
    pub fn bytes(&self) -> usize {
        self.series.values().flat_map(BTreeMap::values).map(Series::bytes).sum()
    }

    /// Series there are.
    pub fn count(&self) -> usize {
        self.series.values().map(BTreeMap::len).sum()
    }

    /// Series there may be: each grows to the same size in the end.
    fn most(&self) -> usize {
        self.most_bytes / series::MOST_BYTES
    }

    /// Forgets the series that has been silent for longest, if one has been for as long as seconds are kept.
    fn forget_one(&mut self) -> bool {
        let silent = self.series.iter().flat_map(|(name, labels)| {
            labels.iter().map(|(label, series)| (series.silent(), *name, Arc::clone(label)))
        });
        let Some((silence, name, label)) = silent.max_by_key(|(silence, ..)| *silence) else { return false };
        if (silence as usize) < Span::Second.most() {
            return false;
        }
        if let Some(labels) = self.series.get_mut(name) {
            labels.remove(&label);
        }
        true
    }

    fn get(&self, name: &str, label: &str) -> Option<&Series> {
        self.series.get(name)?.get(label)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Series> {
        self.series.values_mut().flat_map(BTreeMap::values_mut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{CPU_BUSY, REQUESTS};

    #[test]
    fn what_was_not_measured_is_not_a_number() {
        let mut store = Store::new(1 << 20);
        store.pass(1);
        store.put(&REQUESTS, "", 10.0);
        store.pass(1);
        store.put(&REQUESTS, "", f64::NAN);
        store.pass(1);
        store.put(&REQUESTS, "", 30.0);
        store.pass(1);
        let seconds = store.seconds(&REQUESTS, "", 4);
        assert!(seconds[0].is_nan() && seconds[2].is_nan(), "{seconds:?}");
        assert_eq!((seconds[1], seconds[3]), (10.0, 30.0));
        assert_eq!(store.mean(&REQUESTS, "", 4), Some(20.0));
        assert_eq!(store.mean(&CPU_BUSY, "", 4), None);
        assert_eq!(store.latest(&REQUESTS, ""), Some(30.0));
    }

    #[test]
    fn older_is_kept_in_means_of_longer_spans() {
        let mut store = Store::new(1 << 20);
        for tick in 0..7_200 {
            store.put(&REQUESTS, "", f64::from(tick));
            store.pass(1);
        }
        assert_eq!(store.seconds(&REQUESTS, "", 10_000).len(), 600);
        let tens = store.points(REQUESTS.name, "", Span::TenSeconds, 2);
        assert_eq!(tens, [7_184.5, 7_194.5]);
        let minutes = store.points(REQUESTS.name, "", Span::Minute, 121);
        assert!(minutes[0].is_nan() && minutes[1] == 29.5, "{minutes:?}");
        assert_eq!(minutes[120], 7_169.5);
    }

    #[test]
    fn bytes_are_bounded_and_what_found_no_room_is_counted() {
        let mut store = Store::new(3 * series::MOST_BYTES);
        for label in 0..100 {
            store.put(&REQUESTS, &label.to_string(), 1.0);
        }
        assert_eq!((store.count(), store.dropped()), (3, 97));
        // Whoever is not heard of any more makes room.
        for _ in 0..601 {
            store.put(&REQUESTS, "0", 1.0);
            store.pass(1);
        }
        store.put(&CPU_BUSY, "", 1.0);
        assert_eq!((store.count(), store.dropped()), (3, 97));
        store.pass(30 * 24 * 3_600);
        assert!(store.bytes() <= 3 * series::MOST_BYTES, "{}", store.bytes());
    }

    #[test]
    fn a_long_pause_forgets_what_was() {
        let mut store = Store::new(1 << 20);
        store.put(&REQUESTS, "", 1.0);
        store.pass(10_000);
        assert_eq!(store.mean(&REQUESTS, "", 600), None);
        assert_eq!(
            store.points(REQUESTS.name, "", Span::Minute, 1_000).iter().filter(|v| v.is_finite()).count(),
            1
        );
    }
}
