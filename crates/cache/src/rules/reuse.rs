//! Whether a stored response answers a request (RFC 9111 §4).

use super::control::RequestControl;
use super::fields::Fields;
use super::meta::{Flags, Freshness, Meta};
use super::policy::{Early, Policy};

/// What becomes of a stored response that a request has selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// It answers.
    Fresh,
    /// It answers, and is fetched anew in the background before it expires.
    FreshRefreshEarly,
    /// It is stale and answers; it is fetched anew in the background.
    StaleWhileRevalidate,
    /// It is stale and answers, since the client has asked for no better (`max-stale`).
    StaleAsAsked,
    /// It answers once the origin has said that it is current.
    Revalidate {
        /// If the origin [fails](is_error) before this time, in Unix milliseconds, it answers nevertheless.
        stale_if_error_until_ms: Option<u64>,
    },
    /// It does not answer, and the client wants nothing else (`only-if-cached`): 504.
    NotCached504,
}

/// Decides about a stored response that is in the cache under the key and `Vary` of the request. `random` is
/// greater than 0 and at most 1, drawn anew for each request: it decides about early refreshes.
pub fn reuse<F: Fields + ?Sized>(
    request: &F,
    meta: &Meta,
    now_ms: u64,
    policy: &Policy,
    random: f64,
) -> Reuse {
    if !policy.honour_client {
        return decide(&RequestControl::default(), meta, now_ms, policy.early, random);
    }
    let client = RequestControl::of(request);
    match decide(&client, meta, now_ms, policy.early, random) {
        Reuse::Revalidate { .. } if client.only_if_cached => Reuse::NotCached504,
        answer => answer,
    }
}

/// Whether a client that finds nothing stored wants a 504 rather than a fetch (RFC 9111 §5.2.1.7).
pub fn wants_only_cached<F: Fields + ?Sized>(request: &F, policy: &Policy) -> bool {
    policy.honour_client && RequestControl::of(request).only_if_cached
}

/// Whether an answer counts as a failure of the origin (RFC 5861 §4), as no answer at all does.
pub fn is_error(status: u16) -> bool {
    matches!(status, 500 | 502 | 503 | 504)
}

fn decide(client: &RequestControl, meta: &Meta, now_ms: u64, early: Early, random: f64) -> Reuse {
    if meta.flags.has(Flags::ALWAYS_REVALIDATE) || client.no_cache {
        return Reuse::Revalidate { stale_if_error_until_ms: None };
    }
    let millis = |seconds: u32| u64::from(seconds) * 1_000;
    let age_ms = meta.age_ms(now_ms);
    let too_old = client.max_age.is_some_and(|max| max == 0 || age_ms > millis(max));
    match meta.freshness(now_ms) {
        Freshness::Fresh { left_ms } => {
            let too_near = client.min_fresh.is_some_and(|min| left_ms < millis(min));
            if too_old || too_near {
                Reuse::Revalidate { stale_if_error_until_ms: until(client, meta) }
            } else if is_due(meta, now_ms, left_ms, early, random) {
                Reuse::FreshRefreshEarly
            } else {
                Reuse::Fresh
            }
        }
        Freshness::Stale { by_ms } => {
            let wants_fresh = too_old || client.min_fresh.is_some();
            let strict = meta.flags.has(Flags::MUST_REVALIDATE);
            let accepts = client.max_stale.is_some_and(|max| max == u32::MAX || by_ms <= millis(max));
            if by_ms < meta.stale_while_revalidate_ms && !wants_fresh {
                Reuse::StaleWhileRevalidate
            } else if accepts && !wants_fresh && !strict {
                Reuse::StaleAsAsked
            } else {
                let until = until(client, meta).filter(|until| now_ms < *until);
                Reuse::Revalidate { stale_if_error_until_ms: until }
            }
        }
    }
}

/// Until when it answers for an origin that fails. The client may ask for more than the response grants
/// (RFC 5861 §4), unless that is forbidden.
fn until(client: &RequestControl, meta: &Meta) -> Option<u64> {
    let asked_ms = match client.stale_if_error {
        Some(seconds) if !meta.flags.has(Flags::MUST_REVALIDATE) => u64::from(seconds) * 1_000,
        _ => 0,
    };
    let window_ms = meta.stale_if_error_ms.max(asked_ms);
    (window_ms > 0).then(|| meta.expires_ms().saturating_add(window_ms))
}

/// Whether a fresh response is to be fetched anew before it expires.
fn is_due(meta: &Meta, now_ms: u64, left_ms: u64, early: Early, random: f64) -> bool {
    let random = random.clamp(f64::MIN_POSITIVE, 1.0);
    match early {
        Early::Off => false,
        // now − Δ·β·ln(random) ≥ expiry
        Early::XFetch { beta } => -f64::from(meta.fetch_ms) * beta * random.ln() >= left_ms as f64,
        Early::Linear { from } => {
            // Of the time it was fresh for on arrival.
            let here_ms = now_ms.saturating_sub(meta.response_ms) as f64;
            let passed = here_ms / (here_ms + left_ms as f64);
            random * (1.0 - from) < passed - from
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{NOW, meta};
    use proptest::prelude::*;

    const ANY: f64 = 0.5;

    fn off(honour_client: bool) -> Policy {
        Policy { honour_client, early: Early::Off, ..Policy::default() }
    }

    /// Fresh for a minute from [`NOW`], then stale for ten seconds or twenty.
    fn minute() -> Meta {
        let [lifetime_ms, stale_while_revalidate_ms, stale_if_error_ms] = [60_000, 10_000, 20_000];
        Meta { lifetime_ms, stale_while_revalidate_ms, stale_if_error_ms, ..meta() }
    }

    fn at(meta: &Meta, second: u64) -> Reuse {
        reuse::<[(&str, &str)]>(&[], meta, NOW + second * 1_000, &off(false), ANY)
    }

    fn asked(control: &str, meta: &Meta, second: u64) -> Reuse {
        reuse([("Cache-Control", control)].as_slice(), meta, NOW + second * 1_000, &off(true), ANY)
    }

    fn revalidate(until_second: Option<u64>) -> Reuse {
        Reuse::Revalidate { stale_if_error_until_ms: until_second.map(|second| NOW + second * 1_000) }
    }

    #[test]
    fn fresh_then_stale_then_not_at_all() {
        let meta = minute();
        assert_eq!(at(&meta, 0), Reuse::Fresh);
        assert_eq!(at(&meta, 59), Reuse::Fresh);
        assert_eq!(at(&meta, 60), Reuse::StaleWhileRevalidate);
        assert_eq!(at(&meta, 69), Reuse::StaleWhileRevalidate);
        assert_eq!(at(&meta, 70), revalidate(Some(80)));
        assert_eq!(at(&meta, 79), revalidate(Some(80)));
        assert_eq!(at(&meta, 80), revalidate(None));
    }

    #[test]
    fn no_cache_is_never_used_without_asking() {
        let meta = Meta { flags: Flags::ALWAYS_REVALIDATE, ..minute() };
        assert_eq!(at(&meta, 0), revalidate(None));
        assert_eq!(asked("max-stale", &meta, 0), revalidate(None));
        assert_eq!(asked("only-if-cached", &meta, 0), Reuse::NotCached504);
    }

    #[test]
    fn clients_count_for_nothing_by_default() {
        for control in ["no-cache", "max-age=0", "min-fresh=100", "max-stale", "only-if-cached", "no-store"] {
            for (second, expected) in [(0, Reuse::Fresh), (90, revalidate(None))] {
                let request = [("Cache-Control", control), ("Pragma", "no-cache")];
                let answer = reuse(request.as_slice(), &minute(), NOW + second * 1_000, &off(false), ANY);
                assert_eq!(answer, expected, "{control}");
            }
        }
    }

    #[test]
    fn clients_where_they_are_honoured() {
        let strict = Meta {
            stale_while_revalidate_ms: 0,
            stale_if_error_ms: 0,
            flags: Flags::MUST_REVALIDATE,
            ..minute()
        };
        let plain = Meta { flags: Flags::default(), ..strict };
        for (control, meta, second, expected) in [
            ("no-cache", minute(), 0, revalidate(None)),
            ("max-age=0", minute(), 0, revalidate(Some(80))),
            ("max-age=30", minute(), 30, Reuse::Fresh),
            ("max-age=30", minute(), 31, revalidate(Some(80))),
            ("max-age=30", minute(), 65, revalidate(Some(80))),
            ("min-fresh=30", minute(), 30, Reuse::Fresh),
            ("min-fresh=30", minute(), 31, revalidate(Some(80))),
            ("min-fresh=30", minute(), 65, revalidate(Some(80))),
            ("max-stale", plain, 1_000, Reuse::StaleAsAsked),
            ("max-stale=5", plain, 65, Reuse::StaleAsAsked),
            ("max-stale=5", plain, 66, revalidate(None)),
            ("max-stale=5, max-age=61", plain, 62, revalidate(None)),
            ("max-stale", strict, 65, revalidate(None)),
            ("max-stale=5", minute(), 61, Reuse::StaleWhileRevalidate),
            ("stale-if-error=30", plain, 65, revalidate(Some(90))),
            ("stale-if-error=30", strict, 65, revalidate(None)),
            ("stale-if-error=5", minute(), 75, revalidate(Some(80))),
            ("only-if-cached", plain, 0, Reuse::Fresh),
            ("only-if-cached", plain, 65, Reuse::NotCached504),
            ("only-if-cached, max-stale", plain, 65, Reuse::StaleAsAsked),
        ] {
            assert_eq!(asked(control, &meta, second), expected, "{control} at {second}");
        }
        let pragma = reuse([("Pragma", "no-cache")].as_slice(), &minute(), NOW, &off(true), ANY);
        assert_eq!(pragma, revalidate(None));
        let only = [("Cache-Control", "only-if-cached")];
        assert!(
            wants_only_cached(only.as_slice(), &off(true))
                && !wants_only_cached(only.as_slice(), &off(false))
        );
    }

    fn early(early: Early, left_ms: u64, random: f64) -> bool {
        let policy = Policy { early, ..Policy::default() };
        let answer = reuse::<[(&str, &str)]>(&[], &minute(), NOW + 60_000 - left_ms, &policy, random);
        assert!(matches!(answer, Reuse::Fresh | Reuse::FreshRefreshEarly));
        answer == Reuse::FreshRefreshEarly
    }

    #[test]
    fn xfetch() {
        // Δ = 100 ms, and −ln(1/e) = 1.
        let random = (-1.0f64).exp();
        assert!(
            early(Early::XFetch { beta: 1.0 }, 99, random)
                && !early(Early::XFetch { beta: 1.0 }, 101, random)
        );
        assert!(
            early(Early::XFetch { beta: 2.0 }, 199, random)
                && !early(Early::XFetch { beta: 2.0 }, 201, random)
        );
        assert!(!early(Early::XFetch { beta: 1.0 }, 1, 1.0));
        assert!(!early(Early::XFetch { beta: 1.0 }, 60_000, 1e-200) && !early(Early::Off, 1, 1e-300));
    }

    #[test]
    fn linear() {
        let from = Early::Linear { from: 0.5 };
        assert!(!early(from, 30_001, 1e-9));
        // Half way through the second half.
        assert!(early(from, 15_000, 0.49) && !early(from, 15_000, 0.51));
        assert!(early(from, 1, 0.99));
        assert!(!early(Early::Linear { from: 1.0 }, 1, 1e-9));
    }

    #[test]
    fn failures_of_an_origin() {
        let failures: Vec<_> = (100..600).filter(|status| is_error(*status)).collect();
        assert_eq!(failures, [500, 502, 503, 504]);
    }

    proptest! {
        #[test]
        fn nothing_answers_as_fresh_beyond_its_lifetime(
            initial_age_ms in 0u64..1 << 33, lifetime_ms in 0u64..1 << 33, later_ms in 0u64..1 << 34,
            swr in 0u64..1 << 33, sie in 0u64..1 << 33, fetch_ms: u32, random in 0.0f64..=1.0,
            beta in 0.0f64..10.0, from in 0.0f64..=1.0, kind in 0..3usize, control in "[a-z0-9=, -]{0,30}",
        ) {
            let early = [Early::Off, Early::XFetch { beta }, Early::Linear { from }][kind];
            let policy = Policy { early, honour_client: true, ..Policy::default() };
            let meta = Meta {
                initial_age_ms, lifetime_ms, stale_while_revalidate_ms: swr, stale_if_error_ms: sie, fetch_ms, ..meta()
            };
            let now = NOW + later_ms;
            let answer = reuse([("cache-control", control)].as_slice(), &meta, now, &policy, random);
            match answer {
                Reuse::Fresh | Reuse::FreshRefreshEarly => prop_assert!(initial_age_ms + later_ms < lifetime_ms),
                Reuse::StaleWhileRevalidate => prop_assert!(now < meta.expires_ms() + swr),
                _ => {}
            }
        }
    }
}
