//! A client's session: its messages in, answers out, and a server connection only while it needs one.
//!
//! One task serves a client. It reads into a buffer that all tasks of the thread share, so an idle client holds none.
//! A message is held whole only where it must be understood; all else passes as it comes.

mod aftermath;
mod batch;
mod begin;
mod client;
mod doubt;
mod end;
mod expect;
mod fakes;
mod handover;
mod hold;
mod link;
mod listen;
mod moving;
mod names;
mod out;
mod portals;
mod repeated;
mod serve;
mod server;
mod sql;
mod statements;
mod timing;
mod unnamed;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use deepwater_pgwire::message::backend::write::{self, Report, Severity};
use tokio::sync::oneshot;

use crate::clients::{CANCEL, ClientInfo, ClientState, DRAIN, Farewell, KILL, NOTIFY, RENEW};
use crate::config::PoolMode;
use crate::ledger::{Refusal, Ticket};
use crate::login::Client;
use crate::measure::{PINS, PoolMetrics};
use crate::plan::Face;
use crate::pools::{Pool, PoolSettings};
use crate::server::Server;
use crate::settings::{Parameters, Settings};
use crate::stream::Stream;
use crate::worker::Worker;

use end::End;
pub(crate) use link::Link;
pub(crate) use moving::{SessionState, resume};
use names::Names;

/// Bytes of a client that may wait to be looked at while it is not its turn.
const INPUT_LIMIT: usize = 64 * 1024;

/// Turns of a busy session before others have theirs.
const TURNS: usize = 64;

/// One client, logged in.
pub(crate) struct Session {
    worker: Rc<Worker>,
    info: Arc<ClientInfo>,
    pool: Arc<Pool>,
    plan: Arc<PoolSettings>,
    metrics: Rc<PoolMetrics>,
    face: Face,
    stream: Stream,
    /// The event loop knows that more of the client is waited for.
    awaited: bool,
    /// Bytes of the client that wait to be looked at.
    input: Vec<u8>,
    /// Bytes of the client that are to be dropped: the rest of a message that was refused.
    drop_input: usize,
    /// Bytes for the client that wait to be written.
    to_client: Vec<u8>,
    /// The server that serves the client now.
    link: Option<Box<Link>>,
    /// The client's place in the queue for one.
    ticket: Option<Ticket<Box<Server>>>,
    /// The client has been told that it waits.
    told_to_wait: bool,
    /// A LISTEN that the shared listener has not confirmed yet, and the tag of its answer.
    listening: Option<(oneshot::Receiver<Result<(), String>>, &'static str)>,
    /// An error was answered in the extended protocol: nothing counts up to the next Sync.
    skip_to_sync: bool,
    /// Settings the client began with, which RESET returns to.
    startup: Settings,
    /// Settings the client relies on.
    wants: Settings,
    /// Settings (by hash) that a server is known to have accepted from this client.
    accepted: u64,
    /// What the client was last told of its server.
    parameters: Arc<Parameters>,
    /// Statements the client has prepared.
    names: Names,
    /// Why the client keeps its server, as bits of [`PINS`].
    pins: u8,
    /// Whether the client listens on channels of the shared listener.
    listens: bool,
    /// Deadlines are set: times must be told to whoever watches them.
    watched: bool,
}

/// Serves a client that has logged in, until it leaves.
pub(crate) async fn run(worker: Rc<Worker>, client: Client) {
    let mut session = Box::new(Session::new(worker, client));
    let end = poll_fn(|cx| session.poll(cx)).await;
    Box::pin(session.finish(end)).await;
}

/// What a turn came to.
enum Step {
    /// Something happened: look again.
    Again,
    /// Nothing can be done until the task is woken.
    Wait,
}

impl Session {
    fn new(worker: Rc<Worker>, client: Client) -> Self {
        let plan = client.pool.settings.load_full();
        let metrics = worker.metrics(&client.pool);
        let watched = plan.deadlines.any();
        client.pool.clients.fetch_add(1, Ordering::Relaxed);
        if watched {
            client
                .info
                .idle_since
                .store(worker.shared.moment(Instant::now()).micros.max(1), Ordering::Relaxed);
        }
        Self {
            face: worker.shared.plan.load().face,
            info: client.info,
            pool: client.pool,
            plan,
            metrics,
            stream: client.stream,
            awaited: false,
            input: client.input,
            drop_input: 0,
            to_client: Vec::new(),
            link: None,
            ticket: None,
            told_to_wait: false,
            listening: None,
            skip_to_sync: false,
            wants: client.startup.clone(),
            startup: client.startup,
            accepted: 0,
            parameters: client.parameters,
            names: Names::default(),
            pins: 0,
            listens: false,
            watched,
            worker,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.info.listen_once(cx.waker());
        let mut buffer = self.worker.take_input();
        let mut turns = 0;
        let result = loop {
            match self.turn(cx, &mut buffer) {
                Ok(Step::Again) if turns < TURNS => turns += 1,
                Ok(Step::Again) => {
                    cx.waker().wake_by_ref();
                    break Poll::Pending;
                }
                Ok(Step::Wait) => break Poll::Pending,
                Err(end) => break Poll::Ready(end),
            }
        };
        self.worker.give_input(buffer);
        result
    }

    fn turn(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Result<Step, End> {
        if self.info.signals() != 0 {
            self.take_signals()?;
        }
        if !self.flush_client(cx)? {
            return Ok(Step::Wait);
        }
        if self.link.is_some() {
            return self.linked(cx, buffer);
        }
        if self.ticket.is_some() {
            return self.queued(cx, buffer);
        }
        if self.listening.is_some() {
            return self.await_listening(cx);
        }
        self.idle(cx, buffer)
    }

    /// Between transactions.
    fn idle(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Result<Step, End> {
        if !self.input.is_empty() {
            let input = std::mem::take(&mut self.input);
            let used = self.begin(cx, &input)?;
            self.keep(input, used);
            if used > 0 || self.link.is_some() || self.ticket.is_some() || self.listening.is_some() {
                return Ok(Step::Again);
            }
        }
        let Some(n) = self.read_client(cx, buffer)? else { return Ok(Step::Wait) };
        if !self.input.is_empty() {
            self.input.extend_from_slice(&buffer[..n]);
            return Ok(Step::Again);
        }
        let used = self.begin(cx, &buffer[..n])?;
        self.input.extend_from_slice(&buffer[used..n]);
        Ok(Step::Again)
    }

    /// Puts back what was not used of an input that was taken.
    fn keep(&mut self, mut input: Vec<u8>, used: usize) {
        debug_assert!(self.input.is_empty());
        if used == input.len() {
            // An idle client holds no buffer.
            return;
        }
        input.drain(..used);
        self.input = input;
    }

    /// Reads from the client; none when nothing has come.
    fn read_client(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Result<Option<usize>, End> {
        match self.stream.poll_fill_awaited(cx, buffer, &mut self.awaited) {
            Poll::Pending => Ok(None),
            Poll::Ready(Ok(0)) => Err(End::ClientLeft),
            Poll::Ready(Ok(n)) => {
                self.metrics.received.add(n as u64);
                Ok(Some(n))
            }
            Poll::Ready(Err(_)) => Err(End::ClientLeft),
        }
    }

    /// In the queue for a server.
    fn queued(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Result<Step, End> {
        let Some(ticket) = &mut self.ticket else { return Ok(Step::Again) };
        let since = ticket.since();
        match Pin::new(&mut *ticket).poll(cx) {
            Poll::Ready(Ok(server)) => {
                self.ticket = None;
                self.left_queue(since);
                self.take_server(cx, server)
            }
            Poll::Ready(Err(refusal)) => {
                self.ticket = None;
                self.left_queue(since);
                let input = std::mem::take(&mut self.input);
                let used = self.refuse(&refusal, &input)?;
                self.keep(input, used);
                Ok(Step::Again)
            }
            Poll::Pending => {
                if ticket.is_notified() && !self.told_to_wait {
                    self.told_to_wait = true;
                    self.say_waiting();
                    return Ok(Step::Again);
                }
                // The client may leave, or send more, while it waits.
                if self.input.len() < INPUT_LIMIT
                    && let Some(n) = self.read_client(cx, buffer)?
                {
                    self.input.extend_from_slice(&buffer[..n]);
                    return Ok(Step::Again);
                }
                Ok(Step::Wait)
            }
        }
    }

    fn left_queue(&mut self, since: Instant) {
        let waited = since.elapsed();
        self.metrics.wait.observe(waited);
        self.metrics.wait_micros.add(u64::try_from(waited.as_micros()).unwrap_or(u64::MAX));
        self.info.waiting_since.store(0, Ordering::Relaxed);
        self.told_to_wait = false;
    }

    fn say_waiting(&mut self) {
        let message = match self.face {
            Face::PgBouncer => "No server connection available in postgres backend, client being queued",
            Face::Native => "all server connections are in use: the query waits for one",
        };
        write::notice_response(&mut self.to_client, &Report::new(Severity::Notice, "00000", message));
    }

    /// Waits for the shared listener's word.
    fn await_listening(&mut self, cx: &mut Context<'_>) -> Result<Step, End> {
        let Some((word, tag)) = &mut self.listening else { return Ok(Step::Again) };
        let tag = *tag;
        let Poll::Ready(word) = Pin::new(word).poll(cx) else { return Ok(Step::Wait) };
        self.listening = None;
        match word.unwrap_or_else(|_| Err("the shared listener has ended".into())) {
            Ok(()) => write::command_complete(&mut self.to_client, tag),
            Err(reason) => {
                write::error_response(&mut self.to_client, &Report::new(Severity::Error, "08006", &reason));
            }
        }
        self.say_ready();
        Ok(Step::Again)
    }

    /// Ready for the next query, outside a transaction.
    fn say_ready(&mut self) {
        write::ready_for_query(&mut self.to_client, deepwater_pgwire::message::backend::Status::Idle);
    }

    /// Writes what waits for the client. False while it does not take all.
    #[inline]
    fn flush_client(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        if !self.to_client.is_empty() {
            let bytes = std::mem::take(&mut self.to_client);
            let written = self.stream.write_now(cx, &bytes).map_err(|_| End::ClientLeft)?;
            self.metrics.sent.add(written as u64);
            if written < bytes.len() {
                self.to_client = bytes;
                self.to_client.drain(..written);
                self.note_blocked(true);
                return Ok(false);
            }
            self.note_blocked(false);
        }
        let flushed = self.stream.flush_now(cx).map_err(|_| End::ClientLeft)?;
        if !flushed {
            self.note_blocked(true);
        }
        Ok(flushed)
    }

    /// Writes to the client; what it does not take now is kept.
    fn write_client(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Result<(), End> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut written = 0;
        if self.to_client.is_empty() {
            written = self.stream.write_now(cx, bytes).map_err(|_| End::ClientLeft)?;
            self.metrics.sent.add(written as u64);
            // What TLS holds back is pushed out at the next turn, which comes at once.
        }
        self.to_client.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    fn note_blocked(&self, blocked: bool) {
        let since = if blocked { self.worker.shared.moment(Instant::now()).micros.max(1) } else { 0 };
        if (self.info.blocked_since.load(Ordering::Relaxed) == 0) == blocked {
            self.info.blocked_since.store(since, Ordering::Relaxed);
        }
    }

    /// Does what others have signalled.
    #[cold]
    fn take_signals(&mut self) -> Result<(), End> {
        let signals = self.info.signals();
        if signals & KILL != 0
            && let Some(farewell) = self.info.farewell()
        {
            return Err(End::Farewell(farewell));
        }
        if signals & CANCEL != 0 {
            self.info.clear(CANCEL);
            if let Some(ticket) = self.ticket.take() {
                let since = ticket.since();
                let granted = ticket.leave();
                drop(ticket);
                granted.into_iter().for_each(|server| self.worker.release(server));
                self.left_queue(since);
                let message = "canceling statement due to user request";
                let input = std::mem::take(&mut self.input);
                let used = self.fail_request("57014", message, &input)?;
                self.keep(input, used);
            }
        }
        let between = self.link.as_ref().is_none_or(|link| link.is_between_answers());
        if signals & NOTIFY != 0 && between {
            self.info.take_notifications(&mut self.to_client);
        }
        if signals & RENEW != 0 && self.link.as_ref().is_none_or(|link| link.is_clean()) {
            self.info.clear(RENEW);
            if self.link.is_some() {
                let message = "the server connection was closed by an administrator";
                return Err(End::Farewell(Farewell { code: "57P01", message: message.into() }));
            }
        }
        if signals & DRAIN != 0 && self.link.is_none() && self.ticket.is_none() && self.input.is_empty() {
            if let Some(moves) = self.moves() {
                return Err(moves);
            }
            let message = "terminating connection due to administrator command";
            return Err(End::Farewell(Farewell { code: "57P01", message: message.into() }));
        }
        Ok(())
    }

    /// Answers the first message of the data with a refusal; how many bytes of it are done with.
    fn refuse(&mut self, refusal: &Refusal, data: &[u8]) -> Result<usize, End> {
        self.metrics.refused.increment();
        let (code, message) = refusal.words(&self.pool.key, self.face);
        self.fail_request(code, &message, data)
    }

    /// Answers the first message of the data with an error. The client stays, unless PgBouncer would let it go.
    fn fail_request(&mut self, code: &'static str, message: &str, data: &[u8]) -> Result<usize, End> {
        self.info.set_state(ClientState::Idle);
        if self.face == Face::PgBouncer {
            return Err(End::Farewell(Farewell { code, message: message.into() }));
        }
        write::error_response(&mut self.to_client, &Report::new(Severity::Error, code, message));
        Ok(self.drop_request(data))
    }

    /// Keeps the client's server for it alone from now on.
    fn pin(&mut self, reason: usize) {
        let bit = 1 << reason;
        if self.pins & bit == 0 {
            self.pins |= bit;
            self.metrics.pins[reason].increment();
            self.info.pins.store(self.pins, Ordering::Relaxed);
        }
    }

    fn unpin(&mut self, reasons: u8) {
        self.pins &= !reasons;
        self.info.pins.store(self.pins, Ordering::Relaxed);
    }

    /// Whether what clients do to their session is followed, so that they can change servers.
    fn is_tracked(&self) -> bool {
        self.plan.mode != PoolMode::Session
    }
}

/// Positions in [`PINS`].
mod pin {
    pub(super) const ADVISORY_LOCK: usize = 0;
    pub(super) const TEMP_TABLE: usize = 1;
    pub(super) const HOLD_CURSOR: usize = 2;
    pub(super) const LISTEN: usize = 3;
    pub(super) const PREPARE: usize = 4;
    pub(super) const UNREAD_TEXT: usize = 5;
    pub(super) const LOAD: usize = 6;
    pub(super) const OPAQUE_TEXT: usize = 7;
}

/// Every reason has its counter.
const _: () = assert!(PINS.len() == pin::OPAQUE_TEXT + 1);
