//! What one tick's series add up to, by signal and label.

use std::collections::BTreeMap;

use deepwater_core::metrics::Distribution;

use super::TimeSignals;
use crate::signal::{self, Signal};
use crate::store::Store;

/// What a cache would do with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Storing {
    /// Store it for the lifetime it states.
    AsIs,
    /// Store it when told for how long.
    WithLifetime,
    /// Neither, or not for long.
    Else,
}

/// What was measured in one tick.
#[derive(Default)]
pub(super) struct Sums {
    levels: BTreeMap<(&'static str, String), (&'static Signal, f64)>,
    rates: BTreeMap<(&'static str, String), (&'static Signal, f64)>,
    /// Rates that are told of what ever had any.
    rare: BTreeMap<(&'static str, String), (&'static Signal, f64)>,
    /// Answers looked at: those a cache would store as they are, those it would with a lifetime, and all.
    judged: BTreeMap<String, (f64, f64, f64)>,
    /// By the address of what they tell: there is one of each.
    times: Vec<(&'static TimeSignals, BTreeMap<String, Distribution>)>,
    /// Answers of the cache, and all it was asked for.
    cached: BTreeMap<String, (f64, f64)>,
}

impl Sums {
    pub(super) fn add(&mut self, signal: &'static Signal, label: String, value: f64) {
        self.levels.entry((signal.name, label)).or_insert((signal, 0.0)).1 += value;
    }

    pub(super) fn add_rate(&mut self, signal: &'static Signal, label: String, more: f64) {
        self.rates.entry((signal.name, label)).or_insert((signal, 0.0)).1 += more;
    }

    pub(super) fn add_rare(&mut self, signal: &'static Signal, label: String, more: f64) {
        self.rare.entry((signal.name, label)).or_insert((signal, 0.0)).1 += more;
    }

    pub(super) fn add_judged(&mut self, route: String, storing: Storing, more: f64) {
        let (as_is, with_lifetime, all) = self.judged.entry(route).or_default();
        match storing {
            Storing::AsIs => *as_is += more,
            Storing::WithLifetime => *with_lifetime += more,
            Storing::Else => {}
        }
        *all += more;
    }

    pub(super) fn add_cached(&mut self, route: String, hit: bool, more: f64) {
        let (hits, all) = self.cached.entry(route).or_default();
        *hits += if hit { more } else { 0.0 };
        *all += more;
    }

    pub(super) fn add_times(&mut self, times: &'static TimeSignals, label: String, recent: &Distribution) {
        let labels = match self.times.iter().position(|(known, _)| std::ptr::eq(*known, times)) {
            Some(position) => &mut self.times[position].1,
            None => {
                self.times.push((times, BTreeMap::new()));
                let last = self.times.len() - 1;
                &mut self.times[last].1
            }
        };
        labels.entry(label).or_default().merge(recent);
    }

    /// Puts it into the store, as rates of the `seconds` it took.
    pub(super) fn tell(self, store: &mut Store, seconds: f64) {
        for ((_, label), (signal, value)) in &self.levels {
            store.put(signal, label, *value);
        }
        tell_totals(store, &self.levels, &[&signal::IN_FLIGHT], 1.0);
        for ((_, label), (signal, more)) in &self.rates {
            store.put(signal, label, more / seconds);
        }
        tell_totals(store, &self.rates, &[&signal::ERRORS], seconds);
        for ((_, label), (signal, more)) in &self.rare {
            if *more > 0.0 || store.labels(signal).iter().any(|known| **known == **label) {
                store.put(signal, label, more / seconds);
            }
        }
        for (route, (as_is, with_lifetime, all)) in &self.judged {
            store.put(&signal::STORABLE, route, as_is / all);
            store.put(&signal::STORABLE_WITH_LIFETIME, route, with_lifetime / all);
        }
        for (route, (hits, all)) in &self.cached {
            store.put(&signal::CACHE_ANSWERS, route, all / seconds);
            store.put(&signal::CACHE_HITS, route, hits / all);
        }
        for (times, labels) in &self.times {
            let mut total = Distribution::default();
            for (label, recent) in labels {
                tell_times(store, times, label, recent, seconds);
                total.merge(recent);
            }
            if times.total {
                tell_times(store, times, "", &total, seconds);
            }
        }
    }
}

/// Of signals by route, the sum over all.
fn tell_totals(
    store: &mut Store,
    sums: &BTreeMap<(&'static str, String), (&'static Signal, f64)>,
    signals: &[&'static Signal],
    seconds: f64,
) {
    for signal in signals {
        let of = sums.iter().filter(|((name, label), _)| *name == signal.name && !label.is_empty());
        let (sum, count) = of.fold((0.0, 0), |(sum, count), (_, (_, value))| (sum + value, count + 1));
        if count > 0 {
            store.put(signal, "", sum / seconds);
        }
    }
}

fn tell_times(store: &mut Store, times: &TimeSignals, label: &str, recent: &Distribution, seconds: f64) {
    let (count, sum) = (recent.count() as f64, recent.sum_seconds());
    let p95 = recent.quantile(0.95).map_or(f64::NAN, |p95| p95.as_secs_f64());
    let mut put = |signal: Option<&Signal>, value| {
        if let Some(signal) = signal {
            store.put(signal, label, value);
        }
    };
    put(times.rate, count / seconds);
    put(times.level, sum / seconds);
    put(times.mean, sum / count);
    put(times.p95, p95);
    put(times.variation, recent.variation().unwrap_or(f64::NAN));
}
