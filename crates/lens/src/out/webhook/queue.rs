//! Changes that wait to be told.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use deepwater_core::metrics::{Counter, Registry};
use tokio::sync::Notify;

use super::Change;

/// Changes that may wait; then the oldest makes room, since it says least of how things are.
pub(super) const LIMIT: usize = 64;

/// What became of a change.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    Delivered,
    Failed,
    Dropped,
}

/// Changes in their order.
pub(super) struct Queue {
    state: Mutex<State>,
    news: Notify,
}

struct State {
    waiting: VecDeque<Change>,
    delivered: Counter,
    failed: Counter,
    dropped: Counter,
    retries: Counter,
}

impl Queue {
    pub(super) fn new(metrics: &Registry) -> Self {
        let counter = |outcome| {
            let help = "Changes of a cliff's level for the webhook, by what became of them.";
            metrics.counter("deepwater_lens_webhook_changes_total", help, &[("outcome", outcome)])
        };
        let help = "Times a change was posted to the webhook again.";
        let state = State {
            waiting: VecDeque::new(),
            delivered: counter("delivered"),
            failed: counter("failed"),
            dropped: counter("dropped"),
            retries: metrics.counter("deepwater_lens_webhook_retries_total", help, &[]),
        };
        Self { state: Mutex::new(state), news: Notify::new() }
    }

    pub(super) fn push(&self, change: Change) {
        let mut state = self.state();
        if state.waiting.len() == LIMIT {
            state.waiting.pop_front();
            state.dropped.increment();
        }
        state.waiting.push_back(change);
        drop(state);
        self.news.notify_one();
    }

    /// The oldest change, when there is one. For one caller at a time.
    pub(super) async fn next(&self) -> Change {
        loop {
            let first = self.state().waiting.pop_front();
            match first {
                Some(change) => return change,
                None => self.news.notified().await,
            }
        }
    }

    pub(super) fn count(&self, outcome: Outcome) {
        let state = self.state();
        match outcome {
            Outcome::Delivered => state.delivered.increment(),
            Outcome::Failed => state.failed.increment(),
            Outcome::Dropped => state.dropped.increment(),
        }
    }

    pub(super) fn count_retry(&self) {
        self.state().retries.increment();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while the queue is held")
    }
}
