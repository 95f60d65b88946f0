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

use arc_swap::ArcSwapOption;
use deepwater_auth::{FetchedKeys, KeySet};
use deepwater_core::Context;
use deepwater_core::config::Place;
use tokio::sync::watch;

use fetch::Source;

/// How long a request waits for keys that may hold its own.
const PATIENCE: Duration = Duration::from_secs(2);

/// The keys of one `[auth.<name>]` with a URL. They outlive reloads that do not change where and how they are fetched.
pub(crate) struct Keyring {
    auth: String,
    source: Source,
    current: ArcSwapOption<Fetched>,
    progress: watch::Sender<Progress>,
    is_kept: AtomicBool,
}

struct Fetched {
    keys: KeySet,
    at: Instant,
}

/// How far fetching has come.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// A fetch is wanted or has begun.
    under_way: bool,
    /// How many have ended, well or not.
    ended: u64,
    /// When the last one did.
    last: Option<Instant>,
}

impl Keyring {
    /// Keys that are still to be fetched; `None` when something was reported.
    pub(super) fn build(auth: &str, keys: FetchedKeys, place: &Place<'_>) -> Option<Self> {
        Some(Self {
            auth: auth.to_owned(),
            source: Source::build(keys, place)?,
            current: ArcSwapOption::empty(),
            progress: watch::Sender::default(),
            is_kept: AtomicBool::new(false),
        })
    }

    /// Where they come from.
    pub(super) fn is_of(&self, keys: &FetchedKeys) -> bool {
        self.source.keys == *keys
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
        self.source.keys.freshness.max_stale.checked_sub(age)
    }

    /// Whether there are other keys than those of a generation, in which a token's key was not found. Fetches them and
    /// waits for a while, unless they were fetched lately.
    pub(super) async fn has_others_than(&self, generation: u64, now: Instant) -> bool {
        let differ = || self.current.load().as_ref().is_some_and(|keys| keys.keys.generation() != generation);
        if differ() {
            return true;
        }
        let mut progress = self.progress.subscribe();
        let seen = *progress.borrow_and_update();
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
        let cooldown = self.source.keys.freshness.cooldown;
        progress.last.is_some_and(|last| now.saturating_duration_since(last) < cooldown)
    }
}
