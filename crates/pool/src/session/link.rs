//! A client and the server that serves it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use deepwater_pgwire::message::backend::{DataRow, Status};
use deepwater_pgwire::message::frontend::{self as frontend_tags, write as frontend};
use deepwater_pgwire::message::{self, HEADER_BYTES};

use super::aftermath::Aftermath;
use super::end::End;
use super::expect::{Expect, Expected, Ours};
use super::out::Out;
use super::{INPUT_LIMIT, Session, Step};
use crate::clients::{ClientState, Farewell};
use crate::config::PoolMode;
use crate::server::{Server, ServerState};
use crate::settings::Settings;

/// The state of the conversation between a client and its server.
pub(crate) struct Link {
    /// Only none while the link is being taken apart.
    server: Option<Box<Server>>,
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
    /// The server failed its test.
    pub failed_check: bool,
    /// The client has sent messages of the extended protocol and no Sync since.
    pub open_batch: bool,
    /// The server takes in COPY data.
    pub copy_in: bool,
    /// Whether the order of answers is not certain any more: the connection serves nobody else.
    pub doubtful: bool,
    /// The client's messages wait until the server has accepted its settings.
    pub hold: bool,
    /// A batch has made or closed names: what comes behind it waits until that is sure.
    pub hold_names: bool,
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
    /// The error that a question of ours met.
    pub our_error: Option<(String, String)>,
    /// The client's messages since the last Sync, in case a stale plan makes them fail.
    pub(super) batch: Batch,
    linked_at: Instant,
    /// When something last began or ended: the time, for what happens right after it.
    moment: Instant,
    transaction_since: Option<Instant>,
    query_since: Option<Instant>,
}

/// A batch of the extended protocol, kept while it may have to be sent again.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub bytes: Vec<u8>,
    pub state: BatchState,
    /// The client has been sent something of the answer.
    pub answered: bool,
    /// Where the last message begins.
    last: usize,
}

/// Whether a batch can be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum BatchState {
    /// Nothing is kept.
    #[default]
    Off,
    /// Messages are added.
    Open,
    /// The Sync was the last.
    Whole,
    /// It is to be sent again when the server is ready.
    Again,
    /// It has been sent again.
    Spent,
}

/// The longest batch that is kept, in bytes.
const BATCH_BYTES: usize = 16 * 1024;

impl Batch {
    /// Adds a message; a batch that grows too long is not kept.
    pub(super) fn add(&mut self, message: &[u8]) {
        if self.state == BatchState::Open {
            if self.bytes.len() + message.len() > BATCH_BYTES {
                self.stop();
            } else {
                self.last = self.bytes.len();
                self.bytes.extend_from_slice(message);
            }
        }
    }

    /// The last message was answered without the server: it need not be sent again.
    pub(super) fn drop_last(&mut self) {
        self.bytes.truncate(self.last);
    }

    /// Whether the client asked for a description of what it runs, so that it will not take new columns for old ones.
    pub(super) fn describes_portal(&self) -> bool {
        let mut rest = self.bytes.as_slice();
        while let Ok(Some(header)) = message::header(rest) {
            if header.tag == frontend_tags::DESCRIBE && rest.get(HEADER_BYTES) == Some(&b'P') {
                return true;
            }
            rest = rest.get(header.total()..).unwrap_or_default();
        }
        false
    }

    /// Nothing is kept any more.
    pub(super) fn stop(&mut self) {
        self.state = BatchState::Off;
        self.bytes.clear();
    }
}

impl Link {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            server: None,
            expected: Expected::default(),
            status: Status::Idle,
            to_server: Vec::new(),
            from_server: Vec::new(),
            passing_down: 0,
            dropping_down: false,
            passing_up: 0,
            failed_check: false,
            open_batch: false,
            copy_in: false,
            doubtful: false,
            hold: false,
            hold_names: false,
            fresh: true,
            skipping: false,
            leaving: false,
            failed: false,
            unnamed_here: false,
            aftermath: Aftermath::default(),
            farewell: false,
            audit_resets: Vec::new(),
            audit_pins: false,
            answer: Vec::new(),
            our_error: None,
            batch: Batch::default(),
            linked_at: now,
            moment: now,
            transaction_since: None,
            query_since: None,
        }
    }

    /// Ready for another client's server; keeps the memory of its buffers.
    fn reset(&mut self) {
        let mut fresh = Self::new(self.moment);
        std::mem::swap(&mut fresh.expected, &mut self.expected);
        std::mem::swap(&mut fresh.batch.bytes, &mut self.batch.bytes);
        fresh.batch.bytes.clear();
        fresh.expected.clear();
        *self = fresh;
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
            || (self.hold_names && !self.expected.is_empty())
    }

    pub(super) fn in_transaction(&self) -> bool {
        self.status != Status::Idle
    }

    /// Keeps a row of an answer to a question of ours: two columns of text.
    pub(super) fn note_row(&mut self, payload: &[u8]) {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let Ok(mut values) = DataRow::read(payload) else {
            // Too long to be held: what cannot be learned cannot be undone.
            self.our_error = Some(("22001".into(), "a setting is too long".into()));
            return;
        };
        if let (Some(Some(name)), Some(value)) = (values.next(), values.next()) {
            self.answer.push((text(name), value.map(text)));
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

impl Session {
    /// Takes a server that is free, and goes on with what the client has sent.
    pub(super) fn take_server(&mut self, cx: &mut Context<'_>, server: Box<Server>) -> Result<Step, End> {
        let Some(server) = self.fit(server) else { return self.ask_again(cx) };
        self.link_to(server, Instant::now());
        self.introduce(cx)?;
        self.feed_input(cx)?;
        Ok(Step::Again)
    }

    /// Makes a server that was idle one of this thread; none if it has ended meanwhile.
    pub(super) fn fit(&mut self, mut server: Box<Server>) -> Option<Box<Server>> {
        if !server.settle() {
            self.worker.discard(server);
            return None;
        }
        if server.home != self.worker.id {
            if server.stream.rehome().is_err() {
                self.worker.discard(server);
                return None;
            }
            server.home = self.worker.id;
        }
        Some(server)
    }

    pub(super) fn link_to(&mut self, server: Box<Server>, now: Instant) {
        let mut link = self.worker.take_link(now);
        server.info.client.store(self.info.id, Ordering::SeqCst);
        server.info.set_state(ServerState::Active);
        self.info.set_server(Some(&server.info));
        self.info.set_state(ClientState::Active);
        (link.linked_at, link.moment) = (now, now);
        link.server = Some(server);
        self.metrics.assignments.increment();
        self.link = Some(link);
    }

    /// Makes the server's session the client's: its settings, and what the client was told of the server.
    pub(super) fn introduce(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        self.check(cx)?;
        let Some(link) = &mut self.link else { return Ok(()) };
        let server = link.server.as_mut().expect("it was just linked");
        let over;
        let wanted = if server.base == Settings::default() {
            &self.wants
        } else {
            over = self.wants.over(&server.base);
            &over
        };
        if let Some(change) = server.applied.change_to(wanted) {
            let rights = server.applied.holds_rights() || self.wants.holds_rights();
            // A deadline that the client before set counts for the change, too.
            let limits = ["statement_timeout", "transaction_timeout"];
            let may_fail = rights || limits.iter().any(|name| server.applied.get(name).is_some());
            // What was never accepted may be refused, and then nothing of the client may run.
            link.hold |= may_fail
                || (self.accepted != self.wants.hash()
                    && self.pool.accepted.load(Ordering::Relaxed) != self.wants.hash());
            frontend::query(&mut link.to_server, change);
            server.info.set_ours(true);
            link.expected.push(Expect::Ours(Ours::Settings));
            self.metrics.replays.increment();
            if link.hold {
                return self.push_to_server(cx).map(|_| ());
            }
        } else {
            self.tell_parameters();
        }
        Ok(())
    }

    /// Tests a server that was idle for long, if that is asked for: nothing of the client reaches it before it answers.
    fn check(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let Some(link) = &mut self.link else { return Ok(()) };
        let config = &self.worker.shared.plan.load().config;
        let (text, after) = (config.check_query.trim(), config.timeouts.server_check.get());
        let server = link.server.as_ref().expect("it was just linked");
        if text.is_empty() || server.last_used.elapsed() < after {
            return Ok(());
        }
        frontend::query(&mut link.to_server, text);
        link.expected.push(Expect::Ours(Ours::Check));
        link.hold = true;
        self.push_to_server(cx).map(|_| ())
    }

    /// Tells the client what is different about this server.
    pub(super) fn tell_parameters(&mut self) {
        let Some(link) = &mut self.link else { return };
        let server = link.server.as_ref().expect("it is linked");
        if self.parameters.hash() == server.parameters.hash() {
            return;
        }
        for (name, value) in server.parameters.iter() {
            if self.parameters.get(name) != Some(value) {
                deepwater_pgwire::message::backend::write::parameter_status(&mut self.to_client, name, value);
            }
        }
        self.parameters = Arc::clone(&server.parameters);
    }

    /// While a server serves the client.
    pub(super) fn linked(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Result<Step, End> {
        let writable = self.push_to_server(cx)?;
        let Some(link) = &mut self.link else { return Ok(Step::Again) };
        match link.server().stream.poll_fill(cx, buffer) {
            Poll::Ready(Ok(n)) if n > 0 => {
                self.hear_server(cx, &buffer[..n])?;
                if self.link.as_ref().is_some_and(|link| link.failed_check) {
                    return self.server_gone("the server failed its test");
                }
                self.settle_up(cx)?;
                self.check_leaving()?;
                // Often that was all: the server need not be looked at again.
                self.try_release();
                return Ok(Step::Again);
            }
            Poll::Ready(Ok(_)) => return self.server_gone("the server closed the connection"),
            Poll::Ready(Err(error)) => {
                return self.server_gone(&format!("the connection to the server broke: {error}"));
            }
            Poll::Pending => {}
        }
        self.settle_up(cx)?;
        self.check_leaving()?;
        if self.try_release() {
            return Ok(Step::Again);
        }
        if !writable || self.link.as_ref().is_some_and(|link| link.is_holding()) {
            return Ok(Step::Wait);
        }
        if self.feed_input(cx)? > 0 {
            return Ok(Step::Again);
        }
        if self.input.len() >= INPUT_LIMIT + self.plan.max_message {
            return Err(End::protocol("a message is too long"));
        }
        let Some(n) = self.read_client(cx, buffer)? else { return Ok(Step::Wait) };
        if self.input.is_empty() {
            let used = self.feed(cx, &buffer[..n])?;
            self.input.extend_from_slice(&buffer[used..n]);
        } else {
            self.input.extend_from_slice(&buffer[..n]);
            self.feed_input(cx)?;
        }
        Ok(Step::Again)
    }

    /// Passes what the client has sent before; how much of it was used.
    pub(super) fn feed_input(&mut self, cx: &mut Context<'_>) -> Result<usize, End> {
        if self.input.is_empty() {
            return Ok(0);
        }
        let input = std::mem::take(&mut self.input);
        let used = self.feed(cx, &input)?;
        self.keep(input, used);
        Ok(used)
    }

    /// Passes messages of the client to the server; how many bytes of them.
    pub(super) fn feed(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Result<usize, End> {
        let mut owned = self.worker.take_output();
        let mut out = Out::new(data, &mut owned);
        let used = self.hear_client(data, &mut out);
        if let (Some(link), Ok(1..)) = (&mut self.link, &used) {
            link.fresh = false;
        }
        let bytes = out.finish();
        let pushed = if bytes.is_empty() { Ok(()) } else { self.write_server(cx, bytes) };
        self.worker.give_output(owned);
        pushed?;
        used
    }

    fn write_server(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Result<(), End> {
        let Some(link) = &mut self.link else { return Ok(()) };
        if !link.to_server.is_empty() {
            link.to_server.extend_from_slice(bytes);
            return self.push_to_server(cx).map(|_| ());
        }
        let stream = &mut link.server().stream;
        let written = stream.write_now(cx, bytes).and_then(|written| stream.flush_now(cx).map(|_| written));
        match written {
            Ok(written) => {
                link.to_server.extend_from_slice(&bytes[written..]);
                Ok(())
            }
            // The server may have said why before it closed: that is read first.
            Err(_) => {
                link.doubtful = true;
                Ok(())
            }
        }
    }

    /// Writes what waits for the server. False while it does not take all.
    #[inline]
    pub(super) fn push_to_server(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let Some(link) = &mut self.link else { return Ok(true) };
        let mut bytes = std::mem::take(&mut link.to_server);
        let stream = &mut link.server().stream;
        let mut written = 0;
        let result = if bytes.is_empty() { Ok(0) } else { stream.write_now(cx, &bytes) };
        let flushed = result.and_then(|n| {
            written = n;
            stream.flush_now(cx)
        });
        match flushed {
            Ok(flushed) => {
                bytes.drain(..written);
                link.to_server = bytes;
                Ok(flushed && link.to_server.is_empty())
            }
            Err(_) => {
                link.doubtful = true;
                Ok(true)
            }
        }
    }

    /// Ends the session of a client that has said goodbye, once what it asked before is done. Nothing more will come of
    /// what has no end: a batch without Sync, a COPY without its data.
    fn check_leaving(&self) -> Result<(), End> {
        match &self.link {
            Some(link) if link.leaving && (link.copy_in || !link.expected.has_boundary()) => {
                Err(End::Terminated)
            }
            _ => Ok(()),
        }
    }

    /// The server is gone. A client that was asking nothing of it need not know.
    fn server_gone(&mut self, reason: &str) -> Result<Step, End> {
        let Some(link) = &self.link else { return Ok(Step::Again) };
        if link.fresh && link.status == Status::Idle {
            // Nothing of the client has reached it: another will do.
            let link = self.link.take().expect("it was just looked at");
            let server = self.unlink(link);
            self.worker.discard(server);
            return Ok(Step::Again);
        }
        if link.farewell { Err(End::ServerSaidWhy) } else { Err(End::ServerLost(reason.into())) }
    }

    /// Gives the server back if the client needs it no more.
    pub(super) fn try_release(&mut self) -> bool {
        let Some(link) = &self.link else { return false };
        if !link.is_clean() || self.pins != 0 || !self.is_tracked() || (link.fresh && !self.input.is_empty())
        {
            return false;
        }
        let link = self.link.take().expect("it was just looked at");
        let now = link.moment;
        let server = self.unlink(link);
        self.names.trim();
        if self.worker.shared.plan.load().config.reset_query_always {
            crate::cleaning::clean(&self.worker, server, crate::cleaning::Left::to_reset());
        } else {
            self.worker.release_at(server, now);
        }
        true
    }

    /// Takes a link apart.
    pub(super) fn unlink(&mut self, mut link: Box<Link>) -> Box<Server> {
        let server = link.server.take().expect("a link has a server until it is taken apart");
        self.metrics.used.observe(link.moment.saturating_duration_since(link.linked_at));
        self.info.set_server(None);
        self.info.set_state(ClientState::Idle);
        if self.watched {
            self.info.query_since.store(0, Ordering::Relaxed);
            self.info.transaction_since.store(0, Ordering::Relaxed);
            self.info.idle_since.store(self.worker.shared.micros(link.moment), Ordering::Relaxed);
        }
        link.reset();
        self.worker.give_link(link);
        server
    }

    /// Notes that the server has been asked something.
    #[inline]
    pub(super) fn note_asked(&mut self) {
        let Some(link) = &mut self.link else { return };
        if link.query_since.is_some() {
            return;
        }
        // What is asked first is asked when the server was taken.
        let now = if link.fresh { link.linked_at } else { Instant::now() };
        link.query_since = Some(now);
        let micros = self.worker.shared.micros(now);
        self.info.requested_at.store(micros, Ordering::Relaxed);
        if link.transaction_since.is_none() {
            link.transaction_since = Some(now);
            if self.watched {
                self.info.transaction_since.store(micros, Ordering::Relaxed);
            }
        }
        if self.watched {
            self.info.query_since.store(micros, Ordering::Relaxed);
            self.info.idle_since.store(0, Ordering::Relaxed);
        }
    }

    /// Notes that the server has answered a query of the client; the last of those that were asked, or not.
    pub(super) fn note_answered(&mut self) {
        let Some(link) = &mut self.link else { return };
        self.metrics.queries.increment();
        let over = link.status == Status::Idle;
        if over {
            self.metrics.transactions.increment();
        }
        if !link.expected.is_empty() {
            return;
        }
        let now = Instant::now();
        link.moment = now;
        let since = |since: Option<Instant>| {
            since.map_or(0, |since| u64::try_from(now.duration_since(since).as_micros()).unwrap_or(u64::MAX))
        };
        self.metrics.query_micros.add(since(link.query_since.take()));
        if over {
            self.metrics.transaction_micros.add(since(link.transaction_since.take()));
        }
        if self.watched {
            self.info.query_since.store(0, Ordering::Relaxed);
            if over {
                self.info.transaction_since.store(0, Ordering::Relaxed);
            }
            self.info.idle_since.store(self.worker.shared.micros(now), Ordering::Relaxed);
        }
    }

    /// Refuses what `statement` mode does not allow: a transaction of more than one statement.
    pub(super) fn check_mode(&self) -> Result<(), End> {
        let in_transaction = self.link.as_ref().is_some_and(|link| link.status != Status::Idle);
        if in_transaction && self.plan.mode == PoolMode::Statement {
            return Err(End::protocol("transaction blocks not allowed in statement pooling mode"));
        }
        Ok(())
    }
}
