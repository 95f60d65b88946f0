//! The table knows only what there is, and all that must be in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::table::{ALERTS, ROWS, When};

const CRATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Events of level `error` that need no rule of their own, since a metric says for how long it is so.
const COVERED: &[(&str, &str)] = &[("pool_panic_entered", "DeepwaterPoolInPanic")];

/// The sources of the binary. The sample shop and the demo tell events of their own, in nobody's production.
fn sources() -> String {
    fn walk(directory: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    for package in std::fs::read_dir(CRATES).unwrap() {
        let source = package.unwrap().path().join("src");
        if source.is_dir() {
            walk(&source, &mut files);
        }
    }
    let ours = |path: &&PathBuf| {
        let path = path.strip_prefix(CRATES).unwrap().to_string_lossy();
        !path.contains("/demo") && !path.contains("/grafana/") && !path.contains("tests")
    };
    files.iter().filter(ours).map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// Names and levels of all events: the line that `event!` takes after the type.
fn events(sources: &str) -> BTreeMap<&str, &str> {
    sources
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.trim().split_once(": ")?;
            let (level, _) = rest.split_once(", \"")?;
            let is_name = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            (is_name && matches!(level, "Debug" | "Info" | "Warn" | "Error")).then_some((name, level))
        })
        .collect()
}

fn queries() -> impl Iterator<Item = &'static str> {
    let lines = ROWS.iter().flat_map(|row| row.panels).flat_map(|panel| panel.lines);
    let alerts = ALERTS.iter().filter_map(|alert| match alert.when {
        When::Holds(query) => Some(query),
        When::Told(_) => None,
    });
    lines.map(|line| line.query).chain(alerts)
}

/// Words of a query that begin so.
fn words(query: &'static str, prefix: &'static str) -> impl Iterator<Item = &'static str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    query.split(move |c| !is_word(c)).filter(move |word| word.starts_with(prefix))
}

#[test]
fn every_metric_of_the_table_exists() {
    let sources = sources();
    for query in queries() {
        for name in words(query, "deepwater_") {
            let family = ["_bucket", "_count", "_sum"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix))
                .unwrap_or(name);
            assert!(sources.contains(&format!("\"{family}\"")), "{family} is no metric (in `{query}`)");
        }
    }
}

#[test]
fn every_event_of_the_table_exists_and_every_error_has_an_alert() {
    let sources = sources();
    let events = events(&sources);
    assert!(events.len() > 30, "{events:?}");
    let told: BTreeSet<&str> = ALERTS
        .iter()
        .filter_map(|alert| match alert.when {
            When::Holds(_) => None,
            When::Told(events) => Some(events.split('|')),
        })
        .flatten()
        .collect();
    let covered: BTreeSet<&str> = COVERED.iter().map(|(event, _)| *event).collect();
    for event in told.union(&covered) {
        assert!(events.contains_key(event), "{event} is no event");
    }
    for (_, alert) in COVERED {
        assert!(ALERTS.iter().any(|known| known.name == *alert), "{alert} is no alert");
    }
    for (event, _) in events.iter().filter(|(_, level)| **level == "Error") {
        let known = told.contains(event) || covered.contains(event);
        assert!(known, "no alert for the event {event}, which is of level error");
    }
}

#[test]
fn titles_and_names_are_there_once() {
    let mut seen = BTreeSet::new();
    let titles = ROWS.iter().flat_map(|row| row.panels).map(|panel| panel.title);
    for name in titles.chain(ALERTS.iter().map(|alert| alert.name)) {
        assert!(seen.insert(name), "{name} twice");
    }
}

#[test]
fn short_cuts_are_written_out() {
    for text in [super::dashboard(), super::alerts()] {
        assert!(!text.contains("{@") && !text.contains("[@]"), "{text}");
    }
    let dashboard: serde_json::Value = serde_json::from_str(&super::dashboard()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has its number");
    assert!(!super::alerts().contains("$instance"), "a rule has no variables of a dashboard");
}
