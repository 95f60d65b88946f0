//! How many requests may come: a token bucket for each address, header, cookie, part of the path or claim.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deepwater_auth::{ClaimPath, Claims};
use deepwater_upstream::{RateLimiter, Taken};
use smallvec::SmallVec;

use crate::config::RateLimit;
use crate::failure::Failure;
use crate::head::{Fields, Request};
use crate::route::Captures;
use crate::sticky;

use super::Refusal;

/// What requests are told apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    All,
    Ip,
    Header(Box<[u8]>),
    Cookie(Box<[u8]>),
    /// A name of the route's pattern, by position.
    Path(usize),
    Claim(ClaimPath),
}

/// One limit of a route. The buckets outlive reloads that do not change it.
pub(crate) struct Rate {
    pub(super) key: Key,
    pub(super) config: RateLimit,
    pub(super) buckets: Arc<Buckets>,
    /// `RateLimit-Policy`, the same for everybody.
    policy_line: Arc<str>,
}

/// The buckets of a limit.
pub(super) struct Buckets {
    limiter: RateLimiter,
    /// What their times are counted from.
    epoch: Instant,
}

impl Buckets {
    pub fn new(config: &RateLimit, epoch: Instant) -> Self {
        let burst = config.burst.unwrap_or(config.rate);
        let rate = deepwater_upstream::Rate { requests: config.rate, per: config.per.get(), burst };
        Self { limiter: RateLimiter::new(rate, config.max_keys, secret_seed()), epoch }
    }

    fn take(&self, key: &[u8], now: Instant) -> Taken {
        let now = u64::try_from(now.saturating_duration_since(self.epoch).as_nanos()).unwrap_or(u64::MAX);
        self.limiter.take(key, now)
    }
}

/// Clients choose their keys: what these are hashed with must not be guessed.
fn secret_seed() -> [u64; 2] {
    let mut seed = [0; 16];
    // The system's generator fails only where TLS could not work either.
    aws_lc_rs::rand::fill(&mut seed).expect("the system has a source of randomness");
    let [a, b] =
        [0, 8].map(|at| u64::from_le_bytes(seed[at..at + 8].try_into().expect("eight of sixteen bytes")));
    [a, b]
}

/// Where a limit stands after a request, for its `RateLimit` field.
#[derive(Debug, Clone)]
pub(crate) struct RateState {
    policy_line: Arc<str>,
    remaining: u32,
    /// Until the bucket is full.
    reset: Duration,
}

/// The names of both fields (draft-ietf-httpapi-ratelimit-headers-10).
const POLICY: &[u8] = b"ratelimit-policy";
const LIMIT: &[u8] = b"ratelimit";

impl RateState {
    /// Tells the client. Each field is one line: one copy in place of four.
    pub fn write(&self, fields: &mut Fields) {
        fields.add_written(POLICY.len(), self.policy_line.as_bytes());
        fields.add_written(LIMIT.len(), &self.line());
    }

    /// The same for an answer of our own.
    fn add_to(&self, refusal: Refusal) -> Refusal {
        let value = |line: &[u8], name: &[u8]| line[name.len() + 2..line.len() - 2].to_vec();
        let (policy, limit) = (value(self.policy_line.as_bytes(), POLICY), value(&self.line(), LIMIT));
        refusal.with(POLICY, policy).with(LIMIT, limit)
    }

    fn line(&self) -> SmallVec<[u8; 64]> {
        let mut line = SmallVec::from_slice(b"ratelimit: \"default\";r=");
        line.extend_from_slice(itoa::Buffer::new().format(self.remaining).as_bytes());
        line.extend_from_slice(b";t=");
        line.extend_from_slice(itoa::Buffer::new().format(whole_seconds(self.reset)).as_bytes());
        line.extend_from_slice(b"\r\n");
        line
    }
}

impl Rate {
    pub(super) fn new(key: Key, config: RateLimit, buckets: Arc<Buckets>) -> Self {
        // What may come at once, and the time in which all of it comes back: with no burst of its own, rate and per.
        let burst = config.burst.unwrap_or(config.rate);
        let refill_ns = config.per.get().as_nanos() * u128::from(burst) / u128::from(config.rate.max(1));
        let window = refill_ns.div_ceil(1_000_000_000).max(1);
        let policy_line = format!("ratelimit-policy: \"default\";q={burst};w={window}\r\n").into();
        Self { key, config, buckets, policy_line }
    }

    pub(super) fn is_by_claim(&self) -> bool {
        matches!(self.key, Key::Claim(_))
    }

    /// Keys that were not idle and had to be forgotten, since there were more than `max_keys`: they began anew.
    pub(super) fn forgotten_keys(&self) -> u64 {
        self.buckets.limiter.forgotten()
    }

    /// Counts a request, and notes where that leaves the limit if none before is nearer to its end.
    ///
    /// # Errors
    /// When there were too many.
    pub(super) fn take(
        &self,
        request: &Request,
        captures: &Captures,
        claims: Option<&Claims>,
        (client_ip, now): (IpAddr, Instant),
        nearest: &mut Option<RateState>,
    ) -> Result<(), Refusal> {
        let by_address = |ip: IpAddr| self.buckets.take(&address_bytes(ip), now);
        let taken = match &self.key {
            Key::All => self.buckets.take(b"", now),
            Key::Ip => by_address(client_ip),
            Key::Header(name) => match request.fields.get(name) {
                Some(value) => self.buckets.take(&tagged(value), now),
                None => by_address(client_ip),
            },
            Key::Cookie(name) => match sticky::cookie(&request.fields, name) {
                Some(value) => self.buckets.take(&tagged(value), now),
                None => by_address(client_ip),
            },
            Key::Path(position) => self.buckets.take(&tagged(captures.get(*position)), now),
            Key::Claim(path) => match claims.and_then(|claims| claims.text(path)) {
                Some(value) => self.buckets.take(&tagged(value.as_bytes()), now),
                None => by_address(client_ip),
            },
        };
        let state = RateState {
            policy_line: Arc::clone(&self.policy_line),
            remaining: taken.remaining,
            reset: taken.reset_after,
        };
        if !taken.allowed {
            let wait = whole_seconds(taken.retry_after).max(1);
            let refusal = Refusal::new(Failure::RateLimited).with(b"retry-after", wait.to_string());
            return Err(state.add_to(refusal));
        }
        if nearest.as_ref().is_none_or(|nearest| state.remaining < nearest.remaining) {
            *nearest = Some(state);
        }
        Ok(())
    }
}

/// Rounded up: a client that waits so long may come again.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// An address as a key: of IPv6 the network, since a client has all of its 2⁶⁴ addresses.
fn address_bytes(ip: IpAddr) -> [u8; 9] {
    let mut key = [0; 9];
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            key[0] = 4;
            key[1..5].copy_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            key[0] = 6;
            key[1..].copy_from_slice(&ip.octets()[..8]);
        }
    }
    key
}

/// A text as a key that no address is.
fn tagged(value: &[u8]) -> SmallVec<[u8; 64]> {
    let mut key = SmallVec::from_slice(b"=");
    key.extend_from_slice(value);
    key
}
