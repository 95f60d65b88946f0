//! While a server serves a client: what either says goes to the other.

use std::task::{Context, Poll};

use deepwater_pgwire::message::backend::Status;
use deepwater_pgwire::message::{self, frontend};

use super::end::End;
use super::out::Out;
use super::{INPUT_LIMIT, Session, Step};
use crate::config::PoolMode;

impl Session {
    /// While a server serves the client.
    pub(super) fn linked(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Result<Step, End> {
        let writable = self.push_to_server(cx)?;
        let Some(link) = &mut self.link else { return Ok(Step::Again) };
        let mut awaited = link.awaited;
        let filled = link.server().stream.poll_fill_awaited(cx, buffer, &mut awaited);
        link.awaited = awaited;
        match filled {
            Poll::Ready(Ok(n)) if n > 0 => {
                self.hear_server(cx, &buffer[..n])?;
                if self.link.as_ref().is_some_and(|link| link.unfit) {
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
            return self.read_ahead(cx, buffer);
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

    /// Hears whether the client leaves, or what it sends meanwhile, while it is not its turn.
    fn read_ahead(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Result<Step, End> {
        let Some(link) = &self.link else { return Ok(Step::Again) };
        if link.leaving {
            return Ok(Step::Wait);
        }
        if link.passing_up == 0 && self.input.first() == Some(&frontend::TERMINATE) {
            self.hear_goodbye()?;
            return Ok(Step::Again);
        }
        if self.input.len() >= INPUT_LIMIT || self.has_said_goodbye() {
            return Ok(Step::Wait);
        }
        let Some(n) = self.read_client(cx, buffer)? else { return Ok(Step::Wait) };
        self.input.extend_from_slice(&buffer[..n]);
        Ok(Step::Again)
    }

    /// Whether a goodbye is among what the client has sent: what it asked before is still done.
    fn has_said_goodbye(&self) -> bool {
        let mut at = self.link.as_ref().map_or(0, |link| link.passing_up);
        while let Some(Ok(Some(header))) = self.input.get(at..).map(message::header) {
            if header.tag == frontend::TERMINATE {
                return true;
            }
            at += header.total();
        }
        false
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
            if link.expected.are_all_fakes() {
                self.flush_fakes();
            }
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

    /// Refuses what `statement` mode does not allow: a transaction of more than one statement.
    pub(super) fn check_mode(&self) -> Result<(), End> {
        let in_transaction = self.link.as_ref().is_some_and(|link| link.status != Status::Idle);
        if in_transaction && self.plan.mode == PoolMode::Statement {
            return Err(End::protocol("transaction blocks not allowed in statement pooling mode"));
        }
        Ok(())
    }
}
