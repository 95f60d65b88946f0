//! The life of a request: routed, cleaned, sent to a target, answered, counted.

mod attempts;
mod cached;
mod keyed;
mod passage;
mod proxy;
mod repeated;
mod respond;
mod turn;
mod withheld;

use std::cell::{Cell, OnceCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deepwater_upstream::{Permit, Target};
use http::{Method, StatusCode};

use crate::access_log::Entry;
use crate::body::BodyRead;
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::guard::{Admitted, RateState};
use crate::head::{Fields, Name, Request, Response};
use crate::http1::framing::Framing;
use crate::io::Deadline;
use crate::peer::Peer;
use crate::plan::Action;
use crate::route::{BadPath, Captures};
use crate::worker::{Local, Worker};

use passage::Passage;
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
    /// The request's place among those that may be with its pool at once.
    turn: Cell<Option<Permit>>,
    /// When the last attempt was over, where a breaker wanted to know.
    settled: Cell<Option<Instant>>,
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
            turn: Cell::default(),
            settled: Cell::default(),
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
            Err(BadPath::AboveRoot) => Err(Some(Failure::BadRequest)),
            Err(BadPath::Ambiguous) => Err(Some(Failure::AmbiguousPath)),
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
    let until = route.timeout.map(|timeout| tally.started + timeout);
    deadline.limit(until);
    let mut admitted = Admitted::default();
    if let Some(guard) = &route.guard {
        guard.clean(&mut request.fields);
        let who = (tally.client_ip, tally.started);
        let mut passed = guard.admit(request, &captures, who).map(|passed| admitted = passed);
        if passed.is_ok() && guard.verifies() {
            // Boxed: few requests ever wait here.
            let verifying = guard.verify(worker, &local, request, &captures, who, until, &mut admitted);
            passed = Box::pin(verifying).await;
        }
        if let Err(refusal) = passed {
            if refusal.failure == Failure::RateLimited {
                local.routes[index].rate_limited.increment();
            }
            let answering = Answering { worker, request, deadline, tally: &tally, cache_status: None };
            answering.refusal(&refusal, reply).await;
            drop(in_flight);
            return finish(worker, &local, Some(index), request, &tally);
        }
    }
    if let Some(rate) = admitted.rate {
        // It is empty: nothing else sets it.
        let _ = tally.rate.set(rate);
    }
    if let Action::Pool(pool) = &route.action
        && (request.method != Method::CONNECT || route.connect)
    {
        let at = (index, *pool);
        let passage = Passage {
            worker,
            local: &local,
            at,
            peer,
            captures: &captures,
            authorized: admitted.claims.is_some(),
            framing,
            deadline,
            tally: &tally,
        };
        match (&route.keys, &local.keeper) {
            (Some(plan), Some(keeper)) if plan.covers(&request.method) => {
                let claims = admitted.claims.as_deref();
                let keyed = passage.keyed(keeper, plan, claims, request, response, origin_out, body, reply);
                Box::pin(keyed).await;
            }
            _ => passage.run(request, response, origin_out, body, reply).await,
        }
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
