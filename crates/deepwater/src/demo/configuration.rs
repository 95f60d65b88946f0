//! The configuration the demo runs under: what a user would write in `deepwater.toml`, with shorter times.

use std::net::SocketAddr;

use deepwater_core::config::{Duration, Percent, Size};
use deepwater_edge::config as edge;
use deepwater_pool::config as postgres;
use deepwater_upstream::{Balance, Outlier};

use super::postgres::{DATABASE, PORT, Server};
use super::price::price_path;
use super::stampede::{Protection, VARIANTS, Variant};
use crate::settings::Settings;

/// Name of the one pool of instances.
pub(super) const POOL: &str = "shop";

/// How long what is cached may still be shown when no instance answers.
const STALE_IF_ERROR: Duration = Duration::from_secs(300);
/// How long a price is kept that is purged when it changes.
const PRICE_LIFETIME: Duration = Duration::from_secs(3_600);

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
    console: deepwater_lens::Listen,
    shops: &[SocketAddr],
    database: Option<&Pooled<'_>>,
) -> Settings {
    Settings {
        console: deepwater_lens::Config { listen: console, token: None },
        edge: deepwater_edge::Config {
            listen: vec![edge::Listen::http(listen.to_string())],
            route: routes(),
            // A few hundred visitors and a person: no need to ask the system for more open files.
            max_connections: 2_048,
            drain_timeout: Duration::from_secs(2),
            ..deepwater_edge::Config::default()
        },
        pools: [(POOL.to_owned(), pool(shops, database.is_some()))].into(),
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
    let mut routes: Vec<edge::Route> = VARIANTS.iter().map(crowded).collect();
    routes.extend([
        route("live", "/ws/*", None),
        route("deal price", &price_path(), Some(price)),
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
    let shop = postgres::User { password: server.password.parse().ok(), ..postgres::User::default() };
    postgres::Config {
        listen: Some(postgres::Addresses::One(database.listen.to_string())),
        databases: [(DATABASE.to_owned(), postgres::Database::on(postgres::ServerUrl::at(vec![socket])))]
            .into(),
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
        // Seconds where production has minutes: somebody is watching.
        outlier: Outlier {
            // Answers 503 say then that the database is full, which no instance can help: leaving one out would only send
            // the others more.
            consecutive_failures: if has_database { 0 } else { 3 },
            min_requests: 10,
            interval: Duration::from_secs(3),
            base_ejection: Duration::from_secs(5),
            max_ejection: Duration::from_secs(15),
            max_ejected: Percent::new(50),
            ..Outlier::default()
        },
        ..edge::Pool::of(shops.iter().map(ToString::to_string))
    }
}
