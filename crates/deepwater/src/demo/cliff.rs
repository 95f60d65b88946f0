//! A cliff that is seen before it is hit: customers buy, the lens names what ends first and at what load; a flash sale goes over
//! it; the lines that the lens advises are written into the configuration; and the same sale comes again. What came of it is told
//! as it was: on a machine with other work something else may end first, and not all may be served.

use std::time::Duration;

use deepwater_core::Call;
use deepwater_core::config::merge;
use deepwater_shop::load::{Rush, RushAccount, Wanted};
use serde::Deserialize;
use tokio::task::JoinSet;

use super::SEED;
use super::others::Work;
use super::stage::{Act, Stage};
use super::stampede::unguarded;
use super::story::{
    AdviceFollowed, CliffNamed, CustomersBuy, MachineShared, SaleOver, SalePassed, WishFailed,
};
use crate::table::latency;

/// Customers that the lens learns from, and those of the sale: a third of what the pool can carry, and more than it can.
const CUSTOMERS: usize = 16;
const CROWD: usize = 100;
/// How long the lens watches. It needs half a minute of load.
const CALM: Duration = Duration::from_secs(45);
/// How long a sale lasts.
const SALE: Duration = Duration::from_secs(12);
/// The technique that the demo is about, and the kind of its cliff.
const TECHNIQUE: &str = "pool_size";
const KIND: &str = "connection_pool";

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
    kind: String,
    text: String,
}

impl CliffsPage {
    fn nearest(&self) -> Option<&CliffRow> {
        self.cliffs.iter().find(|cliff| Some(&cliff.id) == self.nearest.as_ref())
    }

    /// What the lens says before the sale; where that is not of the pool, also what it says of that.
    fn told(self) -> String {
        let nearest = self.nearest();
        let pool = self.cliffs.iter().find(|cliff| cliff.kind == KIND);
        match (nearest, pool) {
            (Some(nearest), _) if nearest.kind == KIND => nearest.text.clone(),
            (nearest, pool) => {
                let first = nearest.map_or(&self.summary, |cliff| &cliff.text);
                let pool = pool.map_or("nothing", |pool| &pool.text);
                format!("{first}. Of the pool, which this sale is about: {pool}")
            }
        }
    }
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
    /// When the part began.
    work: Option<Work>,
}

#[derive(Clone, Copy)]
enum Part {
    /// The lens learns.
    Calm,
    /// Too many come.
    Sale,
    /// As many come again, as the lens advised.
    Again { before: RushAccount },
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
                self.act = Some(Act::Cliff(Cliff { part: Part::Calm, crowd, work: Work::now() }));
            }
            Err(reason) => self.give_up(reason),
        }
    }

    /// The crowd of one part has left: the next one comes.
    pub(super) async fn next_part(&mut self, seen: RushAccount) {
        let Some(Act::Cliff(Cliff { part, work, .. })) = self.act.take() else { return };
        self.tell_others(work.as_ref());
        let went = match part {
            Part::Calm => self.hit().await,
            Part::Sale => self.follow_advice(&seen).await,
            Part::Again { before } => {
                self.tell_passed(&before, &seen);
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
        let events = &self.planes.context.events;
        events.emit(CliffNamed { text: page.told() });
        events.emit(CustomersBuy { customers: CROWD, seconds: SALE.as_secs() });
        self.pool.rushed();
        Ok(Cliff { part: Part::Sale, crowd: self.customers(CROWD, SALE)?, work: Work::now() })
    }

    /// Names the cliff that is next, if the lens knows one.
    pub(super) async fn name_cliff(&self) {
        let page: CliffsPage = self.page("/api/cliffs").await;
        if let Some(nearest) = page.nearest() {
            self.planes.context.events.emit(CliffNamed { text: nearest.text.clone() });
        }
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
        let part = Part::Again { before: *seen };
        Ok(Cliff { part, crowd: self.customers(CROWD, SALE)?, work: Work::now() })
    }

    fn tell(&self, seen: &RushAccount) {
        self.planes.context.events.emit(SaleOver {
            asked: seen.requests,
            sold: seen.good(),
            failed: seen.failed,
            p99: p99(seen),
        });
    }

    fn tell_passed(&self, before: &RushAccount, seen: &RushAccount) {
        self.tell(seen);
        self.planes.context.events.emit(SalePassed {
            before: turned_away(before),
            after: turned_away(seen),
            verdict: verdict(before, seen).into(),
        });
    }

    /// Says so when other programs had a part of the cores, since then.
    fn tell_others(&self, since: Option<&Work>) {
        let others = since.and_then(|since| Work::now()?.others_since(since));
        if let Some((others, cores)) = others {
            let (others, cores) = (format!("{others:.1}"), format!("{cores:.0}"));
            self.planes.context.events.emit(MachineShared { others, cores });
        }
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

/// `285 of 3639`
fn turned_away(seen: &RushAccount) -> String {
    format!("{} of {}", seen.failed, seen.requests)
}

/// What came of the advice.
fn verdict(before: &RushAccount, after: &RushAccount) -> &'static str {
    let share = |seen: &RushAccount| seen.failed as f64 / seen.requests.max(1) as f64;
    match (before.failed, after.failed) {
        (0, _) => "the first sale was none too many, so nothing is shown by this",
        (_, 0) => "all are served",
        _ if share(after) < share(before) / 2.0 => "far fewer, but not none: something else is short now",
        _ => "that did not help: something else is short",
    }
}

fn p99(seen: &RushAccount) -> String {
    latency(seen.p99.map(|time| time.as_secs_f64() * 1e3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(nearest: Option<&str>) -> CliffsPage {
        let row = |id: &str, kind: &str, text: &str| CliffRow {
            id: id.into(),
            kind: kind.into(),
            text: text.into(),
        };
        CliffsPage {
            summary: "all is well".into(),
            nearest: nearest.map(Into::into),
            cliffs: vec![
                row("cpu:machine", "cpu", "the cores are used up"),
                row("pool", KIND, "the pool is exhausted"),
            ],
        }
    }

    #[test]
    fn another_cliff_than_the_pools_is_told_beside_what_is_known_of_that() {
        assert_eq!(page(Some("pool")).told(), "the pool is exhausted");
        let other = page(Some("cpu:machine")).told();
        assert!(
            other.starts_with("the cores are used up. Of the pool")
                && other.ends_with(": the pool is exhausted")
        );
        assert!(page(None).told().starts_with("all is well. Of the pool"));
        assert!(CliffsPage::default().told().ends_with(": nothing"));
    }

    #[test]
    fn what_came_of_the_advice_is_told_as_it_was() {
        let seen = |requests, failed| RushAccount { requests, failed, ..RushAccount::default() };
        let before = seen(3_388, 1_757);
        for (after, words) in [
            (seen(3_639, 0), "all are served"),
            (seen(3_639, 285), "but not none"),
            (seen(3_639, 1_600), "did not help"),
        ] {
            assert!(verdict(&before, &after).contains(words), "{after:?}");
        }
        assert!(verdict(&seen(3_388, 0), &seen(3_639, 285)).contains("nothing is shown"));
        assert_eq!(turned_away(&before), "1757 of 3388");
    }
}
