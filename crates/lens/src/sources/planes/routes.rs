//! Routes that are told apart: the busiest, as there is not room for all.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::OTHERS;
use crate::facts::Facts;

/// Routes that are told apart; requests of further ones count in all, and together as [`OTHERS`].
pub(super) const MOST: usize = 64;
/// Ticks that the pace of a route is a mean of, and after which it is looked who is busiest.
const PACE_TICKS: f64 = 60.0;
const LOOKED_EVERY: u32 = 10;
/// How many times as busy as the quietest one that is told apart a route must be to take its place, ...
const BUSIER: f64 = 2.0;
/// ... and its share of all requests: who changes places for less would do so all the time.
const LEAST_SHARE: f64 = 0.01;
/// Requests a second of which nothing is left when they have ended.
const SILENT: f64 = 1e-3;

/// Which routes are told apart, and how busy each is.
pub(super) struct Routes {
    told: BTreeSet<Arc<str>>,
    /// Requests per second, the last ones counting most.
    pace: HashMap<Arc<str>, f64>,
    others: Arc<str>,
    ticks: u32,
    /// How often those that are told apart have changed.
    choice: u32,
}

impl Routes {
    pub(super) fn new() -> Self {
        Self { told: BTreeSet::new(), pace: HashMap::new(), others: OTHERS.into(), ticks: 0, choice: 0 }
    }

    /// What a route is called: by its name, or with the others. A route counts from the first time that `any` came of it.
    pub(super) fn label(&mut self, route: &Arc<str>, any: impl FnOnce() -> bool) -> Arc<str> {
        if self.told.contains(route) {
            return Arc::clone(route);
        }
        if self.are_all() || !any() {
            return Arc::clone(&self.others);
        }
        self.told.insert(Arc::clone(route));
        self.choice = self.choice.wrapping_add(1);
        Arc::clone(route)
    }

    /// Which choice of routes is in force: another number when another is.
    pub(super) fn choice(&self) -> u32 {
        self.choice
    }

    /// Whether there is no room for a further one.
    pub(super) fn are_all(&self) -> bool {
        self.told.len() >= MOST
    }

    /// Notes requests of a route in this tick.
    pub(super) fn count(&mut self, route: &Arc<str>, requests: f64) {
        if requests > 0.0 {
            *self.pace.entry(Arc::clone(route)).or_default() += requests / PACE_TICKS;
        }
    }

    /// The tick is over.
    pub(super) fn pass(&mut self, facts: &Facts) {
        self.pace.values_mut().for_each(|pace| *pace *= 1.0 - 1.0 / PACE_TICKS);
        self.ticks += 1;
        if self.ticks.is_multiple_of(LOOKED_EVERY) {
            self.pace.retain(|_, pace| *pace > SILENT);
            let told = self.told.clone();
            self.forget_gone(facts);
            self.choose();
            if self.told != told {
                self.choice = self.choice.wrapping_add(1);
            }
        }
    }

    /// Routes that a reload took away keep their counts, and no place once nothing comes of them.
    fn forget_gone(&mut self, facts: &Facts) {
        if facts.routes.is_empty() {
            return;
        }
        let there: BTreeSet<&str> = facts.routes.iter().map(|route| &*route.name).collect();
        self.told.retain(|route| there.contains(&**route) || self.pace.contains_key(route));
    }

    /// The busiest of those that are not told apart take the places of the quietest that are.
    fn choose(&mut self) {
        let least = LEAST_SHARE * self.pace.values().sum::<f64>();
        let mut quiet: Vec<(f64, Arc<str>)> =
            self.told.iter().map(|route| (self.pace(route), Arc::clone(route))).collect();
        quiet.sort_by(|a, b| b.0.total_cmp(&a.0));
        let others = self.pace.iter().filter(|(route, pace)| **pace >= least && !self.told.contains(*route));
        let mut busy: Vec<(f64, Arc<str>)> = others.map(|(route, pace)| (*pace, Arc::clone(route))).collect();
        busy.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        for (pace, route) in busy {
            if self.are_all() {
                match quiet.pop() {
                    Some((quietest, gone)) if pace >= BUSIER * quietest => self.told.remove(&gone),
                    _ => return,
                };
            }
            self.told.insert(route);
        }
    }

    fn pace(&self, route: &str) -> f64 {
        self.pace.get(route).copied().unwrap_or(0.0)
    }
}
