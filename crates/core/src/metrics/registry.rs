//! The list of all metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::histogram::Cells;
use super::snapshot::{Family as Read, Kind, Reading, Sample};
use super::{Counter, Distribution, Gauge, Histogram, text};

/// All metrics of a process. Clones share them.
#[derive(Clone, Default)]
pub struct Registry {
    shared: Arc<Mutex<Families>>,
}

#[derive(Default)]
struct Families {
    counters: BTreeMap<&'static str, Family<AtomicU64, u64>>,
    gauges: BTreeMap<&'static str, Family<AtomicI64, i64>>,
    histograms: BTreeMap<&'static str, Family<Cells, Distribution>>,
    collectors: Vec<Collector>,
}

type Collector = Arc<dyn Fn(&mut Sink) + Send + Sync>;

/// All series of one name: live cells, and what dropped cells left.
struct Family<C, T> {
    help: &'static str,
    /// How many counted make one of the unit that is shown.
    per_unit: f64,
    series: BTreeMap<String, Series<C, T>>,
}

struct Series<C, T> {
    live: Vec<Arc<C>>,
    left: T,
}

/// A kind of cell, and how its value is added to a total.
trait Absorb<C> {
    fn absorb_cell(&mut self, cell: &C);
}

impl Absorb<AtomicU64> for u64 {
    fn absorb_cell(&mut self, cell: &AtomicU64) {
        *self = self.wrapping_add(cell.load(Ordering::Relaxed));
    }
}

impl Absorb<AtomicI64> for i64 {
    fn absorb_cell(&mut self, cell: &AtomicI64) {
        *self = self.wrapping_add(cell.load(Ordering::Relaxed));
    }
}

impl Absorb<Cells> for Distribution {
    fn absorb_cell(&mut self, cell: &Cells) {
        self.absorb(cell);
    }
}

impl<C: Default, T: Default + Clone + Absorb<C>> Family<C, T> {
    fn new(help: &'static str) -> Self {
        Self::with_unit(help, 1.0)
    }

    fn with_unit(help: &'static str, per_unit: f64) -> Self {
        Self { help, per_unit, series: BTreeMap::new() }
    }

    fn cell(&mut self, labels: &[(&str, &str)]) -> Arc<C> {
        let series = self
            .series
            .entry(label_text(labels))
            .or_insert_with(|| Series { live: Vec::new(), left: T::default() });
        series.settle();
        let cell = Arc::new(C::default());
        series.live.push(Arc::clone(&cell));
        cell
    }

    fn read(&self, name: &'static str, kind: Kind, reading: impl Fn(T) -> Reading) -> Read {
        let sample = |(labels, series): (&String, &Series<C, T>)| Sample {
            labels: labels.clone(),
            reading: reading(series.total()),
        };
        Read { name, help: self.help, kind, samples: self.series.iter().map(sample).collect() }
    }
}

impl<C, T: Clone + Absorb<C>> Series<C, T> {
    /// Moves the counts of cells nobody writes any more to the remainder.
    fn settle(&mut self) {
        let left = &mut self.left;
        self.live.retain(|cell| {
            let abandoned = Arc::strong_count(cell) == 1;
            if abandoned {
                left.absorb_cell(cell);
            }
            !abandoned
        });
    }

    fn total(&self) -> T {
        let mut total = self.left.clone();
        for cell in &self.live {
            total.absorb_cell(cell);
        }
        total
    }
}

impl Registry {
    /// A counter cell; its name ends in `_total`.
    pub fn counter(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Counter {
        let mut families = self.families();
        Counter::new(families.counters.entry(name).or_insert_with(|| Family::new(help)).cell(labels))
    }

    /// A counter cell of microseconds, shown in seconds; its name ends in `_seconds_total`.
    pub fn counter_of_micros(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
    ) -> Counter {
        let mut families = self.families();
        Counter::new(
            families.counters.entry(name).or_insert_with(|| Family::with_unit(help, 1e6)).cell(labels),
        )
    }

    /// A gauge cell; the value shown is the sum of all cells.
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Gauge {
        let mut families = self.families();
        Gauge::new(families.gauges.entry(name).or_insert_with(|| Family::new(help)).cell(labels))
    }

    /// A histogram cell of durations; its name ends in `_seconds`.
    pub fn histogram(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Histogram {
        let mut families = self.families();
        Histogram::new(families.histograms.entry(name).or_insert_with(|| Family::new(help)).cell(labels))
    }

    /// Calls back at every scrape for values that live elsewhere.
    pub fn collect(&self, collector: impl Fn(&mut Sink) + Send + Sync + 'static) {
        self.families().collectors.push(Arc::new(collector));
    }

    /// Everything in the Prometheus text format, version 0.0.4.
    pub fn render(&self) -> String {
        text::prometheus(&self.read())
    }

    /// Everything, by kind and name: counters, gauges, histograms, then what collectors say.
    pub fn read(&self) -> Vec<Read> {
        let families = self.families();
        let mut all = Vec::new();
        for (name, family) in &families.counters {
            let number = |total| Reading::Number(total as f64 / family.per_unit);
            all.push(family.read(name, Kind::Counter, number));
        }
        for (name, family) in &families.gauges {
            all.push(family.read(name, Kind::Gauge, |total| Reading::Number(total as f64)));
        }
        for (name, family) in &families.histograms {
            all.push(family.read(name, Kind::Histogram, |total| Reading::Durations(Box::new(total))));
        }
        // They take locks of their own, under which others register metrics: none of ours may be held meanwhile.
        let collectors = families.collectors.clone();
        drop(families);
        let mut sink = Sink { families: BTreeMap::new() };
        collectors.iter().for_each(|collector| collector(&mut sink));
        all.extend(sink.families.into_values());
        all
    }

    /// The total of a counter over all series whose labels contain the given pairs, as it was counted: one of
    /// microseconds in those.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let families = self.families();
        let Some(family) = families.counters.get(name) else { return 0 };
        matching(&family.series, labels).map(Series::total).sum()
    }

    /// The total of a gauge over all series whose labels contain the given pairs.
    pub fn level(&self, name: &str, labels: &[(&str, &str)]) -> i64 {
        let families = self.families();
        let Some(family) = families.gauges.get(name) else { return 0 };
        matching(&family.series, labels).map(Series::total).sum()
    }

    /// A histogram over all series whose labels contain the given pairs.
    pub fn distribution(&self, name: &str, labels: &[(&str, &str)]) -> Distribution {
        let families = self.families();
        let mut all = Distribution::default();
        if let Some(family) = families.histograms.get(name) {
            matching(&family.series, labels).for_each(|series| all.merge(&series.total()));
        }
        all
    }

    fn families(&self) -> MutexGuard<'_, Families> {
        self.shared.lock().expect("no panic while metrics are held")
    }
}

/// Takes values computed at a scrape.
pub struct Sink {
    families: BTreeMap<&'static str, Read>,
}

impl Sink {
    /// One value of a gauge.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: f64) {
        self.put(name, help, Kind::Gauge, labels, value);
    }

    /// One value of a counter.
    pub fn counter(&mut self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: u64) {
        self.put(name, help, Kind::Counter, labels, value as f64);
    }

    /// One value of a counter that has fractions, such as one of seconds.
    pub fn fractional_counter(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
        value: f64,
    ) {
        self.put(name, help, Kind::Counter, labels, value);
    }

    fn put(
        &mut self,
        name: &'static str,
        help: &'static str,
        kind: Kind,
        labels: &[(&str, &str)],
        value: f64,
    ) {
        let family =
            self.families.entry(name).or_insert_with(|| Read { name, help, kind, samples: Vec::new() });
        family.samples.push(Sample { labels: label_text(labels), reading: Reading::Number(value) });
    }
}

fn matching<'a, C, T>(
    series: &'a BTreeMap<String, Series<C, T>>,
    labels: &[(&str, &str)],
) -> impl Iterator<Item = &'a Series<C, T>> {
    let wanted: Vec<String> = labels.iter().map(|label| label_text(&[*label])).collect();
    series
        .iter()
        .filter(move |(text, _)| wanted.iter().all(|pair| contains_pair(text, pair)))
        .map(|(_, series)| series)
}

/// Whether `name="value"` stands in the label text as a whole pair, not as the tail of a longer name.
fn contains_pair(text: &str, pair: &str) -> bool {
    text.match_indices(pair).any(|(at, _)| at == 0 || text.as_bytes()[at - 1] == b',')
}

/// `a="1",b="2"`, escaped as the text format asks.
fn label_text(labels: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(name);
        text.push_str("=\"");
        for c in value.chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                c => text.push(c),
            }
        }
        text.push('"');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn cells_of_equal_labels_add_up_and_dropped_ones_remain() {
        let registry = Registry::default();
        let labels = [("route", "a"), ("status", "2xx")];
        let first = registry.counter("requests_total", "Requests.", &labels);
        let second = registry.counter("requests_total", "Requests.", &labels);
        first.add(3);
        second.increment();
        drop(first);
        let third = registry.counter("requests_total", "Requests.", &labels);
        third.add(10);
        assert_eq!(registry.sum("requests_total", &[("route", "a")]), 14);
        assert_eq!(registry.sum("requests_total", &[("route", "b")]), 0);
        assert!(registry.render().contains("requests_total{route=\"a\",status=\"2xx\"} 14\n"));
    }

    #[test]
    fn labels_are_escaped_and_matched_whole() {
        let registry = Registry::default();
        registry.counter("x_total", "X.", &[("subroute", "a\"b\\c\nd")]).increment();
        assert!(registry.render().contains(r#"x_total{subroute="a\"b\\c\nd"} 1"#));
        assert_eq!(registry.sum("x_total", &[("route", "a\"b\\c\nd")]), 0);
        assert_eq!(registry.sum("x_total", &[("subroute", "a\"b\\c\nd")]), 1);
    }

    #[test]
    fn histograms_render_cumulative_buckets() {
        let registry = Registry::default();
        let histogram = registry.histogram("wait_seconds", "Wait.", &[("pool", "app")]);
        histogram.observe(Duration::from_millis(1));
        histogram.observe(Duration::from_secs(1));
        let text = registry.render();
        assert!(text.contains("wait_seconds_bucket{pool=\"app\",le=\"+Inf\"} 2"), "{text}");
        assert!(text.contains("wait_seconds_count{pool=\"app\"} 2"), "{text}");
        let counts: Vec<u64> = text
            .lines()
            .filter(|line| line.starts_with("wait_seconds_bucket"))
            .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
            .collect();
        assert!(counts.is_sorted(), "{counts:?}");
        assert_eq!(registry.distribution("wait_seconds", &[]).count(), 2);
    }

    #[test]
    fn microseconds_are_shown_in_seconds() {
        let registry = Registry::default();
        registry.counter_of_micros("busy_seconds_total", "Busy.", &[]).add(1_500_000);
        assert!(registry.render().ends_with("# TYPE busy_seconds_total counter\nbusy_seconds_total 1.5\n"));
        assert_eq!(registry.sum("busy_seconds_total", &[]), 1_500_000);
    }

    #[test]
    fn a_collector_may_wait_for_who_registers() {
        let registry = Registry::default();
        let own = Arc::new(Mutex::new(()));
        let (collected, asked) = std::sync::mpsc::sync_channel(1);
        registry.collect({
            let own = Arc::clone(&own);
            move |_| {
                let _ = collected.try_send(());
                drop(own.lock().unwrap());
            }
        });
        let held = own.lock().unwrap();
        let scraped = std::thread::spawn({
            let registry = registry.clone();
            move || registry.read().len()
        });
        asked.recv().unwrap();
        // Under the lock that the collector waits for.
        registry.counter("x_total", "X.", &[]).increment();
        drop(held);
        scraped.join().unwrap();
    }

    #[test]
    fn collectors_are_asked_at_every_scrape() {
        let registry = Registry::default();
        registry.collect(|sink| sink.gauge("up", "Up.", &[("target", "a")], 1.0));
        assert!(registry.render().contains("# TYPE up gauge\nup{target=\"a\"} 1\n"));
    }
}
