//! A request's way to an answer: its turn, its targets, and whether it is sent again when one fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deepwater_upstream::{Ask, FailureKind, Lease, Outcome, TargetId, hash_bytes};
use smallvec::SmallVec;

use crate::body::{BodyRead, Replay};
use crate::breakers::Leave;
use crate::config::{HashKey, OriginProtocol};
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::guard::Refusal;
use crate::head::Response;
use crate::sticky;

use super::proxy::{Proxying, Sent, is_idempotent};
use super::turn::NoTurn;

impl Proxying<'_> {
    /// Finds a target, sends the request, passes the response on; tries other targets while nothing was sent, and sends
    /// again what may be.
    pub async fn run<B: BodyRead, R: Reply>(
        &self,
        response: &mut Response,
        out: &mut Vec<u8>,
        body: &mut B,
        reply: &mut R,
    ) {
        let began = match self.turn(reply).await {
            Ok((permit, began)) => {
                self.tally.turn.set(permit);
                began
            }
            Err(NoTurn::Refused(refusal)) => return self.answering().refusal(&refusal, reply).await,
            Err(NoTurn::ClientLeft) => {
                self.tally.failure.set(Some(Failure::ClientAborted));
                return reply.abort();
            }
        };
        let outcome = self.attempts(began, response, out, body, reply).await;
        self.end_turn(outcome.as_ref());
    }

    /// Sends the request until there is an answer, or nothing more is to be tried; the last outcome.
    async fn attempts<B: BodyRead, R: Reply>(
        &self,
        began: Instant,
        response: &mut Response,
        out: &mut Vec<u8>,
        body: &mut B,
        reply: &mut R,
    ) -> Option<Outcome> {
        let plan = &self.pool.plan;
        plan.retry.budget.deposit(self.since_epoch(self.tally.started));
        // Only over HTTP/2 can a server tell that it has done nothing.
        let may_repeat = is_idempotent(&self.request.method) || plan.protocol == OriginProtocol::Http2;
        let bound = if may_repeat { plan.retry.max_body } else { 0 };
        let is_barred = |name: &[u8]| {
            self.route.request_edits.overrules(name)
                || self.route.guard.as_ref().is_some_and(|guard| guard.owns(name))
        };
        let mut body = Replay::new(body, bound, &self.tally.body_spent, &is_barred);
        let mut tried = Tried::new();
        let mut chosen_at = began;
        // The last outcome, and the first answer that was to be bettered.
        let (mut last, mut kept) = (None, None);
        let refusal = loop {
            let (lease, leave) = match self.choose(chosen_at, &tried) {
                Ok(chosen) => chosen,
                Err(refusal) => break refusal,
            };
            self.tally.target.set(Some(Arc::clone(lease.target())));
            let sent = self.send(&lease, chosen_at, response, out, &mut body, reply).await;
            let (failure, outcome, goes_on) = match sent {
                Sent::Answered(outcome) => {
                    self.settle(lease, leave, outcome);
                    return Some(outcome);
                }
                Sent::Unsent(failure) => {
                    let timeout = matches!(failure, Failure::ConnectTimeout | Failure::RequestDeadline);
                    let kind = if timeout { FailureKind::Timeout } else { FailureKind::Connect };
                    let outcome = Outcome::Failure { kind, latency: chosen_at.elapsed() };
                    let goes_on = failure != Failure::RequestDeadline
                        && tried.len() + 1 < plan.connect_attempts
                        && plan.retry.budget.withdraw(self.since_epoch(Instant::now()));
                    (failure, outcome, goes_on)
                }
                Sent::Withheld { failure, outcome, answer } => {
                    kept = kept.or(answer);
                    (failure, outcome, body.rewind())
                }
                Sent::Failed { failure, outcome } => (failure, outcome, false),
            };
            tried.push((lease.target().id, failure));
            self.settle(lease, leave, outcome);
            last = Some(outcome);
            if !goes_on {
                break Refusal::new(failure);
            }
            if !failure.is_at_connecting() {
                self.pause().await;
            }
            self.pool.metrics.retries.increment();
            chosen_at = Instant::now();
        };
        match kept {
            Some(answer) => self.give(*answer, reply).await,
            None => self.answering().refusal(&refusal, reply).await,
        }
        last
    }

    /// Ends a lease: what became of the request counts for the target, and for the breakers.
    fn settle(&self, lease: Lease, leave: Leave, outcome: Outcome) {
        let now = || {
            let now = Instant::now();
            self.tally.settled.set(Some(now));
            self.since_epoch(now)
        };
        self.pool.plan.breakers.record(leave, now, &outcome);
        lease.done(outcome);
    }

    /// A target that was not tried, if there is one, and that its breaker lets through.
    fn choose(&self, now: Instant, tried: &Tried) -> Result<(Lease, Leave), Refusal> {
        let plan = &self.pool.plan;
        let time = self.since_epoch(now);
        let mut whole = plan.breakers.pass(time).map_err(open)?;
        let mut avoid: SmallVec<[TargetId; 4]> = tried.iter().map(|(id, _)| *id).collect();
        plan.breakers.avoid(time, &mut avoid);
        let mut wait = None;
        loop {
            let lease = self.pick(now, &avoid);
            let Some(lease) = lease else { break };
            let id = lease.target().id;
            // Every target was tried, and connecting to this one failed: once is enough.
            if tried.iter().any(|(tried, failure)| *tried == id && failure.is_at_connecting()) {
                lease.withdraw();
                break;
            }
            match plan.breakers.pass_target(whole, &plan.targets, lease.target(), time) {
                Ok(leave) => return Ok((lease, leave)),
                Err((pass, retry_after)) => {
                    whole = pass;
                    if wait.is_some() && avoid.contains(&id) {
                        break;
                    }
                    wait = Some(wait.map_or(retry_after, |wait: Duration| wait.min(retry_after)));
                    avoid.push(id);
                }
            }
        }
        Err(match (tried.last(), wait) {
            (Some((_, failure)), _) => Refusal::new(*failure),
            (None, Some(wait)) => open(wait),
            (None, None) => Refusal::new(Failure::NoTarget),
        })
    }

    /// Whether the request may be sent again after this failure of a target.
    pub(super) fn retries_after(&self, failure: Failure) -> bool {
        match failure {
            Failure::ConnectionTerminated => true,
            Failure::ResponseTimeout => self.pool.plan.retry.on_timeout,
            _ => false,
        }
    }

    /// Takes one of the request's and the pool's retries, if there is one left of both. `undone`: the server has told that
    /// it has done nothing.
    pub(super) fn takes_retry(&self, undone: bool) -> bool {
        let (retry, tally) = (&self.pool.plan.retry, self.tally);
        let may = (undone || is_idempotent(&self.request.method))
            && !tally.body_spent.get()
            && tally.resent.get() < retry.attempts
            && !self.deadline.is_past_limit()
            && retry.budget.withdraw(self.since_epoch(Instant::now()));
        if may {
            tally.resent.set(tally.resent.get() + 1);
        }
        may
    }

    /// The pool's time.
    pub(super) fn since_epoch(&self, now: Instant) -> u64 {
        self.pool.plan.targets.since_epoch(now)
    }

    /// Waits before the request is sent again, so that many do not come back at once.
    async fn pause(&self) {
        let delay = {
            let mut random = self.worker.random.borrow_mut();
            self.pool.plan.retry.backoff.delay(self.tally.resent.get().saturating_sub(1), &mut random)
        };
        if !delay.is_zero() {
            tokio::time::sleep(self.deadline.left().map_or(delay, |left| left.min(delay))).await;
        }
    }

    fn pick(&self, now: Instant, avoid: &[TargetId]) -> Option<Lease> {
        let plan = &self.pool.plan;
        let fields = &self.request.fields;
        let sticky = plan.sticky.as_ref().and_then(|sticky| {
            let token = sticky.token(fields)?;
            self.pool.tokens.target(sticky, &plan.targets, &token)
        });
        let hash = match &plan.hash {
            HashKey::Ip => None,
            HashKey::Path => Some(hash_bytes(self.request.path())),
            HashKey::Header(name) => fields.get(name.as_bytes()).map(hash_bytes),
            HashKey::Cookie(name) => sticky::cookie(fields, name.as_bytes()).map(hash_bytes),
        };
        let ask = Ask { now, client: Some(self.tally.client_ip), hash, sticky, avoid };
        self.pool.picker.borrow_mut().pick(&ask)
    }
}

/// The targets that were tried, and how they failed.
type Tried = SmallVec<[(TargetId, Failure); 4]>;

/// What a client is told while a breaker is open.
fn open(retry_after: Duration) -> Refusal {
    let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
    Refusal::new(Failure::CircuitOpen).with(b"retry-after", seconds.max(1).to_string())
}
