//! What a text does to a session.

use std::ops::Range;

use super::Marks;

/// What a text of SQL does to the session that runs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many statements there are, empty ones left out.
    pub statements: usize,
    /// The transaction command that is all of the text, as `BEGIN` and `COMMIT` usually are. It is not in `session`,
    /// so that the most frequent texts allocate nothing; in a text of several statements it is there, in its place.
    pub transaction: Option<Transaction>,
    /// What matters to the session, in the order of the text. Empty for nearly every text.
    pub session: Vec<Statement>,
    /// What is mentioned.
    pub marks: Marks,
}

impl Verdict {
    /// Whether the text leaves nothing behind and neither begins nor ends a transaction.
    pub fn is_plain(&self) -> bool {
        self.transaction.is_none() && self.session.is_empty() && self.marks.is_empty()
    }
}

/// A statement, or a part of one, that matters to the session.
///
/// Names are as PostgreSQL takes them: in lower case unless quoted, cut after 63 bytes. Names of settings are always
/// in lower case, for there case does not matter. A byte of a name that is not UTF-8 becomes one of the characters
/// U+F780 to U+F7FF, so that different names stay different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// `SET`: for the rest of the session, unless the transaction is rolled back.
    Set {
        /// The setting; `timezone`, `client_encoding`, `role`, `session_authorization`, `search_path`, `xmloption`
        /// and `default_transaction_…` for the statements that have a grammar of their own.
        name: String,
        /// What `set_config()` takes to the same effect. None when only the server knows.
        value: Option<String>,
    },
    /// `RESET name`, `SET name TO DEFAULT`.
    Reset(String),
    /// `RESET ALL`.
    ResetAll,
    /// `set_config('name', …)` for the session.
    Touch(String),
    /// `set_config` of a setting whose name is not plain to see.
    TouchUnknown,
    /// `PREPARE name … AS body`. What its body mentions is in the verdict already, though it runs later.
    Prepare {
        /// The name of the prepared statement.
        name: String,
        /// Where the whole statement stands in the text, without the semicolon.
        whole: Range<usize>,
        /// Where the statement that is prepared stands.
        body: Range<usize>,
    },
    /// `EXECUTE name`, also within `EXPLAIN` and `CREATE TABLE … AS`.
    Execute {
        /// The name of the prepared statement.
        name: String,
    },
    /// `DEALLOCATE name`.
    Deallocate(String),
    /// `DEALLOCATE ALL`.
    DeallocateAll,
    /// `DISCARD ALL`.
    DiscardAll,
    /// `DISCARD PLANS`.
    DiscardPlans,
    /// `DISCARD TEMP`.
    DiscardTemp,
    /// `DISCARD SEQUENCES`.
    DiscardSequences,
    /// `LISTEN channel`.
    Listen(String),
    /// `UNLISTEN channel`.
    Unlisten(String),
    /// `UNLISTEN *`.
    UnlistenAll,
    /// A transaction command among other statements.
    Transaction(Transaction),
    /// Something temporary comes to be and outlives the transaction.
    CreateTemp,
    /// `DECLARE name CURSOR WITH HOLD`.
    HoldCursor(String),
    /// `CLOSE name`, of any cursor; None is `CLOSE ALL`.
    CloseCursor(Option<String>),
    /// `LOAD`.
    Load,
    /// `COPY … FROM STDIN` or `COPY … TO STDOUT`.
    Copy,
}

/// A command that begins, ends or divides a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    /// `BEGIN`, `START TRANSACTION`.
    Begin,
    /// `COMMIT`, `END`.
    Commit,
    /// `ROLLBACK`, `ABORT`.
    Rollback,
    /// `PREPARE TRANSACTION`.
    Prepare,
    /// `COMMIT PREPARED`.
    CommitPrepared,
    /// `ROLLBACK PREPARED`.
    RollbackPrepared,
    /// `SAVEPOINT`.
    Savepoint,
    /// `ROLLBACK TO`.
    RollbackTo,
    /// `RELEASE`.
    Release,
}
