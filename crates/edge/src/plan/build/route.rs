//! A route: on which terms it does what it does.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use deepwater_core::config::{Duration, Place};

use crate::cache::CachePlan;
use crate::config::{HeaderEdits, OriginProtocol, Pools, Route, RouteAuth, RouteCache, RouteIdempotency};
use crate::guard;
use crate::guard::auth::{AuthPlan, ClaimFields};
use crate::idempotency::{KeyPlan, Verified};
use crate::route::{EditProblem, Edits, Rewrite, RewriteProblem, pattern_names};

use super::{Builder, deadlines, report};
use crate::plan::RoutePlan;

/// What routes name, and what goes with it.
pub(super) struct Known<'a> {
    pub pools: &'a Pools,
    pub names: &'a [&'a str],
    pub auths: &'a [Arc<AuthPlan>],
    pub claim_fields: HashMap<&'a str, &'a Arc<ClaimFields>>,
}

impl Builder<'_> {
    pub(super) fn route(
        &self,
        at: usize,
        route: &Route,
        old: Option<&RoutePlan>,
        known: &Known<'_>,
    ) -> Option<RoutePlan> {
        let Known { pools, names, auths, claim_fields } = known;
        let place = self.edge.at("route").index(at);
        let pattern = pattern_names(route.r#match.path.as_deref());
        let request_edits = edits(&place.at("request_headers"), &route.request_headers, &pattern);
        let response_edits = edits(&place.at("response_headers"), &route.response_headers, &pattern);
        let rewrite = rewrite(&place, route, &pattern);
        let action = self.action(&place, route, names, &pattern);
        let deadlines = [("timeout", route.timeout), ("response_timeout", route.response_timeout)];
        let deadlines =
            deadlines.map(|(key, time)| (key, time.map_or(std::time::Duration::MAX, Duration::get)));
        let leave_time = deadlines::leave_time(&place, &deadlines);
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
        let cache = cache(&place, route, &pattern)?;
        let guards = guard::Builder {
            pattern: &pattern,
            claim_fields: route.pool.as_deref().and_then(|pool| claim_fields.get(pool).copied()),
            auths,
            old: old.and_then(|old| old.guard.as_deref()),
            now: self.context.clock.now(),
        };
        let guard = guards.build(route, &place)?;
        let keys = keys(&place, route, auths)?;
        Some(RoutePlan {
            name: route.label(),
            matches: route.r#match.clone(),
            action: action.filter(|_| leave_time)?,
            connect: route.connect,
            response_timeout: route.response_timeout.map(Duration::get),
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
            timeout: route.timeout.map(Duration::get),
        })
    }
}

fn edits(place: &Place<'_>, written: &HeaderEdits, pattern: &[String]) -> Option<Edits> {
    let report_all = |problems: Vec<EditProblem>| {
        for problem in problems {
            report(&place.at(problem.list).at(&problem.field), problem.what, problem.fix);
        }
    };
    Edits::build(written, pattern).map_err(report_all).ok()
}

fn rewrite(place: &Place<'_>, route: &Route, pattern: &[String]) -> Option<Rewrite> {
    let report_all = |problems: Vec<RewriteProblem>| {
        for problem in problems {
            report(&place.at(problem.key), problem.what, problem.fix);
        }
    };
    Rewrite::build(route.strip_prefix.as_deref(), route.rewrite.as_deref(), pattern).map_err(report_all).ok()
}

/// How it caches, if it does; `None` if something was reported.
fn cache(place: &Place<'_>, route: &Route, pattern: &[String]) -> Option<Option<CachePlan>> {
    let Some(table) = route.cache.as_ref().and_then(RouteCache::table) else { return Some(None) };
    let place = place.at("cache");
    if route.pool.is_none() {
        place.problem_with_fix(
            "only what comes from a pool is cached",
            "remove the key: what this route answers is in memory already",
        );
        return None;
    }
    CachePlan::build(&place, &table, identity(route), pattern).map(Some)
}

/// How it honours idempotency keys, if it does; `None` if something was reported.
fn keys(place: &Place<'_>, route: &Route, auths: &[Arc<AuthPlan>]) -> Option<Option<Arc<KeyPlan>>> {
    let Some(table) = route.idempotency.as_ref().and_then(RouteIdempotency::table) else { return Some(None) };
    let place = place.at("idempotency");
    if route.pool.is_none() {
        place.problem_with_fix("only what a pool does is worth doing once", "remove the key");
        return None;
    }
    let auth = route.auth.as_ref().map(RouteAuth::table);
    let auth = auth.and_then(|auth| auths.iter().find(|known| known.name == auth.name));
    let verified = auth.map(|auth| Verified::new(&auth.name, auth.token_place()));
    Some(Some(KeyPlan::build(&place, &table, verified)?.into()))
}

/// A hash of all that tells where a route's answers come from, the same after every start.
fn identity(route: &Route) -> u64 {
    let route = Route { cache: None, ..route.clone() };
    // A route of the configuration can be written as it was read.
    deepwater_upstream::hash_bytes(serde_json::to_string(&route).unwrap_or_default().as_bytes())
}
