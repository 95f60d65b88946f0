//! What a client sends between transactions: what needs no server is answered, all else asks for one.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::time::Instant;

use deepwater_pgwire::message::{self, HEADER_BYTES, frontend};

use super::end::End;
use super::{INPUT_LIMIT, Session, Step};
use crate::clients::{ClientState, Farewell};
use crate::ledger::Acquired;

impl Session {
    /// Looks at what a client without a server has sent; how much of it is done with.
    pub(super) fn begin(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Result<usize, End> {
        let mut at = self.drop_input.min(data.len());
        self.drop_input -= at;
        while let Some(header) = message::header(&data[at..])? {
            let left = data.len() - at;
            match header.tag {
                frontend::TERMINATE => return Err(End::Terminated),
                frontend::SYNC => {
                    self.skip_to_sync = false;
                    self.say_ready();
                }
                _ if self.skip_to_sync => {}
                // Without an open COPY these mean nothing (PostgreSQL, "COPY Operations"); Flush has nothing to flush.
                frontend::COPY_DATA | frontend::COPY_DONE | frontend::COPY_FAIL | frontend::FLUSH => {}
                frontend::QUERY
                | frontend::PARSE
                | frontend::BIND
                | frontend::DESCRIBE
                | frontend::EXECUTE
                | frontend::CLOSE
                | frontend::FUNCTION_CALL => {
                    // A client that sends slowly must not keep a server waiting.
                    let held = match header.tag {
                        frontend::QUERY | frontend::PARSE => self.plan.max_message,
                        _ => INPUT_LIMIT,
                    };
                    if left < header.total().min(held) {
                        return Ok(at);
                    }
                    if header.tag == frontend::QUERY
                        && left >= header.total()
                        && self.listen_by_query(&data[at + HEADER_BYTES..at + header.total()])
                    {
                        return Ok(at + header.total());
                    }
                    if matches!(header.tag, frontend::PARSE | frontend::BIND)
                        && let Some(used) = self.listen_by_batch(&data[at..])
                    {
                        return Ok(at + used);
                    }
                    return self.ask_for_server(cx, &data[at..]).map(|used| at + used);
                }
                other => return Err(unknown_message(other)),
            }
            let skipped = header.total().min(left);
            self.drop_input = header.total() - skipped;
            at += skipped;
        }
        Ok(at)
    }

    /// Asks for a server; with one at once, passes the data to it. How much was passed.
    fn ask_for_server(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Result<usize, End> {
        let plan = self.pool.settings.load();
        if !Arc::ptr_eq(&plan, &self.plan) {
            self.plan = Arc::clone(&plan);
        }
        drop(plan);
        loop {
            let now = Instant::now();
            match self.worker.shared.ledger.acquire(self.pool.id, self.worker.id, now) {
                Acquired::Ready(server) => {
                    let Some(server) = self.fit(server) else { continue };
                    self.link_to(server, self.worker.shared.moment(now));
                    self.introduce(cx)?;
                    let hold = self.link.as_ref().is_some_and(|link| link.hold);
                    return if hold { Ok(0) } else { self.feed(cx, data) };
                }
                Acquired::Queued { ticket, connect } => {
                    if connect {
                        self.worker.open(&self.pool);
                    }
                    let since = self.worker.shared.micros(ticket.since()).max(1);
                    self.info.waiting_since.store(since, Ordering::Relaxed);
                    self.info.set_state(ClientState::Waiting);
                    self.ticket = Some(ticket);
                    return Ok(0);
                }
                Acquired::Refused(refusal) => {
                    return self.refuse(&refusal, data);
                }
            }
        }
    }

    /// The server it was given had ended: asks for another.
    pub(super) fn ask_again(&mut self, cx: &mut Context<'_>) -> Result<Step, End> {
        let input = std::mem::take(&mut self.input);
        let used = self.ask_for_server(cx, &input)?;
        self.keep(input, used);
        Ok(Step::Again)
    }

    /// Drops the first message, which was refused: a query is over, a batch is skipped up to its Sync. How many bytes
    /// that were.
    pub(super) fn drop_request(&mut self, data: &[u8]) -> usize {
        if matches!(data.first(), Some(&(frontend::QUERY | frontend::FUNCTION_CALL))) {
            self.say_ready();
        } else {
            self.skip_to_sync = true;
        }
        let whole = message::header(data).ok().flatten().map_or(data.len(), message::Header::total);
        let used = whole.min(data.len());
        self.drop_input = whole - used;
        used
    }
}

/// What PostgreSQL says to such.
pub(super) fn unknown_message(tag: u8) -> End {
    End::Farewell(Farewell { code: "08P01", message: format!("invalid frontend message type {tag}") })
}
