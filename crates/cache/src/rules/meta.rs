//! What is kept of a stored response to decide about it: its times.

use std::ops::{BitOr, BitOrAssign};

use http::StatusCode;

/// Decides, with the time and a request, what becomes of a stored response. The rest is in its stored head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// When the head of the response had arrived, Unix milliseconds.
    pub response_ms: u64,
    /// How old it was then (RFC 9111 §4.2.3, `corrected_initial_age`).
    pub initial_age_ms: u64,
    /// For how long, counted from age 0, it is fresh.
    pub lifetime_ms: u64,
    /// How long after that it may be served while it is fetched anew.
    pub stale_while_revalidate_ms: u64,
    /// How long after that it may be served when the origin fails.
    pub stale_if_error_ms: u64,
    /// How long its fetch took: the Δ of XFetch. At first the time to its head; longer where more is known.
    pub fetch_ms: u32,
    /// Its status code.
    pub status: StatusCode,
    /// What else is to be known of it.
    pub flags: Flags,
}

/// A set of facts about a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u16);

impl Flags {
    /// Once stale it is not used without asking: `must-revalidate`, `proxy-revalidate`, or `s-maxage`, which
    /// says the same (RFC 9111 §5.2.2.10). The windows hold what stays allowed.
    pub const MUST_REVALIDATE: Self = Self(1);
    /// It is never used without asking: `no-cache`.
    pub const ALWAYS_REVALIDATE: Self = Self(1 << 1);
    /// Its lifetime is a guess.
    pub const HEURISTIC: Self = Self(1 << 2);
    /// It does not change while fresh: `immutable`.
    pub const IMMUTABLE: Self = Self(1 << 3);
    /// It has an entity tag.
    pub const ETAG: Self = Self(1 << 4);
    /// It has a date of change.
    pub const LAST_MODIFIED: Self = Self(1 << 5);
    /// One of these is strong: parts of it may be combined.
    pub const STRONG: Self = Self(1 << 6);
    /// It came as 206.
    pub const PARTIAL: Self = Self(1 << 7);
    /// It is not to be changed on the way: `no-transform`.
    pub const NO_TRANSFORM: Self = Self(1 << 8);

    /// Whether all of these are set.
    pub fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These if the condition holds, else none.
    pub(crate) fn when(self, holds: bool) -> Self {
        if holds { self } else { Self::default() }
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

/// How fresh a response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// For that long; more than 0.
    Fresh {
        /// Milliseconds until it is stale.
        left_ms: u64,
    },
    /// Since that long.
    Stale {
        /// Milliseconds since it was fresh.
        by_ms: u64,
    },
}

impl Meta {
    /// How old it is (RFC 9111 §4.2.3, `current_age`). Never less than on arrival, also when the clock goes back.
    pub fn age_ms(&self, now_ms: u64) -> u64 {
        self.initial_age_ms.saturating_add(now_ms.saturating_sub(self.response_ms))
    }

    /// The value of `Age`: whole seconds, at most 2³¹ (RFC 9111 §1.2.2).
    pub fn age(&self, now_ms: u64) -> u64 {
        (self.age_ms(now_ms) / 1_000).min(1 << 31)
    }

    /// How fresh it is (RFC 9111 §4.2): fresh while its lifetime is greater than its age.
    pub fn freshness(&self, now_ms: u64) -> Freshness {
        let age = self.age_ms(now_ms);
        match self.lifetime_ms.checked_sub(age) {
            Some(left_ms) if left_ms > 0 => Freshness::Fresh { left_ms },
            _ => Freshness::Stale { by_ms: age - self.lifetime_ms },
        }
    }

    /// Whether it is fresh.
    pub fn is_fresh(&self, now_ms: u64) -> bool {
        matches!(self.freshness(now_ms), Freshness::Fresh { .. })
    }

    /// The `ttl` of `Cache-Status`: whole seconds left, less than 0 when stale.
    pub fn ttl(&self, now_ms: u64) -> i64 {
        let seconds = |ms: u64| i64::try_from(ms / 1_000).unwrap_or(i64::MAX);
        match self.freshness(now_ms) {
            Freshness::Fresh { left_ms } => seconds(left_ms),
            Freshness::Stale { by_ms } => -seconds(by_ms),
        }
    }

    /// When it turns stale, Unix milliseconds. In the past of its arrival if it arrived stale.
    pub fn expires_ms(&self) -> u64 {
        self.response_ms.saturating_add(self.lifetime_ms).saturating_sub(self.initial_age_ms)
    }

    /// Until when it may answer a request, be it stale, Unix milliseconds. Later it is only good for revalidation,
    /// if it [has a validator](Self::has_validator).
    pub fn useful_until_ms(&self) -> u64 {
        let window = self.stale_while_revalidate_ms.max(self.stale_if_error_ms);
        self.expires_ms().saturating_add(window)
    }

    /// What came in parts is all here now: it is as if it had come whole, with 200.
    pub fn complete(&mut self) {
        self.status = StatusCode::OK;
        self.flags = Flags(self.flags.0 & !Flags::PARTIAL.0);
    }

    /// Makes it stale from now on, if it is not yet: a soft purge, or a HEAD that differs (RFC 9111 §4.3.5). Its
    /// windows begin now.
    pub fn expire(&mut self, now_ms: u64) {
        self.lifetime_ms = self.lifetime_ms.min(self.age_ms(now_ms));
    }

    /// Whether there is something to revalidate it by.
    pub fn has_validator(&self) -> bool {
        self.flags.has(Flags::ETAG) || self.flags.has(Flags::LAST_MODIFIED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{NOW, meta};
    use proptest::prelude::*;

    #[test]
    fn it_is_small() {
        assert_eq!(size_of::<Meta>(), 48);
    }

    #[test]
    fn ages_and_expires() {
        let meta = Meta { initial_age_ms: 30_000, lifetime_ms: 60_000, ..meta() };
        assert_eq!((meta.age(NOW), meta.age(NOW + 1_999), meta.age(NOW - 5_000)), (30, 31, 30));
        assert_eq!(meta.freshness(NOW + 29_999), Freshness::Fresh { left_ms: 1 });
        assert_eq!(meta.freshness(NOW + 30_000), Freshness::Stale { by_ms: 0 });
        assert_eq!((meta.ttl(NOW), meta.ttl(NOW + 35_500)), (30, -5));
        assert_eq!(meta.expires_ms(), NOW + 30_000);
        assert_eq!(meta.useful_until_ms(), NOW + 30_000);
    }

    #[test]
    fn expiring_opens_the_windows() {
        let mut meta = Meta { lifetime_ms: 60_000, stale_while_revalidate_ms: 5_000, ..meta() };
        assert_eq!(meta.useful_until_ms(), NOW + 65_000);
        meta.expire(NOW + 10_000);
        assert_eq!(meta.freshness(NOW + 10_000), Freshness::Stale { by_ms: 0 });
        assert_eq!(meta.useful_until_ms(), NOW + 15_000);
        meta.expire(NOW + 12_000);
        assert_eq!(meta.useful_until_ms(), NOW + 15_000);
    }

    proptest! {
        #[test]
        fn age_only_grows(response_ms: u64, initial_age_ms: u64, a: u64, b: u64) {
            let meta = Meta { response_ms, initial_age_ms, ..meta() };
            prop_assert!(meta.age_ms(a.min(b)) <= meta.age_ms(a.max(b)));
            prop_assert!(meta.age_ms(a) >= initial_age_ms);
        }

        #[test]
        fn expiry_and_freshness_agree(
            initial_age_ms in 0u64..1 << 41, lifetime_ms in 0u64..1 << 41, later in 0u64..1 << 42,
        ) {
            let meta = Meta { initial_age_ms, lifetime_ms, ..meta() };
            prop_assert_eq!(meta.is_fresh(NOW + later), NOW + later < meta.expires_ms());
        }

        #[test]
        fn any_times_do(response_ms: u64, initial_age_ms: u64, lifetime_ms: u64, window: u64, now: u64) {
            let mut meta = Meta {
                response_ms, initial_age_ms, lifetime_ms, stale_if_error_ms: window, ..meta()
            };
            let _ = (meta.ttl(now), meta.age(now), meta.useful_until_ms());
            meta.expire(now);
            prop_assert!(!meta.is_fresh(now));
        }
    }
}
