//! The administration database, `pgbouncer`: PgBouncer's console, with its commands, columns and words. It speaks the
//! simple query protocol only, as PgBouncer's does.

mod command;
mod execute;
mod moment;
mod show;
mod table;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use deepwater_pgwire::message::backend::Status;
use deepwater_pgwire::message::backend::write::{self, Report, Severity};
use deepwater_pgwire::message::frontend;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::clients::{CANCEL, ClientInfo, ClientState, DRAIN, KILL};
use crate::control::Controls;
use crate::login::Administrator;
use crate::shared::Shared;
use crate::talk::{Inbox, Message, Talk};
use crate::worker::Worker;

use command::Command;
use execute::Outcome;

/// The longest query, in bytes: PgBouncer's must fit in a packet buffer of 4 KiB.
const MAX_QUERY: usize = 4 * 1024;
/// How long an administrator may take to take in why he is disconnected.
const FAREWELL: Duration = Duration::from_secs(1);
/// The SQLSTATE of nearly all that PgBouncer says.
const PROTOCOL_VIOLATION: &str = "08P01";

/// Serves an administrator who has logged in, until he leaves.
pub(crate) async fn run(worker: Rc<Worker>, client: Administrator) {
    let Administrator { stream, input, info, may_change } = client;
    let shared = Arc::clone(&worker.shared);
    let _counted = Controls::administrator(&shared);
    let mut talk = Talk::new(stream);
    talk.inbox = Inbox::of(input);
    let mut console = Console { shared, info, may_change, talk, next: None };
    let end = console.serve().await;
    console.say_goodbye(end).await;
}

/// Why a session at the console ends.
enum End {
    /// The client has left.
    Left,
    /// It is told why: SQLSTATE and sentence.
    Told(&'static str, String),
}

/// A session at the console.
struct Console {
    shared: Arc<Shared>,
    info: Arc<ClientInfo>,
    may_change: bool,
    talk: Talk,
    /// A message that came while a command was waited for.
    next: Option<Message>,
}

impl Console {
    async fn serve(&mut self) -> End {
        loop {
            let message = match self.next.take() {
                Some(message) => message,
                None => match self.hear().await {
                    Ok(message) => message,
                    Err(end) => return end,
                },
            };
            let end = match message.tag {
                frontend::QUERY => self.query(&message.payload).await,
                frontend::TERMINATE => Some(End::Left),
                frontend::PARSE | frontend::BIND | frontend::EXECUTE => {
                    self.fail(PROTOCOL_VIOLATION, "extended query protocol not supported by admin console");
                    Some(End::Told(PROTOCOL_VIOLATION, "bad packet".into()))
                }
                other => {
                    self.fail(
                        PROTOCOL_VIOLATION,
                        &format!("unsupported packet type for admin console: {other}"),
                    );
                    Some(End::Told(PROTOCOL_VIOLATION, "bad packet".into()))
                }
            };
            if let Some(end) = end {
                return end;
            }
            if self.talk.send().await.is_err() {
                return End::Left;
            }
        }
    }

    /// The next message, unless the session is to end.
    async fn hear(&mut self) -> Result<Message, End> {
        loop {
            let signals = signalled(&self.info, KILL | DRAIN | CANCEL);
            let message = tokio::select! {
                biased;
                signals = signals => {
                    // There is nothing to cancel.
                    self.info.clear(CANCEL);
                    match self.end_for(signals) {
                        Some(end) => return Err(end),
                        None => continue,
                    }
                }
                message = self.talk.message(MAX_QUERY) => message,
            };
            return message.map_err(|error| match error {
                crate::talk::TalkError::Closed | crate::talk::TalkError::Io(_) => End::Left,
                told => End::Told(PROTOCOL_VIOLATION, told.to_string()),
            });
        }
    }

    fn end_for(&self, signals: u32) -> Option<End> {
        if signals & KILL != 0
            && let Some(farewell) = self.info.farewell()
        {
            return Some(End::Told(farewell.code, farewell.message));
        }
        self.info.clear(KILL);
        let drained = || End::Told("57P01", "terminating connection due to administrator command".into());
        (signals & DRAIN != 0).then(drained)
    }

    /// Does what a query asks for; an end if the session is over.
    async fn query(&mut self, payload: &[u8]) -> Option<End> {
        let Ok(text) = frontend::query_text(payload) else {
            return Some(End::Told(PROTOCOL_VIOLATION, "incomplete query".into()));
        };
        let text = String::from_utf8_lossy(text);
        self.info.set_state(ClientState::Active);
        self.info.requested_at.store(self.shared.micros(Instant::now()), Ordering::Relaxed);
        self.shared.controls.commands.fetch_add(1, Ordering::Relaxed);
        let outcome = match Command::read(&text) {
            Ok(command) => self.execute(command, &text).await,
            Err(refused) => Outcome::Refused(PROTOCOL_VIOLATION, refused),
        };
        self.info.set_state(ClientState::Idle);
        match outcome {
            Outcome::Done(tag) => self.finish(&tag),
            Outcome::Table(table) => {
                table.write(&mut self.talk.output);
                self.finish("SHOW");
            }
            Outcome::Notice { message, detail, tag } => {
                let report = Report { detail, ..Report::new(Severity::Notice, "00000", message) };
                write::notice_response(&mut self.talk.output, &report);
                self.finish(tag);
            }
            Outcome::Refused(code, message) => self.fail(code, &message),
            Outcome::End(end) => return Some(end),
        }
        None
    }

    fn finish(&mut self, tag: &str) {
        write::command_complete(&mut self.talk.output, tag);
        write::ready_for_query(&mut self.talk.output, Status::Idle);
    }

    fn fail(&mut self, code: &str, message: &str) {
        write::error_response(&mut self.talk.output, &Report::new(Severity::Error, code, message));
        write::ready_for_query(&mut self.talk.output, Status::Idle);
    }

    async fn say_goodbye(&mut self, end: End) {
        if let End::Told(code, message) = end {
            write::error_response(&mut self.talk.output, &Report::new(Severity::Fatal, code, &message));
        }
        let farewell = async {
            // One that has gone hears nothing.
            let _ = self.talk.send().await;
            let _ = self.talk.stream.shutdown().await;
        };
        let _ = timeout(FAREWELL, farewell).await;
    }
}

/// Resolves when any of these signals has come; which.
async fn signalled(info: &ClientInfo, which: u32) -> u32 {
    std::future::poll_fn(|cx| {
        info.listen_once(cx.waker());
        match info.signals() & which {
            0 => Poll::Pending,
            signals => Poll::Ready(signals),
        }
    })
    .await
}
