//! Passing a request to one target and its response back.

mod attempt;
mod tunnel;

use std::time::{Duration, Instant};

use deepwater_upstream::{Chosen, FailureKind, Lease, Outcome};
use http::Method;

use crate::body::h1::Writer;
use crate::body::{BodyRead, Replay};
use crate::config::ProxyProtocolOut;
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::head::{Name, Request, Response};
use crate::http1::framing::Framing;
use crate::io::Deadline;
use crate::origin::h1::{self, Connection, ResponseReader};
use crate::origin::{Reused, connect};
use crate::peer::Peer;
use crate::plan::{HostPolicy, RoutePlan};
use crate::route::Prepared;
use crate::worker::{Local, PoolLocal, Worker};
use crate::{hygiene, idempotency};

use super::Tally;
use super::respond::Answering;
use super::withheld::Withheld;

use attempt::Attempt;

/// A request on its way to a pool.
pub(super) struct Proxying<'a> {
    pub worker: &'a Worker,
    pub local: &'a Local,
    pub pool: &'a PoolLocal,
    pub route: &'a RoutePlan,
    pub peer: &'a Peer,
    pub request: &'a Request,
    pub framing: Framing,
    pub upgrade: Option<&'a [u8]>,
    pub manner: Manner<'a>,
    /// What must hold the request's idempotency key before anything is sent.
    pub hold: Option<&'a idempotency::Attempt>,
    pub deadline: &'a Deadline,
    pub tally: &'a Tally,
}

/// What is done to a response's head on its way.
pub(super) enum Manner<'a> {
    /// It goes to the client, with a sticky cookie and the route's edits.
    Client {
        values: &'a Prepared,
        /// Sees, and may edit, the head before those.
        note: Option<&'a dyn Fn(&mut Response)>,
        /// What the cache says of a failure.
        cache_status: Option<&'a [u8]>,
    },
    /// It goes to the cache, as the origin made it.
    Cache,
}

/// How sending a request to a target ended.
pub(super) enum Sent {
    /// The client has its answer, or the best there was.
    Answered(Outcome),
    /// Nothing of the request was sent.
    Unsent(Failure),
    /// The client knows nothing yet, and the request is to be sent again.
    Withheld { failure: Failure, outcome: Outcome, answer: Option<Box<Withheld>> },
    /// The client knows nothing yet, and is to be told.
    Failed { failure: Failure, outcome: Outcome },
}

impl Proxying<'_> {
    pub(super) fn answering(&self) -> Answering<'_> {
        let cache_status = match self.manner {
            Manner::Client { cache_status, .. } => cache_status,
            Manner::Cache => None,
        };
        let Self { worker, request, deadline, tally, .. } = *self;
        Answering { worker, request, deadline, tally, cache_status }
    }

    /// Sends the request to one target, over a kept connection if there is one.
    pub(super) async fn send<B: BodyRead, R: Reply>(
        &self,
        lease: &Lease,
        chosen_at: Instant,
        response: &mut Response,
        out: &mut Vec<u8>,
        body: &mut Replay<'_, B>,
        reply: &mut R,
    ) -> Sent {
        let target = lease.target();
        // The PROXY protocol names one client for the whole connection.
        let may_share = self.pool.plan.proxy_protocol == ProxyProtocolOut::Off;
        if self.request.method == Method::CONNECT {
            return match self.connect_tunnel(lease, chosen_at, out, body, reply).await {
                Ok(outcome) => Sent::Answered(outcome),
                Err(failure) => Sent::Unsent(failure),
            };
        }
        let mut kept = if may_share { self.pool.idle.take(target.id, chosen_at) } else { None };
        loop {
            let was_kept = kept.is_some();
            let connection = match kept.take() {
                Some(connection) => {
                    self.pool.metrics.reused.increment();
                    connection
                }
                None => match self.open(lease).await {
                    Ok(connection) => connection,
                    Err(failure) => return Sent::Unsent(failure),
                },
            };
            // Not before there is a connection: a request whose servers cannot be reached leaves its key free.
            if let Some(hold) = self.hold
                && hold.sending().await.is_err()
            {
                self.answering().failure(Failure::KeyLost, reply).await;
                return Sent::Answered(Outcome::Cancelled);
            }
            let attempt = match connection {
                Reused::Http1(connection) => {
                    let sent_at = if was_kept { chosen_at } else { Instant::now() };
                    self.over_http1(lease, (chosen_at, sent_at), connection, response, out, body, reply).await
                }
                Reused::Http2(sender) => {
                    if hygiene::is_grpc(&self.request.fields) {
                        body.become_conversation();
                    }
                    let host = self.host(&target.name);
                    let secure = self.pool.plan.tls.is_some();
                    self.deadline.set(self.pool.plan.timeouts.connect.get());
                    match self.deadline.guard(sender.send(self.request, host, secure, self.framing)).await {
                        Ok(Ok((mut writer, mut reader))) => {
                            let times = (chosen_at, Instant::now());
                            self.attempt(lease, times, &mut writer, &mut reader, response, body, reply).await
                        }
                        // Nothing was sent: another connection is as good for any request.
                        Ok(Err(Failure::ConnectionTerminated)) if was_kept => {
                            kept = self.pool.idle.take(target.id, chosen_at);
                            continue;
                        }
                        Ok(Err(failure @ Failure::ConnectionTerminated)) => return Sent::Unsent(failure),
                        Ok(Err(failure)) => Attempt::failed(failure),
                        Err(_) => Attempt::failed(self.in_time(Failure::ConnectTimeout)),
                    }
                }
            };
            // A kept connection that dies without a word was most likely being closed when the request came; what
            // cannot do harm twice is sent again over a new one (RFC 9112 §9.3.1), and so is what has not been done.
            if let Attempt::NoHead { failure: Failure::ConnectionTerminated, silent: true, undone } = attempt
                && was_kept
                && (undone || is_idempotent(&self.request.method))
                && body.rewind()
            {
                self.pool.metrics.retries.increment();
                continue;
            }
            let outcome = self.outcome(&attempt, chosen_at);
            if let Attempt::Withheld(_, answer) = attempt {
                return Sent::Withheld { failure: Failure::RetriesFailed, outcome, answer };
            }
            if let Attempt::NoHead { failure, undone, .. } = attempt {
                return if self.retries_after(failure) && self.takes_retry(undone) {
                    Sent::Withheld { failure, outcome, answer: None }
                } else {
                    Sent::Failed { failure, outcome }
                };
            }
            self.tell(attempt, reply).await;
            return Sent::Answered(outcome);
        }
    }

    async fn open(&self, lease: &Lease) -> Result<Reused, Failure> {
        self.pool.metrics.connects.increment();
        let target = lease.target();
        let max_head_bytes = self.local.plan.limits.max_head_bytes;
        let slabs = &self.worker.slabs;
        let opened =
            connect::open(&self.pool.plan, target, self.peer, slabs, max_head_bytes, self.time_to_connect())
                .await
                .map_err(|failure| self.in_time(failure))?;
        if let Reused::Http2(sender) = &opened
            && self.pool.plan.proxy_protocol == ProxyProtocolOut::Off
        {
            let keep = self.pool.plan.timeouts.idle.get();
            self.pool.idle.share(target.id, sender.clone(), Instant::now(), keep);
        }
        Ok(opened)
    }

    /// How long connecting may take: what the pool says, and no longer than the whole request.
    fn time_to_connect(&self) -> Duration {
        let connect = self.pool.plan.timeouts.connect.get();
        self.deadline.left().map_or(connect, |left| left.min(connect))
    }

    /// What failed, or that there was no more time for it.
    fn in_time(&self, failure: Failure) -> Failure {
        if self.deadline.is_past_limit() { Failure::RequestDeadline } else { failure }
    }

    #[allow(clippy::too_many_arguments)]
    async fn over_http1<B: BodyRead, R: Reply>(
        &self,
        lease: &Lease,
        (chosen_at, sent_at): (Instant, Instant),
        mut connection: Connection,
        response: &mut Response,
        out: &mut Vec<u8>,
        body: &mut B,
        reply: &mut R,
    ) -> Attempt {
        let max_head_bytes = self.local.plan.limits.max_head_bytes;
        let mut writer = Writer::new(&connection.io, out);
        let mut reader = ResponseReader::new(&connection.io, &mut connection.buffer, max_head_bytes);
        h1::write_request(
            &mut writer,
            self.request,
            self.host(&lease.target().name),
            self.framing,
            self.upgrade,
        );
        let attempt =
            self.attempt(lease, (chosen_at, sent_at), &mut writer, &mut reader, response, body, reply).await;
        let (keeps_alive, seconds) = (reader.keeps_alive, reader.keep_alive_seconds);
        if let Attempt::Done { connection_is_clean: true, .. } = attempt
            && keeps_alive
            && self.pool.plan.proxy_protocol == ProxyProtocolOut::Off
        {
            let plan = &self.pool.plan;
            let mut keep = plan.timeouts.idle.get();
            if let Some(seconds) = seconds {
                // A second less than promised, for what is under way while it is closed.
                keep = keep.min(Duration::from_secs(seconds).saturating_sub(Duration::from_secs(1)));
            }
            let answered_at = chosen_at + self.tally.upstream.get().unwrap_or_default();
            self.pool.idle.put(lease.target().id, connection, answered_at, keep, plan.idle_connections);
        }
        attempt
    }

    /// Makes the origin's head fit for the client. Without a lease it is of a target nobody need stay with.
    pub(super) fn edit_response(&self, lease: Option<&Lease>, response: &mut Response) {
        hygiene::clean_response(response);
        if response.fields.get_known(Name::Date).is_none() {
            response.fields.add_known(Name::Date, &self.worker.date());
        }
        let Manner::Client { values, note, .. } = self.manner else { return };
        if let Some(note) = note {
            note(response);
        }
        if let (Some(sticky), Some(lease)) = (&self.pool.plan.sticky, lease)
            && !lease.sticky_kept()
        {
            if lease.chosen() == Chosen::StickyMoved {
                self.pool.metrics.sticky_moved.increment();
            }
            sticky.set(&mut response.fields, lease.target().id, self.peer.secure);
        }
        self.tally.write_rate(&mut response.fields);
        self.route.edit_response(&mut response.fields, values);
    }

    /// What the target is to be thought of.
    fn outcome(&self, attempt: &Attempt, chosen_at: Instant) -> Outcome {
        let latency = self.tally.upstream.get().unwrap_or_else(|| chosen_at.elapsed());
        let fault = |kind| Outcome::Failure { kind, latency };
        match attempt {
            Attempt::Done { status, .. } | Attempt::Withheld(status, _) if status.is_server_error() => {
                fault(FailureKind::Status5xx)
            }
            Attempt::Done { .. } | Attempt::Withheld(..) | Attempt::Tunnelled => Outcome::Success { latency },
            Attempt::NoHead { failure: Failure::ResponseTimeout | Failure::RequestDeadline, .. } => {
                fault(FailureKind::Timeout)
            }
            Attempt::NoHead { .. } | Attempt::OriginBroke => fault(FailureKind::Protocol),
            Attempt::ClientBroke(_) | Attempt::ClientLeft => Outcome::Cancelled,
        }
    }

    /// Tells the client what went wrong, if something did.
    async fn tell<R: Reply>(&self, attempt: Attempt, reply: &mut R) {
        let failure = match attempt {
            Attempt::Done { .. } | Attempt::Withheld(..) | Attempt::Tunnelled => return,
            Attempt::NoHead { failure, .. } | Attempt::ClientBroke(failure) => failure,
            Attempt::OriginBroke => Failure::ResponseIncomplete,
            Attempt::ClientLeft => {
                self.tally.failure.set(Some(Failure::ClientAborted));
                return reply.abort();
            }
        };
        self.answering().failure(failure, reply).await;
    }

    fn host<'s>(&'s self, target_name: &'s str) -> &'s [u8] {
        match &self.pool.plan.host {
            HostPolicy::Client if !self.request.authority().is_empty() => self.request.authority(),
            HostPolicy::Client | HostPolicy::Target => target_name.as_bytes(),
            HostPolicy::Fixed(name) => name.as_bytes(),
        }
    }
}

/// Whether sending a request twice does no more than once (RFC 9110 §9.2.2).
pub(super) fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}
