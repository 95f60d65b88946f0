//! What detectors and rules look at: what was measured of late and what is configured. They only read.

use crate::config::Limits;
use crate::facts::Facts;
use crate::signal::{self, Signal};
use crate::store::Store;

/// Ticks that a forecast is made from: as far back as seconds are kept.
const WINDOWS: usize = 600;
/// Ticks that "now" is the mean of.
pub(crate) const NOW: usize = 10;
/// Ticks of a minute.
pub(crate) const MINUTE: usize = 60;
/// Classes of load whose demands are told apart.
const MOST_CLASSES: usize = 6;
/// Share of the load below which a class is counted with the others.
const LEAST_SHARE: f64 = 0.02;

/// The state of things at one moment.
pub(crate) struct Picture<'a> {
    pub(crate) store: &'a Store,
    pub(crate) facts: &'a Facts,
    pub(crate) limits: &'a Limits,
    /// The wait that one request in twenty may not pass, in seconds.
    pub(crate) target: f64,
    /// For random choices: the same picture gives the same answer.
    pub(crate) seed: u64,
}

/// The load that cliffs are told in.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// What it counts.
    pub(crate) unit: &'static str,
    /// Short form of the unit, for sentences.
    pub(crate) short: &'static str,
    /// Now, per second.
    pub(crate) now: f64,
    /// Throughput of each class in each tick, the oldest tick first; NaN where it is not known.
    pub(crate) rows: Vec<Vec<f64>>,
    /// Throughput of each class now.
    pub(crate) mix: Vec<f64>,
}

impl<'a> Picture<'a> {
    /// Requests of the edge if there are any, else transactions of the pooler; none without either, and none while there is
    /// silence: a mix of nothing is no mix to foretell anything for.
    pub(crate) fn load(&self) -> Option<Load> {
        let edge = self.classes(&signal::REQUESTS, "requests per second", "req/s");
        let load = edge.or_else(|| self.classes(&signal::TRANSACTIONS, "transactions per second", "tx/s"));
        load.filter(|load| load.now > 0.0)
    }

    fn classes(&self, of: &'static Signal, unit: &'static str, short: &'static str) -> Option<Load> {
        let labels: Vec<_> = self.store.labels(of).into_iter().filter(|label| !label.is_empty()).collect();
        let mut classes: Vec<(f64, Vec<f64>)> = labels
            .iter()
            .map(|label| {
                (self.store.mean(of, label, WINDOWS).unwrap_or(0.0), self.store.seconds(of, label, WINDOWS))
            })
            .filter(|(mean, _)| *mean > 0.0)
            .collect();
        classes.sort_by(|a, b| b.0.total_cmp(&a.0));
        let total: f64 = classes.iter().map(|(mean, _)| mean).sum();
        let told =
            classes.iter().take(MOST_CLASSES - 1).filter(|(mean, _)| *mean >= LEAST_SHARE * total).count();
        if told == 0 {
            return None;
        }
        let others = classes.split_off(told);
        let mut series: Vec<Vec<f64>> = classes.into_iter().map(|(_, series)| series).collect();
        if !others.is_empty() {
            let others: Vec<Vec<f64>> = others.into_iter().map(|(_, series)| series).collect();
            series
                .push((0..WINDOWS).map(|tick| known_sum(others.iter().map(|series| series[tick]))).collect());
        }
        let row = |tick: usize| -> Vec<f64> {
            let values: Vec<f64> = series.iter().map(|series| series[tick]).collect();
            // A class that is silent has no requests; a tick without any class was not measured.
            if values.iter().all(|value| value.is_nan()) {
                values
            } else {
                values.into_iter().map(or_nought).collect()
            }
        };
        let rows: Vec<Vec<f64>> = (0..WINDOWS).map(row).collect();
        let mix: Vec<f64> = (0..series.len()).map(|class| recent_mean(&rows, class)).collect();
        Some(Load { unit, short, now: mix.iter().sum(), rows, mix })
    }

    /// A signal in the ticks of the load's rows.
    pub(crate) fn windows(&self, signal: &Signal, label: &str) -> Vec<f64> {
        self.store.seconds(signal, label, WINDOWS)
    }

    /// A signal now.
    pub(crate) fn now(&self, signal: &Signal, label: &str) -> Option<f64> {
        self.store.mean(signal, label, NOW)
    }

    /// The mean of a signal over the last minute.
    pub(crate) fn minute(&self, signal: &Signal, label: &str) -> Option<f64> {
        self.store.mean(signal, label, MINUTE)
    }
}

fn or_nought(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value }
}

/// The sum of what is known; NaN when nothing is.
fn known_sum(values: impl Iterator<Item = f64>) -> f64 {
    values.filter(|value| !value.is_nan()).reduce(|a, b| a + b).unwrap_or(f64::NAN)
}

/// The mean of a class over the last ticks.
fn recent_mean(rows: &[Vec<f64>], class: usize) -> f64 {
    let recent =
        rows[rows.len().saturating_sub(NOW)..].iter().map(|row| row[class]).filter(|value| !value.is_nan());
    let (sum, count) = recent.fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / count as f64 }
}

/// The mean of the last `n` ticks of a series; none when nothing is known of them.
pub(crate) fn mean_of_last(series: &[f64], n: usize) -> Option<f64> {
    let recent = series[series.len().saturating_sub(n)..].iter().filter(|value| value.is_finite());
    let (sum, count) = recent.fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}
