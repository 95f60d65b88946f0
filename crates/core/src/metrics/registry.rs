//! The list of all metrics, and their text form.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::histogram::Cells;
use super::{Counter, Distribution, Gauge, Histogram};

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

type Collector = Box<dyn Fn(&mut Sink<'_>) + Send>;

/// All series of one name: live cells, and what dropped cells left.
struct Family<C, T> {
    help: &'static str,
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
        Self { help, series: BTreeMap::new() }
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
    pub fn collect(&self, collector: impl Fn(&mut Sink<'_>) + Send + 'static) {
        self.families().collectors.push(Box::new(collector));
    }

    /// Everything in the Prometheus text format, version 0.0.4.
    pub fn render(&self) -> String {
        let families = self.families();
        let mut out = String::with_capacity(16 * 1024);
        for (name, family) in &families.counters {
            head(&mut out, name, family.help, "counter");
            for (labels, series) in &family.series {
                line(&mut out, name, labels, series.total() as f64);
            }
        }
        for (name, family) in &families.gauges {
            head(&mut out, name, family.help, "gauge");
            for (labels, series) in &family.series {
                line(&mut out, name, labels, series.total() as f64);
            }
        }
        for (name, family) in &families.histograms {
            head(&mut out, name, family.help, "histogram");
            for (labels, series) in &family.series {
                histogram(&mut out, name, labels, &series.total());
            }
        }
        let mut sink = Sink { families: BTreeMap::new() };
        for collector in &families.collectors {
            collector(&mut sink);
        }
        for (name, (help, kind, lines)) in sink.families {
            head(&mut out, name, help, kind);
            out.push_str(&lines);
        }
        out
    }

    /// The total of a counter over all series whose labels contain the given pairs.
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
pub struct Sink<'a> {
    families: BTreeMap<&'a str, (&'a str, &'static str, String)>,
}

impl Sink<'_> {
    /// One value of a gauge.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: f64) {
        self.put(name, help, "gauge", labels, value);
    }

    /// One value of a counter.
    pub fn counter(&mut self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: u64) {
        self.put(name, help, "counter", labels, value as f64);
    }

    fn put(
        &mut self,
        name: &'static str,
        help: &'static str,
        kind: &'static str,
        labels: &[(&str, &str)],
        value: f64,
    ) {
        let (_, _, lines) = self.families.entry(name).or_insert_with(|| (help, kind, String::new()));
        line(lines, name, &label_text(labels), value);
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

fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(out: &mut String, name: &str, labels: &str, value: f64) {
    let _ = if labels.is_empty() {
        writeln!(out, "{name} {value}")
    } else {
        writeln!(out, "{name}{{{labels}}} {value}")
    };
}

fn histogram(out: &mut String, name: &str, labels: &str, all: &Distribution) {
    let comma = if labels.is_empty() { "" } else { "," };
    for (le, count) in all.exposed() {
        let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{le}\"}} {count}");
    }
    let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {}", all.count());
    line(out, &format!("{name}_sum"), labels, all.sum_seconds());
    line(out, &format!("{name}_count"), labels, all.count() as f64);
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
    fn collectors_are_asked_at_every_scrape() {
        let registry = Registry::default();
        registry.collect(|sink| sink.gauge("up", "Up.", &[("target", "a")], 1.0));
        assert!(registry.render().contains("# TYPE up gauge\nup{target=\"a\"} 1\n"));
    }
}
