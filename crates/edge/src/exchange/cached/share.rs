//! Fetching, and sharing what others fetch.

use std::future::poll_fn;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use deepwater_cache::flight::{Joined, Lead, Outcome, Reader};
use deepwater_cache::purge::{Epoch, Kind, Slot, Validity};
use deepwater_cache::rules::status::{Fwd, Member};
use deepwater_cache::rules::{self};
use http::Method;

use crate::cache::{Answer, Entry, Fault, url_of};
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::head::Response;
use crate::hygiene;
use crate::route::Values;

use super::fetch::{Fetch, Interims};
use super::{Again, Caching, End, Next, Want, facts, keys};

/// Missing bytes of a stored part that are fetched alone, at most.
const MOST_COMPLETED: u64 = 256 * 1024;

impl Caching<'_> {
    /// Fetches, or shares a fetch, and answers with what it brings.
    pub(super) async fn fetch<R: Reply>(&self, url_key: &[u8], want: Want<'_>, reply: &mut R) -> Next {
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
                    ..self.prepare(url_key, slots, lead, want.range)
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

    /// Whether the answer of a fetch that others began is none for this request, and how to look again.
    pub(super) fn misfit(
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
        let purged = match answer.stored.as_deref() {
            // As old as before: a soft purge has not made it worse.
            Some(Entry::Object(object)) if answer.is_stale => {
                self.cache.validity(object, key) == Validity::Hard
            }
            Some(Entry::Object(object)) => self.cache.validity(object, key) != Validity::Valid,
            _ => self.cache.epochs.check(born, &answer.slots, &joined(key)) != Validity::Valid,
        };
        purged.then_some(Again { key: None, since: Some(now) })
    }

    pub(super) async fn answer<R: Reply>(
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

    pub(super) fn count(&self, leads: bool, answer: Option<&Answer>) {
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
    pub(super) async fn wait<R: Reply>(
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
    pub(super) fn refresh(&self, url_key: &[u8], own_key: &[u8], entry: &Arc<Entry>, now_ms: u64) -> bool {
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
            ..self.prepare(url_key, self.slots(url_key), lead, false)
        };
        tokio::task::spawn_local(fetch.run());
        true
    }

    /// A fetch for this request, of its range or of the whole.
    pub(super) fn prepare(
        &self,
        key: &[u8],
        slots: Vec<Slot>,
        lead: Lead<Answer, Fault>,
        range: bool,
    ) -> Fetch {
        let mut request = self.request.clone();
        request.method = Method::GET;
        facts::strip(&mut request, &self.plan.policy, range, self.peer.trusted);
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
            asked: self.asked(),
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
    pub(super) fn slots(&self, key: &[u8]) -> Vec<Slot> {
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
}

/// Host, path and query of a key without what separates them.
fn joined(key: &[u8]) -> Vec<u8> {
    url_of(key).iter().copied().filter(|b| *b != 0).collect()
}

/// What is missing of a stored part, if it is worth to be fetched alone: its answer waits for all of it.
pub(super) fn completion(entry: &Entry) -> Option<Range<u64>> {
    let Entry::Object(object) = entry else { return None };
    object.gap().filter(|gap| gap.end - gap.start <= MOST_COMPLETED)
}
