//! How a route caches, made valid.

use std::time::Duration;

use deepwater_cache::rules::{Cookies, Early, KeyOptions, Policy, SetCookie};
use deepwater_core::config::Place;

use crate::config::{CacheTable, CookieRule, EarlyRefresh, SetCookieRule};
use crate::route::Template;

use super::KeyForm;

/// How a route caches.
pub(crate) struct CachePlan {
    pub policy: Policy,
    pub key: KeyForm,
    pub tags: Vec<Template>,
    pub coalesce: bool,
    pub hit_for_miss: Duration,
}

impl CachePlan {
    /// Of a route with that identity and a pattern that has these names. `None` when something was reported.
    pub fn build(
        place: &Place<'_>,
        table: &CacheTable,
        route: u64,
        pattern_names: &[String],
    ) -> Option<Self> {
        let tags: Vec<_> = table
            .tags
            .iter()
            .enumerate()
            .map(|(at, tag)| {
                let place = place.at("tags").index(at);
                if tag.is_empty() {
                    place.problem_with_fix("a tag cannot be empty", "name it, or remove it");
                    return None;
                }
                Template::parse(tag, pattern_names).map_err(|what| place.problem(what)).ok()
            })
            .collect();
        let mut good = true;
        if !(table.early_beta > 0.0 && table.early_beta.is_finite()) {
            place.at("early_beta").problem_with_fix("the factor must be more than 0", "write 1.0");
            good = false;
        }
        if !(0.0..1.0).contains(&table.early_from) {
            place.at("early_from").problem_with_fix(
                "the share of the lifetime lies between 0 and 1",
                "write 0.8 to begin in the last fifth",
            );
            good = false;
        }
        if table.version.as_deref().is_some_and(str::is_empty) {
            place.at("version").problem_with_fix("a version needs a name", "name it, or remove the key");
            good = false;
        }
        for (at, name) in table.drop_params.iter().enumerate() {
            if name.is_empty() || name.strip_suffix('*').unwrap_or(name).contains(['*', '&', '=', '?']) {
                place.at("drop_params").index(at).problem_with_fix(
                    format!("`{name}` is not the name of a query parameter"),
                    "write a name such as \"gclid\", or the beginning of names such as \"utm_*\"",
                );
                good = false;
            }
        }
        let tags = tags.into_iter().collect::<Option<_>>()?;
        good.then(|| Self {
            policy: policy(table),
            key: KeyForm {
                options: KeyOptions { sort_query: table.sort_query, drop_params: table.drop_params.clone() },
                version: table.version.clone(),
                route,
            },
            tags,
            coalesce: table.coalesce,
            hit_for_miss: table.hit_for_miss.get(),
        })
    }
}

fn policy(table: &CacheTable) -> Policy {
    let duration = deepwater_core::config::Duration::get;
    Policy {
        honour_client: table.honour_client,
        set_cookie: match table.set_cookie {
            SetCookieRule::Refuse => SetCookie::Refuse,
            SetCookieRule::Strip => SetCookie::Strip,
            SetCookieRule::Keep => SetCookie::Keep,
        },
        cookies: match table.cookies {
            CookieRule::NeedExplicit => Cookies::NeedExplicit,
            CookieRule::Ignore => Cookies::Ignore,
        },
        default_ttl: table.default_ttl.map(duration),
        override_ttl: table.ttl.map(duration),
        max_ttl: table.max_ttl.map(duration),
        heuristic_max: table.heuristic_max.get(),
        stale_while_revalidate: table.stale_while_revalidate.get(),
        stale_if_error: table.stale_if_error.get(),
        early: match table.early {
            EarlyRefresh::Xfetch => Early::XFetch { beta: table.early_beta },
            EarlyRefresh::Linear => Early::Linear { from: table.early_from },
            EarlyRefresh::Off => Early::Off,
        },
        ..Policy::default()
    }
}
