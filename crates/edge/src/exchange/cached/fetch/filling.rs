//! The cache's end of a fetch: what becomes of the origin's answer.

mod landing;
mod verdict;

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use deepwater_cache::flight::{Audience, Broken};
use deepwater_cache::rules::{self, Response as Told, Times, Vary};
use http::{Method, StatusCode};

use crate::body::{BodyError, BodyWrite};
use crate::cache::{Answer, Entry, Fault, unix_ms};
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::head::{Fields, Response};
use crate::http1::framing::Framing;

use super::super::super::Tally;
use super::Fetch;

use landing::Storing;

/// After a refresh that failed, the next one waits this long: a failing origin is not asked at the rate of requests.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Bytes of a body nobody wants that are read so that the connection can be kept.
const MOST_DROPPED: usize = 64 * 1024;
/// What a chunk costs beside its bytes.
const CHUNK_BYTES: usize = 64;
/// All fetches may hold one over this of the store's capacity; beyond it bodies are passed on and not stored.
const HELD_SHARE: usize = 4;

/// The cache's end of a fetch.
pub(super) struct Filling<'a> {
    fetch: &'a Fetch,
    tally: &'a Tally,
    /// Whether the request asked for a change only.
    conditional: bool,
    sent: Instant,
    sent_ms: u64,
    state: State,
    again: bool,
}

enum State {
    /// For a head.
    Waiting,
    /// The body is read by whoever asks, and kept.
    Storing(Box<Storing>),
    /// The body goes to those who read already.
    Passing,
    /// Nobody wants the body; so many bytes of it have come.
    Dropping(usize),
}

impl<'a> Filling<'a> {
    /// For a fetch that begins now; `conditional` if it asks for a change only.
    pub(super) fn new(fetch: &'a Fetch, tally: &'a Tally, conditional: bool) -> Self {
        let sent_ms = unix_ms(fetch.worker.context.clock.wall());
        Self { fetch, tally, conditional, sent: Instant::now(), sent_ms, state: State::Waiting, again: false }
    }

    /// Whether the answer was about something else than what is stored: it is to be asked for anew.
    pub(super) fn is_to_be_made_again(&self) -> bool {
        self.again
    }

    /// There is no answer, or one that says that the origin fails.
    fn failed(&mut self, failure: Failure) {
        let fetch = self.fetch;
        self.state = State::Dropping(0);
        let now_ms = fetch.cache.now_ms(Instant::now());
        self.back_off(now_ms);
        match fetch.stale(now_ms) {
            Some(entry) => self.answer_stale(entry, None),
            None => fetch.lead.flight().fail(Fault::Failed(failure)),
        }
    }

    fn back_off(&self, now_ms: u64) {
        if let Some(object) = self.fetch.object() {
            object.retry_at(now_ms + RETRY_AFTER.as_millis() as u64);
        }
    }

    fn answer_stale(&self, entry: &Arc<Entry>, origin_status: Option<u16>) {
        let answer =
            Answer { stored: Some(Arc::clone(entry)), origin_status, is_stale: true, ..self.blank() };
        self.publish(answer, Audience::Everybody);
        self.over(Ok(()));
    }

    /// Nothing further is to come.
    fn over(&self, result: Result<(), Broken>) {
        self.fetch.lead.leave_table();
        self.fetch.lead.flight().end(result);
    }

    fn publish(&self, answer: Answer, audience: Audience) {
        if audience != Audience::Everybody {
            self.fetch.lead.leave_table();
        }
        self.fetch.lead.flight().answer(Arc::new(answer), audience);
    }

    fn blank(&self) -> Answer {
        let target = self.tally.target.take();
        self.tally.target.set(target.clone());
        Answer {
            status: 0,
            lines: Box::default(),
            withheld: Box::default(),
            stored: None,
            meta: None,
            kept: false,
            refused: None,
            length: None,
            vary: Vary::default(),
            variant: Box::default(),
            slots: Vec::new(),
            origin_status: None,
            is_stale: false,
            upstream: self.tally.upstream.get(),
            target,
        }
    }
}

impl Reply for Filling<'_> {
    fn interim(&mut self, response: &Response) {
        if let Some(interims) = &self.fetch.interims {
            interims.push(response);
        }
    }

    fn head(&mut self, status: StatusCode, fields: &Fields, framing: Framing) {
        let fetch = self.fetch;
        if let Some(failure) = self.tally.failure.get() {
            return self.failed(failure);
        }
        let now_ms = fetch.cache.now_ms(Instant::now());
        let times = Times { sent_ms: self.sent_ms, received_ms: unix_ms(fetch.worker.context.clock.wall()) };
        self.state = State::Dropping(0);
        if self.conditional
            && status == StatusCode::NOT_MODIFIED
            && let (Some(object), Some((key, _))) = (fetch.object(), &fetch.stored)
        {
            return self.not_modified(object, key, fields, times, now_ms);
        }
        if rules::is_error(status.as_u16())
            && let Some(entry) = fetch.stale(now_ms)
        {
            self.back_off(now_ms);
            return self.answer_stale(entry, Some(status.as_u16()));
        }
        let length = match framing {
            Framing::Length(length) => Some(length),
            Framing::Empty => Some(0),
            Framing::Chunked | Framing::UntilClose => None,
        };
        let asked = rules::Request { method: &Method::GET, fields: &fetch.asked.fields };
        let told = Told { status: status.as_u16(), fields };
        match rules::store(asked, told, &fetch.plan().policy, times) {
            Ok(storable) => self.storable(storable, status, fields, length, now_ms),
            Err(why) => self.unstorable(why, status, fields, length, now_ms),
        }
    }

    fn stored(&mut self, _: StatusCode, _: [&[u8]; 2], _: &[u8]) {
        // Nothing stored is ever sent to a fetch.
        self.abort();
    }

    fn tunnel(&mut self, _: StatusCode, _: &Fields, _: Option<&[u8]>) {
        // Fetches ask for no upgrade.
        self.abort();
    }

    fn abort(&mut self) {
        self.again = false;
        self.state = State::Dropping(0);
        self.over(Err(Broken));
        self.fetch.lead.flight().fail(Fault::Failed(Failure::ResponseIncomplete));
    }

    fn poll_gone(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    fn head_sent(&self) -> bool {
        !matches!(self.state, State::Waiting)
    }

    fn close_after(&mut self) {}
}

impl BodyWrite for Filling<'_> {
    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
        _last: bool,
    ) -> Poll<Result<usize, BodyError>> {
        let flight = self.fetch.lead.flight();
        match &mut self.state {
            State::Waiting => return Poll::Ready(Err(BodyError::Malformed)),
            State::Dropping(dropped) => {
                *dropped += data.len();
                if *dropped > MOST_DROPPED {
                    return Poll::Ready(Err(BodyError::Truncated));
                }
            }
            State::Passing => {
                ready!(flight.poll_room(cx)).map_err(|Broken| BodyError::Truncated)?;
                flight.push(Bytes::copy_from_slice(data));
            }
            State::Storing(storing) => {
                let chunk = Bytes::copy_from_slice(data);
                storing.bytes += data.len() as u64;
                if !storing.completes {
                    flight.push(chunk.clone());
                }
                storing.chunks.push(chunk);
                let cache = &self.fetch.cache;
                let weight = storing.bytes as usize + storing.chunks.len() * CHUNK_BYTES;
                let holds_too_much = cache.fetches.held_bytes() > cache.store.capacity() / HELD_SHARE;
                if !storing.completes && (weight > cache.store.max_weight() || holds_too_much) {
                    // Larger than may be kept, or one of too many that are read slowly: it is only passed on.
                    self.fetch.lead.leave_table();
                    flight.close();
                    self.state = State::Passing;
                }
            }
        }
        Poll::Ready(Ok(data.len()))
    }

    fn poll_end(&mut self, _cx: &mut Context<'_>, _trailers: Option<&Fields>) -> Poll<Result<(), BodyError>> {
        match std::mem::replace(&mut self.state, State::Dropping(0)) {
            State::Storing(storing) => {
                let completes = storing.completes;
                let landed = self.land(*storing);
                if completes {
                    self.complete(landed);
                }
                self.over(Ok(()));
                // Whoever still reads needs no more than what it has not read.
                self.fetch.lead.flight().close();
            }
            State::Passing => self.over(Ok(())),
            State::Waiting | State::Dropping(_) => {}
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        Poll::Ready(Ok(()))
    }
}
