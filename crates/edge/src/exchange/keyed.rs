//! Requests with idempotency keys: each is done once, by a task of its own that goes on when its client leaves.

use std::rc::Rc;
use std::sync::Arc;

use deepwater_auth::Claims;

use crate::body::BodyRead;
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::head::{Name, Request, Response};
use crate::idempotency::{
    Admission, Asking, Attempt, Buffered, Keeper, KeyPlan, Passed, Problem, Recorder, replay,
};
use crate::io::Deadline;
use crate::worker::Scratch;

use super::Tally;
use super::cached::Passing;
use super::passage::{Passage, note};
use super::proxy::{Manner, Proxying};
use super::respond::Answering;

impl Passage<'_> {
    /// Does a request once, or answers as the one it repeats was answered.
    #[allow(clippy::too_many_arguments)]
    pub(super) async fn keyed<B: BodyRead, R: Reply>(
        &self,
        keeper: &Rc<Keeper>,
        plan: &Arc<KeyPlan>,
        claims: Option<&Claims>,
        request: &mut Request,
        response: &mut Response,
        origin_out: &mut Vec<u8>,
        body: &mut B,
        reply: &mut R,
    ) {
        let Self { worker, tally, deadline, framing, .. } = *self;
        let stall = worker.limits().body_stall;
        let asking = Asking {
            keeper,
            plan,
            request,
            client_ip: tally.client_ip,
            claims,
            deadline,
            stall,
            received_bytes: &tally.received_bytes,
        };
        let admission = asking.admit(body, framing, reply).await;
        if let Some(metrics) = &self.local.routes[self.at.0].keys {
            metrics.count(&admission);
        }
        match admission {
            Admission::Keyless => self.run(request, response, origin_out, body, reply).await,
            Admission::Uncovered(mut body) => {
                request.fields.remove_known(Name::Expect);
                self.run(request, response, origin_out, &mut body, reply).await;
            }
            Admission::Begun(attempt, body) => {
                // It has come: the server has nothing to ask for.
                request.fields.remove_known(Name::Expect);
                self.once(attempt, body, request, reply).await;
            }
            Admission::Repeated(answer) => {
                let edit = |fields: &mut crate::head::Fields| {
                    fields.add_known(Name::Date, &worker.date());
                    tally.write_rate(fields);
                };
                tally.status.set(Some(answer.status));
                if !replay(&answer, reply, edit, (deadline, stall), &tally.sent_bytes).await {
                    tally.failure.set(Some(Failure::ClientAborted));
                }
            }
            Admission::Refused(problem) => self.refuse_key(request, &problem, reply).await,
            Admission::Failed(failure) => {
                let answering = Answering { worker, request, deadline, tally, cache_status: None };
                answering.failure(failure, reply).await;
            }
        }
    }

    async fn refuse_key<R: Reply>(&self, request: &Request, problem: &Problem, reply: &mut R) {
        let Self { worker, tally, deadline, .. } = *self;
        if problem.leaves_body() {
            reply.close_after();
        }
        let mut fields = problem.fields();
        tally.write_rate(&mut fields);
        let answering = Answering { worker, request, deadline, tally, cache_status: None };
        answering.whole(problem.status(), fields, problem.body().as_bytes(), reply).await;
    }

    /// Has the request done by a task of its own, and gives the client what comes of it.
    async fn once<R: Reply>(
        &self,
        attempt: Rc<Attempt>,
        mut body: Buffered,
        request: &mut Request,
        reply: &mut R,
    ) {
        let Self { worker, local, at, peer, framing, tally, deadline, .. } = *self;
        let passing = local.plan.cache.as_ref().and_then(|_| Passing::of_write(request, peer));
        let values = self.prepare(request);
        // What the client is told of its limit is not kept for repeats.
        let own = Rc::new(Tally { rate: tally.rate.clone(), ..Tally::new(tally.client_ip) });
        let failure = {
            let own = Rc::clone(&own);
            move || own.failure.get()
        };
        let (recorder, tap) = Recorder::new(Rc::clone(&attempt), failure);
        tokio::task::spawn_local({
            let (worker, local, peer, own) =
                (Rc::clone(worker), Rc::clone(local), peer.clone(), Rc::clone(&own));
            let request = request.clone();
            // The client may leave, and its connection with it.
            let busy = worker.busy();
            async move {
                let mut scratch = worker.scratch();
                let deadline = Deadline::default();
                let route = &local.plan.routes[at.0];
                deadline.limit(route.timeout.map(|timeout| own.started + timeout));
                let note = |response: &mut Response| note(&worker, &local, route, passing.as_ref(), response);
                let exchange = async |recorder: &mut Recorder<_>| {
                    let Scratch { response, origin_out, .. } = &mut *scratch;
                    let proxying = Proxying {
                        worker: &worker,
                        local: &local,
                        pool: &local.pools[at.1],
                        route,
                        peer: &peer,
                        request: &request,
                        framing,
                        upgrade: None,
                        manner: Manner::Client {
                            values: &values,
                            note: passing.as_ref().map(|_| &note as _),
                            cache_status: None,
                        },
                        hold: Some(&attempt),
                        deadline: &deadline,
                        tally: &own,
                    };
                    proxying.run(response, origin_out, &mut body, recorder).await;
                };
                recorder.run(exchange).await;
                worker.put_scratch(scratch);
                drop(busy);
            }
        });
        let stall = worker.limits().body_stall;
        let (status, passed) = tap.pass(reply, deadline, stall, &tally.sent_bytes).await;
        tally.status.set(status);
        tally.upstream.set(own.upstream.get());
        tally.resent.set(own.resent.get());
        let target = own.target.take();
        own.target.set(target.clone());
        tally.target.set(target);
        tally.failure.set(match passed {
            Passed::Whole => own.failure.get(),
            Passed::ClientLeft => Some(Failure::ClientAborted),
            Passed::ClientStalled => Some(Failure::ClientStalled),
            Passed::Broken => own.failure.get().or(Some(Failure::ResponseIncomplete)),
        });
    }
}
