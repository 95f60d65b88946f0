//! A stampede: a crowd at one page that is dear to make and short of life, in front of ever better protected caches.

use std::net::SocketAddr;
use std::time::Duration;

use deepwater_core::metrics::Registry;
use deepwater_edge::config::{CacheTable, EarlyRefresh};
use deepwater_shop::load::{Rush, RushAccount, TargetError, Wanted};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::SEED;
use crate::table::{count, latency};

/// The page everybody wants. The shop needs 60 ms and a connection to its database to make it.
pub(super) const PAGE: &str = "/deal";
/// How long it is fresh.
pub(super) const LIFETIME: Duration = Duration::from_secs(1);
/// How long the crowd stays: the page expires twice under its eyes.
const STAYS: Duration = Duration::from_millis(2_500);
/// How long all are away then: longer than the page is fresh.
const AWAY: Duration = Duration::from_millis(1_200);
/// Other customers, who buy meanwhile.
const BUYERS: usize = 10;

/// How the page may be cached. The configuration has a route for each, side by side, to the same shop.
pub(super) struct Variant {
    /// What is new about it.
    pub name: &'static str,
    /// Name of its route.
    pub route: &'static str,
    /// Where paths of its route begin.
    pub prefix: &'static str,
    /// What protects the shop; `None` for no cache at all.
    pub protection: Option<Protection>,
}

/// A path of the shop, past the cache and whatever else stands before it.
pub(super) fn unguarded(path: &str) -> String {
    format!("{}{path}", VARIANTS[0].prefix)
}

/// What a cache does against stampedes.
#[derive(Clone, Copy)]
pub(super) struct Protection {
    coalesce: bool,
    early: EarlyRefresh,
    stale_while_revalidate: bool,
}

/// Each adds one thing to the one before.
pub(super) const VARIANTS: [Variant; 5] = [
    Variant { name: "no cache", route: "crowd, no cache", prefix: "/crowd/uncached", protection: None },
    Variant {
        name: "a cache, unprotected",
        route: "crowd, unprotected",
        prefix: "/crowd/unprotected",
        protection: Some(Protection {
            coalesce: false,
            early: EarlyRefresh::Off,
            stale_while_revalidate: false,
        }),
    },
    Variant {
        name: "+ coalescing",
        route: "crowd, coalescing",
        prefix: "/crowd/coalescing",
        protection: Some(Protection {
            coalesce: true,
            early: EarlyRefresh::Off,
            stale_while_revalidate: false,
        }),
    },
    Variant {
        name: "+ early refresh",
        route: "crowd, early refresh",
        prefix: "/crowd/early",
        protection: Some(Protection {
            coalesce: true,
            early: EarlyRefresh::Xfetch,
            stale_while_revalidate: false,
        }),
    },
    Variant {
        name: "+ stale-while-revalidate",
        route: "crowd, all protections",
        prefix: "/crowd/stale",
        protection: Some(Protection {
            coalesce: true,
            early: EarlyRefresh::Xfetch,
            stale_while_revalidate: true,
        }),
    },
];

impl Protection {
    /// As a route is configured.
    pub(super) fn table(self) -> CacheTable {
        let stale = if self.stale_while_revalidate { Duration::from_secs(30) } else { Duration::ZERO };
        CacheTable {
            ttl: Some(LIFETIME.into()),
            coalesce: self.coalesce,
            early: self.early,
            stale_while_revalidate: stale.into(),
            ..CacheTable::default()
        }
    }
}

/// What one variant came to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    name: &'static str,
    /// What the crowd got.
    crowd: RushAccount,
    /// How many requests reached the shop for it.
    pub fetches: u64,
    /// How long the first visitor waits who comes when nobody has been there for longer than the page is fresh.
    first_back: Option<Duration>,
    /// How long others took to buy something meanwhile: the 99th percentile.
    checkout: Option<Duration>,
}

/// What the columns mean, and their heads.
pub(super) fn legend() -> [String; 5] {
    [
        format!("        {PAGE} takes the shop 60 ms and is good for 1 s. fetches: requests that"),
        "        reached the shop; first back: who comes when all have left and the page".into(),
        "        has expired; checkout: p99 of others, who buy meanwhile.".into(),
        String::new(),
        head(),
    ]
}

/// Rows come one by one: widths are fixed, and fit 80 columns.
fn head() -> String {
    line("", ["requests", "fetches", "p50", "p99", "first back", "checkout"].map(String::from))
}

fn line(name: &str, cells: [String; 6]) -> String {
    let [requests, fetches, p50, p99, first_back, checkout] = cells;
    format!("  {name:<24}{requests:>9}{fetches:>8}{p50:>8}{p99:>8}{first_back:>11}{checkout:>9}")
}

impl Row {
    /// In a line below [`head`].
    pub(super) fn line(&self) -> String {
        let ms = |time: Option<Duration>| latency(time.map(|time| time.as_secs_f64() * 1e3));
        let RushAccount { requests, failed, p50, p99, .. } = self.crowd;
        let cells =
            [count(requests), count(self.fetches), ms(p50), ms(p99), ms(self.first_back), ms(self.checkout)];
        let failed = if failed > 0 { format!("  {} failed", count(failed)) } else { String::new() };
        line(self.name, cells) + &failed
    }

    /// How many of a hundred requests reached the shop.
    pub(super) fn reached_percent(&self) -> f64 {
        self.fetches as f64 / self.crowd.requests.max(1) as f64 * 100.0
    }
}

/// A comparison under way. Dropping it ends it.
pub(super) struct Stampede {
    rows: mpsc::Receiver<Row>,
    /// What has been measured.
    pub measured: Vec<Row>,
    _crowds: JoinSet<()>,
}

impl Stampede {
    /// Lets a crowd of so many come to the shop behind the edge, for each variant in turn.
    pub(super) fn begin(shop: SocketAddr, visitors: usize, metrics: Registry) -> Self {
        let (sender, rows) = mpsc::channel(VARIANTS.len());
        let mut crowds = JoinSet::new();
        crowds.spawn(async move {
            for variant in &VARIANTS {
                let Ok(row) = measure(variant, shop, visitors, &metrics).await else { return };
                if sender.send(row).await.is_err() {
                    return;
                }
            }
        });
        Self { rows, measured: Vec::new(), _crowds: crowds }
    }

    /// The next row, as soon as it is measured; `None` after the last.
    pub(super) async fn next(&mut self) -> Option<Row> {
        let row = self.rows.recv().await?;
        self.measured.push(row.clone());
        Some(row)
    }
}

async fn measure(
    variant: &Variant,
    shop: SocketAddr,
    visitors: usize,
    metrics: &Registry,
) -> Result<Row, TargetError> {
    let shop = format!("http://{shop}");
    let page = Wanted { path: format!("{}{PAGE}", variant.prefix), ..Wanted::default() };
    let purchase = Some(format!(r#"{{"items":[{{"product":{}}}]}}"#, deepwater_shop::DEAL));
    // It is about the shop's database: the limit in front of the shop would keep them from it.
    let purchase = Wanted { path: unguarded("/api/checkout"), json: purchase, ..Wanted::default() };
    let mut crowd = Rush::new(&shop, &page, visitors, SEED)?;
    let mut buyers = Rush::new(&shop, &purchase, BUYERS, !SEED)?;

    // What is compared is how a page is renewed, not how it is made for the first time.
    crowd.one().await;
    let before = fetches(variant, metrics);
    let (seen, bought) = tokio::join!(crowd.all(STAYS), buyers.all(STAYS));
    let fetches = fetches(variant, metrics).zip(before).map(|(after, before)| after.saturating_sub(before));
    tokio::time::sleep(AWAY).await;
    let first_back = crowd.one().await;
    Ok(Row {
        name: variant.name,
        crowd: seen,
        // Without a cache, each request is passed on.
        fetches: fetches.unwrap_or(seen.requests),
        first_back,
        checkout: bought.p99,
    })
}

/// How many requests the cache has sent to the shop for a variant; `None` without one.
fn fetches(variant: &Variant, metrics: &Registry) -> Option<u64> {
    variant.protection?;
    let route = ("route", variant.route);
    let passed = metrics.sum("deepwater_cache_requests_total", &[route, ("result", "bypass")]);
    Some(metrics.sum("deepwater_cache_fetches_total", &[route]) + passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lines_up_in_80_columns() {
        let ms = |ms| Some(Duration::from_millis(ms));
        let row = Row {
            name: VARIANTS[4].name,
            crowd: RushAccount {
                requests: 5_123,
                failed: 0,
                p50: Some(Duration::from_micros(420)),
                p99: ms(3),
                ..RushAccount::default()
            },
            fetches: 4,
            first_back: None,
            checkout: ms(1_240),
        };
        let expected = "
                           requests fetches     p50     p99 first back checkout
  + stale-while-revalidate    5,123       4 0.42 ms  3.0 ms          –    1.2 s";
        assert_eq!(format!("\n{}\n{}", head(), row.line()), expected);
        assert!(head().chars().count() <= 80);
        assert!(legend().iter().all(|line| line.chars().count() <= 80), "{:?}", legend());
        assert_eq!(format!("{:.2}", row.reached_percent()), "0.08");

        let bad = Row { crowd: RushAccount { failed: 7, ..row.crowd }, ..row };
        assert!(bad.line().ends_with("1.2 s  7 failed"), "{}", bad.line());
    }

    #[test]
    fn each_variant_has_a_route_of_its_own() {
        for (position, variant) in VARIANTS.iter().enumerate() {
            assert!(variant.name.chars().count() <= 24);
            let others = VARIANTS.iter().skip(position + 1);
            assert!(
                others
                    .into_iter()
                    .all(|other| other.route != variant.route && other.prefix != variant.prefix)
            );
        }
    }
}
