//! A pool: its targets, how they are reached and checked, and who stays with one.

use std::collections::HashMap;
use std::sync::Arc;

use deepwater_core::config::Place;
use deepwater_upstream::{HealthCheck, Pool as Targets, PoolSpec, TargetSpec};

use crate::config::{self, Pool};
use crate::probe::StatusSet;
use crate::sticky::StickyPlan;
use crate::tls;

use super::origin::Origin;
use super::{Builder, deadlines, resilience};
use crate::plan::{HostPolicy, OriginTlsPlan, PoolPlan};

impl Builder<'_> {
    /// A `[pools.<name>]`; the one in force if it is the same.
    pub(super) fn pool(&self, name: &str, pool: &Pool) -> Option<Arc<PoolPlan>> {
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
        let config::OriginTimeouts { connect, response, body, .. } = &pool.timeouts;
        let timeouts = [("connect", connect.get()), ("response", response.get()), ("body", body.get())];
        let leave_time = deadlines::leave_time(&place.at("timeouts"), &timeouts);
        let health = pool.health.as_ref().map(|health| health_check(&place.at("health"), health));
        let sticky = pool.sticky.as_ref().map(|settings| self.sticky(&place.at("sticky"), settings));
        let (targets, secure) = targets(&place.at("targets"), pool)?;
        let health = match health {
            None => None,
            Some(health) => Some(health?),
        };
        let sticky = match sticky {
            None => None,
            Some(sticky) => Some(sticky?),
        };
        let retry = resilience::retry(pool, &place).filter(|_| leave_time)?;
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
                place.at("secret").secret_problem(&error);
                None
            }
        }
    }
}

/// Its targets and their weights, and whether TLS is spoken to them.
fn targets(place: &Place<'_>, pool: &Pool) -> Option<(Vec<(Origin, u32)>, bool)> {
    let targets = pool.targets.iter().enumerate().map(|(at, entry)| {
        let place = place.index(at);
        let origin = Origin::parse(entry.address());
        if let Err(problem) = &origin {
            place.problem(problem.clone());
        }
        origin.ok().map(|origin| (origin, entry.weight()))
    });
    // Every bad one is reported before giving up.
    let targets: Vec<_> = targets.collect();
    let targets: Vec<(Origin, u32)> = targets.into_iter().collect::<Option<_>>()?;
    let secure = targets[0].0.secure;
    if targets.iter().any(|(origin, _)| origin.secure != secure) {
        place.problem_with_fix(
            "some targets are https:// and some are not",
            "put them into two pools, so that no request is sent in clear by accident",
        );
        return None;
    }
    Some((targets, secure))
}

fn health_check(place: &Place<'_>, health: &config::Health) -> Option<HealthCheck> {
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
