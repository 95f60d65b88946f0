//! The cache's end of a fetch: what becomes of the origin's answer.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use deepwater_cache::flight::{Audience, Broken};
use deepwater_cache::purge::{Slot, Stamp, Validity};
use deepwater_cache::rules::{
    self, Meta, NotStored, Part, Response as Told, Storable, Times, Validators, Vary,
};
use http::{Method, StatusCode};

use crate::body::{BodyError, BodyWrite};
use crate::cache::{Answer, Entry, Fault, Freshened, Object, union, unix_ms, write_line};
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::head::{Fields, Name, Response};
use crate::http1::framing::Framing;

use super::super::super::Tally;
use super::Fetch;

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

struct Storing {
    /// The answer is all of it, once this is here.
    completes: bool,
    meta: Meta,
    slots: Vec<Slot>,
    lines: Vec<u8>,
    vary: Vary,
    variant: Box<[u8]>,
    part: Option<Part>,
    chunks: Vec<Bytes>,
    bytes: u64,
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

    /// The origin says that what is stored is current.
    fn not_modified(&mut self, object: &Object, key: &[u8], fields: &Fields, times: Times, now_ms: u64) {
        let fetch = self.fetch;
        let lines = object.lines();
        let stored = (Validators::of(&lines, times.received_ms), object.meta.response_ms);
        if rules::validates(std::iter::once(stored), &Validators::of(fields, times.received_ms)).is_empty() {
            self.again = true;
            return;
        }
        let born = fetch.lead.flight().born();
        let policy = &fetch.plan().policy;
        let newer = fetch.for_all(fields);
        let (entry, stays) = match fetch.cache.freshened(object, &newer, policy, times, now_ms) {
            Ok(Freshened { vary, .. }) if Vary::of(&lines).is_ok_and(|stored| stored != vary) => {
                // It is for other requests than it was: where it lies it would answer all.
                fetch.cache.store.remove(key);
                self.again = true;
                return;
            }
            Ok(new) => (object.with_head(new.meta, Stamp::new(born, new.slots), &new.lines), true),
            // It answers whom it was validated for, and nobody after.
            Err(_) => {
                let mut merged = Vec::new();
                fetch.cache.write_lines(&mut merged, &rules::freshen(&lines, &newer), |_| true);
                let meta = Meta { response_ms: now_ms, ..object.meta };
                let stamp = Stamp::new(born, object.stamp.slots().iter().copied());
                (object.with_head(meta, stamp, &merged), false)
            }
        };
        let entry = Arc::new(Entry::Object(entry));
        if stays {
            fetch.insert(key, &entry);
        } else {
            fetch.cache.store.remove(key);
        }
        let answer = Answer { stored: Some(entry), origin_status: Some(304), ..self.blank() };
        self.publish(answer, Audience::Everybody);
        self.over(Ok(()));
    }

    /// The response may be stored.
    fn storable(
        &mut self,
        storable: Storable,
        status: StatusCode,
        fields: &Fields,
        length: Option<u64>,
        now_ms: u64,
    ) {
        let fetch = self.fetch;
        let mut variant = Vec::new();
        let varies = fetch.check_vary(&storable.vary, &mut variant);
        let tags = fetch.cache.tag_slots(fields);
        let (Ok(()), Ok(tags)) = (varies, tags) else {
            return self.unstorable(varies.err().unwrap_or(NotStored::Tags), status, fields, length, now_ms);
        };
        let completes = match (&fetch.completes, &storable.part) {
            (Some(gap), Some(part))
                if part.range == *gap && part.combinable && self.is_same_version(fields) =>
            {
                true
            }
            (Some(_), Some(_)) => {
                self.again = true;
                return;
            }
            _ => false,
        };
        let of_part = status == StatusCode::PARTIAL_CONTENT;
        let mut lines = Vec::new();
        let keeps = |name: &[u8]| storable.excluded.keeps(name);
        fetch.cache.write_lines(&mut lines, fields, |name| {
            keeps(name) && !(of_part && Name::of(name) == Name::ContentRange)
        });
        let mut withheld = Vec::new();
        fetch
            .cache
            .write_lines(&mut withheld, fields, |name| !keeps(name) && !name.eq_ignore_ascii_case(b"age"));
        let slots = union(&fetch.slots, &tags);
        let meta = Meta { response_ms: now_ms, ..storable.meta };
        let unknown_part = storable.part.as_ref().is_some_and(|part| part.len.is_none());
        let too_large = length.is_some_and(|length| length > fetch.cache.store.max_weight() as u64);
        let mut shown = lines.clone();
        if let Some(range) = fields.get_known(Name::ContentRange).filter(|_| of_part) {
            write_line(&mut shown, b"content-range", range);
        }
        let answer = Answer {
            status: status.as_u16(),
            lines: shown.into(),
            withheld: withheld.into(),
            meta: Some(meta),
            kept: !(unknown_part || too_large),
            length,
            vary: storable.vary.clone(),
            variant: variant.clone().into(),
            slots: slots.clone(),
            ..self.blank()
        };
        if unknown_part || too_large {
            // Shared, a body that is not kept would go at the pace of the slowest.
            fetch.note_pass(now_ms, status);
            self.publish(answer, Audience::Leader);
            self.state = State::Passing;
            return;
        }
        if !completes {
            self.publish(answer, Audience::Everybody);
        }
        self.state = State::Storing(Box::new(Storing {
            completes,
            meta,
            slots,
            lines,
            vary: storable.vary,
            variant: variant.into(),
            part: storable.part,
            chunks: Vec::new(),
            bytes: 0,
        }));
    }

    /// The response is for the one who asked.
    fn unstorable(
        &mut self,
        why: NotStored,
        status: StatusCode,
        fields: &Fields,
        length: Option<u64>,
        now_ms: u64,
    ) {
        let fetch = self.fetch;
        // A failing origin is not to be asked by each of those who wait, unless its page may be for the one who asked.
        let fails = rules::is_error(status.as_u16()) && why == NotStored::NoFreshness;
        let personal =
            [Name::Cookie, Name::Authorization].map(|name| fetch.asked.fields.get_known(name).is_some());
        let personal = personal.contains(&true)
            || fields.get_known(Name::SetCookie).is_some()
            || fields.get_known(Name::Vary).is_some();
        let audience = if fails && !personal {
            self.back_off(now_ms);
            Audience::Present
        } else {
            if fetch.object().is_some() && (fetch.interims.is_none() || is_of_the_asker(why)) {
                // What is stored is still for the others.
                self.back_off(now_ms);
            } else {
                fetch.note_pass(now_ms, status);
            }
            Audience::Leader
        };
        let mut lines = Vec::new();
        fetch.cache.write_lines(&mut lines, fields, |_| true);
        let answer = Answer {
            status: status.as_u16(),
            lines: lines.into(),
            refused: Some(why),
            length,
            ..self.blank()
        };
        self.publish(answer, audience);
        self.state = State::Passing;
    }

    /// All of the body is here. What is stored now, if it is.
    fn land(&self, storing: Storing) -> Option<Arc<Entry>> {
        let fetch = self.fetch;
        let Storing { mut meta, slots, lines, vary, variant, part, chunks, bytes, .. } = storing;
        let whole_fetch = self.sent.elapsed().as_millis();
        meta.fetch_ms = u32::try_from(whole_fetch).unwrap_or(u32::MAX).max(meta.fetch_ms);
        let born = fetch.lead.flight().born();
        let key = fetch.place(&vary, &variant);
        let object = match part {
            None => Object::whole(meta, Stamp::new(born, slots), &lines, chunks),
            Some(part) if part.range.end - part.range.start == bytes => {
                let content = Bytes::from(chunks.concat());
                let object = |slots| {
                    let stamp = Stamp::new(born, slots);
                    Object::part(meta, stamp, &lines, part.range.start, content.clone(), part.len)
                };
                // What is there now, not what was there when this was asked for.
                let now = fetch.cache.store.peek(&key);
                match now.as_deref() {
                    Some(Entry::Object(older))
                        if part.combinable
                            && fetch.cache.validity(older, &key) != Validity::Hard
                            && same_version(
                                &Validators::of(&older.lines(), meta.response_ms),
                                &Validators::of(&object(Vec::new()).lines(), meta.response_ms),
                            ) =>
                    {
                        if !older.is_partial() {
                            // The whole of this version has come meanwhile.
                            return now;
                        }
                        let mut joined = object(union(&slots, older.stamp.slots()));
                        joined.join(older);
                        joined.settle();
                        joined
                    }
                    _ => object(slots),
                }
            }
            // Not what it said it is.
            Some(_) => return None,
        };
        let entry = Arc::new(Entry::Object(object));
        if let Entry::Object(object) = &*entry
            && fetch.cache.validity(object, &key) == Validity::Hard
        {
            return None;
        }
        fetch.insert(&key, &entry);
        if !vary.is_empty() {
            fetch.note_variant(&vary, &key);
        }
        Some(entry)
    }

    /// Answers with the whole that parts have become; where they have not, everybody looks again.
    fn complete(&self, landed: Option<Arc<Entry>>) {
        let is_whole = |entry: &Arc<Entry>| matches!(&**entry, Entry::Object(object) if !object.is_partial());
        match landed.filter(is_whole) {
            Some(entry) => {
                let origin_status = Some(StatusCode::PARTIAL_CONTENT.as_u16());
                let answer = Answer { stored: Some(entry), origin_status, ..self.blank() };
                self.publish(answer, Audience::Everybody);
            }
            None => self.fetch.lead.flight().fail(Fault::Again),
        }
    }

    /// Whether a part is of the version that is stored.
    fn is_same_version(&self, fields: &Fields) -> bool {
        let Some(object) = self.fetch.object() else { return false };
        let lines = object.lines();
        let now_ms = object.meta.response_ms;
        same_version(&Validators::of(&lines, now_ms), &Validators::of(fields, now_ms))
    }
}

/// Whether an answer may not be stored for the sake of who has asked: to others it may be another one.
fn is_of_the_asker(why: NotStored) -> bool {
    matches!(why, NotStored::Authorization | NotStored::Cookie | NotStored::ClientNoStore)
}

/// Whether two parts are of one version, byte for byte (RFC 9110 §15.3.7.3).
fn same_version(one: &Validators<'_>, other: &Validators<'_>) -> bool {
    match (one.etag, other.etag) {
        (Some(one), Some(other)) => one.strong_eq(other),
        (None, None) => one.settled && other.settled && one.last_modified == other.last_modified,
        _ => false,
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
