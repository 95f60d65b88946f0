//! The configuration the demo runs under: what a user would write in `deepwater.toml`, with shorter times.

use std::net::SocketAddr;

use deepwater_core::config::{Duration, Percent, Size};
use deepwater_edge::config as edge;
use deepwater_pool::config as postgres;
use deepwater_upstream::{Balance, Breaker, Concurrency, Limit, Outlier, WaitingRoom};

use super::file;
use super::overload::CRAWLER;
use super::postgres::{DATABASE, PORT, Server};
use super::price::price_path;
use super::stampede::{Protection, VARIANTS, Variant};
use crate::settings::Settings;

/// Name of the pool of instances, with all that guards them.
pub(super) const POOL: &str = "shop";
/// The same instances with nothing in front of them: for what is compared without.
const UNGUARDED: &str = "unguarded";

/// How long what is cached may still be shown when no instance answers.
const STALE_IF_ERROR: Duration = Duration::from_secs(300);
/// How long a price is kept that is purged when it changes.
const PRICE_LIFETIME: Duration = Duration::from_secs(3_600);

/// "Connections" of three instances that keep their data in memory.
const CONNECTIONS: u32 = 30;
/// Connections to the database: what a small server is good for.
const SERVERS: usize = 4;
/// How many may wait for one of them. At 15 ms a purchase, the last of the queue waits for a sixth of a second.
pub(super) const MAX_WAITING: usize = 40;
/// How long they may.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// A database, and where the shop thinks it is.
pub(super) struct Pooled<'a> {
    pub server: &'a Server,
    /// Where the pool listens.
    pub listen: SocketAddr,
}

pub(super) fn settings(
    listen: SocketAddr,
    console: deepwater_lens::console::Listen,
    shops: &[SocketAddr],
    database: Option<&Pooled<'_>>,
) -> Settings {
    Settings {
        console: deepwater_lens::console::Config { listen: console, token: None },
        edge: deepwater_edge::Config {
            listen: vec![edge::Listen::http(listen.to_string())],
            route: routes(),
            // A few hundred visitors and a person: no need to ask the system for more open files.
            max_connections: 2_048,
            drain_timeout: Duration::from_secs(2),
            ..deepwater_edge::Config::default()
        },
        pools: [(POOL.to_owned(), pool(shops, database.is_some())), (UNGUARDED.to_owned(), unguarded(shops))]
            .into(),
        postgres: database.map(pooler).unwrap_or_default(),
        cache: edge::Cache { memory: Size::from_kib(64 * 1024), ..edge::Cache::default() },
        ..Settings::default()
    }
}

/// A route per kind of request, so that the console tells them apart.
fn routes() -> Vec<edge::Route> {
    // What is personal says so itself (`private`, `no-store`), and is not stored.
    let shared = || edge::CacheTable { stale_if_error: STALE_IF_ERROR, ..edge::CacheTable::default() };
    // Browsers, which nobody can purge, are told two seconds by the shop.
    let price = edge::CacheTable {
        ttl: Some(PRICE_LIFETIME),
        tags: vec![format!("product:{}", deepwater_shop::DEAL)],
        ..shared()
    };
    let mut crawlers =
        edge::Route { priority: edge::Priority::Low, ..route("crawlers", "/*", Some(shared())) };
    crawlers.r#match.header.insert("user-agent".into(), CRAWLER.into());
    let mut routes: Vec<edge::Route> = VARIANTS.iter().map(crowded).collect();
    routes.extend([
        route("live", "/ws/*", None),
        route("deal price", &price_path(), Some(price)),
        // Crawlers are refused first, and who is about to pay is served first.
        crawlers,
        edge::Route { priority: edge::Priority::Critical, ..route("checkout", "/api/checkout", None) },
        edge::Route { priority: edge::Priority::Critical, ..route("checkout page", "/checkout", None) },
        route("api", "/api/*", Some(shared())),
        route("images", "/images/*", Some(shared())),
        route("pages", "/*", Some(shared())),
    ]);
    routes
}

/// The shop once more, cached in another way.
fn crowded(variant: &Variant) -> edge::Route {
    edge::Route {
        strip_prefix: Some(variant.prefix.into()),
        pool: Some(UNGUARDED.into()),
        ..route(variant.route, &format!("{}/*", variant.prefix), variant.protection.map(Protection::table))
    }
}

fn route(name: &str, path: &str, cache: Option<edge::CacheTable>) -> edge::Route {
    edge::Route {
        name: Some(name.into()),
        r#match: edge::Match { path: Some(path.into()), ..edge::Match::default() },
        pool: Some(POOL.into()),
        cache: cache.map(|table| edge::RouteCache::Table(Box::new(table))),
        ..edge::Route::default()
    }
}

impl Pooled<'_> {
    /// The shop's database URL: it leads to the pool.
    pub(super) fn url(&self) -> String {
        format!("postgres://{DATABASE}:{}@{}/{DATABASE}", self.server.password, self.listen)
    }
}

/// The pool in front of the database, where the shop logs in with the password it would give the database.
fn pooler(database: &Pooled<'_>) -> postgres::Config {
    let server = &database.server;
    let socket = postgres::Host::new(server.folder.display().to_string(), PORT);
    // Named, so that the lens can ask the server as well.
    let primary =
        postgres::ServerUrl { user: Some(DATABASE.into()), ..postgres::ServerUrl::at(vec![socket]) };
    let password = format!("file:{}", file::PASSWORD).parse().ok();
    let shop = postgres::User { password, ..postgres::User::default() };
    postgres::Config {
        listen: Some(postgres::Addresses::One(database.listen.to_string())),
        databases: [(DATABASE.to_owned(), postgres::Database::on(primary))].into(),
        users: [(DATABASE.to_owned(), shop)].into(),
        // A password of 128 random bits is not guessed: no need to make each login slow.
        auth: postgres::Auth { scram_iterations: 1, ..postgres::Auth::default() },
        pool_size: SERVERS,
        // The database is on this machine; with its cores known, there is advice.
        server_cores: std::thread::available_parallelism().ok().map(Into::into),
        max_waiting: MAX_WAITING,
        timeouts: postgres::Timeouts { max_wait: MAX_WAIT, ..postgres::Timeouts::default() },
        ..postgres::Config::default()
    }
}

fn pool(shops: &[SocketAddr], has_database: bool) -> edge::Pool {
    edge::Pool {
        balance: Balance::LeastConnections,
        // Without a database, carts live in one instance.
        sticky: (!has_database).then(|| edge::Sticky {
            cookie: "lb-server".into(),
            secret: None,
            same_site: edge::SameSite::Lax,
            max_age: None,
            secure: false,
        }),
        health: Some(edge::Health {
            path: "/health".into(),
            status: "200".into(),
            json: [("status".to_owned(), "healthy".to_owned())].into(),
            every: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            healthy_after: 1,
            unhealthy_after: 2,
            ..edge::Health::default()
        }),
        concurrency: Some(concurrency(has_database)),
        waiting: WaitingRoom {
            max_waiting: 20,
            max_wait: Duration::from_millis(500),
            target_wait: Duration::from_millis(50),
        },
        // An instance that fails answers 500; a 503 says that the database is full, and would be the same elsewhere.
        retry: edge::Retry { statuses: vec![500, 502], ..edge::Retry::default() },
        // Seconds where production has minutes: somebody is watching. The shares are high for the sake of the database:
        // when it is full and refuses some, no instance can help it.
        breaker: Some(Breaker { failure_share: Percent::new(80), ..breaker() }),
        target_breaker: Some(Breaker { failure_share: Percent::new(90), ..breaker() }),
        outlier: Outlier {
            // Breakers do that.
            consecutive_failures: 0,
            min_requests: 10,
            interval: Duration::from_secs(3),
            base_ejection: Duration::from_secs(5),
            max_ejection: Duration::from_secs(15),
            max_ejected: Percent::new(50),
            ..Outlier::default()
        },
        targets: targets(shops.iter().copied()),
        ..edge::Pool::of([])
    }
}

/// From about as many as the shop has connections for. Most pages take a millisecond, which says little about those that
/// need the database: hence the lower bound.
fn concurrency(has_database: bool) -> Concurrency {
    let (min, initial) = if has_database {
        (SERVERS as u32 + 2, 2 * SERVERS as u32)
    } else {
        (CONNECTIONS * 2 / 3, CONNECTIONS)
    };
    let max = CONNECTIONS + CONNECTIONS / 2;
    Concurrency { limit: Limit::Gradient, max, min, initial, ..Concurrency::default() }
}

fn breaker() -> Breaker {
    Breaker {
        window: Duration::from_secs(1),
        min_requests: 10,
        open_for: Duration::from_millis(1_500),
        max_open: Duration::from_secs(3),
        ..Breaker::default()
    }
}

fn unguarded(shops: &[SocketAddr]) -> edge::Pool {
    edge::Pool {
        balance: Balance::LeastConnections,
        outlier: Outlier { consecutive_failures: 0, latency_factor: 0.0, ..Outlier::default() },
        targets: targets(shops.iter().copied()),
        ..edge::Pool::of([])
    }
}

/// Instances as a pool names them.
pub(super) fn targets(shops: impl IntoIterator<Item = SocketAddr>) -> Vec<edge::TargetEntry> {
    shops.into_iter().map(|shop| edge::TargetEntry::Address(shop.to_string())).collect()
}
