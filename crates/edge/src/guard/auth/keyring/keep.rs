//! Keeping a key set fresh: fetched at the start, then every so often, and when a token has a key that is not in it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use deepwater_auth::{Freshness, KeySet};
use deepwater_core::metrics::Counter;
use deepwater_core::random::Random;
use deepwater_core::{Context, Events};
use deepwater_upstream::hash_bytes;
use tokio::sync::watch::Receiver;

use super::{Fetched, Keyring, Progress};
use crate::measure::names;

/// The pause after the first failure; it doubles with each further one, up to the time between two fetches.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Skipped keys that are told of in an event.
const SKIPPED_TOLD: usize = 4;

deepwater_core::event! {
    /// A key set with keys was fetched: the first one, one that differs from the one before, or one after failures.
    pub struct KeysFetched { auth: String, url: String, keys: u64, skipped: String }
    keys_fetched: Info, "[auth.{auth}] has {keys} keys from {url}{skipped}"
}

deepwater_core::event! {
    /// A key set without a key that can be used was fetched: the first one, one after another, or one after failures.
    pub struct KeysWithdrawn { auth: String, url: String, skipped: String }
    keys_withdrawn: Warn, "[auth.{auth}] has no key any more: there is none to verify with at {url}, so nobody can log in{skipped}"
}

deepwater_core::event! {
    /// A key set could not be fetched.
    pub struct KeysFetchFailed { auth: String, url: String, reason: String, consequence: String }
    keys_fetch_failed: Warn, "[auth.{auth}] cannot fetch its keys from {url}: {reason}; {consequence}"
}

/// Keeps it until nobody has it any more.
pub(super) async fn keep(keyring: Weak<Keyring>, mut progress: Receiver<Progress>, context: Context) {
    let Some(name) = keyring.upgrade().map(|keyring| keyring.auth.clone()) else { return };
    let mut keeper = Keeper::new(&name, context);
    loop {
        // Held while it fetches only: a plan that is gone takes its keys along.
        let Some(shared) = keyring.upgrade() else { return };
        keeper.fetch(&shared).await;
        drop(shared);
        let ended = tokio::time::Instant::now();
        loop {
            // Before what changes is looked at: a change that comes between is seen once more.
            let seen = progress.borrow().changes;
            let Some(freshness) = keyring.upgrade().map(|shared| **shared.freshness.load()) else { return };
            let due = ended + keeper.pause.of(&freshness);
            let news = progress.wait_for(|progress| progress.under_way || progress.changes != seen);
            match tokio::time::timeout_at(due, news).await {
                Ok(Ok(progress)) if !progress.under_way => {}
                Ok(Err(_)) => return,
                _ => break,
            }
        }
    }
}

/// How long to wait for the next fetch.
#[derive(Debug, Clone, Copy)]
enum Pause {
    /// This share of the time between two fetches.
    Refresh(f64),
    /// This long, unless fetches follow each other sooner.
    Retry(Duration),
}

impl Pause {
    fn of(self, freshness: &Freshness) -> Duration {
        match self {
            Self::Refresh(share) => freshness.refresh.mul_f64(share),
            Self::Retry(pause) => pause.min(freshness.refresh),
        }
    }
}

struct Keeper {
    context: Context,
    random: Random,
    failures: u32,
    pause: Pause,
    fetched: Counter,
    failed: Counter,
}

impl Keeper {
    fn new(auth: &str, context: Context) -> Self {
        let count = |result| {
            let labels = [("auth", auth), ("result", result)];
            context.metrics.counter(names::KEY_FETCHES, "Key sets asked for at their URL.", &labels)
        };
        let random = Random::from_seed(context.seed ^ hash_bytes(auth.as_bytes()));
        let pause = Pause::Retry(FIRST_PAUSE);
        Self { fetched: count("fetched"), failed: count("failed"), context, random, failures: 0, pause }
    }

    /// Fetches once.
    async fn fetch(&mut self, keyring: &Keyring) {
        keyring.progress.send_if_modified(|progress| {
            progress.under_way = true;
            // Nobody waits for a beginning.
            false
        });
        let fetched = keyring.source.fetch().await;
        let now = self.context.clock.now();
        let failure = match fetched {
            Ok(keys) => {
                self.fetched.increment();
                let old = keyring.current.load_full();
                if self.failures > 0 || old.is_none_or(|old| old.keys.generation() != keys.generation()) {
                    tell(&self.context.events, keyring, &keys);
                }
                self.failures = 0;
                keyring.current.store(Some(Arc::new(Fetched { keys, at: now })));
                // Not all nodes at the same moment.
                self.pause = Pause::Refresh(1.0 - 0.1 * self.random.unit());
                None
            }
            Err(error) => {
                self.failed.increment();
                let consequence = consequence(keyring, now);
                let (auth, url) = (keyring.auth.clone(), keyring.source.keys.url.clone());
                let reason = error.to_string();
                let failure = Arc::from(&*reason);
                self.context.events.emit(KeysFetchFailed { auth, url, reason, consequence });
                let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16));
                self.failures += 1;
                self.pause = Pause::Retry(pause.mul_f64(1.0 - 0.5 * self.random.unit()));
                Some(failure)
            }
        };
        keyring.progress.send_modify(|progress| {
            progress.under_way = false;
            progress.ended += 1;
            progress.last = Some(now);
            progress.failure = failure;
        });
    }
}

fn tell(events: &Events, keyring: &Keyring, keys: &KeySet) {
    let skipped: Vec<String> = keys
        .skipped()
        .iter()
        .take(SKIPPED_TOLD)
        .map(|skipped| match &skipped.id {
            Some(id) => format!("`{}`: {}", id.escape_debug(), skipped.fault),
            None => format!("number {}: {}", skipped.index + 1, skipped.fault),
        })
        .collect();
    let more = keys.skipped().len().saturating_sub(SKIPPED_TOLD);
    let skipped = match (skipped.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!("; not used: {}", skipped.join("; ")),
        (false, more) => format!("; not used: {}; and {more} more", skipped.join("; ")),
    };
    let (auth, url) = (keyring.auth.clone(), keyring.source.keys.url.clone());
    match keys.keys().len() as u64 {
        0 => events.emit(KeysWithdrawn { auth, url, skipped }),
        keys => events.emit(KeysFetched { auth, url, keys, skipped }),
    }
}

/// What a failure means for those who come.
fn consequence(keyring: &Keyring, now: Instant) -> String {
    match keyring.current.load().as_ref() {
        None if keyring.is_in_force.load(Ordering::Relaxed) => "nobody can log in".into(),
        None => "what waits for them does not come into force".into(),
        Some(old) => match keyring.left(old, now) {
            Some(left) => format!("those it has count for another {} s", left.as_secs()),
            None => "those it has are too old, so nobody can log in".into(),
        },
    }
}
