//! What happened: the events of the demo and of the planes, as lines for the person who watches.

use std::io::{self, Write};
use std::net::SocketAddr;

use deepwater_core::event::Format;
use deepwater_core::{Events, Level};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;

use super::configuration::POOL;
use super::keys::Key;
use crate::table::counted;

/// Facts that may wait to be shown. More are dropped; the console has them all.
const WAITING_FACTS: usize = 256;

deepwater_core::event! {
    /// The person at the keyboard killed an instance.
    pub struct InstanceKilled { instance: String, carts: String }
    instance_killed: Info, "{instance} killed (SIGKILL); its carts {carts}"
}

deepwater_core::event! {
    /// The person at the keyboard brought an instance back.
    pub struct InstanceBroughtBack { instance: String }
    instance_brought_back: Info, "{instance} started again"
}

deepwater_core::event! {
    /// An instance ended and nobody told it to.
    pub struct InstanceEnded { instance: String, status: String }
    instance_ended: Warn, "{instance} ended by itself ({status})"
}

deepwater_core::event! {
    /// The person at the keyboard made an instance slow.
    pub struct InstanceSlowed { instance: String, ms: u64 }
    instance_slowed: Info, "{instance} slowed down: every answer takes {ms} ms longer"
}

deepwater_core::event! {
    /// A slow instance is as fast as before.
    pub struct InstanceCured { instance: String }
    instance_cured: Info, "{instance} is as fast as before"
}

deepwater_core::event! {
    /// A wish could not be fulfilled.
    pub struct WishFailed { wish: String, reason: String }
    wish_failed: Warn, "could not {wish}: {reason}"
}

deepwater_core::event! {
    /// Many more visitors come.
    pub struct FlashSaleBegan { rate: f64, seconds: u64 }
    flash_sale_began: Info, "flash sale: {rate:.0} requests/s for {seconds} s"
}

deepwater_core::event! {
    /// The crowd has left.
    pub struct FlashSaleEnded { rate: f64 }
    flash_sale_ended: Info, "the flash sale is over: {rate:.0} requests/s again"
}

deepwater_core::event! {
    /// Many come to buy.
    pub struct BuyersCame { buyers: usize }
    buyers_came: Info, "{buyers} of them want to buy the deal, all at once and again and again"
}

deepwater_core::event! {
    /// The buyers have left.
    pub struct BuyersLeft { asked: u64, sold: u64, failed: u64 }
    buyers_left: Info, "of {asked} purchases {sold} went through; {failed} were turned away and could try again"
}

deepwater_core::event! {
    /// More wait for a database connection than there are connections.
    pub struct PoolExhausted { size: u64, waiting: u64 }
    pool_exhausted: Warn, "the pool is exhausted: {waiting} clients wait for one of {size} database connections"
}

deepwater_core::event! {
    /// As many wait as may.
    pub struct PoolRefuses { limit: u64 }
    pool_refuses: Warn, "the queue is full: beyond {limit} the pool refuses at once (SQLSTATE 53300), and the shop answers 503"
}

deepwater_core::event! {
    /// Nobody waits any longer.
    pub struct PoolRecovered { refused: u64, size: u64 }
    pool_recovered: Info, "the pool has recovered, nobody waits: {refused} queries were refused, {size} connections carried the rest"
}

deepwater_core::event! {
    /// The database ended and nobody told it to.
    pub struct DatabaseEnded { status: String }
    database_ended: Warn, "the database ended by itself ({status})"
}

deepwater_core::event! {
    /// A crowd came, to compare what protects the shop from it.
    pub struct StampedeBegan { visitors: usize }
    stampede_began: Info, "a crowd of {visitors} wants one page, again and again"
}

deepwater_core::event! {
    /// The crowd has left.
    pub struct StampedeEnded { uncached: String, unprotected: String, protected: String }
    stampede_ended: Info, "of 100 requests {uncached} reached the shop without a cache, {unprotected} with one, {protected} with all protections"
}

deepwater_core::event! {
    /// The deal of the week has another price.
    pub struct PriceChanged { from: String, to: String, instances: u64 }
    price_changed: Info, "the deal costs € {to}, no longer € {from}: {instances} instances know"
}

deepwater_core::event! {
    /// What visitors saw of a price that had changed.
    pub struct PriceCached { asked: u64, old: u64, price: String }
    price_cached: Info, "{old} of {asked} visitors still see € {price}: the edge keeps it for an hour"
}

deepwater_core::event! {
    /// What shows the price was purged.
    pub struct TagPurged { tag: String, micros: u64 }
    tag_purged: Info, "purged tag {tag} in {micros} µs, as `deepwater purge --tag {tag}` does"
}

deepwater_core::event! {
    /// Everybody sees the new price.
    pub struct PriceLive { asked: u64, addresses: usize, price: String }
    price_live: Info, "{asked} of {asked} answers at {addresses} addresses say € {price}"
}

deepwater_core::event! {
    /// Somebody saw the old price after the purge.
    pub struct PriceStale { asked: u64, stale: u64 }
    price_stale: Warn, "{stale} of {asked} answers do not have the new price after the purge"
}

deepwater_core::event! {
    /// An instance was made to fail, under the eyes of visitors.
    pub struct InstanceFails { instance: String, visitors: usize }
    instance_fails: Info, "{instance} answers everything with 500, but for its health check; {visitors} visitors look into their carts"
}

deepwater_core::event! {
    /// All instances were made to fail.
    pub struct AllFail { instances: usize }
    all_fail: Info, "now all instances that run do the same: {instances}"
}

deepwater_core::event! {
    /// A visitor came while a breaker was open.
    pub struct RefusedAtOnce { status: u16, ms: f64 }
    refused_at_once: Info, "a visitor is told {status} within {ms:.1} ms; no request reaches the shop"
}

deepwater_core::event! {
    /// No instance fails any longer.
    pub struct InstancesWell { instances: usize }
    instances_well: Info, "all instances are well again: {instances}; the breakers find out by themselves"
}

deepwater_core::event! {
    /// All breakers let everything through again.
    pub struct BreakersClosed { requests: u64, failed: u64 }
    breakers_closed: Info, "all breakers are closed: of {requests} requests meanwhile {failed} failed or were refused"
}

deepwater_core::event! {
    /// Customers came before crawlers do.
    pub struct CustomersCame { buyers: usize, readers: usize }
    customers_came: Info, "{buyers} customers buy (critical), {readers} read recommendations (normal), which take the shop 150 ms"
}

deepwater_core::event! {
    /// More came than the shop can carry.
    pub struct CrawlersCame { crawlers: usize }
    crawlers_came: Info, "{crawlers} crawlers want the same (low), again and again: more than the shop can make"
}

deepwater_core::event! {
    /// As many requests are with the shop as it can carry, and others are turned away.
    pub struct Overloaded { in_flight: u64, waiting: u64 }
    overloaded: Warn, "the shop is full: {in_flight} requests are with it, {waiting} wait, the rest gets 503 at once, low priority first"
}

deepwater_core::event! {
    /// Nobody is turned away any longer.
    pub struct Relieved { turned_away: u64 }
    relieved: Info, "nobody is turned away any longer; {turned_away} requests were"
}

deepwater_core::event! {
    /// Visitors came, under whose eyes the configuration changes.
    pub struct ReloadsBegan { visitors: usize, instance: String }
    reloads_began: Info, "{visitors} visitors look into their carts; {instance} has started, and no request knows it yet"
}

deepwater_core::event! {
    /// The configuration was read again and again, and no visitor noticed.
    pub struct ReloadsEnded { reloads: u64, requests: u64 }
    reloads_ended: Info, "0 of {requests} requests failed during {reloads} reloads"
}

deepwater_core::event! {
    /// The configuration was read again and again, and visitors noticed.
    pub struct ReloadsLost { reloads: u64, requests: u64, failed: u64 }
    reloads_lost: Warn, "{failed} of {requests} requests failed during {reloads} reloads"
}

deepwater_core::event! {
    /// Customers come to buy.
    pub struct CustomersBuy { customers: usize, seconds: u64 }
    customers_buy: Info, "{customers} customers buy the deal, again and again, for {seconds} s"
}

deepwater_core::event! {
    /// What the lens sees.
    pub struct CliffNamed { text: String }
    cliff_named: Info, "the lens: {text}"
}

deepwater_core::event! {
    /// A sale is over.
    pub struct SaleOver { asked: u64, sold: u64, failed: u64, p99: String }
    sale_over: Info, "of {asked} purchases {sold} went through, {failed} were turned away; 99 % had their answer within {p99}"
}

deepwater_core::event! {
    /// What the lens advises was written into the configuration.
    pub struct AdviceFollowed { title: String, gain: String, lines: String }
    advice_followed: Info, "the lens advises {title} ({gain}); these lines go into the configuration:\n{lines}"
}

deepwater_core::event! {
    /// The same sale once more, after advice was followed.
    pub struct SalePassed { before: String, after: String, verdict: String }
    sale_passed: Info, "the same sale, before and after: {before} turned away, then {after}: {verdict}"
}

deepwater_core::event! {
    /// The demo does not have the machine to itself.
    pub struct MachineShared { others: String, cores: String }
    machine_shared: Info, "other programs took {others} of this machine's {cores} cores meanwhile: what is told here is theirs, too"
}

/// What the edge calls the breaker of a whole pool, where others have the name of their target.
pub(super) const WHOLE_SHOP: &str = "all targets";

/// Told by the demo in its own words at the start.
const TOLD_ALREADY: [&str; 3] = ["edge_started", "pool_started", "console_started"];

/// Nouns for the account at the end.
const ACCOUNT: [(&str, &str); 13] = [
    ("instance_killed", "kill"),
    ("instance_ended", "unexpected end"),
    ("instance_brought_back", "restart"),
    ("instance_slowed", "slowdown"),
    ("flash_sale_began", "flash sale"),
    ("pool_exhausted", "exhausted pool"),
    ("stampede_began", "stampede"),
    ("price_changed", "price change"),
    ("target_unhealthy", "failed health check"),
    ("target_ejected", "ejection"),
    ("breaker_opened", "open breaker"),
    ("overloaded", "overload"),
    ("reloaded", "reload"),
];

/// A fact as it was told.
#[derive(Debug, Deserialize)]
pub(super) struct Fact {
    level: String,
    event: String,
    message: String,
    fields: Value,
}

impl Fact {
    /// The fact in a line, with instances by their names; `None` when it was told already.
    pub(super) fn sentence<'a>(
        &self,
        names: impl IntoIterator<Item = (&'a str, SocketAddr)>,
    ) -> Option<String> {
        if TOLD_ALREADY.contains(&self.event.as_str()) {
            return None;
        }
        let mut sentence = self.message.clone();
        if let Some(target) = self.field("target") {
            let name = match target {
                WHOLE_SHOP => "the whole shop",
                _ => names
                    .into_iter()
                    .find(|(_, address)| address.to_string() == target)
                    .map_or(target, |(name, _)| name),
            };
            sentence = sentence.replace(&format!("target {target} of pool {POOL}"), name);
            sentence = sentence.replace(&format!("pool {POOL} ({target})"), name);
        }
        Some(sentence)
    }

    /// Whose breaker opened, if one did.
    pub(super) fn breaker_opened(&self) -> Option<&str> {
        (self.event == "breaker_opened").then(|| self.field("target"))?
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// Whether a table follows.
    pub(super) fn begins_stampede(&self) -> bool {
        self.event == "stampede_began"
    }

    /// Whether this is the last that is to be told of a wish, in a demo with or without a database.
    pub(super) fn concludes(&self, wish: Key, has_database: bool) -> bool {
        let last: &[&str] = match wish {
            Key::FlashSale if has_database => &["pool_recovered", "wish_failed"],
            Key::FlashSale => &["flash_sale_ended", "wish_failed"],
            Key::Crowd => &["stampede_ended"],
            Key::Price => &["price_live", "price_stale", "wish_failed"],
            Key::Break => &["breakers_closed", "wish_failed"],
            Key::Overload => &["relieved", "wish_failed"],
            Key::Reload => &["reloads_ended", "reloads_lost", "wish_failed"],
            Key::Advice => &["sale_passed", "wish_failed"],
            Key::Instance(_) | Key::Slow | Key::Quit => &[],
        };
        last.contains(&self.event.as_str())
    }

    /// Whether something failed.
    pub(super) fn is_bad(&self) -> bool {
        matches!(self.level.as_str(), "warn" | "error")
    }
}

/// Events that also arrive at the receiver.
pub(super) fn events() -> (Events, mpsc::Receiver<Fact>) {
    let (facts, receiver) = mpsc::channel(WAITING_FACTS);
    (Events::logged(Telling(facts), Level::Info, Format::Json), receiver)
}

/// A log that hands over each line.
struct Telling(mpsc::Sender<Fact>);

impl Write for Telling {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let facts = lines.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        for fact in facts {
            // A full queue means that nobody is looking.
            let _ = self.0.try_send(fact);
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `2 kills, 1 flash sale, 3 ejections`; `None` when nothing happened.
pub(super) fn account(events: &Events) -> Option<String> {
    let counts = events.counts();
    let part = |(event, noun): &(&str, &str)| Some(counted(*counts.get(event)?, noun));
    let parts: Vec<String> = ACCOUNT.iter().filter_map(part).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn facts_arrive_with_names_for_addresses() {
        let (events, mut facts) = events();
        let address: SocketAddr = "127.0.0.1:4001".parse().unwrap();
        events.emit(Ejected { pool: POOL.into(), target: address.to_string() });
        events.emit(FlashSaleBegan { rate: 400.0, seconds: 20 });
        let mut sentences = Vec::new();
        for _ in 0..2 {
            sentences.push(facts.recv().await.unwrap().sentence([("shop-1", address)]).unwrap());
        }
        assert_eq!(sentences, ["shop-1 was ejected", "flash sale: 400 requests/s for 20 s"]);
        assert_eq!(account(&events).as_deref(), Some("1 flash sale"));

        for (target, sentence) in [
            (address.to_string(), "the breaker of shop-1 opened"),
            (WHOLE_SHOP.into(), "the breaker of the whole shop opened"),
        ] {
            events.emit(Opened { pool: POOL.into(), target: target.clone() });
            let fact = facts.recv().await.unwrap();
            assert_eq!(fact.sentence([("shop-1", address)]).as_deref(), Some(sentence));
            assert_eq!(fact.breaker_opened(), Some(target.as_str()));
        }
        assert_eq!(account(&Events::silent()), None);
    }

    deepwater_core::event! {
        /// As the pool tells it.
        pub struct Ejected { pool: String, target: String }
        ejected: Warn, "target {target} of pool {pool} was ejected"
    }

    deepwater_core::event! {
        /// As the edge tells it.
        pub struct Opened { pool: String, target: String }
        breaker_opened: Warn, "the breaker of pool {pool} ({target}) opened"
    }
}
