//! Requests on routes that cache: answered from the store, or by a fetch that others share, or passed on.

mod answer;
mod facts;
mod fetch;
mod keys;
mod pass;

use std::cell::Cell;
use std::future::poll_fn;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use deepwater_cache::flight::{Joined, Outcome, Reader};
use deepwater_cache::purge::{Epoch, Kind, Slot, Stamp, Validity};
use deepwater_cache::rules::status::{Fwd, Member};
use deepwater_cache::rules::{self, Reuse, Target};
use http::{Method, StatusCode};
use smallvec::SmallVec;

use crate::cache::{Answer, CachePlan, Entry, Fault, HttpCache, Object, Purge, target_of, url_of};
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::head::{Request, Response};
use crate::hygiene;
use crate::io::Deadline;
use crate::measure::CacheMetrics;
use crate::peer::Peer;
use crate::plan::RoutePlan;
use crate::route::{Captures, Values};
use crate::worker::{Local, Worker};

use super::Tally;
use super::respond::Answering;

pub(super) use facts::Facts;
use fetch::{Fetch, Interims};
pub(super) use pass::{Passing, times};

/// How often a request looks anew for its answer, before it goes to the origin by itself.
const MOST_LOOKS: usize = 4;

/// Missing bytes of a stored part that are fetched alone, at most.
const MOST_COMPLETED: u64 = 256 * 1024;

/// A request on a route that caches.
pub(super) struct Caching<'a> {
    pub worker: &'a Rc<Worker>,
    pub local: &'a Rc<Local>,
    pub cache: &'a Arc<HttpCache>,
    pub plan: &'a CachePlan,
    pub route: &'a RoutePlan,
    /// Indices of the route and its pool.
    pub at: (usize, usize),
    pub peer: &'a Peer,
    pub request: &'a Request,
    pub captures: &'a Captures,
    pub deadline: &'a Deadline,
    pub tally: &'a Tally,
    pub metrics: &'a CacheMetrics,
    pub facts: Facts,
    /// It was drawn already that this request begins an early refresh.
    pub due: Cell<bool>,
}

/// What the store has for a request.
enum Look {
    /// A response for it, and its own key.
    Object(Arc<Entry>, Box<[u8]>),
    /// A part of what it asks for.
    Part(Arc<Entry>, Box<[u8]>),
    /// What it asks for may not be stored.
    Pass,
    /// Nothing.
    Nothing(Fwd),
}

/// A fetch that is wanted.
struct Want<'k> {
    /// What it is shared by.
    key: &'k [u8],
    /// Why.
    fwd: Fwd,
    /// What is stored and stale.
    stored: Option<(Box<[u8]>, Arc<Entry>)>,
    stale_until_ms: Option<u64>,
    /// What is missing of that, to be fetched alone.
    completes: Option<Range<u64>>,
    /// Only what was begun since may answer.
    since: Option<Epoch>,
}

/// What becomes of a request after a look.
type Next = ControlFlow<End, Again>;

/// How a request leaves the cache.
enum End {
    /// It is answered.
    Answered,
    /// It goes to the origin by itself.
    Pass(Fwd, Option<&'static str>),
}

/// How to look again.
#[derive(Default)]
struct Again {
    /// For a fetch of this variant: the one that was joined is for another.
    key: Option<Vec<u8>>,
    /// For one that began since then.
    since: Option<Epoch>,
}

impl Caching<'_> {
    /// Answers; `Some` if the request is to be passed on by itself, with what is to be learned from its answer.
    pub async fn serve<R: Reply>(&self, reply: &mut R) -> Option<Passing> {
        let mut key = self.worker.take_key();
        let cacheable = matches!(self.request.method, Method::GET | Method::HEAD);
        let passed = if self.is_purge() {
            self.purge(reply).await;
            None
        } else if !cacheable {
            self.cache.write_key(&mut key, self.request, self.peer, self.plan);
            Some((Fwd::Method, None))
        } else if let Some(why) = self.facts.bypass {
            self.cache.write_key(&mut key, self.request, self.peer, self.plan);
            Some((Fwd::Bypass, Some(why)))
        } else if self.at_once(&mut key, reply) {
            self.flush(reply).await;
            None
        } else {
            // Boxed: most connections never wait here.
            Box::pin(self.run(&key, reply)).await
        };
        let passing = passed.map(|(fwd, detail)| self.passing(&key, fwd, detail));
        self.worker.put_key(key);
        passing
    }

    /// Whether the request is one to purge its URL, where that is in use.
    fn is_purge(&self) -> bool {
        self.cache.knows_purge() && self.request.method.as_str() == "PURGE"
    }

    async fn purge<R: Reply>(&self, reply: &mut R) {
        let Self { worker, request, deadline, tally, .. } = *self;
        let answering = Answering { worker, request, deadline, tally, cache_status: None };
        if !self.cache.may_purge(tally.client_ip) {
            return answering.failure(Failure::MethodNotAllowed, reply).await;
        }
        let Target { scheme, authority, .. } = target_of(request, self.peer);
        let url = [scheme, b"://", authority, request.target()].concat();
        let url = String::from_utf8_lossy(&url).into_owned();
        let soft = request.fields.get(b"soft-purge").is_some_and(|value| value == b"1");
        let (status, value) = match self.cache.purge(&Purge::url(url, soft)) {
            Ok(purged) => (StatusCode::OK, serde_json::to_value(purged).unwrap_or_default()),
            Err(fault) => (StatusCode::BAD_REQUEST, serde_json::json!({ "error": fault })),
        };
        answering.json(status, &value, reply).await;
    }

    /// Answers at once if the answer is fresh, small and in memory. Whether it did; the answer is then still to be
    /// flushed.
    fn at_once<R: Reply>(&self, key: &mut Vec<u8>, reply: &mut R) -> bool {
        self.cache.write_key(key, self.request, self.peer, self.plan);
        if self.facts.conditional || self.facts.range || !self.route.response_edits.is_empty() {
            return false;
        }
        let store = &self.cache.store;
        let len = key.len();
        let found = store.with(key, |entry| match entry {
            Entry::Object(object) => self.answer_at_once(object, key, reply),
            Entry::Notes(notes) => notes.varies().iter().any(|vary| {
                let mut of_variant = SmallVec::<[u8; 256]>::from_slice(key);
                let mut secondary = Vec::new();
                if !keys::append_variant(&mut secondary, vary, &self.request.fields) {
                    return false;
                }
                of_variant.extend_from_slice(&secondary);
                store
                    .with(&of_variant, |entry| match entry {
                        Entry::Object(object) => self.answer_at_once(object, &of_variant, reply),
                        _ => false,
                    })
                    .unwrap_or(false)
            }),
        });
        debug_assert_eq!(key.len(), len);
        found.unwrap_or(false)
    }

    fn answer_at_once<R: Reply>(&self, object: &Object, key: &[u8], reply: &mut R) -> bool {
        let Some(body) = object.small_body() else { return false };
        if object.is_partial() || self.cache.validity(object, key) != Validity::Valid {
            return false;
        }
        let now_ms = self.cache.now_ms(self.tally.started);
        match self.reuse(object, now_ms) {
            Reuse::Fresh => {}
            Reuse::FreshRefreshEarly => {
                self.due.set(true);
                return false;
            }
            _ => return false,
        }
        let meta = &object.meta;
        let mut extra = SmallVec::<[u8; 128]>::new();
        let mut digits = itoa::Buffer::new();
        extra.extend_from_slice(b"age: ");
        extra.extend_from_slice(digits.format(meta.age(now_ms)).as_bytes());
        extra.extend_from_slice(b"\r\ncache-status: ");
        extra.extend_from_slice(self.cache.name.as_bytes());
        extra.extend_from_slice(b"; hit; ttl=");
        extra.extend_from_slice(digits.format(meta.ttl(now_ms)).as_bytes());
        extra.extend_from_slice(b"\r\n");
        let status = object.status();
        if status != StatusCode::NO_CONTENT {
            extra.extend_from_slice(b"content-length: ");
            extra.extend_from_slice(digits.format(body.len()).as_bytes());
            extra.extend_from_slice(b"\r\n");
        }
        let is_head = self.request.method == Method::HEAD;
        reply.stored(status, [object.lines().0, &extra], if is_head { b"" } else { body });
        let sent = if is_head { 0 } else { body.len() as u64 };
        self.tally.status.set(Some(status));
        self.tally.sent_bytes.set(sent);
        let metrics = self.metrics();
        metrics.hits.increment();
        metrics.served_bytes.add(sent);
        true
    }

    /// Sends what [`at_once`](Self::at_once) has written.
    async fn flush<R: Reply>(&self, reply: &mut R) {
        let stall = self.worker.limits().body_stall;
        self.deadline.set_from(self.tally.started, stall);
        let ended = self.deadline.guard(poll_fn(|cx| reply.poll_end(cx, None))).await;
        if !matches!(ended, Ok(Ok(()))) {
            let stalled = ended.is_err();
            let failure = if stalled { Failure::ClientStalled } else { Failure::ClientAborted };
            self.tally.failure.set(Some(failure));
            reply.abort();
        }
    }

    /// Answers, whatever it takes; `Some` if the request is to be passed on by itself.
    async fn run<R: Reply>(&self, key: &[u8], reply: &mut R) -> Option<(Fwd, Option<&'static str>)> {
        let mut again = Again::default();
        for _ in 0..MOST_LOOKS {
            match self.look_and_answer(key, again, reply).await {
                Next::Break(End::Answered) => return None,
                Next::Break(End::Pass(fwd, detail)) => return Some((fwd, detail)),
                Next::Continue(next) => again = next,
            }
        }
        Some((Fwd::Miss, Some("no answer of others fits")))
    }

    async fn look_and_answer<R: Reply>(&self, key: &[u8], again: Again, reply: &mut R) -> Next {
        let now_ms = self.now_ms();
        let metrics = self.metrics();
        let (entry, own_key) = match self.look(key, now_ms) {
            Look::Object(entry, own_key) => (entry, own_key),
            Look::Part(entry, own_key) => {
                let range_key;
                let (fetch_key, completes) = if self.facts.range {
                    range_key = keys::range(&own_key, &self.request.fields);
                    (&range_key[..], None)
                } else {
                    (&own_key[..], completion(&entry))
                };
                let stored = Some((own_key.clone(), entry));
                let want = Want {
                    key: fetch_key,
                    fwd: Fwd::Partial,
                    stored,
                    stale_until_ms: None,
                    completes,
                    since: again.since,
                };
                return self.fetch(key, want, reply).await;
            }
            Look::Pass => return Next::Break(End::Pass(Fwd::Miss, Some("not stored lately"))),
            Look::Nothing(fwd) => {
                if self.request.method == Method::HEAD {
                    return self.refuse_or(End::Pass(fwd, None), reply).await;
                }
                let of_variant = again.key;
                let mut fetch_key = of_variant.as_deref().unwrap_or(key).to_vec();
                if self.facts.range {
                    fetch_key = keys::range(&fetch_key, &self.request.fields);
                }
                let want = Want {
                    key: &fetch_key,
                    fwd,
                    stored: None,
                    stale_until_ms: None,
                    completes: None,
                    since: again.since,
                };
                return self.fetch(key, want, reply).await;
            }
        };
        let Entry::Object(object) = &*entry else { return Next::Continue(again) };
        let hit = Member { hit: true, ..Member::default() };
        let fwd = if object.meta.is_fresh(now_ms) { Fwd::Request } else { Fwd::Stale };
        match self.reuse(object, now_ms) {
            Reuse::Fresh => {
                metrics.hits.increment();
                self.serve_stored(object, hit, reply).await;
            }
            Reuse::FreshRefreshEarly => {
                if self.refresh(key, &own_key, &entry, now_ms) {
                    metrics.refreshed_early.increment();
                }
                metrics.hits.increment();
                self.serve_stored(object, hit, reply).await;
            }
            Reuse::StaleWhileRevalidate => {
                if self.refresh(key, &own_key, &entry, now_ms) {
                    metrics.refreshed_stale.increment();
                }
                metrics.stale.increment();
                self.serve_stored(object, hit, reply).await;
            }
            Reuse::StaleAsAsked => {
                metrics.stale.increment();
                self.serve_stored(object, hit, reply).await;
            }
            Reuse::NotCached504 => return self.not_cached(reply).await,
            Reuse::Revalidate { stale_if_error_until_ms } => {
                if self.request.method == Method::HEAD {
                    return Next::Break(End::Pass(fwd, None));
                }
                // The origin has failed just now, and this may be served then.
                if stale_if_error_until_ms.is_some_and(|until| now_ms < until) && !object.may_refresh(now_ms)
                {
                    metrics.stale.increment();
                    let member = Member { detail: Some("the origin fails"), ..hit };
                    self.serve_stored(object, member, reply).await;
                    return Next::Break(End::Answered);
                }
                let want = Want {
                    key: &own_key,
                    fwd,
                    stored: Some((own_key.clone(), Arc::clone(&entry))),
                    stale_until_ms: stale_if_error_until_ms,
                    completes: None,
                    since: again.since,
                };
                return self.fetch(key, want, reply).await;
            }
        }
        Next::Break(End::Answered)
    }

    /// What the store has for the request.
    fn look(&self, key: &[u8], now_ms: u64) -> Look {
        let Some(entry) = self.cache.store.get(key) else { return Look::Nothing(Fwd::UriMiss) };
        match &*entry {
            Entry::Object(object) => {
                self.judge(&entry, object, key, now_ms).unwrap_or(Look::Nothing(Fwd::UriMiss))
            }
            Entry::Notes(notes) => {
                for vary in notes.varies() {
                    let mut of_variant = key.to_vec();
                    if !keys::append_variant(&mut of_variant, vary, &self.request.fields) {
                        continue;
                    }
                    let Some(entry) = self.cache.store.get(&of_variant) else { continue };
                    if let Entry::Object(object) = &*entry
                        && let Some(look) = self.judge(&entry, object, &of_variant, now_ms)
                    {
                        return look;
                    }
                }
                if notes.passes(now_ms) {
                    return Look::Pass;
                }
                let varies = !notes.varies().is_empty();
                Look::Nothing(if varies { Fwd::VaryMiss } else { Fwd::UriMiss })
            }
        }
    }

    /// What a stored response is to the request, if purges have left anything of it.
    fn judge(&self, entry: &Arc<Entry>, object: &Object, key: &[u8], now_ms: u64) -> Option<Look> {
        let epoch = self.cache.epochs.now();
        let entry = match self.cache.validity(object, key) {
            Validity::Hard => return None,
            Validity::Valid => Arc::clone(entry),
            Validity::Soft => self.soften(entry, object, key, epoch, now_ms),
        };
        let suffices = matches!(&*entry, Entry::Object(object) if self.suffices(object, now_ms));
        Some(if suffices { Look::Object(entry, key.into()) } else { Look::Part(entry, key.into()) })
    }

    /// What was purged softly is stale from now on, as seen first. `epoch` was read before the purge was found.
    fn soften(
        &self,
        entry: &Arc<Entry>,
        object: &Object,
        key: &[u8],
        epoch: Epoch,
        now_ms: u64,
    ) -> Arc<Entry> {
        let mut meta = object.meta;
        meta.expire(now_ms);
        let stamp = Stamp::new(epoch, object.stamp.slots().iter().copied());
        let stale = Arc::new(Entry::Object(object.with_head(meta, stamp, object.lines().0)));
        let store = &self.cache.store;
        if store.peek(key).is_some_and(|now| Arc::ptr_eq(&now, entry)) {
            store.insert(key, Arc::clone(&stale), stale.weight() + key.len());
        }
        stale
    }

    /// Whether a stored response that no purge concerns answers.
    fn reuse(&self, object: &Object, now_ms: u64) -> Reuse {
        let random =
            if self.due.get() { f64::MIN_POSITIVE } else { 1.0 - self.worker.random.borrow_mut().unit() };
        rules::reuse(&self.request.fields, &object.meta, now_ms, &self.plan.policy, random)
    }

    /// Fetches, or shares a fetch, and answers with what it brings.
    async fn fetch<R: Reply>(&self, url_key: &[u8], want: Want<'_>, reply: &mut R) -> Next {
        if rules::wants_only_cached(&self.request.fields, &self.plan.policy) {
            return self.not_cached(reply).await;
        }
        // Before anything is asked: what is purged from now on is not in the answer.
        let now = self.cache.epochs.now();
        let slots = self.slots(url_key);
        let alone;
        let flight_key = if self.plan.coalesce {
            want.key
        } else {
            alone = self.cache.alone(want.key);
            &alone
        };
        let is_current = |born: Epoch| match want.since {
            Some(since) => born >= since,
            None => self.cache.epochs.check(born, &slots, &joined(url_key)) == Validity::Valid,
        };
        let fwd = want.fwd;
        let (mut reader, interims) = match self.cache.fetches.join(flight_key, now, Fault::Again, is_current)
        {
            Joined::Full => {
                self.metrics().misses.increment();
                return self.fail(Failure::TooManyWaiters, reply).await;
            }
            Joined::Waiting(reader) => (reader, None),
            Joined::Leading(lead, reader) => {
                if self.has_changed(url_key, &want) {
                    drop(lead);
                    return Next::Continue(Again { key: None, since: want.since });
                }
                let interims = Rc::new(Interims::default());
                let fetch = Fetch {
                    _unlisted: (*flight_key != *url_key).then(|| self.cache.unlisted()),
                    stored: want.stored,
                    stale_until_ms: want.stale_until_ms,
                    completes: want.completes,
                    interims: Some(Rc::clone(&interims)),
                    ..self.prepare(url_key, slots, lead)
                };
                tokio::task::spawn_local(fetch.run());
                (reader, Some(interims))
            }
        };
        let leads = interims.is_some();
        let outcome = match self.wait(&mut reader, interims.as_deref(), reply).await {
            Ok(outcome) => outcome,
            Err(failure) => {
                self.count(leads, None);
                return self.fail(failure, reply).await;
            }
        };
        match outcome {
            Outcome::Answered(answer) => {
                if !leads && let Some(again) = self.misfit(url_key, &answer, now, &reader) {
                    return Next::Continue(again);
                }
                self.count(leads, Some(&answer));
                self.answer(&answer, &mut reader, leads, fwd, reply).await;
                Next::Break(End::Answered)
            }
            Outcome::NotForYou => Next::Break(End::Pass(fwd, Some("not to be shared"))),
            Outcome::Failed(Fault::Failed(failure)) => {
                self.count(leads, None);
                self.fail(failure, reply).await
            }
            Outcome::Failed(Fault::Again) => Next::Continue(Again { key: None, since: want.since }),
        }
    }

    /// Whether a fetch has landed between the look and this.
    fn has_changed(&self, url_key: &[u8], want: &Want<'_>) -> bool {
        match &want.stored {
            None => matches!(self.look(url_key, self.now_ms()), Look::Object(..)),
            Some((key, entry)) => {
                self.cache.store.peek(key).is_some_and(|stored| !Arc::ptr_eq(&stored, entry))
            }
        }
    }

    /// Whether the answer of a fetch that others began is none for this request, and how to look again.
    fn misfit(
        &self,
        key: &[u8],
        answer: &Answer,
        now: Epoch,
        reader: &Reader<Answer, Fault>,
    ) -> Option<Again> {
        if !answer.vary.is_empty() {
            let mut secondary = Vec::new();
            let same =
                answer.vary.write_key(&self.request.fields, &mut secondary) && *secondary == *answer.variant;
            if !same {
                return Some(Again { key: Some(keys::variant(key, &answer.vary, &secondary)), since: None });
            }
        }
        let born = reader.born();
        let purged = self.cache.epochs.check(born, &answer.slots, &joined(key)) != Validity::Valid;
        purged.then_some(Again { key: None, since: Some(now) })
    }

    async fn answer<R: Reply>(
        &self,
        answer: &Answer,
        reader: &mut Reader<Answer, Fault>,
        leads: bool,
        fwd: Fwd,
        reply: &mut R,
    ) {
        if leads {
            self.tally.upstream.set(answer.upstream);
            self.tally.target.set(answer.target.clone());
        }
        let member = Member {
            fwd: Some(fwd),
            fwd_status: answer.origin_status,
            stored: answer.kept,
            collapsed: !leads,
            detail: answer.refused.map(rules::NotStored::reason),
            ..Member::default()
        };
        match answer.stored.as_deref() {
            Some(Entry::Object(object)) => self.serve_stored(object, member, reply).await,
            _ => self.serve_fetched(answer, reader, leads, member, reply).await,
        }
    }

    fn count(&self, leads: bool, answer: Option<&Answer>) {
        let metrics = self.metrics();
        let counter = match answer {
            Some(answer) if answer.is_stale => &metrics.stale,
            _ if !leads => &metrics.coalesced,
            Some(Answer { stored: Some(_), .. }) => &metrics.revalidated,
            _ => &metrics.misses,
        };
        counter.increment();
    }

    /// Waits for the head of an answer; interim responses go to the client meanwhile.
    async fn wait<R: Reply>(
        &self,
        reader: &mut Reader<Answer, Fault>,
        interims: Option<&Interims>,
        reply: &mut R,
    ) -> Result<Outcome<Answer, Fault>, Failure> {
        let pool = &self.local.pools[self.at.1].plan;
        let response = self.route.response_timeout.unwrap_or(pool.timeouts.response.get());
        let attempts = u32::try_from(pool.connect_attempts).unwrap_or(u32::MAX);
        self.deadline.set(pool.timeouts.connect.get().saturating_mul(attempts).saturating_add(response));
        let mut interim = Response::default();
        let waiting = poll_fn(|cx| {
            while let Some((status, lines)) = interims.and_then(|interims| interims.pop(cx)) {
                interim.clear();
                interim.status = status;
                crate::cache::Lines(&lines).copy_to(&mut interim.fields, |_| true);
                reply.interim(&interim);
            }
            if let Poll::Ready(outcome) = reader.poll_outcome(cx) {
                return Poll::Ready(Ok(outcome));
            }
            if let Poll::Ready(Err(_)) = reply.poll_flush(cx) {
                return Poll::Ready(Err(Failure::ClientAborted));
            }
            reply.poll_gone(cx).map(|()| Err(Failure::ClientAborted))
        });
        self.deadline.guard(waiting).await.unwrap_or(Err(Failure::ResponseTimeout))
    }

    /// Fetches anew in the background, unless that is under way; whether it began.
    fn refresh(&self, url_key: &[u8], own_key: &[u8], entry: &Arc<Entry>, now_ms: u64) -> bool {
        let Entry::Object(object) = &**entry else { return false };
        if !object.may_refresh(now_ms) {
            return false;
        }
        let now = self.cache.epochs.now();
        let Some(refreshing) = self.cache.refresh() else { return false };
        let Some(lead) = self.cache.fetches.begin(own_key, now, Fault::Again) else { return false };
        // Another may have ended between the look and this.
        if self.cache.store.peek(own_key).is_none_or(|stored| !Arc::ptr_eq(&stored, entry)) {
            return false;
        }
        let fetch = Fetch {
            _unlisted: (*own_key != *url_key).then(|| self.cache.unlisted()),
            stored: Some((own_key.into(), Arc::clone(entry))),
            // A good response is not given up for an error while it may be served.
            stale_until_ms: Some(object.meta.useful_until_ms()),
            _place: Some(refreshing),
            ..self.prepare(url_key, self.slots(url_key), lead)
        };
        tokio::task::spawn_local(fetch.run());
        true
    }

    /// A fetch for this request.
    fn prepare(
        &self,
        key: &[u8],
        slots: Vec<Slot>,
        lead: deepwater_cache::flight::Lead<Answer, Fault>,
    ) -> Fetch {
        let mut request = self.request.clone();
        request.method = Method::GET;
        facts::strip(&mut request, &self.plan.policy, self.facts.range);
        if let Some(query) = self.plan.key.options.counted(request.query()) {
            let mark: &[u8] = if query.is_empty() { b"" } else { b"?" };
            request.set_target(&[request.path(), mark, &query].concat());
        }
        hygiene::remove_hop_by_hop(&mut request.fields);
        hygiene::identify(&mut request.fields, &mut self.worker.random.borrow_mut());
        self.peer.forward(&mut request);
        hygiene::add_via(&mut request.fields, request.version);
        self.route.prepare(&mut request, self.captures, self.tally.client_ip);
        Fetch {
            worker: Rc::clone(self.worker),
            local: Rc::clone(self.local),
            cache: Arc::clone(self.cache),
            route: self.at.0,
            pool: self.at.1,
            peer: self.peer.clone(),
            client_ip: self.tally.client_ip,
            asked: self.request.clone(),
            request,
            key: key.into(),
            slots,
            lead,
            stored: None,
            stale_until_ms: None,
            completes: None,
            interims: None,
            _place: None,
            _unlisted: None,
        }
    }

    /// Slots of the request's URL and host, and of its route's tags.
    fn slots(&self, key: &[u8]) -> Vec<Slot> {
        let mut slots = self.cache.slots(key).to_vec();
        if !self.plan.tags.is_empty() {
            let values = Values::of(self.request, self.tally.client_ip, self.captures);
            let mut tag = Vec::new();
            for template in &self.plan.tags {
                tag.clear();
                template.render(&mut tag, &values);
                slots.push(self.cache.epochs.slot(Kind::Tag, &tag));
            }
        }
        slots
    }

    /// The client wants nothing but what is stored, and nothing is (RFC 9111 §5.2.1.7).
    async fn not_cached<R: Reply>(&self, reply: &mut R) -> Next {
        self.metrics().misses.increment();
        self.fail(Failure::NotCached, reply).await
    }

    async fn refuse_or<R: Reply>(&self, end: End, reply: &mut R) -> Next {
        if rules::wants_only_cached(&self.request.fields, &self.plan.policy) {
            return self.not_cached(reply).await;
        }
        Next::Break(end)
    }

    async fn fail<R: Reply>(&self, failure: Failure, reply: &mut R) -> Next {
        self.tell(failure, reply).await;
        Next::Break(End::Answered)
    }

    /// Tells the client what failed, if it can still be told.
    async fn tell<R: Reply>(&self, failure: Failure, reply: &mut R) {
        let Self { worker, request, deadline, tally, .. } = *self;
        if failure == Failure::ClientAborted {
            tally.failure.set(Some(failure));
            return reply.abort();
        }
        let mut text = Vec::new();
        Member { fwd: Some(Fwd::Miss), ..Member::default() }.write(&self.cache.name, &mut text);
        let cache_status = Some(&text[..]);
        Answering { worker, request, deadline, tally, cache_status }.failure(failure, reply).await;
    }

    fn metrics(&self) -> &CacheMetrics {
        self.metrics
    }

    fn now_ms(&self) -> u64 {
        self.cache.now_ms(Instant::now())
    }
}

/// What is missing of a stored part, if it is worth to be fetched alone: its answer waits for all of it.
fn completion(entry: &Entry) -> Option<Range<u64>> {
    let Entry::Object(object) = entry else { return None };
    object.gap().filter(|gap| gap.end - gap.start <= MOST_COMPLETED)
}

/// Host, path and query of a key without what separates them.
fn joined(key: &[u8]) -> Vec<u8> {
    url_of(key).iter().copied().filter(|b| *b != 0).collect()
}
