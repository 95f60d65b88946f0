//! The life of a request: routed, cleaned, sent to a target, answered, counted.

mod attempts;
mod cached;
mod proxy;
mod respond;
mod turn;

use std::cell::{Cell, OnceCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deepwater_upstream::Target;
use http::{Method, StatusCode};

use crate::access_log::Entry;
use crate::body::BodyRead;
use crate::cache::{CachePlan, HttpCache};
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::guard::{Admitted, RateState};
use crate::head::{Fields, Name, Request, Response};
use crate::http1::framing::Framing;
use crate::hygiene;
use crate::io::Deadline;
use crate::measure::CacheMetrics;
use crate::peer::Peer;
use crate::plan::Action;
use crate::route::Captures;
use crate::worker::{Local, Worker};

use cached::{Caching, Facts, Passing};
use proxy::{Manner, Proxying};
use respond::Answering;

/// What is noted while a request is served, for metrics and the log.
pub(crate) struct Tally {
    started: Instant,
    client_ip: IpAddr,
    status: Cell<Option<StatusCode>>,
    failure: Cell<Option<Failure>>,
    received_bytes: Cell<u64>,
    sent_bytes: Cell<u64>,
    upstream: Cell<Option<Duration>>,
    target: Cell<Option<Arc<Target>>>,
    /// Path and query as the client sent them, where the route rewrites them and the log wants them.
    asked_target: Cell<Option<Vec<u8>>>,
    /// Where the route's rate limit stands, for the client.
    rate: OnceCell<RateState>,
    /// More of the body was read than could be sent again.
    body_spent: Cell<bool>,
    /// How often the request was sent again.
    resent: Cell<u32>,
}

impl Tally {
    fn new(client_ip: IpAddr) -> Self {
        Self {
            started: Instant::now(),
            client_ip,
            status: Cell::default(),
            failure: Cell::default(),
            received_bytes: Cell::default(),
            sent_bytes: Cell::default(),
            upstream: Cell::default(),
            target: Cell::default(),
            asked_target: Cell::default(),
            rate: OnceCell::new(),
            body_spent: Cell::default(),
            resent: Cell::default(),
        }
    }
}

impl Tally {
    /// Tells the client where its rate limit stands.
    fn write_rate(&self, fields: &mut Fields) {
        if let Some(rate) = self.rate.get() {
            rate.write(fields);
        }
    }
}

/// Serves one request, whatever becomes of it: after this the reply is complete, or was broken off.
#[allow(clippy::too_many_arguments)]
pub(crate) async fn serve<B: BodyRead, R: Reply>(
    worker: &Rc<Worker>,
    peer: &Peer,
    request: &mut Request,
    response: &mut Response,
    origin_out: &mut Vec<u8>,
    framing: Framing,
    body: &mut B,
    reply: &mut R,
    deadline: &Deadline,
) {
    let local = worker.local();
    let tally = Tally::new(peer.client_ip(&request.fields, &local.plan.trusted_networks));
    let mut captures = Captures::default();
    let found = if peer.redirect_https {
        Err(None)
    } else {
        match local.plan.table.find(request, &mut captures) {
            Ok(Some(index)) => Ok(index),
            Ok(None) => Err(Some(Failure::NoRoute)),
            Err(_) => Err(Some(Failure::BadRequest)),
        }
    };
    let index = match found {
        Ok(index) => index,
        Err(refused) => {
            let answering = Answering { worker, request, deadline, tally: &tally, cache_status: None };
            match refused {
                Some(failure) => answering.failure(failure, reply).await,
                None => answering.redirect_to_https(reply).await,
            }
            return finish(worker, &local, None, request, &tally);
        }
    };
    let route = &local.plan.routes[index];
    let in_flight = local.routes[index].begin();
    deadline.limit(route.timeout.map(|timeout| tally.started + timeout));
    let mut admitted = Admitted::default();
    if let Some(guard) = &route.guard {
        // Boxed: most requests never wait here.
        match Box::pin(guard.admit(worker, &local, request, tally.client_ip, &captures)).await {
            Ok(passed) => admitted = passed,
            Err(refusal) => {
                if refusal.failure == Failure::RateLimited {
                    local.routes[index].rate_limited.increment();
                }
                let answering = Answering { worker, request, deadline, tally: &tally, cache_status: None };
                answering.refusal(&refusal, reply).await;
                drop(in_flight);
                return finish(worker, &local, Some(index), request, &tally);
            }
        }
    }
    if let Some(rate) = admitted.rate {
        // It is empty: nothing else sets it.
        let _ = tally.rate.set(rate);
    }
    if let Action::Pool(pool) = &route.action
        && (request.method != Method::CONNECT || route.connect)
    {
        let passing = match caching(&local, index) {
            None => local.plan.cache.as_ref().and_then(|_| Passing::of_write(request, peer)),
            Some((cache, plan, metrics)) => {
                let facts = Facts::of(request, framing);
                if facts.bypass.is_none() && request.fields.get_known(Name::Connection).is_some() {
                    // What the origin does not get to see tells no variants apart.
                    hygiene::remove_hop_by_hop(&mut request.fields);
                }
                if !worker.log.borrow().is_off() || !route.response_edits.is_empty() {
                    hygiene::identify(&mut request.fields, &mut worker.random.borrow_mut());
                }
                let caching = Caching {
                    worker,
                    local: &local,
                    cache,
                    plan,
                    route,
                    at: (index, *pool),
                    peer,
                    request,
                    captures: &captures,
                    deadline,
                    tally: &tally,
                    metrics,
                    facts,
                    due: Cell::new(false),
                };
                match caching.serve(reply).await {
                    Some(passing) => Some(passing),
                    None => {
                        drop(in_flight);
                        return finish(worker, &local, Some(index), request, &tally);
                    }
                }
            }
        };
        let upgrade = hygiene::wanted_upgrade(request).map(<[u8]>::to_vec);
        hygiene::remove_hop_by_hop(&mut request.fields);
        hygiene::identify(&mut request.fields, &mut worker.random.borrow_mut());
        peer.forward(request);
        hygiene::add_via(&mut request.fields, request.version);
        let response_values = route.prepare_response(request, tally.client_ip, &captures);
        if route.rewrites() && !worker.log.borrow().is_off() {
            tally.asked_target.set(Some(request.target().to_vec()));
        }
        route.prepare(request, &captures, tally.client_ip);
        let note = |response: &mut Response| {
            if let (Some(passing), Some(cache)) = (&passing, &local.plan.cache) {
                let policy = route.cache.as_ref().map(|plan| &plan.policy);
                passing.note(cache, policy, cached::times(cache, &*worker.context.clock), response);
            }
        };
        let proxying = Proxying {
            worker,
            local: &local,
            pool: &local.pools[*pool],
            route,
            peer,
            request,
            framing,
            upgrade: upgrade.as_deref(),
            manner: Manner::Client {
                values: &response_values,
                note: passing.as_ref().map(|_| &note as _),
                cache_status: passing.as_ref().and_then(|passing| passing.status.as_deref()),
            },
            deadline,
            tally: &tally,
        };
        proxying.run(response, origin_out, body, reply).await;
    } else {
        let answering = Answering { worker, request, deadline, tally: &tally, cache_status: None };
        match &route.action {
            _ if request.method == Method::CONNECT => {
                answering.failure(Failure::MethodNotAllowed, reply).await;
            }
            Action::Pool(_) => {}
            Action::Redirect { to, status } => {
                answering.redirect(route, &captures, to, *status, reply).await;
            }
            Action::Respond(fixed) => answering.fixed(route, &captures, fixed, reply).await,
            Action::Files(files) => answering.file(route, &captures, files, reply).await,
        }
    }
    drop(in_flight);
    finish(worker, &local, Some(index), request, &tally);
}

/// The cache and how it is used, if the route caches.
fn caching(local: &Local, route: usize) -> Option<(&Arc<HttpCache>, &CachePlan, &CacheMetrics)> {
    let plan = local.plan.routes[route].cache.as_ref()?;
    Some((local.plan.cache.as_ref()?, plan, local.routes[route].cache.as_ref()?))
}

/// Answers a request that was refused before it could be understood.
pub(crate) async fn refuse<R: Reply>(
    worker: &Worker,
    peer: &Peer,
    request: &Request,
    reply: &mut R,
    deadline: &Deadline,
    failure: Failure,
) {
    let tally = Tally::new(peer.address.ip());
    Answering { worker, request, deadline, tally: &tally, cache_status: None }.failure(failure, reply).await;
    finish(worker, &worker.local(), None, request, &tally);
}

/// Counts and logs a request that is over.
fn finish(worker: &Worker, local: &Local, route: Option<usize>, request: &Request, tally: &Tally) {
    let now = Instant::now();
    worker.finished_at.set(now);
    let duration = now.duration_since(tally.started);
    let status = tally.status.get();
    let metrics = &worker.metrics;
    if let Some(failure) = tally.failure.get() {
        metrics.failed(failure);
    }
    metrics.received_bytes.add(tally.received_bytes.get());
    metrics.sent_bytes.add(tally.sent_bytes.get());
    // A client that left before an answer is told apart by its failure, and counted where nginx counts it.
    let counted = status.unwrap_or(CLIENT_CLOSED_REQUEST);
    let route_name = match route {
        Some(index) => {
            local.routes[index].answered(counted, duration);
            local.plan.routes[index].name.as_str()
        }
        None => {
            local.unrouted.answered(counted, duration);
            UNROUTED
        }
    };
    if worker.log.borrow().is_off() {
        return;
    }
    let target = tally.target.take();
    let fields = &request.fields;
    let text = |id| fields.get_known(id).unwrap_or_default();
    let trace = text(Name::Traceparent);
    let asked_target = tally.asked_target.take();
    worker.log.borrow_mut().record(&Entry {
        client_ip: tally.client_ip,
        method: request.method.as_str(),
        target: asked_target.as_deref().unwrap_or_else(|| request.target()),
        version: request.version,
        status: counted.as_u16(),
        sent_bytes: tally.sent_bytes.get(),
        received_bytes: tally.received_bytes.get(),
        duration,
        upstream_duration: tally.upstream.get(),
        upstream: target.as_ref().map(|target| target.name.as_str()),
        route: route_name,
        host: request.authority(),
        user_agent: text(Name::UserAgent),
        referer: text(Name::Referer),
        request_id: text(Name::XRequestId),
        trace_id: trace.get(3..35).unwrap_or_default(),
        error: tally.failure.get().map(Failure::error),
    });
}

/// The route name of requests that match none.
pub(crate) const UNROUTED: &str = "(none)";
/// What nginx logs for a client that left before its answer.
const CLIENT_CLOSED_REQUEST: StatusCode = match StatusCode::from_u16(499) {
    Ok(status) => status,
    Err(_) => unreachable!(),
};
