//! Questions to servers, for the lens: how many sessions, which locks, how far behind.
//!
//! Clients must not feel them, and they must not need what clients have run out of. So each database that is asked has
//! one connection beside its pools, which no limit and no table of theirs counts, kept by the first thread:
//!
//! - It is opened for the first question, as the database's own user, and closed when nobody has asked for a minute, when
//!   another configuration is put in force, and when administrators pause the database or have it reconnected.
//! - One question at a time; another meanwhile is refused, not queued.
//! - A question changes nothing: it runs in a read-only transaction that also holds its timeouts, so that a pooler on the
//!   way hands no setting of ours to anybody else.
//! - While the server cannot be reached, it is tried after 1 s, 2 s, 4 s and so on up to 30 s; who asks in between hears
//!   of the last failure at once.

mod answer;
mod conversation;
mod desk;
mod events;
mod line;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use deepwater_core::ask::{Ask, AskError, Question, Rows};
use deepwater_core::metrics::Registry;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub(crate) use desk::serve;

/// Questions that may wait for the thread that asks them.
const MAX_QUEUED: usize = 64;
/// How much longer than its limit a question may take: the server's own word that it took too long is preferred, since
/// the connection is then still good.
const GRACE: Duration = Duration::from_secs(1);
/// Between two looks at connections that may have to be closed.
const TICK: Duration = Duration::from_secs(1);

/// A question, and who waits for the answer.
struct Asked {
    question: Question,
    answer: oneshot::Sender<Result<Rows, AskError>>,
}

/// Where questions go in, and come out for the thread that asks them.
pub(crate) struct Questions {
    sender: mpsc::Sender<Asked>,
    receiver: Mutex<Option<mpsc::Receiver<Asked>>>,
    tick: Duration,
}

impl Default for Questions {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(MAX_QUEUED);
        Self { sender, receiver: Mutex::new(Some(receiver)), tick: TICK }
    }
}

impl Questions {
    /// Asks for others, and counts how it went.
    pub(crate) fn port(&self, metrics: &Registry) -> Ask {
        let (sender, metrics) = (self.sender.clone(), metrics.clone());
        Arc::new(move |question| {
            let (sender, metrics) = (sender.clone(), metrics.clone());
            Box::pin(async move {
                let result = put(&sender, question).await;
                count(&metrics, result.as_ref().map_or_else(AskError::kind, |_| "answered"));
                result
            })
        })
    }

    /// The questions that come in; once.
    fn take(&self) -> Option<mpsc::Receiver<Asked>> {
        self.receiver.lock().expect("no panic while it is held").take()
    }
}

async fn put(sender: &mpsc::Sender<Asked>, question: Question) -> Result<Rows, AskError> {
    let limit = question.limit;
    let (answer, answered) = oneshot::channel();
    sender.try_send(Asked { question, answer }).map_err(|error| match error {
        TrySendError::Full(_) => AskError::Busy,
        TrySendError::Closed(_) => AskError::Ended,
    })?;
    match timeout(limit.saturating_add(GRACE), answered).await {
        Ok(answered) => answered.unwrap_or(Err(AskError::Ended)),
        Err(_) => Err(AskError::TooSlow { limit }),
    }
}

/// A cell for each question: they come once a second, from whatever thread.
fn count(metrics: &Registry, result: &str) {
    let help = "Questions of the lens to servers, by what came of them.";
    metrics.counter("deepwater_postgres_questions_total", help, &[("result", result)]).increment();
}
