//! What a configuration means: keys read, names parsed, contradictions reported.

mod build;
mod source;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

pub use build::{addresses, requirements};
pub use source::{FetchedKeys, KeySource};

use crate::basic::Users;
use crate::claims::ClaimPath;
use crate::place::TokenPlace;
use crate::verify::Policy;

/// One way to prove who one is.
#[derive(Debug)]
pub struct Plan {
    /// How.
    pub method: Method,
    /// Fields for the origin, in lower case, and the claims that they tell. These fields of clients are to be removed.
    pub headers: Vec<(Box<str>, ClaimPath)>,
    /// What clients are told they need to log in to.
    pub realm: String,
    /// For how long what was verified is remembered, seconds.
    pub cache_ttl: u64,
}

/// The kinds of proof.
#[derive(Debug)]
pub enum Method {
    /// A signed token.
    Token(Box<TokenPlan>),
    /// A name and a password.
    Basic(BasicPlan),
}

/// Tokens.
#[derive(Debug)]
pub struct TokenPlan {
    /// Where the token is.
    pub place: TokenPlace,
    /// What is asked of it.
    pub policy: Policy,
    /// The keys.
    pub keys: KeySource,
    /// Memory for verified tokens, of each worker, bytes.
    pub cache_size: usize,
}

/// Names and passwords.
#[derive(Debug)]
pub struct BasicPlan {
    /// Who there is.
    pub users: Arc<Users>,
    /// Names and passwords that each worker remembers.
    pub cache_entries: usize,
}

/// How a key set that is fetched is kept fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// Between two fetches.
    pub refresh: Duration,
    /// After a fetch, without another for the sake of an unknown key.
    pub cooldown: Duration,
    /// The age at which keys cease to count.
    pub max_stale: Duration,
}
