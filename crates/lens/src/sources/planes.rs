//! What the planes count, from the metrics they register: rates, means and levels of the last second.
//!
//! Metrics are read by their public names, so the lens needs no plane and a plane needs no lens.

mod before;
mod place;
mod routes;
mod sums;
#[cfg(test)]
mod tests;
mod times;

use std::collections::HashMap;
use std::time::Instant;

use deepwater_core::metrics::{Family, Reading, Registry};

use crate::facts::Facts;
use crate::signal;
use crate::store::Store;

use before::Before;
use place::Kind;
use routes::Routes;
use sums::Sums;
use times::ANSWERED;

/// The label of the routes that are not told apart.
pub(crate) const OTHERS: &str = "others";
/// Two readings that are nearer to each other tell no rates.
const LEAST_SECONDS: f64 = 0.1;

/// The planes' metrics, and what they were a tick ago.
pub(crate) struct Planes {
    metrics: Registry,
    before: Before,
    routes: Routes,
    /// When they were read.
    read: Option<Instant>,
}

impl Planes {
    pub(crate) fn new(metrics: Registry) -> Self {
        Self { metrics, before: Before::default(), routes: Routes::new(), read: None }
    }

    /// Measures what happened since the last time; it is `now`. The first time there is nothing to compare with.
    pub(crate) fn read(&mut self, store: &mut Store, facts: &Facts, now: Instant) {
        let seconds =
            self.read.replace(now).map(|before| now.saturating_duration_since(before).as_secs_f64());
        let mut sums = Sums::default();
        let applications: HashMap<&str, &str> = facts
            .routes
            .iter()
            .filter(|route| !route.cached)
            .filter_map(|route| Some((&*route.name, route.application.as_deref()?)))
            .collect();
        for family in self.metrics.read() {
            self.family(family, &applications, &mut sums);
        }
        self.before.forget_others();
        self.routes.pass(facts);
        sums.tell(store, seconds.unwrap_or(1.0).max(LEAST_SECONDS));
    }

    fn family(&mut self, family: Family, applications: &HashMap<&str, &str>, sums: &mut Sums) {
        let known = self.before.of(family.name, &family.samples);
        for (seen, sample) in known.iter_mut().zip(family.samples) {
            let Some(kind) = seen.kind() else { continue };
            let label = seen.label(&sample, &mut self.routes);
            match (kind, sample.reading) {
                (Kind::Level(signal), Reading::Number(value)) => sums.add(signal, label, value),
                (Kind::UnderWay, Reading::Number(value)) => {
                    sums.add(&signal::IN_FLIGHT, label, value);
                    if let Some(route) = seen.route()
                        && let Some(application) = applications.get(&**route)
                    {
                        sums.add_under_way(application, value);
                    }
                }
                (Kind::Admitted, Reading::Number(value)) => sums.set_admitted(label, value),
                (Kind::Times(times), Reading::Durations(total)) => {
                    let Some(recent) = seen.recent(total) else { continue };
                    if let Some(route) = seen.route()
                        && std::ptr::eq(times, &ANSWERED)
                    {
                        self.routes.count(route, recent.count() as f64);
                    }
                    sums.add_times(times, label, &recent);
                }
                (kind, Reading::Number(total)) => {
                    let Some(more) = seen.more(total) else { continue };
                    match kind {
                        Kind::Rate(signal) => sums.add_rate(signal, label, more),
                        Kind::Rare(signal) => sums.add_rare(signal, label, more),
                        Kind::Judged(storing) => sums.add_judged(label, storing, more),
                        Kind::Cached(hit) => sums.add_cached(label, hit, more),
                        Kind::Level(_) | Kind::UnderWay | Kind::Admitted | Kind::Times(_) => {}
                    }
                }
                (_, Reading::Durations(_)) => {}
            }
        }
    }
}
