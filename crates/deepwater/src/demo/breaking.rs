//! Instances that fail while they say that they are well: the breaker of one opens and the others answer, the breaker of
//! all opens and visitors are told at once, and when all is well again, breakers find out by themselves.

use std::time::{Duration, Instant};

use deepwater_core::metrics::Registry;
use deepwater_shop::load::{Rush, Wanted};
use tokio::task::JoinSet;

use super::SEED;
use super::guards::PoolRow;
use super::look::REQUESTS;
use super::stage::{Act, Stage};
use super::story::{
    AllFail, BreakersClosed, Fact, InstanceFails, InstancesWell, RefusedAtOnce, WHOLE_SHOP, WishFailed,
};
use crate::client::Call;

/// Visitors who look into their carts, which are never answered from the cache.
const VISITORS: usize = 20;
/// Breakers that have not closed by then do not.
const PATIENCE: Duration = Duration::from_secs(30);
/// What visitors look at.
const CARTS: &str = "/api/cart";

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// One instance fails.
    OneFails,
    /// Its breaker is open.
    OneIsLeftAlone,
    /// All fail.
    AllFail,
    /// All are well again, and their breakers do not know yet.
    Well,
}

/// Failures under way. Dropping them sends the visitors away.
pub(super) struct Breaking {
    step: Step,
    /// The address of the one that fails first.
    first: String,
    until: Instant,
    before: Answers,
    _visitors: JoinSet<()>,
}

/// Requests that were answered, and those of them with a failure.
#[derive(Debug, Clone, Copy)]
struct Answers {
    all: u64,
    failed: u64,
}

impl Answers {
    fn of_the_edge(metrics: &Registry) -> Self {
        Self { all: metrics.sum(REQUESTS, &[]), failed: metrics.sum(REQUESTS, &[("status", "5xx")]) }
    }
}

impl Stage<'_> {
    /// Makes an instance fail, under the eyes of visitors.
    pub(super) async fn begin_breaking(&mut self) {
        if let Err(reason) = self.try_to_break().await {
            self.planes.context.events.emit(WishFailed { wish: "break the shop".into(), reason });
        }
    }

    async fn try_to_break(&mut self) -> Result<(), String> {
        let wanted = Wanted { path: CARTS.into(), ..Wanted::default() };
        let rush = Rush::new(&format!("http://{}", self.shop), &wanted, VISITORS, SEED);
        let mut rush = rush.map_err(|error| error.to_string())?;
        let context = &self.planes.context;
        let before = Answers::of_the_edge(&context.metrics);
        let one = self.instances.iter_mut().rev().find(|instance| instance.is_running());
        let one = one.ok_or("no instance runs")?;
        one.fail(true, &self.shops).await?;
        context.events.emit(InstanceFails { instance: one.name.clone(), visitors: VISITORS });
        let mut visitors = JoinSet::new();
        visitors.spawn(async move {
            rush.all(PATIENCE).await;
        });
        self.act = Some(Act::Breaking(Breaking {
            step: Step::OneFails,
            first: one.address.to_string(),
            until: Instant::now() + PATIENCE,
            before,
            _visitors: visitors,
        }));
        Ok(())
    }

    /// Does what follows upon a fact.
    pub(super) async fn follow(&mut self, fact: &Fact) {
        let Some(Act::Breaking(breaking)) = &mut self.act else { return };
        let Some(opened) = fact.breaker_opened() else { return };
        match breaking.step {
            Step::OneFails if opened == breaking.first => breaking.step = Step::OneIsLeftAlone,
            // It was tried again and failed again: for longer now, in which the others are next.
            Step::OneIsLeftAlone if opened == breaking.first => {
                breaking.step = Step::AllFail;
                let instances = self.all(true).await;
                self.planes.context.events.emit(AllFail { instances });
            }
            Step::AllFail if opened == WHOLE_SHOP => {
                breaking.step = Step::Well;
                self.be_refused().await;
                let instances = self.all(false).await;
                self.planes.context.events.emit(InstancesWell { instances });
            }
            _ => {}
        }
    }

    /// Makes all instances fail, or no longer; how many that are.
    async fn all(&mut self, fail: bool) -> usize {
        let mut told = 0;
        for instance in self.instances.iter_mut().filter(|instance| instance.is_running()) {
            match instance.fail(fail, &self.shops).await {
                Ok(()) => told += 1,
                Err(reason) => {
                    let wish = format!("reach {}", instance.name);
                    self.planes.context.events.emit(WishFailed { wish, reason });
                }
            }
        }
        told
    }

    /// What a visitor is told while the breaker is open.
    async fn be_refused(&self) {
        let address = self.shop.to_string();
        let begun = Instant::now();
        if let Ok((status, _)) = Call::get(&address, CARTS).send().await {
            let ms = begun.elapsed().as_secs_f64() * 1e3;
            self.planes.context.events.emit(RefusedAtOnce { status: status.as_u16(), ms });
        }
    }

    /// Ends it when all breakers are closed; or when they should have long ago.
    pub(super) async fn look_at_breakers(&mut self, pool: Option<&PoolRow>) {
        let Some(Act::Breaking(breaking)) = &self.act else { return };
        let context = &self.planes.context;
        if breaking.step == Step::Well && pool.is_some_and(|pool| pool.breakers.are_closed()) {
            let now = Answers::of_the_edge(&context.metrics);
            let before = breaking.before;
            context.events.emit(BreakersClosed {
                requests: now.all.saturating_sub(before.all),
                failed: now.failed.saturating_sub(before.failed),
            });
            self.act = None;
        } else if Instant::now() > breaking.until {
            let reason = "the breakers did not open and close".into();
            context.events.emit(WishFailed { wish: "break the shop".into(), reason });
            self.act = None;
            self.all(false).await;
        }
    }
}
