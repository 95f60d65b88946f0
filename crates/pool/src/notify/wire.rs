//! The listener's connection: what is said on it, and what is heard.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use deepwater_pgwire::message::backend::{self, ErrorFields, Notification};
use deepwater_pgwire::message::{self, HEADER_BYTES, frontend};

use super::channels::{Channels, Command};
use crate::stream::Stream;
use crate::worker::Worker;

/// Longest message without its header. A notification has less than 8,100 bytes (PostgreSQL, "NOTIFY").
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Commands that the server has not answered.
const MAX_UNANSWERED: usize = 64;

/// What the server was asked.
enum Asked {
    Command(Command),
    /// Whether it is there.
    Probe,
}

/// A connection to a server that listens.
pub(super) struct Wire {
    stream: Stream,
    /// The front of a message that has not come whole.
    input: Vec<u8>,
    /// What the system has not taken yet.
    output: Vec<u8>,
    /// What the server has not answered, in the order it will be.
    asked: VecDeque<Asked>,
    /// Why what is being answered failed.
    error: Option<String>,
    /// When the server was last heard, or asked first after that.
    since: Instant,
}

impl Wire {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            input: Vec::new(),
            output: Vec::new(),
            asked: VecDeque::new(),
            error: None,
            since: Instant::now(),
        }
    }

    /// Tells the server what it is to be told now.
    pub(super) fn ask(&mut self, channels: &mut Channels) {
        while self.asked.len() < MAX_UNANSWERED
            && let Some(command) = channels.next_command()
        {
            self.query(&command.sql(), Asked::Command(command));
        }
    }

    /// Asks the server whether it is there, unless it owes an answer anyway.
    pub(super) fn probe(&mut self) {
        if self.asked.is_empty() {
            self.query("", Asked::Probe);
        }
    }

    fn query(&mut self, text: &str, asked: Asked) {
        if self.asked.is_empty() {
            self.since = Instant::now();
        }
        frontend::write::query(&mut self.output, text);
        self.asked.push_back(asked);
    }

    /// How long the server has said nothing, and whether it owes an answer.
    pub(super) fn silence(&self) -> (Duration, bool) {
        (self.since.elapsed(), !self.asked.is_empty())
    }

    /// Sends what can be sent and takes in what has come: ready with how many bytes that were.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, worker: &Worker) -> Poll<io::Result<usize>> {
        let written = self.stream.write_now(cx, &self.output)?;
        self.output.drain(..written);
        self.stream.flush_now(cx)?;
        let mut buffer = worker.take_input();
        let filled = self.stream.poll_fill(cx, &mut buffer);
        if let Poll::Ready(Ok(n)) = filled {
            self.input.extend_from_slice(&buffer[..n]);
            self.since = Instant::now();
        }
        worker.give_input(buffer);
        filled
    }

    /// Understands what has come; how many notifications that were.
    ///
    /// # Errors
    /// When the connection is of no use any more.
    pub(super) fn take_messages(&mut self, channels: &mut Channels) -> Result<u64, String> {
        let input = std::mem::take(&mut self.input);
        let (mut at, mut notifications) = (0, 0);
        while let Some(header) = message::header(&input[at..]).map_err(|error| not_protocol(&error))? {
            if header.payload > MAX_MESSAGE_BYTES {
                return Err(format!("the server sent a message of {} bytes", header.payload));
            }
            let Some(whole) = input.get(at..at + header.total()) else { break };
            if header.tag == backend::NOTIFICATION_RESPONSE {
                let payload = &whole[HEADER_BYTES..];
                let notification = Notification::read(payload).map_err(|error| not_protocol(&error))?;
                if let Ok(name) = std::str::from_utf8(notification.channel) {
                    channels.deliver(name, whole);
                }
                notifications += 1;
            } else {
                self.take_other(header.tag, &whole[HEADER_BYTES..], channels)?;
            }
            at += header.total();
        }
        self.input = input;
        self.input.drain(..at);
        // Between messages, which is nearly always, an idle connection holds no buffer.
        if self.input.is_empty() {
            self.input = Vec::new();
        }
        Ok(notifications)
    }

    fn take_other(&mut self, tag: u8, payload: &[u8], channels: &mut Channels) -> Result<(), String> {
        match tag {
            backend::COMMAND_COMPLETE
            | backend::EMPTY_QUERY_RESPONSE
            | backend::NOTICE_RESPONSE
            | backend::PARAMETER_STATUS => Ok(()),
            backend::ERROR_RESPONSE => {
                let error = ErrorFields::new(payload);
                if error.is_fatal() || self.asked.is_empty() {
                    return Err(error.message().into_owned());
                }
                self.error = Some(error.message().into_owned());
                Ok(())
            }
            backend::READY_FOR_QUERY => self.answered(channels),
            other => Err(out_of_turn(other)),
        }
    }

    fn answered(&mut self, channels: &mut Channels) -> Result<(), String> {
        let Some(asked) = self.asked.pop_front() else { return Err(out_of_turn(backend::READY_FOR_QUERY)) };
        match (asked, self.error.take()) {
            (Asked::Command(Command::Listen(channel)), None) => channels.listened(&channel, &Ok(())),
            (Asked::Command(Command::Listen(channel)), Some(error)) => {
                channels.listened(&channel, &Err(error));
            }
            (Asked::Command(Command::Unlisten(channel)), None) => channels.unlistened(&channel),
            (Asked::Probe, None) => {}
            // Neither can fail while all is well.
            (Asked::Command(Command::Unlisten(_)) | Asked::Probe, Some(error)) => return Err(error),
        }
        Ok(())
    }

    /// Says goodbye to the server, whether it takes it or not.
    pub(super) fn close(mut self) {
        frontend::write::terminate(&mut self.output);
        let mut cx = Context::from_waker(Waker::noop());
        let _ = self.stream.write_now(&mut cx, &self.output);
        let _ = self.stream.flush_now(&mut cx);
    }
}

fn not_protocol(error: &message::Malformed) -> String {
    format!("the server does not speak the protocol: {error}")
}

fn out_of_turn(tag: u8) -> String {
    format!("the server sent a message '{}' out of turn", char::from(tag).escape_default())
}
