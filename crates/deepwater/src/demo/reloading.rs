//! Another configuration under load: a server more and another balance, a file that cannot be meant, and back, while
//! visitors go on.

use std::time::Duration;

use deepwater_shop::load::{Load, Rush, RushAccount, Wanted};
use deepwater_upstream::Balance;
use tokio::task::JoinSet;

use super::SEED;
use super::configuration;
use super::look::Figures;
use super::shop::Instance;
use super::stage::{Act, Stage};
use super::story::{ReloadsBegan, ReloadsEnded, ReloadsLost, WishFailed};
use crate::settings::Settings;

/// Visitors who look into their carts, which are never answered from the cache. So few that all at once find a place in the
/// waiting room, when this process was held up: it is about reloads, not about the limit.
const VISITORS: usize = 20;
/// How long they stay: a second before the first change, and one after the last.
const STAY: Duration = Duration::from_secs(7);
/// Name of the instance that joins.
const FOURTH: &str = "shop-4";
/// What no balancer is called.
const MISSPELT: &str = "rond_robin";

/// What the file says, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// A fourth instance, in turns.
    Joins,
    /// Something that cannot be meant.
    Misspelt,
    /// The same instances, whoever is fastest.
    Fastest,
    /// As it was.
    Back,
}

const CHANGES: [Change; 4] = [Change::Joins, Change::Misspelt, Change::Fastest, Change::Back];

/// Changes under way. Dropping them sends the visitors away.
pub(super) struct Reloading {
    changes: std::slice::Iter<'static, Change>,
    /// Reloads that were asked for.
    asked: u64,
    before: Figures,
    visitors: JoinSet<RushAccount>,
}

impl Reloading {
    /// What it came to for the visitors, when all have left.
    pub(super) async fn left(&mut self) -> RushAccount {
        match self.visitors.join_next().await {
            Some(Ok(account)) => account,
            // A panic there was told by the runtime.
            Some(Err(_)) | None => RushAccount::default(),
        }
    }
}

impl Stage<'_> {
    /// Lets visitors come, and starts a fourth instance.
    pub(super) async fn begin_reloading(&mut self) {
        if let Err(reason) = self.try_to_begin_reloading().await {
            self.planes.context.events.emit(WishFailed { wish: "change the configuration".into(), reason });
        }
    }

    async fn try_to_begin_reloading(&mut self) -> Result<(), String> {
        let wanted = Wanted { path: "/api/cart".into(), ..Wanted::default() };
        let rush = Rush::new(&format!("http://{}", self.shop), &wanted, VISITORS, SEED);
        let mut rush = rush.map_err(|error| error.to_string())?;
        let fourth = match self.spare.take() {
            Some(fourth) if fourth.is_running() => fourth,
            _ => Instance::start(FOURTH.into(), &self.shops).await?,
        };
        self.instances.push(fourth);
        self.planes.context.events.emit(ReloadsBegan { visitors: VISITORS, instance: FOURTH.into() });
        let before = Figures::read(self.load.as_ref(), &self.planes.context.metrics);
        let mut visitors = JoinSet::new();
        visitors.spawn(async move { rush.all(STAY).await });
        self.act = Some(Act::Reloading(Reloading { changes: CHANGES.iter(), asked: 0, before, visitors }));
        Ok(())
    }

    /// Makes the next change, if there is one.
    pub(super) async fn next_change(&mut self) {
        let Some(Act::Reloading(reloading)) = &mut self.act else { return };
        let Some(change) = reloading.changes.next() else { return };
        reloading.asked += 1;
        if let Err(error) = self.write(*change) {
            let wish = format!("write {}", self.file.path().display());
            self.planes.context.events.emit(WishFailed { wish, reason: error.to_string() });
            return;
        }
        // What came of it was told by an event.
        drop(self.planes.reload().await);
    }

    fn write(&self, change: Change) -> std::io::Result<()> {
        match change {
            Change::Back => self.file.write(&self.settings),
            Change::Joins => self.file.write(&self.with_all(Balance::RoundRobin)),
            Change::Fastest => self.file.write(&self.with_all(Balance::LeastResponseTime)),
            Change::Misspelt => {
                let line = |balance| format!("balance = \"{balance}\"");
                let text = self.file.text()?;
                self.file.write_text(&text.replacen(&line(Balance::RoundRobin.name()), &line(MISSPELT), 1))
            }
        }
    }

    /// The configuration with every instance there is.
    fn with_all(&self, balance: Balance) -> Settings {
        let mut settings = self.settings.clone();
        if let Some(pool) = settings.pools.get_mut(configuration::POOL) {
            pool.targets = configuration::targets(self.instances.iter().map(|instance| instance.address));
            pool.balance = balance;
        }
        settings
    }

    /// Tells what it came to. The fourth instance waits for the next time.
    pub(super) fn end_reloading(&mut self, seen: &RushAccount) {
        let Some(Act::Reloading(Reloading { asked, before, .. })) = self.act.take() else { return };
        self.spare = self.instances.pop_if(|instance| instance.name == FOURTH);
        let context = &self.planes.context;
        let (requests, failed) = self.load.as_ref().map_or((0, 0), |load| since(&before, load));
        let (requests, failed) = (requests + seen.requests, failed + seen.failed);
        match failed {
            0 => context.events.emit(ReloadsEnded { reloads: asked, requests }),
            _ => context.events.emit(ReloadsLost { reloads: asked, requests, failed }),
        }
    }
}

/// Requests of the customers since then, and how many of them failed.
fn since(before: &Figures, load: &Load) -> (u64, u64) {
    let now = Figures::of_customers(&load.snapshot());
    (now.finished.saturating_sub(before.finished), now.failed.saturating_sub(before.failed))
}
