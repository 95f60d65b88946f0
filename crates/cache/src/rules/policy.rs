//! What the operator decides.

use std::time::Duration;

/// How a route caches, beyond what messages say. No part of it makes `private` or `no-store` responses storable.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Whether clients may ask the cache to revalidate, to go without it, or for stale responses. RFC 9111 §5.2.1
    /// leaves it open; off, because it hands the origin's load to anyone who sends `no-cache`.
    pub honour_client: bool,
    /// What becomes of responses with `Set-Cookie`.
    pub set_cookie: SetCookie,
    /// What becomes of responses to requests with `Cookie`.
    pub cookies: Cookies,
    /// Lifetime of responses that carry none and may be given one: those with a status that is cacheable by
    /// default (RFC 9110 §15.1) or with `public`. Counts from their arrival.
    pub default_ttl: Option<Duration>,
    /// Lifetime of all of these, also where they carry another. Counts from their arrival. `no-cache` stays.
    pub override_ttl: Option<Duration>,
    /// No lifetime is longer.
    pub max_ttl: Option<Duration>,
    /// No lifetime that is only a guess is longer; zero switches guessing off.
    pub heuristic_max: Duration,
    /// How long past its lifetime a response is served while it is fetched anew, where it does not say so itself.
    pub stale_while_revalidate: Duration,
    /// How long past its lifetime a response is served when the origin fails, where it does not say so itself.
    pub stale_if_error: Duration,
    /// When fresh responses are fetched anew before they expire.
    pub early: Early,
    /// Response fields that replace `Cache-Control` here (RFC 9213), in lower case, the most specific first.
    pub targeted: Vec<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            honour_client: false,
            set_cookie: SetCookie::Refuse,
            cookies: Cookies::NeedExplicit,
            default_ttl: None,
            override_ttl: None,
            max_ttl: None,
            heuristic_max: Duration::from_secs(24 * 3_600),
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            early: Early::XFetch { beta: 1.0 },
            targeted: vec!["cdn-cache-control".to_owned()],
        }
    }
}

/// What becomes of a response that sets cookies. RFC 9111 §7.3 has it stored, cookies and all; they are meant for
/// one client far more often than not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SetCookie {
    /// Not stored, unless `public` or `s-maxage` says that it is for all: then stored without the cookies.
    #[default]
    Refuse,
    /// Stored without the cookies.
    Strip,
    /// Stored with the cookies: everyone gets them.
    Keep,
}

/// What becomes of a response to a request with `Cookie`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cookies {
    /// Stored only when it says itself that it may be: by a lifetime or `public`. Lifetimes that are guessed or
    /// come from the policy do not count, since nobody has looked whether the page is personal.
    #[default]
    NeedExplicit,
    /// Stored like any other.
    Ignore,
}

/// When a fresh response is fetched anew before it expires, so that no crowd finds it expired.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Early {
    /// Never.
    Off,
    /// With a probability that grows towards the expiry, the earlier the longer a fetch takes (XFetch; Vattani et
    /// al., "Optimal probabilistic cache stampede prevention", 2015). More than 1 is more eager.
    XFetch {
        /// Factor of the time a fetch takes; 1 is optimal for the model.
        beta: f64,
    },
    /// With a probability that grows evenly from 0 at a share of the lifetime to 1 at its end.
    Linear {
        /// The share, 0 to 1.
        from: f64,
    },
}
