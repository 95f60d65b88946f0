//! Tokens that were verified lately, so that a repeat costs a hash and a look.
//!
//! Each core has one of its own: no lock, no line shared. What several cores verify is verified once on each.

use std::rc::Rc;

use crate::claims::Claims;
use crate::digest::Digest;
use crate::keys::KeySet;
use crate::recent::Recent;
use crate::refusal::Refusal;
use crate::verify::Policy;

/// What an entry costs beyond its claims, bytes: digest, entry, the map's slack, the claims' own head.
const OVERHEAD_BYTES: usize = 256;

/// Verified tokens of one policy, by the SHA-256 of the whole token: nothing less tells two of them apart.
///
/// An entry dies with its token, after a time to live, or when the keys change, whichever comes first. A changed policy
/// needs a new cache.
#[derive(Debug)]
pub struct TokenCache {
    recent: Recent<Rc<Claims>>,
    ttl: u64,
    /// The keys that all of it was verified with.
    generation: u64,
    counts: TokenCounts,
}

/// How often a cache was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenCounts {
    /// Answered from memory.
    pub hits: u64,
    /// Verified, with whatever outcome.
    pub misses: u64,
}

impl TokenCache {
    /// A cache of about `capacity` bytes whose entries live `ttl` seconds at most; 0 of either for none.
    pub fn new(capacity: usize, ttl: u64) -> Self {
        Self { recent: Recent::new(capacity), ttl, generation: 0, counts: TokenCounts::default() }
    }

    /// As [`Policy::verify`], or from memory.
    ///
    /// # Errors
    /// The first reason against the token; refusals are not remembered.
    pub fn verify(
        &mut self,
        policy: &Policy,
        keys: &KeySet,
        token: &[u8],
        now: u64,
    ) -> Result<Rc<Claims>, Refusal> {
        if self.generation != keys.generation() {
            self.recent.clear();
            self.generation = keys.generation();
        }
        // Nobody makes us hash more than we would verify.
        if token.len() > policy.max_bytes {
            return Err(Refusal::TooLong);
        }
        let digest = Digest::of_token(token);
        if let Some(claims) = self.recent.get(&digest, now) {
            self.counts.hits += 1;
            return Ok(Rc::clone(claims));
        }
        self.counts.misses += 1;
        let claims = Rc::new(policy.verify(keys, token, now)?);
        let until = now.saturating_add(self.ttl).min(claims.expires().unwrap_or(u64::MAX));
        if until > now {
            self.recent.insert(digest, Rc::clone(&claims), OVERHEAD_BYTES + claims.weight(), until);
        }
        Ok(claims)
    }

    /// How often it was asked.
    pub const fn counts(&self) -> TokenCounts {
        self.counts
    }

    /// How many tokens it holds.
    pub fn len(&self) -> usize {
        self.recent.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About how much memory they take, bytes.
    pub const fn bytes(&self) -> usize {
        self.recent.weight()
    }
}
