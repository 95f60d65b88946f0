//! The demo while it runs: the shop's instances, the planes in front of them, the customers, and whoever hurts them.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use deepwater_core::{Call, Endpoint, Reply};
use deepwater_shop::load::{Load, RushAccount};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use super::breaking::Breaking;
use super::cliff::Cliff;
use super::file::ConfigurationFile;
use super::guards::GuardWatch;
use super::keys::{Key, KeyAtATime};
use super::overload::Overload;
use super::pool::{BUYERS, Buyers, PoolWatch};
use super::postgres::Server;
use super::reloading::Reloading;
use super::screen::Screen;
use super::shop::{Instance, Shops};
use super::stampede::{self, Row, Stampede};
use super::story::{
    BuyersCame, BuyersLeft, DatabaseEnded, Fact, FlashSaleBegan, FlashSaleEnded, InstanceBroughtBack,
    InstanceCured, InstanceEnded, InstanceKilled, InstanceSlowed, StampedeBegan, StampedeEnded, WishFailed,
};
use super::trend::Trend;
use crate::run::{Asked, Planes};
use crate::settings::Settings;

/// How much longer a slow instance takes.
pub(super) const SLOWNESS: Duration = Duration::from_millis(400);
/// How many times more requests a flash sale brings.
const SALE_FACTOR: f64 = 10.0;
/// Between two looks at everything.
const TICK: Duration = Duration::from_secs(1);
/// Looks for each line shown where there is no table.
const TICKS_A_LINE: u64 = 5;

/// Everything that runs.
pub(super) struct Stage<'a> {
    pub shops: Shops<'a>,
    pub instances: Vec<Instance>,
    /// One that joins when the configuration changes, and waits for that otherwise.
    pub spare: Option<Instance>,
    /// Where the shop's data is, if not in each instance.
    pub database: Option<Server>,
    pub planes: Planes,
    /// What the planes were started with.
    pub settings: Settings,
    /// The same in a file, which may say something else by now.
    pub file: ConfigurationFile,
    /// Reloads that the console asks for.
    pub asked: mpsc::Receiver<Asked>,
    /// Where the edge listens.
    pub shop: SocketAddr,
    /// None when nobody but the person at the keyboard comes.
    pub load: Option<Load>,
    /// Requests per second when there is no flash sale.
    pub rate: f64,
    pub started: Instant,
    pub screen: Screen,
    pub keyboard: Option<KeyAtATime>,
    pub facts: mpsc::Receiver<Fact>,
    pub trend: Trend,
    pub sale_lasts: Duration,
    pub sale_ends: Option<Instant>,
    /// Those who buy at a flash sale, where there is a database to exhaust.
    pub buyers: Option<Buyers>,
    pub pool: PoolWatch,
    pub guards: GuardWatch,
    /// What is done to the shop, or to the configuration, at more than one moment.
    pub act: Option<Act>,
    /// Visitors of a stampede.
    pub crowd: usize,
    pub stampede: Option<Stampede>,
    /// What is wished for without a keyboard, one after the other; then the demo ends.
    pub script: Option<VecDeque<Key>>,
    /// The wish of the script that is being fulfilled.
    pub scene: Option<Key>,
}

/// What takes a while; one at a time.
pub(super) enum Act {
    Breaking(Breaking),
    Overload(Overload),
    Reloading(Reloading),
    Cliff(Cliff),
}

/// What comes of an act meanwhile.
enum News {
    /// A line of its account; `None` after the last.
    Line(Option<String>),
    /// Its visitors have left.
    Left(RushAccount),
    /// The crowd of one of its parts has.
    PartOver(RushAccount),
}

/// Signals that end a process, and the one that lets it go on.
pub(super) struct Signals {
    pub ending: Ending,
    resumed: Signal,
}

/// SIGINT, SIGTERM and SIGHUP.
pub(super) struct Ending([Signal; 3]);

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        let resumed = signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?;
        Ok(Self { ending: Ending([interrupt?, terminate?, hangup?]), resumed })
    }
}

impl Ending {
    /// Resolves when the process is told to end.
    pub(super) async fn received(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// What the stage wakes up for.
enum Wake {
    Tick,
    Key(Option<Key>),
    Fact(Option<Fact>),
    SaleOver,
    Sold(RushAccount),
    Measured(Option<Row>),
    News(News),
    Asked(Asked),
    Resumed,
    End,
}

impl Stage<'_> {
    /// Plays until somebody has seen enough, or for so long.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) async fn play(
        &mut self,
        mut keys: mpsc::Receiver<Key>,
        signals: &mut Signals,
        lasts: Option<Duration>,
    ) -> io::Result<()> {
        let ends = lasts.map(|lasts| self.started + lasts);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut ticked = 0;
        let mut keys_open = true;
        loop {
            // The first news of the instances are told before anything is done to them.
            let settled = ticked > 1;
            if settled && let (Some(script), None) = (&mut self.script, self.scene) {
                let Some(wish) = script.pop_front() else { return Ok(()) };
                self.scene = Some(wish);
                self.fulfil(wish).await;
            }
            let sale_ends = self.sale_ends;
            let wake = tokio::select! {
                biased;
                () = signals.ending.received() => Wake::End,
                () = at(ends) => Wake::End,
                _ = signals.resumed.recv() => Wake::Resumed,
                fact = self.facts.recv() => Wake::Fact(fact),
                key = keys.recv(), if keys_open && settled => Wake::Key(key),
                () = at(sale_ends) => Wake::SaleOver,
                account = sold(&mut self.buyers) => Wake::Sold(account),
                row = next_row(&mut self.stampede) => Wake::Measured(row),
                news = news(&mut self.act) => Wake::News(news),
                Some(asked) = self.asked.recv() => Wake::Asked(asked),
                _ = ticks.tick() => Wake::Tick,
            };
            match wake {
                Wake::End | Wake::Key(Some(Key::Quit)) => return Ok(()),
                Wake::Key(Some(key)) => self.fulfil(key).await,
                // The end of a pipe: nothing more will be asked for.
                Wake::Key(None) => keys_open = false,
                Wake::Fact(fact) => {
                    self.retell(fact.as_ref())?;
                    if let Some(fact) = &fact {
                        self.follow(fact).await;
                    }
                }
                Wake::SaleOver => self.end_sale(),
                Wake::Sold(account) => self.see_buyers_off(account),
                Wake::Measured(Some(row)) => self.screen.tell(&row.line())?,
                Wake::Measured(None) => self.end_stampede(),
                Wake::News(News::Line(Some(line))) => self.screen.tell(&line)?,
                Wake::News(News::Line(None)) => self.act = None,
                Wake::News(News::Left(seen)) => self.end_reloading(&seen),
                Wake::News(News::PartOver(seen)) => self.next_part(seen).await,
                // Whoever asked may have left.
                Wake::Asked(answer) => drop(answer.send(self.planes.reload().await)),
                Wake::Resumed => {
                    self.keyboard.iter().for_each(KeyAtATime::apply);
                    self.screen.leave();
                }
                Wake::Tick => {
                    self.notice_ends();
                    self.next_change().await;
                    let view = self.look().await;
                    // A line in the middle of a table would tear it.
                    let quiet = self.scene.is_some() || self.stampede.is_some();
                    let due = ticked > 0 && ticked % TICKS_A_LINE == 0 && !quiet;
                    if self.screen.is_live() || due {
                        self.screen.show(&view)?;
                    }
                    ticked += 1;
                }
            }
        }
    }

    /// Tells what is still untold.
    pub(super) fn retell_rest(&mut self) -> io::Result<()> {
        while let Ok(fact) = self.facts.try_recv() {
            self.retell(Some(&fact))?;
        }
        Ok(())
    }

    fn retell(&mut self, fact: Option<&Fact>) -> io::Result<()> {
        let Some(fact) = fact else { return Ok(()) };
        self.scene = self.scene.filter(|wish| !fact.concludes(*wish, self.database.is_some()));
        let names = self.instances.iter().map(|instance| (instance.name.as_str(), instance.address));
        if let Some(sentence) = fact.sentence(names) {
            let folder = format!("{}/", self.file.folder().display());
            let sentence = sentence.replace(&folder, "").replace('\n', "\n        ");
            self.screen.happened(self.started.elapsed(), &sentence, fact.is_bad())?;
        }
        if fact.begins_stampede() {
            // The first row follows seconds later.
            stampede::legend().iter().try_for_each(|line| self.screen.tell(line))?;
        }
        Ok(())
    }

    async fn fulfil(&mut self, key: Key) {
        match key {
            Key::Instance(position) => self.kill_or_bring_back(position).await,
            Key::Slow => self.slow_down_or_cure().await,
            Key::FlashSale => self.begin_sale().await,
            Key::Crowd => self.begin_stampede(),
            Key::Price => self.change_price().await,
            Key::Break | Key::Overload | Key::Reload | Key::Advice if self.act.is_some() => {
                let (wish, reason) = ("do that".into(), "something else is under way".into());
                self.planes.context.events.emit(WishFailed { wish, reason });
            }
            Key::Break => self.begin_breaking().await,
            Key::Overload => self.begin_overload(),
            Key::Reload => self.begin_reloading().await,
            Key::Advice => self.begin_cliff(),
            Key::Quit => {}
        }
    }

    fn begin_overload(&mut self) {
        let events = &self.planes.context.events;
        match Overload::begin(self.shop, self.database.is_some(), events.clone()) {
            Ok(overload) => {
                self.act = Some(Act::Overload(overload));
                self.guards.rushed();
            }
            Err(error) => {
                events.emit(WishFailed { wish: "overload the shop".into(), reason: error.to_string() });
            }
        }
    }

    async fn kill_or_bring_back(&mut self, position: usize) {
        let events = &self.planes.context.events;
        let Some(instance) = self.instances.get_mut(position) else { return };
        let name = instance.name.clone();
        if instance.is_running() {
            instance.kill().await;
            let carts = if self.database.is_some() { "are safe in the database" } else { "are gone" };
            events.emit(InstanceKilled { instance: name, carts: carts.into() });
            return;
        }
        match instance.bring_back(&self.shops).await {
            Ok(()) => events.emit(InstanceBroughtBack { instance: name }),
            Err(reason) => events.emit(WishFailed { wish: format!("bring {name} back"), reason }),
        }
    }

    /// The last instance that runs; it is the least likely to have been killed already.
    async fn slow_down_or_cure(&mut self) {
        let events = &self.planes.context.events;
        let slow = self.instances.iter().position(|instance| instance.slow);
        let Some(position) = slow.or_else(|| self.instances.iter().rposition(Instance::is_running)) else {
            return;
        };
        let instance = &mut self.instances[position];
        let by = if slow.is_some() { Duration::ZERO } else { SLOWNESS };
        let name = instance.name.clone();
        match instance.slow_down(by, &self.shops).await {
            Ok(()) if by.is_zero() => events.emit(InstanceCured { instance: name }),
            Ok(()) => events.emit(InstanceSlowed { instance: name, ms: by.as_millis() as u64 }),
            Err(reason) => events.emit(WishFailed { wish: format!("reach {name}"), reason }),
        }
    }

    async fn begin_sale(&mut self) {
        self.name_cliff().await;
        let events = &self.planes.context.events;
        let Some(load) = &self.load else {
            let reason = "there is no load to multiply; start the demo without --no-load".into();
            events.emit(WishFailed { wish: "hold a flash sale".into(), reason });
            return;
        };
        let rate = self.rate * SALE_FACTOR;
        load.set_rate(rate);
        // Asked for again, it lasts longer.
        self.sale_ends = Some(Instant::now() + self.sale_lasts);
        events.emit(FlashSaleBegan { rate, seconds: self.sale_lasts.as_secs() });
        if self.database.is_some() {
            self.call_buyers();
        }
    }

    /// Most of what visitors look at comes from the cache; what brings a database to its knees is that they buy.
    fn call_buyers(&mut self) {
        let events = &self.planes.context.events;
        match Buyers::come(self.shop, self.sale_lasts) {
            Ok(buyers) => {
                self.buyers = Some(buyers);
                self.pool.rushed();
                events.emit(BuyersCame { buyers: BUYERS });
            }
            Err(error) => {
                events.emit(WishFailed { wish: "call the buyers".into(), reason: error.to_string() });
            }
        }
    }

    fn see_buyers_off(&mut self, account: RushAccount) {
        self.buyers = None;
        let RushAccount { requests: asked, failed, .. } = account;
        let sold = asked.saturating_sub(failed);
        self.planes.context.events.emit(BuyersLeft { asked, sold, failed });
    }

    fn end_sale(&mut self) {
        self.sale_ends = None;
        if let Some(load) = &self.load {
            load.set_rate(self.rate);
            self.planes.context.events.emit(FlashSaleEnded { rate: self.rate });
        }
    }

    fn begin_stampede(&mut self) {
        let context = &self.planes.context;
        if self.stampede.is_some() {
            let (wish, reason) = ("send another crowd".into(), "one is there".into());
            context.events.emit(WishFailed { wish, reason });
            return;
        }
        context.events.emit(StampedeBegan { visitors: self.crowd });
        self.stampede = Some(Stampede::begin(self.shop, self.crowd, context.metrics.clone()));
    }

    fn end_stampede(&mut self) {
        let Some(Stampede { measured, .. }) = self.stampede.take() else { return };
        let reached =
            |row: Option<&Row>| row.map_or("?".into(), |row| format!("{:.2}", row.reached_percent()));
        self.planes.context.events.emit(StampedeEnded {
            uncached: measured.first().map_or("?".into(), |row| format!("{:.0}", row.reached_percent())),
            unprotected: reached(measured.get(1)),
            protected: reached(measured.last()),
        });
    }

    fn notice_ends(&mut self) {
        for instance in &mut self.instances {
            if let Some(status) = instance.ended_by_itself() {
                let instance = instance.name.clone();
                self.planes.context.events.emit(InstanceEnded { instance, status: status.to_string() });
            }
        }
        if let Some(status) = self.database.as_mut().and_then(Server::ended_by_itself) {
            self.planes.context.events.emit(DatabaseEnded { status: status.to_string() });
        }
    }

    /// What the console would answer, also when none listens.
    pub(super) async fn ask(&self, path: &str, call: Call) -> Option<Reply> {
        let mut endpoints = self.planes.edge.endpoints();
        endpoints.extend(self.planes.pool.iter().flat_map(|pool| pool.endpoints()));
        endpoints.extend(self.planes.lens.iter().flat_map(deepwater_lens::Lens::endpoints));
        let endpoint = endpoints.iter().find(|endpoint: &&Endpoint| endpoint.path == path)?;
        Some((endpoint.call)(call).await)
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

async fn sold(buyers: &mut Option<Buyers>) -> RushAccount {
    match buyers {
        Some(buyers) => buyers.left().await,
        None => std::future::pending().await,
    }
}

async fn news(act: &mut Option<Act>) -> News {
    match act {
        Some(Act::Overload(overload)) => News::Line(overload.next().await),
        Some(Act::Reloading(reloading)) => News::Left(reloading.left().await),
        Some(Act::Cliff(cliff)) => News::PartOver(cliff.left().await),
        Some(Act::Breaking(_)) | None => std::future::pending().await,
    }
}

async fn next_row(stampede: &mut Option<Stampede>) -> Option<Row> {
    match stampede {
        Some(stampede) => stampede.next().await,
        None => std::future::pending().await,
    }
}
