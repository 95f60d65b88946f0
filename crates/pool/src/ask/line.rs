//! The connection that questions are asked on.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use deepwater_core::ask::{AskError, Question, Rows};
use deepwater_pgwire::message::backend::Status;
use deepwater_pgwire::message::frontend::write;

use super::answer::{Answer, lost};
use crate::connect::Raw;
use crate::server::ServerInfo;
use crate::stream::Stream;
use crate::talk::{Inbox, Talk};

/// What `pg_stat_activity` calls us.
const APPLICATION_NAME: &str = "deepwater lens";
/// Most bytes that a server may say without being asked: notices, and settings that were changed.
const MAX_UNASKED_BYTES: usize = 64 * 1024;
/// SQLSTATE `query_canceled`, which is what `statement_timeout` ends in.
const CANCELED: &str = "57014";

/// What the connection begins with. What else must be set is set for each question: a pooler on the way takes no more.
pub(super) fn startup_parameters() -> [(String, String); 2] {
    [("application_name", APPLICATION_NAME), ("client_encoding", "UTF8")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// A connection to a server, logged in. Dropping it says goodbye.
pub(super) struct Line {
    talk: Talk,
    /// Of use to cancel what runs on it.
    pub info: Arc<ServerInfo>,
    /// Nothing is under way.
    idle: bool,
}

impl Line {
    pub(super) fn new(raw: Raw) -> Self {
        Self { talk: Talk::new(raw.stream), info: Arc::new(raw.info), idle: true }
    }

    /// Whether another question may be asked on it; not when one was given up on.
    pub(super) fn is_idle(&self) -> bool {
        self.idle
    }

    /// Whether the server has not ended it meanwhile.
    pub(super) fn is_alive(&mut self) -> bool {
        let mut unasked = std::mem::take(&mut self.talk.inbox).into_rest();
        let ended = hear_now(&mut self.talk.stream, &mut unasked);
        self.talk.inbox = Inbox::of(unasked);
        !ended
    }

    /// Asks. What is given up on leaves the connection of no use.
    pub(super) async fn ask(&mut self, question: &Question) -> Result<Rows, AskError> {
        if question.sql.contains('\0') {
            return Err(AskError::Refused {
                code: "22021".into(),
                message: "a question cannot hold a NUL character".into(),
            });
        }
        self.idle = false;
        let began = Instant::now();
        write::query(&mut self.talk.output, guarded(question));
        self.talk.send().await.map_err(|error| lost(&error.into()))?;
        let mut answer = Answer::default();
        let status = loop {
            let message = match self.talk.message(answer.room()).await {
                Ok(message) => message,
                Err(error) => return Err(answer.cut(error)),
            };
            if let Some(status) = answer.take(&message)? {
                break status;
            }
        };
        // A question that leaves a transaction open has said more than it was to.
        self.idle = status == Status::Idle;
        let limit = question.limit;
        answer.end().map_err(|error| match error {
            AskError::Refused { code, .. } if code == CANCELED && began.elapsed() >= limit => {
                AskError::TooSlow { limit }
            }
            error => error,
        })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let mut goodbye = Vec::with_capacity(5);
        write::terminate(&mut goodbye);
        // Whether it takes the goodbye or not: it is closed now.
        let mut cx = Context::from_waker(Waker::noop());
        let _ = self.talk.stream.write_now(&mut cx, &goodbye);
        let _ = self.talk.stream.flush_now(&mut cx);
    }
}

/// Reads what has arrived; whether the stream has ended, or says more than it may.
fn hear_now(stream: &mut Stream, into: &mut Vec<u8>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    let mut buffer = [0; 4096];
    while into.len() <= MAX_UNASKED_BYTES {
        match stream.poll_fill(&mut cx, &mut buffer) {
            Poll::Pending => return false,
            Poll::Ready(Ok(n)) if n > 0 => into.extend_from_slice(&buffer[..n]),
            Poll::Ready(_) => return true,
        }
    }
    true
}

/// The question with its guard rails. Several statements in one message are one transaction (PostgreSQL, "Multiple
/// Statements in a Simple Query"), and all of them hold for it alone. Waiting for a lock takes half of the time at most,
/// so that the reason is told.
fn guarded(question: &Question) -> String {
    let millis = question.limit.as_millis().clamp(1, i32::MAX as u128);
    let lock_millis = millis.div_ceil(2);
    format!(
        "SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = {millis}; SET LOCAL lock_timeout = {lock_millis}; \
         SET LOCAL search_path = pg_catalog; {}",
        question.sql
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_question_always_has_a_limit() {
        let text = |limit| guarded(&Question { database: "app".into(), sql: "SELECT 1".into(), limit });
        assert!(text(Duration::ZERO).contains("statement_timeout = 1; SET LOCAL lock_timeout = 1;"));
        assert!(text(Duration::MAX).contains("statement_timeout = 2147483647;"));
        let second = text(Duration::from_secs(1));
        assert!(
            second.ends_with("lock_timeout = 500; SET LOCAL search_path = pg_catalog; SELECT 1"),
            "{second}"
        );
    }
}
