//! The pool between the shop and its database: how it is, and the story of its exhaustion.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use deepwater_core::Events;
use deepwater_core::metrics::{Recent, Registry};
use deepwater_shop::load::{Rush, RushAccount, TargetError, Wanted};
use serde::Deserialize;
use tokio::task::JoinSet;

use super::SEED;
use super::configuration::MAX_WAITING;
use super::postgres::DATABASE;
use super::screen::PoolView;
use super::stampede::unguarded;
use super::story::{PoolExhausted, PoolRecovered, PoolRefuses};

/// How many come to buy: three times as many as can be served or wait.
pub(super) const BUYERS: usize = 120;
/// Name of the pool's metric of waits.
const WAIT: &str = "deepwater_postgres_wait_seconds";

/// The page of `/api/postgres/pools`, as far as it is shown.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct PoolsPage {
    pools: Vec<PoolRow>,
}

#[derive(Debug, Clone, Deserialize)]
struct PoolRow {
    database: String,
    size: u64,
    clients: u64,
    waiting: u64,
    refused: u64,
    servers: Servers,
}

#[derive(Debug, Clone, Deserialize)]
struct Servers {
    active: u64,
}

/// How far it has come with the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Calm,
    /// A crowd of buyers is there, or has been until now.
    Rushed,
    /// More wait than are served.
    Exhausted,
    /// And more than that are refused.
    Refusing,
}

/// Looks at the pool again and again, and tells what is new.
#[derive(Default)]
pub(super) struct PoolWatch {
    phase: Phase,
    waits: Recent,
    /// Refusals when it was last calm, and at the last look.
    refused_before: u64,
    refused: u64,
}

impl PoolWatch {
    /// A crowd of buyers comes.
    pub(super) fn rushed(&mut self) {
        if self.phase == Phase::Calm {
            self.phase = Phase::Rushed;
        }
    }

    /// Takes a look; `rush` tells whether the crowd is still there. Nothing to show before the first connection.
    pub(super) fn look(
        &mut self,
        page: PoolsPage,
        rush: bool,
        metrics: &Registry,
        events: &Events,
    ) -> Option<PoolView> {
        let pool = page.pools.into_iter().find(|pool| pool.database == DATABASE)?;
        self.tell(&pool, rush, events);
        let waits = self.waits.of(Instant::now(), metrics.distribution(WAIT, &[]));
        Some(PoolView {
            clients: pool.clients,
            waiting: pool.waiting,
            busy: pool.servers.active,
            size: pool.size,
            wait_p99: waits.quantile(0.99),
            refused: pool.refused,
        })
    }

    /// One step of the story at a time.
    fn tell(&mut self, pool: &PoolRow, rush: bool, events: &Events) {
        let quiet = pool.waiting == 0 && pool.refused == self.refused && !rush;
        self.refused = pool.refused;
        let refused = pool.refused.saturating_sub(self.refused_before);
        match self.phase {
            Phase::Calm | Phase::Rushed if pool.waiting >= pool.size => {
                self.phase = Phase::Exhausted;
                events.emit(PoolExhausted { size: pool.size, waiting: pool.waiting });
            }
            Phase::Exhausted if refused > 0 => {
                self.phase = Phase::Refusing;
                events.emit(PoolRefuses { limit: MAX_WAITING as u64 });
            }
            Phase::Rushed | Phase::Exhausted | Phase::Refusing if quiet => {
                self.phase = Phase::Calm;
                self.refused_before = pool.refused;
                events.emit(PoolRecovered { refused, size: pool.size });
            }
            _ => {}
        }
    }
}

/// A crowd that wants to buy the deal, all at once and again and again. Dropping it ends it.
pub(super) struct Buyers(JoinSet<RushAccount>);

impl Buyers {
    /// Lets them come to the shop behind the edge, and leave after a while.
    ///
    /// # Errors
    /// The shop's address is none.
    pub(super) fn come(shop: SocketAddr, stay: Duration) -> Result<Self, TargetError> {
        let purchase = Some(format!(r#"{{"items":[{{"product":{}}}]}}"#, deepwater_shop::DEAL));
        // The limit in front of the shop would keep them from the pool.
        let purchase = Wanted { path: unguarded("/api/checkout"), json: purchase, ..Wanted::default() };
        let mut rush = Rush::new(&format!("http://{shop}"), &purchase, BUYERS, SEED)?;
        let mut task = JoinSet::new();
        task.spawn(async move { rush.all(stay).await });
        Ok(Self(task))
    }

    /// What it came to, when all have left.
    pub(super) async fn left(&mut self) -> RushAccount {
        match self.0.join_next().await {
            Some(Ok(account)) => account,
            // A panic there was told by the runtime.
            Some(Err(_)) | None => RushAccount::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(waiting: u64, refused: u64) -> PoolRow {
        PoolRow {
            database: DATABASE.into(),
            size: 4,
            clients: 9,
            waiting,
            refused,
            servers: Servers { active: 4 },
        }
    }

    fn told(watch: &mut PoolWatch, row: &PoolRow, rush: bool) -> Vec<&'static str> {
        let events = Events::silent();
        watch.tell(row, rush, &events);
        events.counts().into_keys().collect()
    }

    #[test]
    fn exhaustion_is_told_step_by_step_and_ends_in_recovery() {
        let mut watch = PoolWatch::default();
        let nothing: [&str; 0] = [];
        assert_eq!(told(&mut watch, &row(3, 0), false), nothing, "a moment's queue is no story");
        watch.rushed();
        assert_eq!(told(&mut watch, &row(40, 100), true), ["pool_exhausted"]);
        assert_eq!(told(&mut watch, &row(40, 250), true), ["pool_refuses"]);
        assert_eq!(told(&mut watch, &row(0, 250), true), nothing, "the crowd is still there");
        assert_eq!(told(&mut watch, &row(0, 260), false), nothing, "somebody was just refused");
        assert_eq!(told(&mut watch, &row(0, 260), false), ["pool_recovered"]);
        assert_eq!((watch.phase, watch.refused_before), (Phase::Calm, 260));

        watch.rushed();
        assert_eq!(
            told(&mut watch, &row(0, 260), false),
            ["pool_recovered"],
            "a sale has an end in any case"
        );
        assert_eq!(told(&mut watch, &row(5, 260), false), ["pool_exhausted"]);
    }

    #[test]
    fn the_page_of_the_console_is_read() {
        let page = serde_json::json!({ "pools": [{
            "database": DATABASE, "user": DATABASE, "size": 4, "clients": 12, "waiting": 2, "refused": 1,
            "servers": { "idle": 0, "active": 3, "connecting": 1 }, "wait": { "p99_ms": null },
        }]});
        let page = serde_json::from_value(page).unwrap();
        let view = PoolWatch::default().look(page, false, &Registry::default(), &Events::silent()).unwrap();
        assert_eq!((view.clients, view.waiting, view.busy, view.size, view.refused), (12, 2, 3, 4, 1));
        assert_eq!(view.wait_p99, None);
    }
}
