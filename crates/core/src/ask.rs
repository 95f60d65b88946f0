//! How the lens asks the server of a database how it is, while only the pool knows how to reach it.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Most rows of an answer.
pub const MAX_ROWS: usize = 10_000;
/// Most bytes of an answer, as they are sent: 1 MiB.
pub const MAX_BYTES: usize = 1024 * 1024;

/// Rows of an answer: values as text, none for NULL.
pub type Rows = Vec<Vec<Option<String>>>;

/// The future of an answer.
pub type Asking = Pin<Box<dyn Future<Output = Result<Rows, AskError>> + Send>>;

/// Asks. Must be awaited where tokio's timers run. The answer comes within the question's limit and a second, whatever
/// the server does.
pub type Ask = Arc<dyn Fn(Question) -> Asking + Send + Sync>;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The database, as the configuration names it.
    pub database: String,
    /// One statement or several that only read; the rows are those of the last that gives any. Names are looked up in
    /// `pg_catalog` alone unless they are qualified: nobody can put something else in their place.
    pub sql: Cow<'static, str>,
    /// How long the server may take; in whole milliseconds, at least one.
    pub limit: Duration,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The configuration names no such database.
    #[error("there is no database \"{database}\"")]
    NoDatabase {
        /// As asked for.
        database: String,
    },
    /// The database has no user of its own to ask as.
    #[error(
        "the server of database \"{database}\" cannot be asked, since each client logs in to it as itself; fix: name a \
         user in the database's `primary` (postgres://user@host/database) and its password"
    )]
    NoCredentials {
        /// As asked for.
        database: String,
    },
    /// There is no connection to the server, or it broke.
    #[error("the server cannot be asked: {reason}")]
    NotConnected {
        /// The SQLSTATE; `53300` from a server that has no connection left.
        code: String,
        /// Why.
        reason: String,
    },
    /// The server answers with an error.
    #[error("the server refuses the question: {message} (SQLSTATE {code})")]
    Refused {
        /// The SQLSTATE, empty if the server gives none.
        code: String,
        /// What the server says.
        message: String,
    },
    /// It took too long.
    #[error("the server gave no answer within {limit:?}")]
    TooSlow {
        /// The question's limit.
        limit: Duration,
    },
    /// The answer has more than [`MAX_ROWS`] or [`MAX_BYTES`].
    #[error("the answer has more than {MAX_ROWS} rows or {MAX_BYTES} bytes")]
    TooLarge,
    /// Another question to this database is under way, or too many to others.
    #[error("the question before has not been answered yet")]
    Busy,
    /// The pool has ended, or is about to.
    #[error("the pool is ending and asks nothing any more")]
    Ended,
}

impl AskError {
    /// One word for it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NoDatabase { .. } => "no_database",
            Self::NoCredentials { .. } => "no_credentials",
            Self::NotConnected { .. } => "not_connected",
            Self::Refused { .. } => "refused",
            Self::TooSlow { .. } => "too_slow",
            Self::TooLarge => "too_large",
            Self::Busy => "busy",
            Self::Ended => "ended",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sentences() {
        let full = AskError::NotConnected { code: "53300".into(), reason: "too many clients already".into() };
        assert_eq!(full.to_string(), "the server cannot be asked: too many clients already");
        let slow = AskError::TooSlow { limit: Duration::from_millis(900) };
        assert_eq!(slow.to_string(), "the server gave no answer within 900ms");
        assert!(AskError::TooLarge.to_string().contains("10000 rows"));
    }
}
