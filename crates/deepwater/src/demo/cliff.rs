//! A cliff that is seen before it is hit: customers buy, the lens names what ends first and at what load; a flash sale goes over
//! it; the lines that the lens advises are written into the configuration; and the same sale passes.

use std::time::Duration;

use deepwater_core::Call;
use deepwater_core::config::merge;
use deepwater_shop::load::{Rush, RushAccount, Wanted};
use serde::Deserialize;
use tokio::task::JoinSet;

use super::SEED;
use super::stage::{Act, Stage};
use super::stampede::unguarded;
use super::story::{AdviceFollowed, CliffNamed, CustomersBuy, SaleOver, SalePassed, WishFailed};
use crate::table::latency;

/// Customers that the lens learns from, and those of the sale: a third of what the pool can carry, and more than it can.
const CUSTOMERS: usize = 16;
const CROWD: usize = 100;
/// How long the lens watches. It needs half a minute of load.
const CALM: Duration = Duration::from_secs(45);
/// How long a sale lasts.
const SALE: Duration = Duration::from_secs(12);
/// The technique that the demo is about.
const TECHNIQUE: &str = "pool_size";

/// `/api/cliffs`, as far as it is told.
#[derive(Deserialize, Default)]
#[serde(default)]
struct CliffsPage {
    summary: String,
    nearest: Option<String>,
    cliffs: Vec<CliffRow>,
}

#[derive(Deserialize)]
struct CliffRow {
    id: String,
    text: String,
}

/// `/api/advice`, likewise.
#[derive(Deserialize, Default)]
#[serde(default)]
struct AdvicePage {
    advice: Vec<AdviceRow>,
}

#[derive(Deserialize)]
struct AdviceRow {
    technique: String,
    title: String,
    lines: Option<String>,
    gain: Gain,
}

#[derive(Deserialize)]
struct Gain {
    text: String,
}

/// How far it has come. Dropping it sends the crowd away.
pub(super) struct Cliff {
    part: Part,
    crowd: JoinSet<RushAccount>,
}

#[derive(Clone, Copy)]
enum Part {
    /// The lens learns.
    Calm,
    /// Too many come.
    Sale,
    /// As many come again, as the lens advised.
    Again { failed: u64 },
}

impl Cliff {
    /// What it came to for the crowd, when all have left.
    pub(super) async fn left(&mut self) -> RushAccount {
        match self.crowd.join_next().await {
            Some(Ok(account)) => account,
            // A panic there was told by the runtime.
            Some(Err(_)) | None => RushAccount::default(),
        }
    }
}

impl Stage<'_> {
    /// Lets the first customers come.
    pub(super) fn begin_cliff(&mut self) {
        let come = if self.database.is_some() {
            self.customers(CUSTOMERS, CALM)
        } else {
            Err("the pool that it is about needs a PostgreSQL: apt install postgresql".into())
        };
        match come {
            Ok(crowd) => {
                let seconds = CALM.as_secs();
                self.planes.context.events.emit(CustomersBuy { customers: CUSTOMERS, seconds });
                self.act = Some(Act::Cliff(Cliff { part: Part::Calm, crowd }));
            }
            Err(reason) => self.give_up(reason),
        }
    }

    /// The crowd of one part has left: the next one comes.
    pub(super) async fn next_part(&mut self, seen: RushAccount) {
        let Some(Act::Cliff(Cliff { part, .. })) = self.act.take() else { return };
        let went = match part {
            Part::Calm => self.hit().await,
            Part::Sale => self.follow_advice(&seen).await,
            Part::Again { failed } => {
                self.tell_passed(failed, &seen);
                return;
            }
        };
        match went {
            Ok(next) => self.act = Some(Act::Cliff(next)),
            Err(reason) => self.give_up(reason),
        }
    }

    /// Tells what the lens sees, and lets too many come.
    async fn hit(&mut self) -> Result<Cliff, String> {
        let page: CliffsPage = self.page("/api/cliffs").await;
        let nearest = page.cliffs.iter().find(|cliff| Some(&cliff.id) == page.nearest.as_ref());
        let text = nearest.map_or(page.summary, |cliff| cliff.text.clone());
        let events = &self.planes.context.events;
        events.emit(CliffNamed { text });
        events.emit(CustomersBuy { customers: CROWD, seconds: SALE.as_secs() });
        self.pool.rushed();
        Ok(Cliff { part: Part::Sale, crowd: self.customers(CROWD, SALE)? })
    }

    /// Writes the lines that are advised into the configuration, has it read, and lets as many come again.
    async fn follow_advice(&mut self, seen: &RushAccount) -> Result<Cliff, String> {
        self.tell(seen);
        let page: AdvicePage = self.page("/api/advice").await;
        let advice = page.advice.into_iter().find(|advice| advice.technique == TECHNIQUE);
        let advice = advice.ok_or("the lens does not advise another size of the pool")?;
        let lines = advice.lines.ok_or("the lens does not say which lines")?;
        let text = self.file.text().map_err(|error| error.to_string())?;
        let merged = merge(&text, &lines)?;
        self.file.write_text(&merged).map_err(|error| error.to_string())?;
        self.planes.context.events.emit(AdviceFollowed {
            title: advice.title,
            gain: advice.gain.text,
            lines: lines.trim_end().to_owned(),
        });
        // What came of it is told by an event.
        drop(self.planes.reload().await);
        let events = &self.planes.context.events;
        events.emit(CustomersBuy { customers: CROWD, seconds: SALE.as_secs() });
        Ok(Cliff { part: Part::Again { failed: seen.failed }, crowd: self.customers(CROWD, SALE)? })
    }

    fn tell(&self, seen: &RushAccount) {
        self.planes.context.events.emit(SaleOver {
            asked: seen.requests,
            sold: seen.good(),
            failed: seen.failed,
            p99: p99(seen),
        });
    }

    fn tell_passed(&self, before: u64, seen: &RushAccount) {
        self.tell(seen);
        self.planes.context.events.emit(SalePassed { before, failed: seen.failed });
    }

    fn give_up(&self, reason: String) {
        let wish = "show a cliff".into();
        self.planes.context.events.emit(WishFailed { wish, reason });
    }

    /// Customers who buy the deal, again and again. The limit in front of the shop would keep them from the pool.
    fn customers(&self, customers: usize, stay: Duration) -> Result<JoinSet<RushAccount>, String> {
        let purchase = Some(format!(r#"{{"items":[{{"product":{}}}]}}"#, deepwater_shop::DEAL));
        let purchase = Wanted { path: unguarded("/api/checkout"), json: purchase, ..Wanted::default() };
        let rush = Rush::new(&format!("http://{}", self.shop), &purchase, customers, SEED);
        let mut rush = rush.map_err(|error| error.to_string())?;
        let mut crowd = JoinSet::new();
        crowd.spawn(async move { rush.all(stay).await });
        Ok(crowd)
    }

    async fn page<T: for<'de> Deserialize<'de> + Default>(&self, path: &str) -> T {
        let reply = self.ask(path, Call::default()).await;
        reply.and_then(|reply| serde_json::from_value(reply.body).ok()).unwrap_or_default()
    }
}

fn p99(seen: &RushAccount) -> String {
    latency(seen.p99.map(|time| time.as_secs_f64() * 1e3))
}
