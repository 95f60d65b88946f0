//! Answers from what is stored, and from what a fetch brings.

use std::future::poll_fn;
use std::ops::Range;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use deepwater_cache::flight::{Broken, Reader};
use deepwater_cache::rules::status::Member;
use deepwater_cache::rules::{self, ContentRange, Meta, Selection, Validators, multipart, write_unsatisfied};
use deepwater_core::random::Random;
use http::{Method, StatusCode};

use crate::body::{BodyError, BodyRead, Frame, Stalls, relay};
use crate::cache::{Answer, Fault, Lines, Object};
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::head::{Fields, Name};
use crate::http1::framing::{Framing, has_no_body};

use super::Caching;

/// A body from pieces of memory.
pub(super) struct Pieces {
    pieces: std::vec::IntoIter<Bytes>,
    current: Bytes,
}

impl Pieces {
    fn new(pieces: Vec<Bytes>) -> Self {
        Self { pieces: pieces.into_iter(), current: Bytes::new() }
    }
}

impl BodyRead for Pieces {
    fn poll_frame(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Frame, BodyError>> {
        while self.current.is_empty() {
            match self.pieces.next() {
                Some(piece) => self.current = piece,
                None => return Poll::Ready(Ok(Frame::End)),
            }
        }
        Poll::Ready(Ok(Frame::Data))
    }

    fn data(&self) -> &[u8] {
        &self.current
    }

    fn consume(&mut self, n: usize) {
        self.current.advance(n);
    }

    fn ends_with_data(&self) -> bool {
        self.pieces.as_slice().is_empty()
    }

    fn trailers(&self) -> Option<&Fields> {
        None
    }

    fn is_done(&self) -> bool {
        self.current.is_empty() && self.pieces.as_slice().is_empty()
    }
}

/// A body as a fetch brings it, or a range of it.
struct Arriving<'a> {
    reader: &'a mut Reader<Answer, Fault>,
    current: Bytes,
    /// Bytes before the range.
    skip: u64,
    /// Bytes of the range to come; all if there is none.
    left: Option<u64>,
    over: bool,
}

impl BodyRead for Arriving<'_> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, BodyError>> {
        loop {
            if !self.current.is_empty() {
                return Poll::Ready(Ok(Frame::Data));
            }
            if self.over || self.left == Some(0) {
                self.over = true;
                return Poll::Ready(Ok(Frame::End));
            }
            match ready!(self.reader.poll_chunk(cx)) {
                Some(Ok(mut chunk)) => {
                    let skipped = self.skip.min(chunk.len() as u64);
                    self.skip -= skipped;
                    chunk.advance(skipped as usize);
                    if let Some(left) = &mut self.left {
                        chunk.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                        *left -= chunk.len() as u64;
                    }
                    self.current = chunk;
                }
                Some(Err(Broken)) => return Poll::Ready(Err(BodyError::Truncated)),
                None => self.over = true,
            }
        }
    }

    fn data(&self) -> &[u8] {
        &self.current
    }

    fn consume(&mut self, n: usize) {
        self.current.advance(n);
    }

    fn ends_with_data(&self) -> bool {
        self.left == Some(0)
    }

    fn trailers(&self) -> Option<&Fields> {
        None
    }

    fn is_done(&self) -> bool {
        self.over && self.current.is_empty()
    }
}

/// What is sent of a content.
enum Sent {
    All,
    Nothing,
    /// A range of a content of that length.
    One(Range<u64>, u64),
    Several(Vec<Range<u64>>, u64),
}

impl Caching<'_> {
    /// Answers from the store. `member` tells how it came to that.
    pub(super) async fn serve_stored<R: Reply>(
        &self,
        object: &Object,
        mut member: Member<'_>,
        reply: &mut R,
    ) {
        let now_ms = self.now_ms();
        member.ttl = Some(object.meta.ttl(now_ms));
        let lines = object.lines();
        let len = object.len();
        let (status, sent) = self.select(object.status(), lines, &object.meta, len, object.is_partial());
        let mut fields = Fields::default();
        self.begin_fields(&mut fields, status, status != object.status(), lines, &member);
        fields.add_known(Name::Age, itoa::Buffer::new().format(object.meta.age(now_ms)).as_bytes());
        let (pieces, length) = match sent {
            Sent::Nothing => (Vec::new(), (!matches!(status, StatusCode::NOT_MODIFIED)).then_some(0)),
            Sent::All => (object.bytes(0..len.unwrap_or_default()), len),
            Sent::One(range, whole) => {
                add_range(&mut fields, &range, whole);
                let length = range.end - range.start;
                (object.bytes(range), Some(length))
            }
            Sent::Several(ranges, whole) => {
                let boundary = boundary(&mut self.worker.random.borrow_mut());
                let of = lines.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"content-type"));
                let content_type = of.map(|(_, value)| value);
                let mut text = Vec::new();
                multipart::content_type(&boundary, &mut text);
                fields.remove_known(Name::ContentType);
                fields.add_known(Name::ContentType, &text);
                let mut pieces = Vec::new();
                for range in &ranges {
                    let mut head = Vec::new();
                    multipart::part_head(&mut head, &boundary, content_type, range, whole);
                    pieces.push(head.into());
                    pieces.extend(object.bytes(range.clone()));
                }
                let mut end = Vec::new();
                multipart::end(&mut end, &boundary);
                pieces.push(end.into());
                let length = multipart::length(&boundary, content_type, &ranges, whole);
                (pieces, Some(length))
            }
        };
        if status == StatusCode::RANGE_NOT_SATISFIABLE {
            add_unsatisfied(&mut fields, len.unwrap_or_default());
        }
        self.send(status, fields, length, &mut Pieces::new(pieces), reply).await;
    }

    /// Answers with what a fetch brings, while it arrives.
    pub(super) async fn serve_fetched<R: Reply>(
        &self,
        answer: &Answer,
        reader: &mut Reader<Answer, Fault>,
        leads: bool,
        mut member: Member<'_>,
        reply: &mut R,
    ) {
        let now_ms = self.now_ms();
        let lines = Lines(&answer.lines);
        let whole = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let (status, sent) = match &answer.meta {
            Some(meta) => {
                member.ttl = Some(meta.ttl(now_ms));
                match self.select(whole, lines, meta, answer.length, false) {
                    // Several ranges of what is still arriving: the whole is an answer too (RFC 9110 §14.2).
                    (_, Sent::Several(..)) => (whole, Sent::All),
                    selected => selected,
                }
            }
            None => (whole, Sent::All),
        };
        let mut fields = Fields::default();
        self.begin_fields(&mut fields, status, status != whole, lines, &member);
        if leads {
            Lines(&answer.withheld).copy_to(&mut fields, |_| true);
            if answer.refused.is_some() {
                self.stick(answer, &mut fields);
            }
        }
        // As a response that comes from its origin has none, one of an age below a second has none.
        if let Some(age) = answer.meta.map(|meta| meta.age(now_ms)).filter(|age| *age > 0) {
            fields.add_known(Name::Age, itoa::Buffer::new().format(age).as_bytes());
        }
        let mut arriving = Arriving { reader, current: Bytes::new(), skip: 0, left: None, over: false };
        let length = match sent {
            Sent::Nothing => {
                arriving.over = true;
                (status != StatusCode::NOT_MODIFIED).then_some(0)
            }
            Sent::All | Sent::Several(..) => answer.length,
            Sent::One(range, whole) => {
                add_range(&mut fields, &range, whole);
                arriving.skip = range.start;
                arriving.left = Some(range.end - range.start);
                arriving.left
            }
        };
        if status == StatusCode::RANGE_NOT_SATISFIABLE && answer.status != status.as_u16() {
            add_unsatisfied(&mut fields, answer.length.unwrap_or_default());
        }
        self.send(status, fields, length, &mut arriving, reply).await;
    }

    /// Keeps a client with the server whose answer is for it alone, as one that is passed on would be.
    fn stick(&self, answer: &Answer, fields: &mut Fields) {
        let pool = &self.local.pools[self.at.1];
        let (Some(sticky), Some(server)) = (&pool.plan.sticky, &answer.target) else { return };
        let kept = sticky
            .token(&self.request.fields)
            .and_then(|token| pool.tokens.target(sticky, &pool.plan.targets, &token))
            .is_some_and(|target| target == server.id);
        if !kept {
            sticky.set(fields, server.id, self.peer.secure);
        }
    }

    /// What of a response answers the request's conditions and ranges. Ranges are cut from what is whole, and from
    /// parts that are `stored`.
    fn select(
        &self,
        status: StatusCode,
        lines: Lines<'_>,
        meta: &Meta,
        len: Option<u64>,
        stored: bool,
    ) -> (StatusCode, Sent) {
        let now_ms = self.now_ms();
        let asked = rules::Request { method: &self.request.method, fields: &self.request.fields };
        if !self.facts.conditional && !self.facts.range {
            return (status, Sent::All);
        }
        let validators = Validators::of(&lines, now_ms);
        if self.facts.conditional
            && rules::not_modified(asked, status.as_u16(), &validators, meta.response_ms, now_ms)
        {
            return (StatusCode::NOT_MODIFIED, Sent::Nothing);
        }
        let Some(len) = len.filter(|_| self.facts.range && (status == StatusCode::OK || stored)) else {
            return (status, Sent::All);
        };
        match rules::select(asked, &validators, len, now_ms) {
            Selection::Whole => (status, Sent::All),
            Selection::Single(range) => (StatusCode::PARTIAL_CONTENT, Sent::One(range, len)),
            Selection::Several(ranges) => (StatusCode::PARTIAL_CONTENT, Sent::Several(ranges.to_vec(), len)),
            Selection::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, Sent::Nothing),
        }
    }

    /// The fields of an answer but for those of its length: stored lines, `Cache-Status`. `cut`: it is not the response
    /// as it is.
    fn begin_fields(
        &self,
        fields: &mut Fields,
        status: StatusCode,
        cut: bool,
        lines: Lines<'_>,
        member: &Member<'_>,
    ) {
        match status {
            StatusCode::NOT_MODIFIED => lines.copy_to(fields, rules::in_not_modified),
            StatusCode::RANGE_NOT_SATISFIABLE if cut => {
                lines.copy_to(fields, |name| matches!(Name::of(name), Name::Date | Name::Etag));
            }
            _ => lines.copy_to(fields, |name| !(cut && rules::is_digest(name))),
        }
        let mut text = Vec::with_capacity(64);
        member.write(&self.cache.name, &mut text);
        fields.add_known(Name::CacheStatus, &text);
    }

    /// Sends an answer.
    async fn send<B: BodyRead, R: Reply>(
        &self,
        status: StatusCode,
        mut fields: Fields,
        length: Option<u64>,
        body: &mut B,
        reply: &mut R,
    ) {
        if let Some(length) = length
            && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        {
            fields.add_known(Name::ContentLength, itoa::Buffer::new().format(length).as_bytes());
        }
        self.edit(&mut fields);
        self.tally.status.set(Some(status));
        let bodiless = has_no_body(status, &self.request.method);
        let framing = match length {
            _ if bodiless => Framing::Empty,
            Some(0) => Framing::Empty,
            Some(length) => Framing::Length(length),
            None => Framing::Chunked,
        };
        reply.head(status, &fields, framing);
        // The origin may take its time as well as the client.
        let origin_stall = self.local.pools[self.at.1].plan.timeouts.body.get();
        let stall = self.worker.limits().body_stall;
        let stalls = Stalls::new(stall.max(origin_stall), stall);
        self.deadline.set(stall);
        let sent = if framing == Framing::Empty {
            let ended = poll_fn(|cx| reply.poll_end(cx, None));
            self.deadline.guard(ended).await.map(|ended| ended.map_err(|_| Failure::ClientAborted))
        } else {
            self.deadline.put_off(origin_stall);
            let relayed = relay(body, reply, self.deadline, &stalls, &self.tally.sent_bytes);
            self.deadline.guard(relayed).await.map(|relayed| {
                relayed.map_err(|error| match error {
                    crate::body::RelayError::Read(_) => Failure::ResponseIncomplete,
                    crate::body::RelayError::Write(_) => Failure::ClientAborted,
                })
            })
        };
        self.metrics().served_bytes.add(self.tally.sent_bytes.get());
        let failure = match sent {
            Ok(Ok(())) => return,
            Ok(Err(failure)) => failure,
            Err(_) if stalls.waits_to_write() || framing == Framing::Empty => Failure::ClientStalled,
            Err(_) => Failure::ResponseIncomplete,
        };
        if failure == Failure::ResponseIncomplete {
            // Nothing of the head may have left yet: then the client can still be told.
            self.tell(failure, reply).await;
        } else {
            self.tally.failure.set(Some(failure));
            reply.abort();
        }
    }

    /// The route's edits of responses.
    fn edit(&self, fields: &mut Fields) {
        self.tally.write_rate(fields);
        if !self.route.response_edits.is_empty() {
            let values = self.route.prepare_response(self.request, self.tally.client_ip, self.captures);
            self.route.edit_response(fields, &values);
        }
    }

    /// Whether an object has all that a request asks for.
    pub(super) fn suffices(&self, object: &Object, now_ms: u64) -> bool {
        if !object.is_partial() {
            return true;
        }
        let (Some(len), true) = (object.len(), self.request.method == Method::GET && self.facts.range) else {
            return false;
        };
        let asked = rules::Request { method: &self.request.method, fields: &self.request.fields };
        let lines = object.lines();
        match rules::select(asked, &Validators::of(&lines, now_ms), len, now_ms) {
            Selection::Whole => false,
            Selection::Single(range) => object.covers(&range),
            Selection::Several(ranges) => ranges.iter().all(|range| object.covers(range)),
            Selection::Unsatisfiable => true,
        }
    }
}

fn add_range(fields: &mut Fields, range: &Range<u64>, len: u64) {
    let mut text = Vec::new();
    ContentRange { range: range.clone(), len: Some(len) }.write(&mut text);
    fields.remove_known(Name::ContentRange);
    fields.add_known(Name::ContentRange, &text);
}

fn add_unsatisfied(fields: &mut Fields, len: u64) {
    let mut text = Vec::new();
    write_unsatisfied(len, &mut text);
    fields.add_known(Name::ContentRange, &text);
}

/// Letters and digits that no content holds but by an accident of one in 2¹²⁸.
fn boundary(random: &mut Random) -> String {
    format!("{:016x}{:016x}", random.next_u64(), random.next_u64())
}
