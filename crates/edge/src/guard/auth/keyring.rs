//! Keys behind a URL: what was fetched last, shared by all cores, and the word to fetch again.
//!
//! One task on the control runtime fetches; cores read a pointer. A core that meets a token with an unknown key asks the
//! task for a fetch, unless one has just ended, and waits for its end.

mod fetch;
mod keep;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use deepwater_auth::{FetchedKeys, Freshness, KeySet};
use deepwater_core::Context;
use deepwater_core::config::Place;
use tokio::sync::watch;

use fetch::Source;

/// How long a request waits for keys that may hold its own.
const PATIENCE: Duration = Duration::from_secs(2);

/// The keys of one `[auth.<name>]` with a URL. They outlive reloads that do not change where they are found.
pub(crate) struct Keyring {
    auth: String,
    source: Source,
    /// As the plan in force has it.
    freshness: ArcSwap<Freshness>,
    current: ArcSwapOption<Fetched>,
    progress: watch::Sender<Progress>,
    is_kept: AtomicBool,
    /// Whether anybody's tokens are judged by them, or are to be once they are there.
    is_in_force: AtomicBool,
}

struct Fetched {
    keys: KeySet,
    at: Instant,
}

/// How far fetching has come.
#[derive(Debug, Clone, Default)]
struct Progress {
    /// A fetch is wanted or has begun.
    under_way: bool,
    /// How many have ended, well or not.
    ended: u64,
    /// When the last one did.
    last: Option<Instant>,
    /// Why the last one failed, if it did.
    failure: Option<Arc<str>>,
    /// How often there was another freshness.
    changes: u64,
}

/// There are no keys, and why.
#[derive(Debug, thiserror::Error)]
#[error("the keys of [auth.{auth}] cannot be fetched from {url}: {reason}")]
pub(crate) struct KeysMissing {
    auth: String,
    url: String,
    reason: Arc<str>,
}

impl Keyring {
    /// Keys that are still to be fetched; `None` when something was reported.
    pub(super) fn build(auth: &str, keys: FetchedKeys, place: &Place<'_>) -> Option<Self> {
        Some(Self {
            auth: auth.to_owned(),
            freshness: ArcSwap::from_pointee(keys.freshness),
            source: Source::build(keys, place)?,
            current: ArcSwapOption::empty(),
            progress: watch::Sender::default(),
            is_kept: AtomicBool::new(false),
            is_in_force: AtomicBool::new(false),
        })
    }

    /// Whether they are found where and as these are, however often they are fetched.
    pub(super) fn is_of(&self, keys: &FetchedKeys) -> bool {
        self.source.keys.finds_as(keys)
    }

    /// Puts them in force, and has them kept so fresh from now on.
    pub(super) fn adopt(&self, freshness: Freshness) {
        self.is_in_force.store(true, Ordering::Relaxed);
        if **self.freshness.load() != freshness {
            self.freshness.store(Arc::new(freshness));
            self.progress.send_modify(|progress| progress.changes += 1);
        }
    }

    /// Keeps them fresh from now on, for as long as anybody has them. On the control runtime; again is harmless.
    pub(super) fn keep_fresh(self: &Arc<Self>, context: &Context) {
        if !self.is_kept.swap(true, Ordering::Relaxed) {
            let keeping = keep::keep(Arc::downgrade(self), self.progress.subscribe(), context.clone());
            tokio::spawn(keeping);
        }
    }

    /// Whether there never were any.
    pub(super) fn is_empty(&self) -> bool {
        self.current.load().is_none()
    }

    /// Waits for the first ones, for so long at most.
    ///
    /// # Errors
    /// When there are none by then: why not.
    pub(super) async fn first(&self, within: Duration) -> Result<(), KeysMissing> {
        let mut progress = self.progress.subscribe();
        // They are there before their fetch is said to have ended.
        let there = progress.wait_for(|_| !self.is_empty());
        if tokio::time::timeout(within, there).await.is_ok() {
            return Ok(());
        }
        let reason = self.progress.borrow().failure.clone().unwrap_or_else(|| "no answer".into());
        Err(KeysMissing { auth: self.auth.clone(), url: self.source.keys.url.clone(), reason })
    }

    /// Looks at the keys in force; none before the first fetch, and when they are too old.
    #[inline]
    pub(super) fn with<T>(&self, now: Instant, look: impl FnOnce(&KeySet) -> T) -> Option<T> {
        let current = self.current.load();
        let current = current.as_ref()?;
        self.left(current, now)?;
        Some(look(&current.keys))
    }

    /// For how long keys still count; none if they do not.
    fn left(&self, fetched: &Fetched, now: Instant) -> Option<Duration> {
        let age = now.saturating_duration_since(fetched.at);
        self.freshness.load().max_stale.checked_sub(age)
    }

    /// Whether there are other keys than those of a generation, in which a token's key was not found. Fetches them and
    /// waits for a while, unless they were fetched lately.
    pub(super) async fn has_others_than(&self, generation: u64, now: Instant) -> bool {
        let differ = || self.current.load().as_ref().is_some_and(|keys| keys.keys.generation() != generation);
        if differ() {
            return true;
        }
        let mut progress = self.progress.subscribe();
        let seen = progress.borrow_and_update().clone();
        if !seen.under_way && self.is_cooling(&seen, now) {
            return false;
        }
        // One of all who are here begins a fetch, and only if none has ended meanwhile.
        self.progress.send_if_modified(|progress| {
            let begins = !progress.under_way && progress.ended == seen.ended;
            progress.under_way |= begins;
            begins
        });
        let ended = progress.wait_for(|progress| progress.ended != seen.ended);
        // In vain or not: the token is judged by what there is then.
        let _ = tokio::time::timeout(PATIENCE, ended).await;
        differ()
    }

    fn is_cooling(&self, progress: &Progress, now: Instant) -> bool {
        let cooldown = self.freshness.load().cooldown;
        progress.last.is_some_and(|last| now.saturating_duration_since(last) < cooldown)
    }
}
