//! A reader of the Prometheus text format (version 0.0.4) that forgives nothing.

use std::collections::{BTreeMap, HashMap, HashSet};

/// Samples by name and labels.
pub struct Metrics {
    samples: HashMap<(String, BTreeMap<String, String>), f64>,
}

impl Metrics {
    /// # Panics
    /// When a line is malformed, a sample has no type or help, comes twice, or a histogram's buckets do not add up.
    pub fn parse(text: &str) -> Self {
        let mut samples = HashMap::new();
        let mut types = HashMap::new();
        let mut helps = HashSet::new();
        assert!(text.ends_with('\n'), "the last line has an end");
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, _) = rest.split_once(' ').expect("a help has a text");
                assert!(helps.insert(name.to_owned()), "two helps: {line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
                assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "two types: {line}");
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line:?}"));
                let value: f64 = value.parse().unwrap_or_else(|_| panic!("not a number: {line:?}"));
                let (name, labels) = parse_series(series);
                let family = ["_bucket", "_sum", "_count"]
                    .iter()
                    .filter_map(|suffix| name.strip_suffix(suffix))
                    .find(|family| types.get(*family).is_some_and(|kind| kind == "histogram"))
                    .unwrap_or(&name);
                assert!(types.contains_key(family), "no type before {line:?}");
                assert!(helps.contains(family), "no help before {line:?}");
                assert!(samples.insert((name, labels), value).is_none(), "twice: {line:?}");
            }
        }
        let metrics = Self { samples };
        metrics.check_histograms();
        metrics
    }

    /// The value of exactly this series.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.samples.get(&(name.to_owned(), labels)).copied()
    }

    /// The sum over all series with at least these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |known: &BTreeMap<String, String>| {
            labels.iter().all(|(name, value)| known.get(*name).is_some_and(|known| known == value))
        };
        self.samples.iter().filter(|((known, l), _)| known == name && has(l)).map(|(_, value)| value).sum()
    }

    fn check_histograms(&self) {
        let mut buckets: HashMap<_, Vec<(f64, f64)>> = HashMap::new();
        for ((name, labels), count) in &self.samples {
            let Some(family) = name.strip_suffix("_bucket") else { continue };
            let mut labels = labels.clone();
            let bound = labels.remove("le").expect("a bucket has a bound");
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
            buckets.entry((family.to_owned(), labels)).or_default().push((bound, *count));
        }
        for ((family, labels), mut counts) in buckets {
            counts.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(counts.is_sorted_by_key(|(_, count)| *count), "{family} {labels:?} is not cumulative");
            let (last, all) = counts.last().copied().unwrap();
            assert!(last.is_infinite(), "{family} has no +Inf");
            let count = self.samples.get(&(format!("{family}_count"), labels));
            assert_eq!(count, Some(&all), "{family}_count");
        }
    }
}

/// `name{label="value",…}`
fn parse_series(series: &str) -> (String, BTreeMap<String, String>) {
    let Some((name, rest)) = series.split_once('{') else { return (series.to_owned(), BTreeMap::new()) };
    let mut rest = rest.strip_suffix('}').unwrap_or_else(|| panic!("no closing brace: {series:?}"));
    let mut labels = BTreeMap::new();
    while !rest.is_empty() {
        let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {series:?}"));
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next() {
                Some((at, '"')) => break at,
                Some((_, '\\')) => value.push(match chars.next() {
                    Some((_, 'n')) => '\n',
                    Some((_, escaped @ ('\\' | '"'))) => escaped,
                    other => panic!("a bad escape {other:?}: {series:?}"),
                }),
                Some((_, other)) => value.push(other),
                None => panic!("no closing quote: {series:?}"),
            }
        };
        assert!(labels.insert(label.to_owned(), value).is_none(), "a label twice: {series:?}");
        rest = after[end + 1..].trim_start_matches(',');
    }
    (name.to_owned(), labels)
}
