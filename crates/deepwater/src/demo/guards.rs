//! What guards the shop at the edge: the limit with its waiting room, and the breakers; how they are, and the story of an
//! overload.

use std::collections::BTreeMap;

use deepwater_core::Events;
use deepwater_upstream::{PoolStatus, TargetId};
use serde::Deserialize;

use super::configuration::POOL;
use super::screen::GuardView;
use super::story::{Overloaded, Relieved};

/// The page of `/api/edge/pools`, as far as it is shown.
#[derive(Debug, Deserialize, Default)]
pub(super) struct PoolsPage {
    pools: Vec<PoolRow>,
}

/// One pool.
#[derive(Debug, Deserialize)]
pub(super) struct PoolRow {
    #[serde(flatten)]
    pub status: PoolStatus,
    pub breakers: Breakers,
    concurrency: Option<Gate>,
}

/// A pool's own breaker, and those of its targets that have had a request.
#[derive(Debug, Deserialize)]
pub(super) struct Breakers {
    pool: Option<Breaker>,
    targets: Option<BTreeMap<String, Breaker>>,
}

#[derive(Debug, Deserialize)]
struct Breaker {
    state: String,
}

/// The limit, and who waits.
#[derive(Debug, Deserialize)]
struct Gate {
    limit: u64,
    in_flight: u64,
    waiting: BTreeMap<String, u64>,
    overloaded: bool,
    shed: BTreeMap<String, u64>,
}

impl PoolsPage {
    /// The pool with the guards.
    pub(super) fn shop(&self) -> Option<&PoolRow> {
        self.pools.iter().find(|pool| pool.status.name == POOL)
    }

    /// Requests that reached an instance, in all.
    pub(super) fn reached(&self) -> u64 {
        self.pools.iter().flat_map(|pool| &pool.status.targets).map(|target| target.requests).sum()
    }
}

impl PoolRow {
    /// Requests that were turned away so far. Who left was not.
    pub(super) fn turned_away(&self) -> u64 {
        let shed = self.concurrency.iter().flat_map(|gate| &gate.shed);
        shed.filter(|(why, _)| *why != "left").map(|(_, shed)| shed).sum()
    }

    /// As the screen shows it.
    pub(super) fn view(&self, turned_away_per_second: f64) -> Option<GuardView> {
        let gate = self.concurrency.as_ref()?;
        Some(GuardView {
            limit: gate.limit,
            in_flight: gate.in_flight,
            waiting: gate.waiting.iter().map(|(priority, waiting)| (priority.clone(), *waiting)).collect(),
            turned_away_per_second,
            overloaded: gate.overloaded,
            breaker: self.breakers.pool.as_ref().map_or_else(String::new, Breaker::words),
        })
    }
}

impl Breakers {
    /// The state of a target's breaker, unless it is closed.
    pub(super) fn of(&self, target: TargetId) -> Option<String> {
        let breaker = self.targets.as_ref()?.get(&target.to_string())?;
        (!breaker.is_closed()).then(|| breaker.words())
    }

    /// Whether all let everything through.
    pub(super) fn are_closed(&self) -> bool {
        self.pool.iter().chain(self.targets.iter().flat_map(BTreeMap::values)).all(Breaker::is_closed)
    }
}

impl Breaker {
    fn is_closed(&self) -> bool {
        self.state == "closed"
    }

    fn words(&self) -> String {
        self.state.replace('_', "-")
    }
}

/// How far it has come with the waiting room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Calm,
    /// More come than the shop can carry, or have come until now.
    Rushed,
    /// And are turned away.
    Shedding,
}

/// Looks at the waiting room again and again, and tells what is new.
#[derive(Debug, Default)]
pub(super) struct GuardWatch {
    phase: Phase,
    /// Turned away when it was last calm, and at the last look.
    before: u64,
    turned_away: u64,
}

impl GuardWatch {
    /// More will come than the shop can carry.
    pub(super) fn rushed(&mut self) {
        if self.phase == Phase::Calm {
            self.phase = Phase::Rushed;
        }
    }

    /// Takes a look; `rush` tells whether they are still there.
    pub(super) fn look(&mut self, pool: &PoolRow, rush: bool, events: &Events) {
        let Some(gate) = &pool.concurrency else { return };
        let turned_away = pool.turned_away();
        let quiet = turned_away == self.turned_away && !rush;
        self.turned_away = turned_away;
        match self.phase {
            Phase::Calm | Phase::Rushed if turned_away > self.before => {
                self.phase = Phase::Shedding;
                let waiting = gate.waiting.values().sum();
                events.emit(Overloaded { in_flight: gate.in_flight, waiting });
            }
            Phase::Rushed | Phase::Shedding if quiet => {
                self.phase = Phase::Calm;
                events.emit(Relieved { turned_away: turned_away.saturating_sub(self.before) });
                self.before = turned_away;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn page(turned_away: u64, breaker: &str) -> PoolsPage {
        let page = json!({ "pools": [{
            "name": POOL, "balance": "least_connections", "panic": false, "available": 0, "targets": [], "names": [],
            "breakers": {
                "pool": { "state": breaker, "opened": 1 },
                "targets": { "00000000000000ab": { "state": "half_open", "opened": 1 } },
            },
            "concurrency": {
                "limit": 30, "in_flight": 29, "overloaded": true,
                "waiting": { "low": 4, "normal": 1, "high": 0, "critical": 0 },
                "shed": { "full": turned_away, "left": 50 },
            },
        }]});
        serde_json::from_value(page).unwrap()
    }

    #[test]
    fn the_page_of_the_console_is_read() {
        let page = page(7, "open");
        let shop = page.shop().unwrap();
        assert_eq!(shop.turned_away(), 7);
        let view = shop.view(2.0).unwrap();
        assert_eq!((view.limit, view.in_flight, view.breaker.as_str()), (30, 29, "open"));
        assert_eq!(view.waiting["low"], 4);
        assert_eq!(shop.breakers.of("ab".parse().unwrap()).as_deref(), Some("half-open"));
        assert_eq!(shop.breakers.of("cd".parse().unwrap()), None);
        assert!(!shop.breakers.are_closed());
    }

    #[test]
    fn an_overload_is_told_when_it_begins_and_when_it_is_over() {
        let mut watch = GuardWatch::default();
        let mut told = |turned_away, rush| {
            let events = Events::silent();
            watch.look(page(turned_away, "closed").shop().unwrap(), rush, &events);
            events.counts().into_keys().collect::<Vec<_>>()
        };
        assert!(told(0, false).is_empty());
        assert_eq!(told(3, false), ["overloaded"], "also when nobody announced it");
        assert!(told(3, true).is_empty(), "they are still there");
        assert!(told(9, false).is_empty(), "somebody was just turned away");
        assert_eq!(told(9, false), ["relieved"]);
        assert!(told(9, false).is_empty());
        watch.rushed();
        let events = Events::silent();
        watch.look(page(9, "closed").shop().unwrap(), false, &events);
        assert_eq!(
            events.counts().into_keys().collect::<Vec<_>>(),
            ["relieved"],
            "a rush has an end in any case"
        );
    }
}
