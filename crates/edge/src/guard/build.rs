//! The guards that a route's configuration asks for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deepwater_auth::ClaimPath;
use deepwater_core::config::Place;

use crate::config::{RateLimit, Route};

use crate::plan::PoolPlan;

use super::Guard;
use super::auth::{AuthPlan, ClaimFields, RouteAuth};
use super::rate::{Buckets, Key, Rate};

/// The largest `per`: a bucket that takes longer to fill is a quota, for which a process forgets too easily.
const LONGEST_PERIOD: Duration = Duration::from_secs(24 * 3_600);

/// For each pool, the fields in which its servers may be told who has come: by any route to it, or to a pool that shares a
/// server with it.
pub(crate) fn claim_fields(
    routes: &[Route],
    auths: &[Arc<AuthPlan>],
    pools: &[Arc<PoolPlan>],
) -> Vec<Arc<ClaimFields>> {
    let told: Vec<(&PoolPlan, &AuthPlan)> = routes
        .iter()
        .filter_map(|route| {
            let (pool, auth) = (route.pool.as_ref()?, route.auth.as_ref()?.table().name);
            let pool = pools.iter().find(|known| known.name == *pool)?;
            Some((&**pool, &**auths.iter().find(|known| known.name == auth)?))
        })
        .collect();
    let of_pool = |pool: &Arc<PoolPlan>| {
        let shares = |other: &PoolPlan| {
            let mut targets = pool.spec.targets.iter();
            targets.any(|target| other.spec.targets.iter().any(|theirs| theirs.name == target.name))
        };
        let told = told.iter().filter(|(told, _)| shares(told));
        Arc::new(told.flat_map(|(_, auth)| auth.claim_fields()).collect())
    };
    pools.iter().map(of_pool).collect()
}

/// What guards are built with.
pub(crate) struct Builder<'a> {
    /// The names of the route's pattern.
    pub pattern: &'a [String],
    /// What clients may not say to the route's pool; none without one.
    pub claim_fields: Option<&'a Arc<ClaimFields>>,
    /// All `[auth]`, in the order of their names.
    pub auths: &'a [Arc<AuthPlan>],
    /// The same route's guards in the plan in force.
    pub old: Option<&'a Guard>,
    /// The time.
    pub now: Instant,
}

impl Builder<'_> {
    /// The guards of a route, `Some(None)` when it has none; `None` when something was reported.
    pub fn build(&self, route: &Route, place: &Place<'_>) -> Option<Option<Box<Guard>>> {
        let addresses = match &route.addresses {
            Some(addresses) => Some(deepwater_auth::addresses(addresses, &place.at("addresses"))?),
            None => None,
        };
        let auth = match &route.auth {
            Some(auth) => Some(RouteAuth::build(&auth.table(), self.auths, &place.at("auth"))?),
            None => None,
        };
        let limits = route.rate_limit.as_ref();
        let list = limits.is_some_and(|limits| matches!(limits, crate::config::RateLimits::Many(_)));
        let limits = limits.map(crate::config::RateLimits::as_slice).unwrap_or_default();
        let rates: Vec<Option<Rate>> = limits
            .iter()
            .enumerate()
            .map(|(at, limit)| {
                let place = place.at("rate_limit");
                self.rate(limit, auth.is_some(), &if list { place.index(at) } else { place })
            })
            .collect();
        let rates: Vec<Rate> = rates.into_iter().collect::<Option<_>>()?;
        let (claim_rates, rates): (Vec<_>, Vec<_>) = rates.into_iter().partition(Rate::is_by_claim);
        let claim_fields = match (self.claim_fields, &route.auth) {
            (Some(of_pool), _) => Arc::clone(of_pool),
            (None, Some(auth)) => Arc::new(self.told_by(&auth.table().name)),
            (None, None) => Arc::default(),
        };
        let asks = addresses.is_some() || auth.is_some() || !rates.is_empty() || !claim_rates.is_empty();
        if !asks && claim_fields.is_empty() {
            return Some(None);
        }
        Some(Some(Box::new(Guard { addresses, rates, auth, claim_fields, claim_rates })))
    }

    /// The fields that an `[auth]` of a name tells claims in.
    fn told_by(&self, name: &str) -> ClaimFields {
        let auths = self.auths.iter().filter(|auth| auth.name == name);
        auths.flat_map(|auth| auth.claim_fields()).collect()
    }

    fn rate(&self, limit: &RateLimit, has_auth: bool, place: &Place<'_>) -> Option<Rate> {
        let key = self.key(&limit.key, has_auth, &place.at("key"))?;
        if limit.rate == 0 {
            place.at("rate").problem_with_fix(
                "no request would ever pass",
                "write 1 or more; to refuse all, use respond = { status = 403 }",
            );
            return None;
        }
        let per = limit.per.get();
        if per.is_zero() || per > LONGEST_PERIOD {
            place.at("per").problem_with_fix("it lies between 1 ms and 24 h", "write \"1s\" or \"1m\"");
            return None;
        }
        if limit.burst == Some(0) {
            place.at("burst").problem_with_fix("no request would ever pass", "write 1 or more");
            return None;
        }
        if limit.max_keys == 0 {
            place.at("max_keys").problem_with_fix("no key could be remembered", "write 1000000");
            return None;
        }
        let old = self.old.into_iter().flat_map(|old| old.rates.iter().chain(&old.claim_rates));
        let kept = old.into_iter().find(|rate| rate.config == *limit && rate.key == key);
        let buckets =
            kept.map_or_else(|| Arc::new(Buckets::new(limit, self.now)), |kept| Arc::clone(&kept.buckets));
        Some(Rate::new(key, limit.clone(), buckets))
    }

    fn key(&self, text: &str, has_auth: bool, place: &Place<'_>) -> Option<Key> {
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        match (kind, name) {
            ("all", "") => Some(Key::All),
            ("ip", "") => Some(Key::Ip),
            ("header", name) if http::HeaderName::from_bytes(name.as_bytes()).is_ok() => {
                Some(Key::Header(name.to_ascii_lowercase().into_bytes().into()))
            }
            ("cookie", name) if !name.is_empty() => Some(Key::Cookie(name.as_bytes().into())),
            ("path", name) => {
                let position = self.pattern.iter().position(|known| known == name);
                if position.is_none() {
                    place.unknown_name(
                        "name",
                        name,
                        "the route's path",
                        self.pattern.iter().map(String::as_str),
                    );
                }
                position.map(Key::Path)
            }
            ("claim", path) => {
                if !has_auth {
                    place.problem_with_fix(
                        "claims are known only where tokens are verified",
                        "add auth = \"<name>\" to the route, or count by \"ip\"",
                    );
                    return None;
                }
                let path = ClaimPath::new(path);
                if path.is_none() {
                    place.problem_with_fix("the claim has no name", "write \"claim:sub\"");
                }
                path.map(Key::Claim)
            }
            _ => {
                place.problem_with_fix(
                    format!("`{text}` is not what requests can be told apart by"),
                    "write \"ip\", \"header:NAME\", \"cookie:NAME\", \"path:NAME\", \"claim:PATH\" or \"all\"",
                );
                None
            }
        }
    }
}
