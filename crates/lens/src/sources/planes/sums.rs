//! What one tick's series add up to, by signal and label.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use deepwater_core::metrics::Distribution;

use super::times::{HELD, TimeSignals};
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

/// Values by signal and label.
type Values = BTreeMap<(&'static str, Arc<str>), (&'static Signal, f64)>;

/// Ticks in which the least number at the moment was surely there all the time.
const HELD_TICKS: usize = 5;

/// What was measured in one tick.
#[derive(Default)]
pub(super) struct Sums {
    levels: Values,
    rates: Values,
    /// Rates that are told of what ever had any.
    rare: Values,
    /// Answers looked at: those a cache would store as they are, those it would with a lifetime, and all.
    judged: BTreeMap<Arc<str>, (f64, f64, f64)>,
    /// By the address of what they tell: there is one of each.
    times: Vec<(&'static TimeSignals, BTreeMap<Arc<str>, Distribution>)>,
    /// Answers of the cache, and all it was asked for.
    cached: BTreeMap<Arc<str>, (f64, f64)>,
    /// Requests under way on routes that go to an application, ...
    under_way: BTreeMap<Arc<str>, f64>,
    /// ... and those that are with it, where that is known.
    admitted: BTreeMap<Arc<str>, f64>,
}

impl Sums {
    pub(super) fn add(&mut self, signal: &'static Signal, label: Arc<str>, value: f64) {
        self.levels.entry((signal.name, label)).or_insert((signal, 0.0)).1 += value;
    }

    pub(super) fn add_rate(&mut self, signal: &'static Signal, label: Arc<str>, more: f64) {
        self.rates.entry((signal.name, label)).or_insert((signal, 0.0)).1 += more;
    }

    pub(super) fn add_rare(&mut self, signal: &'static Signal, label: Arc<str>, more: f64) {
        self.rare.entry((signal.name, label)).or_insert((signal, 0.0)).1 += more;
    }

    pub(super) fn add_judged(&mut self, route: Arc<str>, storing: Storing, more: f64) {
        let (as_is, with_lifetime, all) = self.judged.entry(route).or_default();
        match storing {
            Storing::AsIs => *as_is += more,
            Storing::WithLifetime => *with_lifetime += more,
            Storing::Else => {}
        }
        *all += more;
    }

    pub(super) fn add_cached(&mut self, route: Arc<str>, hit: bool, more: f64) {
        let (hits, all) = self.cached.entry(route).or_default();
        *hits += if hit { more } else { 0.0 };
        *all += more;
    }

    pub(super) fn add_times(&mut self, times: &'static TimeSignals, label: Arc<str>, recent: &Distribution) {
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

    pub(super) fn add_under_way(&mut self, application: &str, requests: f64) {
        match self.under_way.get_mut(application) {
            Some(sum) => *sum += requests,
            None => drop(self.under_way.insert(application.into(), requests)),
        }
    }

    pub(super) fn set_admitted(&mut self, application: Arc<str>, requests: f64) {
        self.admitted.insert(application, requests);
    }

    /// Puts it into the store, as rates of the `seconds` it took.
    pub(super) fn tell(mut self, store: &mut Store, seconds: f64) {
        let mut with = std::mem::take(&mut self.under_way);
        with.append(&mut self.admitted);
        for (application, requests) in with {
            self.add(&signal::UPSTREAM_ACTIVE, application, requests);
        }
        self.tell_held(store, seconds);
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
            for (share, signal) in times.quantiles_of_all {
                store.put(signal, "", total.quantile(*share).map_or(f64::NAN, |time| time.as_secs_f64()));
            }
        }
    }
}

impl Sums {
    /// How many were under way on average. By Little's law that is what those took that have ended, which is far from it when
    /// they take longer than a tick: one that is held for a minute is nought for a minute, and sixty in the end. So it is no
    /// less than were under way at every one of the last moments, and no more than are now or have ended meanwhile.
    fn tell_held(&self, store: &mut Store, seconds: f64) {
        for times in HELD {
            let (Some(level), Some(active)) = (times.level, times.active) else { continue };
            let ended =
                self.times.iter().find(|(known, _)| std::ptr::eq(*known, times)).map(|(_, labels)| labels);
            let now = |label: &Arc<str>| {
                self.levels.get(&(active.name, Arc::clone(label))).map(|(_, value)| *value)
            };
            let active_labels =
                self.levels.keys().filter(|(name, _)| *name == active.name).map(|(_, label)| label);
            let labels: BTreeSet<&Arc<str>> =
                active_labels.chain(ended.into_iter().flat_map(BTreeMap::keys)).collect();
            for label in labels {
                let recent = ended.and_then(|labels| labels.get(label));
                let (count, sum) =
                    recent.map_or((0.0, 0.0), |ended| (ended.count() as f64, ended.sum_seconds()));
                let little = sum / seconds;
                let held = match now(label) {
                    Some(now) => {
                        let before = store.seconds(active, label, HELD_TICKS - 1);
                        // NaN of what was not measured is never the lesser one: it must be looked for.
                        let known = before.iter().all(|value| value.is_finite());
                        let least = if known { before.into_iter().fold(now, f64::min) } else { 0.0 };
                        little.min(now + count).max(least)
                    }
                    None => little,
                };
                store.put(level, label, held);
            }
        }
    }
}

/// Of signals by route, the sum over all.
fn tell_totals(store: &mut Store, sums: &Values, signals: &[&'static Signal], seconds: f64) {
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
    if times.active.is_none() {
        put(times.level, sum / seconds);
    }
    put(times.mean, sum / count);
    put(times.p95, p95);
    put(times.variation, recent.variation().unwrap_or(f64::NAN));
}
