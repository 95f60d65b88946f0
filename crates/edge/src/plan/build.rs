//! From what was written to what is meant; reports everything that cannot be meant, at once.

mod action;
mod ancestors;
mod deadlines;
mod listener;
mod names;
mod origin;
mod pool;
mod resilience;
mod route;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deepwater_core::Context;
use deepwater_core::config::Place;
use ipnet::IpNet;

use crate::cache::{HttpCache, Terms};
use crate::config::{self, Config, Route, Tables};
use crate::guard;
use crate::guard::auth::AuthPlan;
use crate::idempotency::KeyStore;
use crate::route::RouteTable;
use crate::tls::TlsProblem;

use route::Known;

use super::{Limits, Plan, RoutePlan};

pub(crate) use listener::ListenerPlan;

/// Everything the configuration asks for.
pub(crate) struct Built {
    pub plan: Arc<Plan>,
    pub listeners: Vec<Arc<ListenerPlan>>,
    /// What the cache changes to when the plan comes into force, if one was there before.
    pub terms: Option<Terms>,
}

/// Where the parts of the configuration stand, and what they are built with.
pub(crate) struct Builder<'a> {
    /// What relative paths are relative to.
    pub directory: &'a Path,
    pub context: &'a Context,
    /// `edge`.
    pub edge: Place<'a>,
    /// `pools`.
    pub pools: Place<'a>,
    /// `cache`.
    pub cache: Place<'a>,
    /// Key of sticky cookies without a secret of their own.
    pub random_secret: &'a [u8],
    /// `auth`.
    pub auth: Place<'a>,
    /// `idempotency`.
    pub idempotency: Place<'a>,
    /// The plan in force, whose unchanged pools are kept.
    pub old: Option<&'a Plan>,
}

impl Builder<'_> {
    /// Builds the whole; `None` when something was reported.
    pub fn build(&self, tables: Tables<'_>) -> Option<Built> {
        let Tables { edge: config, pools, cache, auth, idempotency } = tables;
        let names: Vec<&str> = pools.keys().map(String::as_str).collect();
        let trusted_networks = networks(&self.edge.at("trusted_proxies"), &config.trusted_proxies);
        let limits = self.limits(config);
        let Limits { header, body_stall, handshake, tunnel_idle, .. } = limits;
        let timeouts =
            [("header", header), ("body", body_stall), ("handshake", handshake), ("tunnel", tunnel_idle)];
        let leave_time = deadlines::leave_time(&self.edge.at("timeouts"), &timeouts);
        let purge_from = networks(&self.cache.at("purge_from"), &cache.purge_from);
        let built_pools: Vec<_> = pools.iter().map(|(name, pool)| self.pool(name, pool)).collect();
        let auths: Vec<_> = auth.iter().map(|(name, auth)| self.auth(name, auth)).collect();
        let auths: Vec<Arc<AuthPlan>> = auths.into_iter().collect::<Option<_>>()?;
        let table = self.table(&config.route);
        let sound: Vec<_> = built_pools.iter().flatten().cloned().collect();
        let claim_fields = guard::claim_fields(&config.route, &auths, &sound);
        let claim_fields = sound.iter().map(|pool| pool.name.as_str()).zip(&claim_fields).collect();
        let distinct = names::distinct(&self.edge.at("route"), &config.route);
        let old = self.old.map(|old| old.routes.as_slice()).unwrap_or_default();
        let ancestors = ancestors::ancestors(old, &config.route);
        let known = Known { pools, names: &names, auths: &auths, claim_fields };
        let routes: Vec<_> = config
            .route
            .iter()
            .zip(ancestors)
            .enumerate()
            .map(|(at, (route, old))| self.route(at, route, old, &known))
            .collect();
        let listeners: Vec<_> = config
            .listen
            .iter()
            .enumerate()
            .map(|(at, listen)| self.listener(at, listen, &config.listen, &names))
            .collect();
        let is_share = (0.0..=1.0).contains(&config.access_log.sample);
        if !is_share {
            self.edge.at("access_log").at("sample").problem_with_fix(
                "a share lies between 0 and 1",
                "write 1 for every request, 0.01 for one in a hundred",
            );
        }
        let routes: Vec<RoutePlan> = routes.into_iter().collect::<Option<_>>()?;
        distinct?;
        let (shared_cache, terms) = self.cache(cache, purge_from?, &routes)?;
        let keys = self.keys(idempotency, &routes)?;
        if !(leave_time && is_share) {
            return None;
        }
        let plan = Plan {
            limits,
            cache: shared_cache,
            trusted_networks: trusted_networks?,
            table: table?,
            routes,
            keys,
            auths,
            pools: built_pools.into_iter().collect::<Option<_>>()?,
        };
        Some(Built { plan: Arc::new(plan), listeners: listeners.into_iter().collect::<Option<_>>()?, terms })
    }

    fn limits(&self, config: &Config) -> Limits {
        Limits {
            max_head_bytes: usize::try_from(config.max_header_size.bytes())
                .unwrap_or(usize::MAX)
                .min(1 << 24),
            max_body_bytes: match config.max_body_size.bytes() {
                0 => u64::MAX,
                bytes => bytes,
            },
            max_connections_per_ip: config.max_connections_per_ip,
            header: config.timeouts.header.get(),
            body_stall: config.timeouts.body.get(),
            idle: config.timeouts.idle.get(),
            handshake: config.timeouts.handshake.get(),
            tunnel_idle: config.timeouts.tunnel.get(),
            linger: Duration::from_secs(2),
        }
    }

    /// The cache that the routes share, none if none caches, and what one that was there changes to; `None` if
    /// something was reported.
    fn cache(
        &self,
        config: &config::Cache,
        purge_from: Vec<IpNet>,
        routes: &[RoutePlan],
    ) -> Option<(Option<Arc<HttpCache>>, Option<Terms>)> {
        if config.max_waiters == 0 {
            let fix = "write 65536";
            self.cache.at("max_waiters").problem_with_fix("nobody could wait for a fetch", fix);
            return None;
        }
        let keys: Vec<_> =
            routes.iter().filter_map(|route| route.cache.as_ref()).map(|cache| cache.key.clone()).collect();
        if keys.is_empty() {
            return Some((None, None));
        }
        let terms = Terms::new(purge_from, keys, config.max_refreshes);
        if let Some(cache) = self.old.and_then(|old| old.cache.as_ref()) {
            return Some((Some(Arc::clone(cache)), Some(terms)));
        }
        let now = (self.context.clock.now(), self.context.clock.wall());
        Some((Some(Arc::new(HttpCache::new(config, terms, now))), None))
    }

    fn table(&self, routes: &[Route]) -> Option<RouteTable> {
        match RouteTable::build(routes) {
            Ok(table) => {
                for (hidden, by) in table.unreachable() {
                    self.edge.at("route").index(hidden).problem_with_fix(
                        format!("this route is never reached: route {by} matches everything it does"),
                        "move it before that route, or remove it",
                    );
                }
                table.unreachable().is_empty().then_some(table)
            }
            Err(problems) => {
                for problem in problems {
                    let place = problem
                        .key
                        .split('.')
                        .fold(self.edge.at("route").index(problem.route), |p, k| p.at(k));
                    report(&place, problem.what, problem.fix);
                }
                None
            }
        }
    }

    /// Where idempotency keys are kept: nowhere if no route honours them, `None` if something was reported.
    fn keys(&self, config: &config::Idempotency, routes: &[RoutePlan]) -> Option<Option<Arc<KeyStore>>> {
        let old = self.old.and_then(|old| old.keys.as_deref());
        let store = KeyStore::build(
            &self.idempotency,
            config,
            self.directory,
            self.context,
            self.random_secret,
            old,
        )?;
        Some(routes.iter().any(|route| route.keys.is_some()).then_some(store))
    }

    /// An `[auth.<name>]`; the one in force if it is the same.
    fn auth(&self, name: &str, auth: &config::Auth) -> Option<Arc<AuthPlan>> {
        let old = self.old.map(|old| old.auths.as_slice()).unwrap_or_default();
        AuthPlan::build(name, auth, self.directory, old, &self.auth.at(name))
    }

    fn pool_index(&self, place: &Place<'_>, name: &str, names: &[&str]) -> Option<usize> {
        let found = names.iter().position(|known| *known == name);
        if found.is_none() {
            place.unknown_name("pool", name, "[pools]", names.iter().copied());
        }
        found
    }

    fn tls_problems<'p, T>(
        &self,
        result: Result<T, Vec<TlsProblem>>,
        place: impl Fn(usize) -> Place<'p>,
    ) -> Option<T> {
        result
            .map_err(|problems| {
                for problem in problems {
                    place(problem.index).at(problem.key).problem_with_fix(problem.what, problem.fix);
                }
            })
            .ok()
    }
}

fn report(place: &Place<'_>, what: String, fix: Option<String>) {
    match fix {
        Some(fix) => place.problem_with_fix(what, fix),
        None => place.problem(what),
    }
}

fn networks(place: &Place<'_>, written: &[String]) -> Option<Vec<IpNet>> {
    let networks = written.iter().enumerate().map(|(at, text)| {
        let parsed = text.parse::<IpNet>().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
        if parsed.is_err() {
            place.index(at).problem_with_fix(
                format!("`{text}` is not a network"),
                "write an address with a prefix length, such as \"10.0.0.0/8\"",
            );
        }
        parsed.ok()
    });
    // Every bad one is reported before giving up.
    networks.collect::<Vec<_>>().into_iter().collect()
}
