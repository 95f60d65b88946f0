//! Requests on routes that cache: answered from the store, or by a fetch that others share, or passed on.

mod answer;
mod at_once;
mod facts;
mod fetch;
mod keys;
mod look;
mod pass;
mod share;

use std::cell::Cell;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use deepwater_cache::purge::{Epoch, Purge};
use deepwater_cache::rules::status::{Fwd, Member};
use deepwater_cache::rules::{self, Reuse, Target};
use http::{Method, StatusCode};

use crate::cache::{CachePlan, Entry, HttpCache, target_of};
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::head::{Name, Request};
use crate::io::Deadline;
use crate::measure::CacheMetrics;
use crate::peer::Peer;
use crate::plan::RoutePlan;
use crate::route::Captures;
use crate::worker::{Local, Worker};

use super::Tally;
use super::respond::Answering;

pub(super) use facts::Facts;
use look::Look;
pub(super) use pass::{Passing, times};
use share::completion;

/// How often a request looks anew for its answer, before it goes to the origin by itself.
const MOST_LOOKS: usize = 4;

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

/// A fetch that is wanted.
struct Want<'k> {
    /// What it is shared by.
    key: &'k [u8],
    /// Why.
    fwd: Fwd,
    /// What is stored and stale.
    stored: Option<(Box<[u8]>, Arc<Entry>)>,
    stale_until_ms: Option<u64>,
    /// It is for the request's own range: then its key is that of the range.
    range: bool,
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
        let soft = request.fields.get(b"soft-purge").is_some_and(|value| value == b"1");
        let url = String::from_utf8(url)
            .map_err(|_| "the URL holds bytes that are no UTF-8: encode them".to_owned());
        let (status, value) = match url.and_then(|url| self.cache.purge(&Purge::url(url, soft))) {
            Ok(purged) => (StatusCode::OK, serde_json::to_value(purged).unwrap_or_default()),
            Err(fault) => (StatusCode::BAD_REQUEST, serde_json::json!({ "error": fault })),
        };
        answering.json(status, &value, reply).await;
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
            // A part does not tell of the whole, and a head is not worth fetching that.
            Look::Part(..) if self.request.method == Method::HEAD => {
                return self.refuse_or(End::Pass(Fwd::Partial, None), reply).await;
            }
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
                    range: self.facts.range,
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
                    range: self.facts.range,
                    completes: None,
                    since: again.since,
                };
                return self.fetch(key, want, reply).await;
            }
        };
        let Entry::Object(object) = &*entry else { return Next::Continue(again) };
        let hit = Member { hit: true, ..Member::default() };
        let fwd = if object.meta.is_fresh(now_ms) { Fwd::Request } else { Fwd::Stale };
        let reuse = match self.reuse(object, now_ms) {
            // Parts are fetched for those who ask for them: a refresh would be for one of them.
            Reuse::FreshRefreshEarly if object.is_partial() => Reuse::Fresh,
            Reuse::StaleWhileRevalidate if object.is_partial() => {
                Reuse::Revalidate { stale_if_error_until_ms: Some(object.meta.useful_until_ms()) }
            }
            reuse => reuse,
        };
        match reuse {
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
                let range = object.is_partial();
                let range_key = keys::range(&own_key, &self.request.fields);
                let want = Want {
                    key: if range { &range_key } else { &own_key },
                    fwd,
                    stored: Some((own_key.clone(), Arc::clone(&entry))),
                    stale_until_ms: stale_if_error_until_ms,
                    range,
                    completes: None,
                    since: again.since,
                };
                return self.fetch(key, want, reply).await;
            }
        }
        Next::Break(End::Answered)
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

    /// The request as the rules of storing see it: what is told to somebody who has proved who he is by a cookie or a query
    /// is as little for others as what is told to `Authorization` (RFC 9111 §3.5).
    fn asked(&self) -> Request {
        let mut request = self.request.clone();
        if self.facts.authorized && request.fields.get_known(Name::Authorization).is_none() {
            request.fields.add_known(Name::Authorization, b"");
        }
        request
    }

    fn metrics(&self) -> &CacheMetrics {
        self.metrics
    }

    fn now_ms(&self) -> u64 {
        self.cache.now_ms(Instant::now())
    }
}
