//! What a server still owes: one entry for each message that it answers, in order.

use std::collections::VecDeque;
use std::sync::Arc;

use deepwater_pgwire::message::backend;

use super::names::Taken;
use super::portals::Early;
use super::sql::{Change, SqlPrepared};
use crate::statements::Statement;

/// An answer that is to come.
#[derive(Debug)]
pub(super) enum Expect {
    /// A simple query or function call of the client: whatever comes, up to ReadyForQuery. And what each PREPARE and
    /// DEALLOCATE in it does, should it succeed; the first is the last of these.
    Query(Vec<Change>),
    /// A simple query of ours: the client sees nothing of it.
    Ours(Ours),
    /// ReadyForQuery after a Sync of the client.
    Sync,
    /// ParseComplete for the client's own Parse, of a statement with a name that is followed.
    Parse(Option<Named>),
    /// ParseComplete or CloseComplete for the statement without a name, which the client makes or closes; and what it was
    /// before, if something ahead in the batch may fail.
    Unnamed(Option<Box<Unnamed>>),
    /// ParseComplete for a Parse of ours, kept from the client.
    OurParse(Arc<Statement>),
    /// CloseComplete for a Close of ours of the statement with that number, kept from the client.
    OurClose(u64),
    /// The answer to the Parse or Close of ours that makes the unnamed statement the client's.
    OurUnnamed,
    /// The answer to a message of ours that makes or closes a statement under the client's own name, and what the server
    /// had there before.
    OurNamed(Box<(Box<str>, Option<u64>)>),
    /// BindComplete.
    Bind(Option<Arc<Statement>>),
    /// RowDescription or NoData.
    Describe(Option<Arc<Statement>>),
    /// The end of a command. And what was a name's meaning before, if it changes that.
    Execute(Option<Box<Early>>),
    /// CloseComplete.
    Close,
    /// Nothing from the server: the client gets ParseComplete from us.
    FakeParse(Named),
    /// The same for a statement without a name that the pooler has made; and what the client had before, if something ahead
    /// in the batch may fail.
    FakeUnnamed(Option<Box<Unnamed>>),
    /// Nothing from the server: the client gets CloseComplete from us, for what it had.
    FakeClose(Option<Named>),
    /// The same for what the client has made with SQL's PREPARE.
    FakeCloseSql(Box<(String, Arc<SqlPrepared>)>),
}

/// A statement under the name that its client gave it.
#[derive(Debug)]
pub(super) struct Named {
    pub name: Box<[u8]>,
    pub statement: Arc<Statement>,
}

/// A client's statement without a name.
#[derive(Debug)]
pub(super) struct Unnamed {
    pub statement: Taken,
    /// The server has it.
    pub here: bool,
}

/// A question of ours to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ours {
    /// Makes the settings those of the client.
    Settings,
    /// Makes the encoding one in which all values can be said.
    Encoding,
    /// Asks what a transaction left behind.
    Audit,
    /// Whether a connection that was idle for long still works.
    Check,
    /// Makes statements of SQL's PREPARE what the client made them.
    Prepare,
    /// Ends the client's batch, of which nothing has run: what comes next needs no server.
    Pause,
}

/// All answers that are to come.
#[derive(Debug, Default)]
pub(super) struct Expected {
    queue: VecDeque<Expect>,
}

impl Expected {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    #[inline]
    pub(super) fn front(&self) -> Option<&Expect> {
        self.queue.front()
    }

    /// What the PREPARE or DEALLOCATE does that has just succeeded in the query that is being answered.
    pub(super) fn take_change(&mut self) -> Option<Change> {
        match self.queue.front_mut() {
            Some(Expect::Query(changes)) => changes.pop(),
            _ => None,
        }
    }

    /// Whether any of them makes or closes a statement: of what comes behind it nothing is certain until it has.
    pub(super) fn changes_names(&self) -> bool {
        let changes = |expect: &Expect| match expect {
            Expect::Parse(Some(_))
            | Expect::OurParse(_)
            | Expect::OurClose(_)
            | Expect::OurUnnamed
            | Expect::OurNamed(_)
            | Expect::FakeParse(_)
            | Expect::FakeClose(_)
            | Expect::FakeCloseSql(_)
            | Expect::Execute(Some(_)) => true,
            // Should it be skipped, what the server has may be another client's.
            Expect::Unnamed(Some(before)) => !before.here,
            Expect::FakeUnnamed(before) => before.is_some(),
            _ => false,
        };
        self.queue.iter().any(changes)
    }

    /// Whether the client has been answered all it asked.
    pub(super) fn are_all_ours(&self) -> bool {
        self.queue.iter().all(Expect::is_ours)
    }

    /// Whether ReadyForQuery is to come.
    pub(super) fn has_boundary(&self) -> bool {
        self.queue.iter().any(Expect::is_boundary)
    }

    /// Whether the client has asked something that may begin, end or fail a transaction, and has no word of it.
    pub(super) fn awaits_status(&self) -> bool {
        self.queue.iter().any(|expect| matches!(expect, Expect::Query(_) | Expect::Sync))
    }

    /// Whether a question of ours is under way.
    pub(super) fn has_question(&self) -> bool {
        self.queue.iter().any(|expect| matches!(expect, Expect::Ours(_)))
    }

    /// The statements that are being prepared.
    pub(super) fn preparing(&self) -> Vec<u64> {
        let id = |expect: &Expect| match expect {
            Expect::Parse(Some(named)) | Expect::FakeParse(named) => Some(named.statement.id),
            Expect::OurParse(statement) => Some(statement.id),
            _ => None,
        };
        self.queue.iter().filter_map(id).collect()
    }

    /// What first makes or ends the client's unnamed statement.
    pub(super) fn first_unnamed(&mut self) -> Option<&mut Expect> {
        let makes_or_ends = |expect: &&mut Expect| {
            matches!(expect, Expect::Unnamed(_) | Expect::FakeUnnamed(_) | Expect::Query(_))
        };
        self.queue.iter_mut().find(makes_or_ends)
    }

    /// What is being answered has failed: it is not undone, as what is skipped is.
    pub(super) fn front_failed(&mut self) {
        let failed = match self.queue.front() {
            // What the client has not made by a name of its own is prepared by us, right before it is answered.
            Some(Expect::OurParse(_)) => self.queue.get_mut(1),
            _ => self.queue.front_mut(),
        };
        if let Some(Expect::Unnamed(before) | Expect::FakeUnnamed(before)) = failed {
            *before = None;
        }
    }

    /// Whether nothing is to come that the server answers.
    pub(super) fn are_all_fakes(&self) -> bool {
        self.queue.iter().rev().all(Expect::is_fake)
    }

    /// Whether a Sync is among them.
    pub(super) fn has_sync(&self) -> bool {
        self.queue.iter().any(|expect| matches!(expect, Expect::Sync))
    }

    #[inline]
    pub(super) fn push(&mut self, expect: Expect) {
        self.queue.push_back(expect);
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<Expect> {
        self.queue.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// After an error in the extended protocol the server answers nothing up to the next Sync: removes what it skips.
    pub(super) fn skip_to_sync(&mut self) -> Vec<Expect> {
        let at =
            self.queue.iter().position(|expect| matches!(expect, Expect::Sync)).unwrap_or(self.queue.len());
        self.queue.drain(..at).collect()
    }

    /// While a server takes in COPY data it ignores Sync (PostgreSQL, "COPY Operations"): removes those sent before
    /// the client could know. How many there were.
    pub(super) fn forget_syncs_behind_front(&mut self) -> usize {
        let mut forgotten = 0;
        while matches!(self.queue.get(1), Some(Expect::Sync)) {
            self.queue.remove(1);
            forgotten += 1;
        }
        forgotten
    }

    /// Nothing is to come; the memory is kept, unless a burst took much.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.queue.shrink_to(64);
    }
}

impl Expect {
    /// Whether ReadyForQuery ends it.
    pub(super) fn is_boundary(&self) -> bool {
        matches!(self, Self::Query(_) | Self::Ours(_) | Self::Sync)
    }

    /// Whether ParseComplete, BindComplete or CloseComplete ends it.
    pub(super) fn is_ended_by(&self, tag: u8) -> bool {
        match tag {
            backend::PARSE_COMPLETE => {
                matches!(
                    self,
                    Self::Parse(_)
                        | Self::Unnamed(_)
                        | Self::OurParse(_)
                        | Self::OurUnnamed
                        | Self::OurNamed(_)
                )
            }
            backend::BIND_COMPLETE => matches!(self, Self::Bind(_) | Self::OurNamed(_)),
            backend::CLOSE_COMPLETE => {
                matches!(
                    self,
                    Self::Close | Self::Unnamed(_) | Self::OurClose(_) | Self::OurUnnamed | Self::OurNamed(_)
                )
            }
            _ => false,
        }
    }

    /// The number of the statement it is about, if that is one of the pooler's own.
    pub(super) fn unnamed_statement(&self) -> Option<u64> {
        match self {
            Self::Bind(Some(statement)) | Self::Describe(Some(statement)) => {
                statement.repeated.map(|_| statement.id)
            }
            _ => None,
        }
    }

    /// Whether the server is not asked.
    #[inline]
    pub(super) fn is_fake(&self) -> bool {
        matches!(self, Self::FakeParse(_) | Self::FakeUnnamed(_) | Self::FakeClose(_) | Self::FakeCloseSql(_))
    }

    /// Whether the client sees nothing of the answer.
    #[inline]
    pub(super) fn is_ours(&self) -> bool {
        matches!(
            self,
            Self::Ours(_) | Self::OurParse(_) | Self::OurClose(_) | Self::OurUnnamed | Self::OurNamed(_)
        )
    }
}
