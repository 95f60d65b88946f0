//! Where keys and answers are kept: one trait, one suite of tests that each store passes.
//!
//! A key is free, **held** (its request has begun and nothing was sent yet), **sent** (it may have taken effect), or
//! **finished**. Whoever begins gets hold of it for a lease, under a token nobody else has: a process that slept through
//! its lease cannot write over what came after it. When a lease runs out, a key that was only held is free, and one that
//! was sent is of unknown outcome.

mod memory;
mod redis;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::answer::Kept;
use super::digest::Digest;
use crate::config::UnknownOutcome;

pub(crate) use memory::{Memory, MemoryCounts};
#[cfg(test)]
use redis::RedisFault;
pub(crate) use redis::{Redis, RedisPlan};

/// One step in a store.
pub(crate) type Step<'s, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + 's>>;

/// Tells one attempt at a request from every other, on every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner(pub [u8; 24]);

/// How a route wants its keys treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// How long a key is held without word from its owner.
    pub lease: Duration,
    /// How long it is remembered once it was sent, counting anew from its answer.
    pub keep: Duration,
    pub unknown: UnknownOutcome,
}

/// What a request finds when it begins.
#[derive(Debug)]
pub(crate) enum Begun {
    /// It is the first: the key is held for it.
    Fresh,
    /// Another one is under way; its lease ends after that long.
    InFlight(Duration),
    /// Another one is finished.
    Done(Arc<Kept>),
    /// The key was used for a different request.
    Mismatch,
    /// Another one was sent, and nothing is known of it since.
    Unknown,
    /// There is no room for another request under way.
    Full,
}

/// Whether a key is still its owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    Held,
    /// Its lease ran out and it was free, or taken over.
    Lost,
}

/// Why a step failed. It may have been taken all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct StoreError(pub String);

/// A store of idempotency keys. Every step may be repeated by its owner, since its outcome can get lost on the way.
pub(crate) trait Store {
    /// Asks for a key.
    fn begin<'s>(
        &'s self,
        lookup: &'s Digest,
        fingerprint: &'s Digest,
        owner: Owner,
        terms: Terms,
    ) -> Step<'s, Begun>;

    /// From here on the request may take effect. Only what is still held may be sent.
    fn sending<'s>(&'s self, lookup: &'s Digest, owner: Owner, terms: Terms) -> Step<'s, Hold>;

    /// The owner is alive: its lease begins anew.
    fn renew<'s>(&'s self, lookup: &'s Digest, owner: Owner, terms: Terms) -> Step<'s, Hold>;

    /// The request is done; this is for its repeats.
    fn finish<'s>(
        &'s self,
        lookup: &'s Digest,
        owner: Owner,
        kept: Arc<Kept>,
        keep: Duration,
    ) -> Step<'s, Hold>;

    /// The request had no effect, or one that may be repeated: the key is free.
    fn abandon<'s>(&'s self, lookup: &'s Digest, owner: Owner) -> Step<'s, Hold>;
}
