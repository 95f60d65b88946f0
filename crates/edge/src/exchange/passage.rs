//! A request to a pool: answered by the cache, or passed on.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use crate::body::BodyRead;
use crate::cache::{CachePlan, HttpCache};
use crate::downstream::Reply;
use crate::head::{Name, Request, Response};
use crate::http1::framing::Framing;
use crate::hygiene;
use crate::io::Deadline;
use crate::measure::CacheMetrics;
use crate::peer::Peer;
use crate::plan::RoutePlan;
use crate::route::{Captures, Prepared};
use crate::worker::{Local, Worker};

use super::Tally;
use super::cached::{self, Caching, Facts, Passing};
use super::proxy::{Manner, Proxying};
use super::repeated::Repeated;

/// A request on its way, and all that belongs to it.
pub(super) struct Passage<'a> {
    pub worker: &'a Rc<Worker>,
    pub local: &'a Rc<Local>,
    /// Indices of the route and its pool.
    pub at: (usize, usize),
    pub peer: &'a Peer,
    pub captures: &'a Captures,
    /// Whether whoever sent it has proved who he is.
    pub authorized: bool,
    pub framing: Framing,
    pub deadline: &'a Deadline,
    pub tally: &'a Tally,
}

impl Passage<'_> {
    pub(super) fn route(&self) -> &RoutePlan {
        &self.local.plan.routes[self.at.0]
    }

    /// Answers it, whatever it takes.
    pub(super) async fn run<B: BodyRead, R: Reply>(
        &self,
        request: &mut Request,
        response: &mut Response,
        origin_out: &mut Vec<u8>,
        body: &mut B,
        reply: &mut R,
    ) {
        let Self { worker, local, peer, tally, .. } = *self;
        let (passing, repeated) = match caching(local, self.at.0) {
            None => {
                let writing = local.plan.cache.as_ref().and_then(|_| Passing::of_write(request, peer));
                (writing, Repeated::of(self, request))
            }
            Some(cache) => match self.ask_cache(cache, request, reply).await {
                Some(passing) => (Some(passing), None),
                None => return,
            },
        };
        let upgrade = hygiene::wanted_upgrade(request).map(<[u8]>::to_vec);
        let values = self.prepare(request);
        let route = self.route();
        let note = |response: &mut Response| {
            repeated.iter().for_each(|repeated| repeated.judge(worker, &local.routes[self.at.0], response));
            note(worker, local, route, passing.as_ref(), response);
        };
        let proxying = Proxying {
            worker,
            local,
            pool: &local.pools[self.at.1],
            route,
            peer,
            request,
            framing: self.framing,
            upgrade: upgrade.as_deref(),
            manner: Manner::Client {
                values: &values,
                note: (passing.is_some() || repeated.is_some()).then_some(&note as _),
                cache_status: passing.as_ref().and_then(|passing| passing.status.as_deref()),
            },
            hold: None,
            deadline: self.deadline,
            tally,
        };
        proxying.run(response, origin_out, body, reply).await;
    }

    /// Makes a request fit for the origin; the values for its response's fields.
    pub(super) fn prepare(&self, request: &mut Request) -> Prepared {
        let Self { worker, peer, tally, captures, .. } = *self;
        let route = self.route();
        hygiene::remove_hop_by_hop(&mut request.fields);
        hygiene::identify(&mut request.fields, &mut worker.random.borrow_mut());
        peer.forward(request);
        hygiene::add_via(&mut request.fields, request.version);
        let values = route.prepare_response(request, tally.client_ip, captures);
        if route.rewrites() && !worker.log.borrow().is_off() {
            tally.asked_target.set(Some(request.target().to_vec()));
        }
        route.prepare(request, captures, tally.client_ip);
        values
    }

    /// Answers from the cache; `Some` if the request is to be passed on by itself.
    async fn ask_cache<R: Reply>(
        &self,
        (cache, plan, metrics): (&Arc<HttpCache>, &CachePlan, &CacheMetrics),
        request: &mut Request,
        reply: &mut R,
    ) -> Option<Passing> {
        let Self { worker, local, peer, captures, deadline, tally, .. } = *self;
        let route = self.route();
        let facts = Facts { authorized: self.authorized, ..Facts::of(request, self.framing) };
        if facts.bypass.is_none() && request.fields.get_known(Name::Connection).is_some() {
            // What the origin does not get to see tells no variants apart.
            hygiene::remove_hop_by_hop(&mut request.fields);
        }
        if !worker.log.borrow().is_off() || !route.response_edits.is_empty() {
            hygiene::identify(&mut request.fields, &mut worker.random.borrow_mut());
        }
        let caching = Caching {
            worker,
            local,
            cache,
            plan,
            route,
            at: self.at,
            peer,
            request,
            captures,
            deadline,
            tally,
            metrics,
            facts,
            due: Cell::new(false),
        };
        caching.serve(reply).await
    }
}

/// Tells the cache of an answer that went past it.
pub(super) fn note(
    worker: &Worker,
    local: &Local,
    route: &RoutePlan,
    passing: Option<&Passing>,
    response: &mut Response,
) {
    if let (Some(passing), Some(cache)) = (passing, &local.plan.cache) {
        let policy = route.cache.as_ref().map(|plan| &plan.policy);
        passing.note(cache, policy, cached::times(cache, &*worker.context.clock), response);
    }
}

/// The cache and how it is used, if the route caches.
fn caching(local: &Local, route: usize) -> Option<(&Arc<HttpCache>, &CachePlan, &CacheMetrics)> {
    let plan = local.plan.routes[route].cache.as_ref()?;
    Some((local.plan.cache.as_ref()?, plan, local.routes[route].cache.as_ref()?))
}
