//! A client and the server that serves it.

use deepwater_pgwire::message::backend::{DataRow, Status};

use super::aftermath::Aftermath;
use super::batch::{Batch, BatchState};
use super::doubt::Doubt;
use super::end::End;
use super::expect::{Expect, Expected, Ours};
use super::handover::Handover;
use super::portals::Portals;
use crate::clients::Farewell;
use crate::server::Server;
use crate::shared::Moment;

/// The state of the conversation between a client and its server.
pub(crate) struct Link {
    /// Only none while the link is being taken apart.
    pub(super) server: Option<Box<Server>>,
    /// The event loop knows that more of the server is waited for.
    pub awaited: bool,
    /// What the server still owes.
    pub(super) expected: Expected,
    /// What the server's last ReadyForQuery said.
    pub status: Status,
    /// Bytes for the server that wait to be written.
    pub to_server: Vec<u8>,
    /// The beginning of a server's message that is not whole yet.
    pub from_server: Vec<u8>,
    /// Bytes of a server's message that are still to pass.
    pub passing_down: usize,
    /// They are dropped: the client is not to see them.
    pub dropping_down: bool,
    /// Bytes of a client's message that are still to pass.
    pub passing_up: usize,
    /// The server failed its test, or keeps what another client has set.
    pub unfit: bool,
    /// The client has sent messages of the extended protocol and no Sync since.
    pub open_batch: bool,
    /// The client has bound a portal since its last Sync.
    pub bound: bool,
    /// The server takes in COPY data.
    pub copy_in: bool,
    /// Whether the order of answers is not certain any more: the connection serves nobody else.
    pub doubtful: bool,
    /// The client's messages wait until the server has accepted its settings.
    pub hold: bool,
    /// How far that has come.
    pub(super) handover: Handover,
    /// A batch has made or closed names: what comes behind it waits until that is sure.
    pub hold_names: bool,
    /// Something leads back to what the client began with, which its server does not know: what comes behind it waits until
    /// that is settled.
    pub hold_resets: bool,
    /// A query follows a batch without a Sync: it waits until it is sure that the batch has not failed, or the server skips it.
    pub hold_query: bool,
    /// What drops all statements runs in the client's batch: what names one behind it waits until that is sure.
    pub forgets_all: bool,
    /// Nothing of the client has been passed yet.
    pub fresh: bool,
    /// An error was answered in the extended protocol, and the client's Sync has not come: the server ignores all else.
    pub skipping: bool,
    /// The client has said goodbye: what it asked before is still done.
    pub leaving: bool,
    /// An error was answered since the transaction began.
    pub failed: bool,
    /// The unnamed statement on the server is the one the client made there last.
    pub unnamed_here: bool,
    /// What the client's transaction has put in doubt.
    pub(super) doubt: Doubt,
    /// Portals that will change what a name means.
    pub(super) portals: Portals,
    /// What is to be looked at when the transaction is over.
    pub(super) aftermath: Aftermath,
    /// The server has said why it ends the connection.
    pub farewell: bool,
    /// Settings that the question of ours is about and that were RESET.
    pub audit_resets: Vec<String>,
    /// The question of ours was for reasons to pin.
    pub audit_pins: bool,
    /// What came of a question of ours.
    pub answer: Vec<(String, Option<String>)>,
    /// Something of it is in an encoding other than UTF-8, and cannot be said again.
    pub unsayable: bool,
    /// The error that a question of ours met.
    pub our_error: Option<(String, String)>,
    /// The client's messages since the last Sync, in case a stale plan makes them fail.
    pub(super) batch: Batch,
    /// When the client got the server.
    pub(super) linked: Moment,
    /// When something last began or ended: the time, for what happens right after it.
    pub(super) moment: Moment,
    /// Microseconds since the process began.
    pub(super) transaction_since: Option<u64>,
    /// The same.
    pub(super) query_since: Option<u64>,
}

impl Link {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            server: None,
            awaited: false,
            expected: Expected::default(),
            status: Status::Idle,
            to_server: Vec::new(),
            from_server: Vec::new(),
            passing_down: 0,
            dropping_down: false,
            passing_up: 0,
            unfit: false,
            open_batch: false,
            bound: false,
            copy_in: false,
            doubtful: false,
            hold: false,
            handover: Handover::AtOnce,
            hold_names: false,
            hold_resets: false,
            hold_query: false,
            forgets_all: false,
            fresh: true,
            skipping: false,
            leaving: false,
            failed: false,
            unnamed_here: false,
            doubt: Doubt::default(),
            portals: Portals::new(),
            aftermath: Aftermath::default(),
            farewell: false,
            audit_resets: Vec::new(),
            audit_pins: false,
            answer: Vec::new(),
            unsayable: false,
            our_error: None,
            batch: Batch::default(),
            linked: now,
            moment: now,
            transaction_since: None,
            query_since: None,
        }
    }

    /// Ready for another client's server; keeps the memory of its buffers.
    pub(super) fn reset(&mut self) {
        // All are named, so that none is forgotten.
        let Self {
            server: _,
            awaited,
            expected,
            status,
            to_server,
            from_server,
            passing_down,
            dropping_down,
            passing_up,
            unfit,
            open_batch,
            bound,
            copy_in,
            doubtful,
            hold,
            handover,
            hold_names,
            hold_resets,
            hold_query,
            forgets_all,
            fresh,
            skipping,
            leaving,
            failed,
            unnamed_here,
            doubt,
            portals,
            aftermath,
            farewell,
            audit_resets,
            audit_pins,
            answer,
            unsayable,
            our_error,
            batch,
            linked: _,
            moment: _,
            transaction_since,
            query_since,
        } = self;
        *status = Status::Idle;
        (*fresh, *handover, *doubt) = (true, Handover::AtOnce, Doubt::default());
        for flag in [
            awaited,
            dropping_down,
            unfit,
            open_batch,
            bound,
            copy_in,
            doubtful,
            hold,
            hold_names,
            hold_resets,
            hold_query,
            forgets_all,
            skipping,
            leaving,
            failed,
            unnamed_here,
            farewell,
            audit_pins,
            unsayable,
        ] {
            *flag = false;
        }
        (*passing_down, *passing_up) = (0, 0);
        (*transaction_since, *query_since) = (None, None);
        expected.clear();
        batch.stop();
        batch.answered = false;
        // What a link holds when it is taken apart in good order is empty already.
        if !aftermath.is_empty() {
            *aftermath = Aftermath::default();
        }
        for buffer in [to_server, from_server] {
            *buffer = Vec::new();
        }
        audit_resets.clear();
        portals.clear();
        answer.clear();
        *our_error = None;
    }

    #[inline]
    pub(super) fn server(&mut self) -> &mut Server {
        self.server.as_mut().expect("a link has a server until it is taken apart")
    }

    /// Whether the server owes nothing and has been asked nothing that it has not answered.
    #[inline]
    pub(super) fn is_answered(&self) -> bool {
        self.expected.is_empty() && !self.open_batch
    }

    /// Whether no message is under way in either direction.
    pub(super) fn is_at_boundary(&self) -> bool {
        self.passing_up == 0
            && self.passing_down == 0
            && self.to_server.is_empty()
            && self.from_server.is_empty()
            && !self.copy_in
            && !self.doubtful
            && self.is_answered()
    }

    /// Whether the server is between transactions and owes nothing.
    #[inline]
    pub(super) fn is_clean(&self) -> bool {
        self.status == Status::Idle && self.is_at_boundary() && self.aftermath.is_empty()
    }

    /// Whether the client's messages must wait.
    pub(super) fn is_holding(&self) -> bool {
        self.hold
            || self.leaving
            || self.batch.state == BatchState::Again
            // What the server asks for is not held back from it; nor is the rest of a batch, up to whose end it may say
            // nothing.
            || (!self.copy_in && self.hold_query && !self.expected.is_empty())
            || (!self.copy_in
                && !self.open_batch
                && ((self.hold_names && !self.expected.is_empty())
                    || (self.hold_resets && self.is_unsettled())))
    }

    /// Asks the server something of ours, by a simple query, which ends the unnamed statement.
    pub(super) fn expect_ours(&mut self, what: Ours) {
        self.unnamed_here = false;
        self.expected.push(Expect::Ours(what));
    }

    /// Whether what was asked is still to be answered, or what it left behind still to be looked at.
    fn is_unsettled(&self) -> bool {
        !self.expected.is_empty() || (self.status == Status::Idle && !self.aftermath.is_empty())
    }

    /// Whether nothing runs and nothing can be prepared: the transaction has failed, and its end is not under way.
    pub(super) fn has_failed(&self) -> bool {
        self.status == Status::Failed && self.is_answered()
    }

    pub(super) fn in_transaction(&self) -> bool {
        self.status != Status::Idle
    }

    /// Keeps a row of an answer to a question of ours: two columns of text.
    pub(super) fn note_row(&mut self, payload: &[u8]) {
        let utf8 = self.server().parameters.is_utf8();
        let text = |value: &[u8]| {
            let text = std::str::from_utf8(value).ok()?;
            (utf8 || text.is_ascii()).then(|| text.to_owned())
        };
        let Ok(mut values) = DataRow::read(payload) else {
            // Too long to be held: what cannot be learned cannot be undone.
            self.our_error = Some(("22001".into(), "a setting is too long".into()));
            return;
        };
        if let (Some(Some(name)), Some(value)) = (values.next(), values.next()) {
            let read = value.map(text);
            self.unsayable |= matches!(read, Some(None));
            match text(name) {
                Some(name) => self.answer.push((name, read.flatten())),
                None => self.unsayable = true,
            }
        }
    }

    /// The server does not take the client's settings.
    pub(super) fn refused_settings(code: &str, message: &str) -> End {
        // Only codes that a setting can meet; any other is told as what it is to the client: its settings are invalid.
        let code = match code {
            "42501" => "42501",
            "42704" => "42704",
            _ => "22023",
        };
        End::Farewell(Farewell { code, message: message.to_owned() })
    }

    /// Whether bytes of our own may be put between what the client gets.
    pub(super) fn is_between_answers(&self) -> bool {
        self.expected.is_empty() && self.passing_down == 0 && self.from_server.is_empty()
    }
}
