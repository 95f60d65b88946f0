//! From what was written to what is meant; reports everything that cannot be meant, at once.

mod ancestors;
mod resilience;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use deepwater_core::Context;
use deepwater_core::config::Place;
use deepwater_upstream::{Address, HealthCheck, Pool as Targets, PoolSpec, TargetSpec};
use http::StatusCode;
use ipnet::IpNet;

use crate::cache::{CachePlan, HttpCache, Terms};
use crate::config::{self, Config, Listen, ListenProtocol, OriginProtocol, Pool, Pools, Route, Tables};
use crate::files::Files;
use crate::guard;
use crate::guard::auth::{AuthPlan, ClaimFields};
use crate::idempotency::{KeyPlan, KeyStore, Verified};
use crate::probe::StatusSet;
use crate::route::{Edits, Rewrite, RouteTable, Template};
use crate::sticky::StickyPlan;
use crate::tls::{self, ServerTls, TlsProblem};

use super::{Action, Fixed, HostPolicy, Limits, OriginTlsPlan, Plan, PoolPlan, RoutePlan};

/// A listener, ready to open.
pub(crate) struct ListenerPlan {
    pub address: SocketAddr,
    pub config: Listen,
    pub tls: Option<Arc<ServerTls>>,
    /// The pool of a TCP listener: its name, since its place may be another's after a reload.
    pub pool: Option<String>,
}

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

/// What routes name, and what goes with it.
struct Known<'a> {
    pools: &'a Pools,
    names: &'a [&'a str],
    auths: &'a [Arc<AuthPlan>],
    claim_fields: HashMap<&'a str, &'a Arc<ClaimFields>>,
}

impl Builder<'_> {
    /// Builds the whole; `None` when something was reported.
    pub fn build(&self, tables: Tables<'_>) -> Option<Built> {
        let Tables { edge: config, pools, cache, auth, idempotency } = tables;
        let names: Vec<&str> = pools.keys().map(String::as_str).collect();
        let trusted_networks = networks(&self.edge.at("trusted_proxies"), &config.trusted_proxies);
        let limits = self.limits(config);
        let built_pools: Vec<_> = pools.iter().map(|(name, pool)| self.pool(name, pool)).collect();
        let auths: Vec<_> = auth.iter().map(|(name, auth)| self.auth(name, auth)).collect();
        let auths: Vec<Arc<AuthPlan>> = auths.into_iter().collect::<Option<_>>()?;
        let table = self.table(&config.route);
        let sound: Vec<_> = built_pools.iter().flatten().cloned().collect();
        let claim_fields = guard::claim_fields(&config.route, &auths, &sound);
        let claim_fields = sound.iter().map(|pool| pool.name.as_str()).zip(&claim_fields).collect();
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
        if !(0.0..=1.0).contains(&config.access_log.sample) {
            self.edge.at("access_log").at("sample").problem_with_fix(
                "a share lies between 0 and 1",
                "write 1 for every request, 0.01 for one in a hundred",
            );
            return None;
        }
        let routes: Vec<RoutePlan> = routes.into_iter().collect::<Option<_>>()?;
        let (shared_cache, terms) = self.cache(cache, &routes)?;
        let keys = self.keys(idempotency, &routes)?;
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
            linger: std::time::Duration::from_secs(2),
        }
    }

    /// The cache that the routes share, none if none caches, and what one that was there changes to; `None` if
    /// something was reported.
    fn cache(
        &self,
        config: &config::Cache,
        routes: &[RoutePlan],
    ) -> Option<(Option<Arc<HttpCache>>, Option<Terms>)> {
        let purge_from = networks(&self.cache.at("purge_from"), &config.purge_from);
        if config.max_waiters == 0 {
            let fix = "write 65536";
            self.cache.at("max_waiters").problem_with_fix("nobody could wait for a fetch", fix);
            return None;
        }
        let purge_from = purge_from?;
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

    fn route(
        &self,
        at: usize,
        route: &Route,
        old: Option<&RoutePlan>,
        known: &Known<'_>,
    ) -> Option<RoutePlan> {
        let Known { pools, names, auths, claim_fields } = known;
        let place = self.edge.at("route").index(at);
        let pattern_names = crate::route::pattern_names(route.r#match.path.as_deref());
        let edits = |key: &str, written| match Edits::build(written, &pattern_names) {
            Ok(edits) => Some(edits),
            Err(problems) => {
                for problem in problems {
                    report(&place.at(key).at(problem.list).at(&problem.field), problem.what, problem.fix);
                }
                None
            }
        };
        let request_edits = edits("request_headers", &route.request_headers);
        let response_edits = edits("response_headers", &route.response_headers);
        let rewrite =
            match Rewrite::build(route.strip_prefix.as_deref(), route.rewrite.as_deref(), &pattern_names) {
                Ok(rewrite) => Some(rewrite),
                Err(problems) => {
                    for problem in problems {
                        report(&place.at(problem.key), problem.what, problem.fix);
                    }
                    None
                }
            };
        let action = self.action(&place, route, names, &pattern_names);
        let given =
            [route.pool.is_some(), route.redirect.is_some(), route.respond.is_some(), route.files.is_some()];
        if given.iter().filter(|given| **given).count() != 1 {
            place.problem_with_fix(
                "a route needs exactly one of `pool`, `redirect`, `respond` and `files`",
                if given.contains(&true) {
                    "keep the one that is meant"
                } else {
                    "add the one that is meant, such as `pool = \"app\"`"
                },
            );
            return None;
        }
        let cache = match route.cache.as_ref().and_then(config::RouteCache::table) {
            None => None,
            Some(_) if route.pool.is_none() => {
                place.at("cache").problem_with_fix(
                    "only what comes from a pool is cached",
                    "remove the key: what this route answers is in memory already",
                );
                return None;
            }
            Some(table) => {
                let identity = identity(route);
                Some(CachePlan::build(&place.at("cache"), &table, identity, &pattern_names)?)
            }
        };
        let guards = guard::Builder {
            pattern: &pattern_names,
            claim_fields: route.pool.as_deref().and_then(|pool| claim_fields.get(pool).copied()),
            auths,
            old: old.and_then(|old| old.guard.as_deref()),
            now: self.context.clock.now(),
        };
        let guard = guards.build(route, &place)?;
        let keys = match route.idempotency.as_ref().and_then(config::RouteIdempotency::table) {
            None => None,
            Some(_) if route.pool.is_none() => {
                let what = "only what a pool does is worth doing once";
                place.at("idempotency").problem_with_fix(what, "remove the key");
                return None;
            }
            Some(table) => {
                let auth = route.auth.as_ref().map(config::RouteAuth::table);
                let auth = auth.and_then(|auth| auths.iter().find(|known| known.name == auth.name));
                let verified = auth.map(|auth| Verified::new(&auth.name, auth.token_place()));
                Some(KeyPlan::build(&place.at("idempotency"), &table, verified)?.into())
            }
        };
        let plan = RoutePlan {
            name: route.label(),
            matches: route.r#match.clone(),
            action: action?,
            connect: route.connect,
            response_timeout: route.response_timeout.map(deepwater_core::config::Duration::get),
            rewrite: rewrite?,
            request_edits: request_edits?,
            response_edits: response_edits?,
            ask_trailers: route
                .pool
                .as_ref()
                .and_then(|name| pools.get(name))
                .is_some_and(|pool| pool.protocol == OriginProtocol::Http2),
            cache,
            repeats: OnceLock::new(),
            guard,
            keys,
            priority: route.priority,
            timeout: route.timeout.map(deepwater_core::config::Duration::get),
        };
        Some(plan)
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

    fn action(&self, place: &Place<'_>, route: &Route, names: &[&str], pattern: &[String]) -> Option<Action> {
        if let Some(pool) = &route.pool {
            return self.pool_index(&place.at("pool"), pool, names).map(Action::Pool);
        }
        if let Some(redirect) = &route.redirect {
            let place = place.at("redirect");
            let to = Template::parse(&redirect.to, pattern).map_err(|what| place.at("to").problem(what)).ok();
            let status = matches!(redirect.status, 301 | 302 | 303 | 307 | 308)
                .then(|| StatusCode::from_u16(redirect.status).ok())
                .flatten();
            if status.is_none() {
                place.at("status").problem_with_fix(
                    format!("{} is not the status of a redirect", redirect.status),
                    "write 301, 302, 303, 307 or 308",
                );
            }
            return Some(Action::Redirect { to: to?, status: status? });
        }
        if let Some(respond) = &route.respond {
            let place = place.at("respond");
            let status = StatusCode::from_u16(respond.status)
                .ok()
                .filter(|status| (200..600).contains(&status.as_u16()));
            if status.is_none() {
                place.at("status").problem_with_fix(
                    format!("{} is not a final status", respond.status),
                    "write 200 to 599",
                );
            }
            if http::HeaderValue::from_str(&respond.content_type).is_err() {
                place.at("content_type").problem("it holds characters that no header field may have");
                return None;
            }
            let (content_type, body) = (respond.content_type.clone(), respond.body.clone());
            return Some(Action::Respond(Fixed { status: status?, content_type, body }));
        }
        let files = route.files.as_ref()?;
        let root = self.directory.join(&files.root);
        if !root.is_dir() {
            place.at("files").at("root").problem_with_fix(
                format!("`{}` is not a directory", root.display()),
                "create it, or mend the path",
            );
            return None;
        }
        Some(Action::Files(Files::new(root, files.index.clone())))
    }

    fn pool_index(&self, place: &Place<'_>, name: &str, names: &[&str]) -> Option<usize> {
        let found = names.iter().position(|known| *known == name);
        if found.is_none() {
            place.unknown_name("pool", name, "[pools]", names.iter().copied());
        }
        found
    }

    fn listener(
        &self,
        at: usize,
        listen: &Listen,
        all: &[Listen],
        names: &[&str],
    ) -> Option<Arc<ListenerPlan>> {
        let place = self.edge.at("listen").index(at);
        let address = parse_listen(&listen.address);
        if address.is_none() {
            place.at("address").problem_with_fix(
                format!("`{}` is not an address to listen on", listen.address),
                "write an IP address and a port, such as \"0.0.0.0:8080\"",
            );
        }
        // Port 0 is any free one: never the same twice.
        let fixed = address.is_none_or(|address| address.port() != 0);
        if fixed && all[..at].iter().any(|earlier| earlier.address == listen.address) {
            place.at("address").problem_with_fix(
                format!("`{}` is listened on twice", listen.address),
                "remove one, or choose another port",
            );
            return None;
        }
        let tcp = listen.protocol == ListenProtocol::Tcp;
        let pool = match (&listen.pool, tcp) {
            (Some(name), true) => {
                self.pool_index(&place.at("pool"), name, names)?;
                Some(name.clone())
            }
            (None, true) => {
                place.problem_with_fix(
                    "a listener with `protocol = \"tcp\"` needs a pool",
                    "add pool = \"<name>\"",
                );
                return None;
            }
            (Some(_), false) => {
                place.at("pool").problem_with_fix(
                    "only a listener with `protocol = \"tcp\"` has a pool of its own",
                    "for HTTP, name the pool in a route",
                );
                return None;
            }
            (None, false) => None,
        };
        if listen.redirect_https && (listen.tls.is_some() || tcp) {
            place.at("redirect_https").problem_with_fix(
                "only a cleartext HTTP listener can redirect to HTTPS",
                "remove the key, or the listener's `tls`",
            );
            return None;
        }
        let tls = match tls::server(listen, self.directory) {
            None => None,
            Some(loaded) => {
                let many = matches!(listen.tls, Some(config::Certificates::Many(_)));
                let place = place.at("tls");
                Some(Arc::new(
                    self.tls_problems(loaded, |index| if many { place.index(index) } else { place.clone() })?,
                ))
            }
        };
        Some(Arc::new(ListenerPlan { address: address?, config: listen.clone(), tls, pool }))
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

    fn pool(&self, name: &str, pool: &Pool) -> Option<Arc<PoolPlan>> {
        let place = self.pools.at(name);
        let old = self.old.and_then(|old| old.pools.iter().find(|known| known.name == name));
        if let Some(same) =
            old.filter(|known| known.config == *pool && pool.tls == config::OriginTls::default())
        {
            return Some(Arc::clone(same));
        }
        if pool.targets.is_empty() {
            place.at("targets").problem_with_fix("a pool needs at least one target", "add \"host:port\"");
            return None;
        }
        // Everything is looked at before anything bad ends it.
        let health = pool.health.as_ref().map(|health| self.health(&place.at("health"), health));
        let sticky = pool.sticky.as_ref().map(|settings| self.sticky(&place.at("sticky"), settings));
        let targets: Vec<_> = pool
            .targets
            .iter()
            .enumerate()
            .map(|(at, entry)| {
                let place = place.at("targets").index(at);
                if !(1..=1_000).contains(&entry.weight()) {
                    place.problem_with_fix(format!("{} is not a weight", entry.weight()), "write 1 to 1000");
                    return None;
                }
                let origin = Origin::parse(entry.address());
                if let Err(problem) = &origin {
                    place.problem(problem.clone());
                }
                origin.ok().map(|origin| (origin, entry.weight()))
            })
            .collect();
        let targets: Vec<(Origin, u32)> = targets.into_iter().collect::<Option<_>>()?;
        let secure = targets[0].0.secure;
        if targets.iter().any(|(origin, _)| origin.secure != secure) {
            place.at("targets").problem_with_fix(
                "some targets are https:// and some are not",
                "put them into two pools, so that no request is sent in clear by accident",
            );
            return None;
        }
        let health = match health {
            None => None,
            Some(health) => Some(health?),
        };
        let sticky = match sticky {
            None => None,
            Some(sticky) => Some(sticky?),
        };
        let retry = resilience::retry(pool, &place)?;
        let gate = resilience::gate(pool, &place, self.context.seed, old.and_then(|old| old.gate.as_ref()))?;
        let breakers = match old {
            Some(old) if resilience::same_breakers(&old.config, pool) => Arc::clone(&old.breakers),
            _ => resilience::breakers(name, pool, &place, self.context)?,
        };
        let tls = if secure { Some(self.origin_tls(&place, pool, &targets)?) } else { None };
        if pool.connect_attempts == 0 {
            place
                .at("connect_attempts")
                .problem_with_fix("at least one server must be tried", "write 1 or more");
            return None;
        }
        let spec = PoolSpec {
            name: name.to_owned(),
            targets: targets
                .iter()
                .map(|(origin, weight)| TargetSpec { name: origin.name.clone(), weight: *weight })
                .collect(),
            balance: pool.balance,
            health,
            outlier: pool.outlier.clone(),
            slow_start: pool.slow_start,
            panic_threshold: pool.panic_threshold,
        };
        let shared = match old {
            Some(old) => Arc::clone(&old.targets),
            None => Targets::new(spec.clone(), self.context),
        };
        Some(Arc::new(PoolPlan {
            name: name.to_owned(),
            config: pool.clone(),
            targets: shared,
            spec,
            protocol: pool.protocol,
            tls,
            timeouts: pool.timeouts.clone(),
            idle_connections: pool.idle_connections,
            connect_attempts: pool.connect_attempts,
            retry,
            breakers,
            gate,
            host: match pool.host.as_str() {
                "client" => HostPolicy::Client,
                "target" => HostPolicy::Target,
                fixed => HostPolicy::Fixed(fixed.to_owned()),
            },
            hash: pool.hash.clone(),
            sticky,
            proxy_protocol: pool.proxy_protocol,
        }))
    }

    fn origin_tls(&self, place: &Place<'_>, pool: &Pool, targets: &[(Origin, u32)]) -> Option<OriginTlsPlan> {
        let loaded = tls::client_config(&pool.tls, pool.protocol, self.directory);
        let config = self.tls_problems(loaded, |_| place.at("tls"))?;
        let mut names = HashMap::new();
        for (at, (origin, _)) in targets.iter().enumerate() {
            match tls::server_name(&pool.tls, origin.host()) {
                Ok(name) => {
                    names.insert(origin.name.clone(), name);
                }
                Err(what) => {
                    place.at("targets").index(at).problem_with_fix(what.what, what.fix);
                    return None;
                }
            }
        }
        Some(OriginTlsPlan { config, names })
    }

    fn health(&self, place: &Place<'_>, health: &config::Health) -> Option<HealthCheck> {
        if let Err(problem) = StatusSet::parse(&health.status) {
            place.at("status").problem(problem.to_string());
            return None;
        }
        if !health.path.starts_with('/') || health.path.contains([' ', '\r', '\n']) {
            place.at("path").problem_with_fix(
                format!("`{}` is not a path", health.path),
                "write it as in a URL, beginning with a slash: \"/health\"",
            );
            return None;
        }
        if health.every.is_zero() || health.timeout.is_zero() {
            place.problem_with_fix(
                "`every` and `timeout` must be longer than nothing",
                "write \"10s\" and \"2s\"",
            );
            return None;
        }
        Some(HealthCheck {
            every: health.every,
            timeout: health.timeout,
            healthy_threshold: health.healthy_after.max(1),
            unhealthy_threshold: health.unhealthy_after.max(1),
            ..HealthCheck::default()
        })
    }

    fn sticky(&self, place: &Place<'_>, settings: &config::Sticky) -> Option<StickyPlan> {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if settings.cookie.is_empty() || !settings.cookie.bytes().all(token) {
            place.at("cookie").problem_with_fix(
                format!("`{}` is not the name of a cookie", settings.cookie),
                "use letters, digits, `-` and `_`",
            );
            return None;
        }
        let secret = match &settings.secret {
            None => return Some(StickyPlan::new(settings, self.random_secret)),
            Some(secret) => secret.resolve(self.directory),
        };
        match secret {
            Ok(secret) => Some(StickyPlan::new(settings, secret.expose().as_bytes())),
            Err(error) => {
                place.at("secret").problem(error.to_string());
                None
            }
        }
    }
}

fn report(place: &Place<'_>, what: String, fix: Option<String>) {
    match fix {
        Some(fix) => place.problem_with_fix(what, fix),
        None => place.problem(what),
    }
}

/// A hash of all that tells where a route's answers come from, the same after every start.
fn identity(route: &Route) -> u64 {
    let route = Route { cache: None, ..route.clone() };
    // A route of the configuration can be written as it was read.
    deepwater_upstream::hash_bytes(serde_json::to_string(&route).unwrap_or_default().as_bytes())
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

fn parse_listen(text: &str) -> Option<SocketAddr> {
    if let Some(port) = text.strip_prefix("localhost:") {
        return format!("127.0.0.1:{port}").parse().ok();
    }
    text.parse().ok()
}

/// A target's address, taken apart.
struct Origin {
    /// `host:port` or `unix:/path`.
    name: String,
    secure: bool,
}

impl Origin {
    fn parse(text: &str) -> Result<Self, String> {
        let (secure, rest, default_port) = match text.split_once("://") {
            Some(("http", rest)) => (false, rest, Some(80)),
            Some(("https", rest)) => (true, rest, Some(443)),
            Some((scheme, _)) => {
                return Err(format!("`{scheme}://` is not known: write http://, https:// or host:port"));
            }
            None => (false, text, None),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if default_port.is_some() && rest.contains('/') {
            return Err(format!(
                "`{text}` has a path: write the server alone, and change paths with a route's `rewrite`"
            ));
        }
        let has_port = rest.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let name = match default_port {
            Some(port) if !has_port => format!("{rest}:{port}"),
            _ => rest.to_owned(),
        };
        name.parse::<Address>().map_err(|error| error.to_string())?;
        Ok(Self { name, secure })
    }

    fn host(&self) -> &str {
        let host = self.name.rsplit_once(':').map_or(self.name.as_str(), |(host, _)| host);
        host.trim_matches(['[', ']'])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_may_be_urls() {
        let name = |text| Origin::parse(text).map(|origin| (origin.name, origin.secure));
        assert_eq!(name("127.0.0.1:3000"), Ok(("127.0.0.1:3000".into(), false)));
        assert_eq!(name("http://app.internal/"), Ok(("app.internal:80".into(), false)));
        assert_eq!(name("https://app.internal"), Ok(("app.internal:443".into(), true)));
        assert_eq!(name("https://[::1]:8443"), Ok(("[::1]:8443".into(), true)));
        assert_eq!(name("unix:/run/app.sock"), Ok(("unix:/run/app.sock".into(), false)));
        assert!(name("ftp://a").is_err());
        assert!(name("http://a/b").unwrap_err().contains("rewrite"));
        assert!(name("app").is_err());
    }
}
