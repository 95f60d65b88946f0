//! An overload: some buy, some read recommendations, and then many more crawlers come than the shop can carry.

use std::net::SocketAddr;
use std::time::Duration;

use deepwater_core::Events;
use deepwater_edge::config::Priority;
use deepwater_shop::load::{Rush, RushAccount, TargetError, Wanted};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::SEED;
use super::story::{CrawlersCame, CustomersCame};
use crate::table::{count, latency};

/// What crawlers call themselves.
pub(super) const CRAWLER: &str = "fernbot/1.0";
/// What is read. The shop needs 150 ms and a connection to its database for each.
const RECOMMENDATIONS: &str = "/api/recommendations";
/// Customers who buy, and who read: they need a third of the connections of a shop that keeps its data in memory.
const CUSTOMERS: (usize, usize) = (10, 20);
/// The same for a small database.
const CUSTOMERS_OF_DATABASE: (usize, usize) = (3, 3);
/// Those who read the same, and bring the shop to its limit.
const CRAWLERS: usize = 160;
/// How long the customers are among themselves.
const CALM: Duration = Duration::from_secs(3);
/// How long the crawlers stay.
const RUSH: Duration = Duration::from_secs(7);

/// An overload under way. Dropping it ends it.
pub(super) struct Overload {
    lines: mpsc::Receiver<String>,
    _visitors: JoinSet<()>,
}

impl Overload {
    /// Lets them come to the shop behind the edge.
    ///
    /// # Errors
    /// The shop's address is none.
    pub(super) fn begin(shop: SocketAddr, has_database: bool, events: Events) -> Result<Self, TargetError> {
        let crowd = Crowd::gather(shop, if has_database { CUSTOMERS_OF_DATABASE } else { CUSTOMERS })?;
        let (sender, lines) = mpsc::channel(8);
        let mut visitors = JoinSet::new();
        visitors.spawn(async move {
            for line in crowd.come(&events).await {
                if sender.send(line).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self { lines, _visitors: visitors })
    }

    /// The next line of the account; `None` after the last.
    pub(super) async fn next(&mut self) -> Option<String> {
        self.lines.recv().await
    }
}

struct Crowd {
    customers: (usize, usize),
    buyers: Rush,
    readers: Rush,
    crawlers: Rush,
}

impl Crowd {
    fn gather(shop: SocketAddr, customers: (usize, usize)) -> Result<Self, TargetError> {
        let shop = format!("http://{shop}");
        let deal = deepwater_shop::DEAL;
        let purchase = Some(format!(r#"{{"items":[{{"product":{deal}}}]}}"#));
        let buy = Wanted { path: "/api/checkout".into(), json: purchase, ..Wanted::default() };
        let read = Wanted { path: format!("{RECOMMENDATIONS}/{deal}"), ..Wanted::default() };
        let crawl = Wanted { agent: Some(CRAWLER.into()), ..read.clone() };
        Ok(Self {
            customers,
            buyers: Rush::new(&shop, &buy, customers.0, SEED)?,
            readers: Rush::new(&shop, &read, customers.1, !SEED)?,
            crawlers: Rush::new(&shop, &crawl, CRAWLERS, SEED)?,
        })
    }

    /// First without the crawlers, then with them; the account, line by line.
    async fn come(mut self, events: &Events) -> Vec<String> {
        let (buyers, readers) = self.customers;
        events.emit(CustomersCame { buyers, readers });
        let (bought, read) = tokio::join!(self.buyers.all(CALM), self.readers.all(CALM));
        let before = [("checkout", Priority::Critical, bought), ("recommendations", Priority::Normal, read)];
        events.emit(CrawlersCame { crawlers: CRAWLERS });
        let (bought, read, crawled) =
            tokio::join!(self.buyers.all(RUSH), self.readers.all(RUSH), self.crawlers.all(RUSH));
        let during = [
            ("checkout", Priority::Critical, bought),
            ("recommendations", Priority::Normal, read),
            ("same, crawlers", Priority::Low, crawled),
        ];
        let rows = |when: &'static str| move |(what, priority, account)| row(when, what, priority, &account);
        let lines = [String::new(), head()].into_iter();
        lines
            .chain(before.into_iter().map(rows("before")))
            .chain(during.into_iter().map(rows("during")))
            .collect()
    }
}

/// The heads of the columns.
fn head() -> String {
    line("", "", "", ["asked", "served", "p50", "p99", "refused", "p50"].map(String::from))
}

/// What became of those who wanted something.
fn row(when: &str, what: &str, priority: Priority, account: &RushAccount) -> String {
    let ms = |time: Option<Duration>| latency(time.map(|time| time.as_secs_f64() * 1e3));
    let cells = [
        count(account.requests),
        count(account.good()),
        ms(account.good_p50),
        ms(account.good_p99),
        count(account.failed),
        ms(account.failed_p50),
    ];
    line(when, what, priority.as_str(), cells)
}

/// Fits 80 columns.
fn line(when: &str, what: &str, priority: &str, cells: [String; 6]) -> String {
    let [asked, served, p50, p99, refused, refused_p50] = cells;
    format!(
        "  {when:<8}{what:<16}{priority:<9}{asked:>6}{served:>7}{p50:>8}{p99:>8}{refused:>8}{refused_p50:>8}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lines_up_in_80_columns() {
        let ms = |ms| Some(Duration::from_millis(ms));
        let account = RushAccount {
            requests: 7_123,
            failed: 5_000,
            good_p50: ms(151),
            good_p99: ms(1_240),
            failed_p50: Some(Duration::from_micros(420)),
            ..RushAccount::default()
        };
        let expected = "
                                    asked served     p50     p99 refused     p50
  during  recommendations low       7,123  2,123  151 ms   1.2 s   5,000 0.42 ms";
        let row = row("during", "recommendations", Priority::Low, &account);
        assert_eq!(format!("\n{}\n{row}", head()), expected);
        assert!(head().chars().count() <= 80);
    }
}
