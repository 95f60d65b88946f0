//! Passing a request to one target and its response back.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use deepwater_upstream::{Chosen, FailureKind, Lease, Outcome};
use http::{Method, StatusCode};

use crate::body::h1::Writer;
use crate::body::{BodyError, BodyRead, RelayError, Replay, Stalls, relay, relay_both};
use crate::config::ProxyProtocolOut;
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::head::{Name, Request, Response};
use crate::http1::framing::Framing;
use crate::{hygiene, idempotency};

use crate::io::Deadline;
use crate::origin::h1::{self, Connection, ResponseReader};
use crate::origin::{HeadKind, OriginRead, OriginWrite, Reused, connect};
use crate::peer::Peer;
use crate::plan::{HostPolicy, RoutePlan};
use crate::route::Prepared;
use crate::websocket;
use crate::worker::{Local, PoolLocal, Worker};

use super::Tally;
use super::respond::Answering;
use super::withheld::Withheld;

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

/// How sending a request over one connection ended.
enum Attempt {
    /// The response went to the client, whole.
    Done { status: StatusCode, connection_is_clean: bool },
    /// Both directions became bytes; they are through.
    Tunnelled,
    /// An answer came, and is kept from the client: the request is to be sent again. It is here if it was short.
    Withheld(StatusCode, Option<Box<Withheld>>),
    /// No response head came.
    NoHead { failure: Failure, silent: bool },
    /// The client has the head, but the origin broke its body off.
    OriginBroke,
    /// The client sent a malformed body, or stalled.
    ClientBroke(Failure),
    /// The client is gone: there is nobody to tell.
    ClientLeft,
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
                        Ok(Err(failure)) => Attempt::NoHead { failure, silent: true },
                        Err(_) => {
                            let failure = self.in_time(Failure::ConnectTimeout);
                            Attempt::NoHead { failure, silent: false }
                        }
                    }
                }
            };
            // A kept connection that dies without a word was most likely being closed when the request came; what
            // cannot do harm twice is sent again over a new one (RFC 9112 §9.3.1).
            if let Attempt::NoHead { failure: Failure::ConnectionTerminated, silent: true } = attempt
                && was_kept
                && is_idempotent(&self.request.method)
                && body.rewind()
            {
                self.pool.metrics.retries.increment();
                continue;
            }
            let outcome = self.outcome(&attempt, chosen_at);
            if let Attempt::Withheld(_, answer) = attempt {
                return Sent::Withheld { failure: Failure::RetriesFailed, outcome, answer };
            }
            if let Attempt::NoHead { failure, .. } = attempt {
                return if self.retries_after(failure) && self.takes_retry() {
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

    /// One request and its response over one connection, both directions at once.
    #[allow(clippy::too_many_arguments)]
    async fn attempt<B: BodyRead, R: Reply, W: OriginWrite, O: OriginRead>(
        &self,
        lease: &Lease,
        (chosen_at, sent_at): (Instant, Instant),
        writer: &mut W,
        reader: &mut O,
        response: &mut Response,
        body: &mut B,
        reply: &mut R,
    ) -> Attempt {
        let timeouts = &self.pool.plan.timeouts;
        let response_timeout = self.route.response_timeout.unwrap_or(timeouts.response.get());
        let (client_stall, origin_stall) = (self.local.plan.limits.body_stall, timeouts.body.get());
        let up_stalls = Stalls::new(client_stall, origin_stall);
        let down_stalls = Stalls::new(origin_stall, client_stall);
        let switched = {
            let mut upload = pin!(async {
                if self.framing == Framing::Empty {
                    poll_fn(|cx| writer.poll_end(cx, None)).await.map_err(RelayError::Write)
                } else {
                    relay(body, writer, self.deadline, &up_stalls, &self.tally.received_bytes).await
                }
            });
            // None while under way, then whether the origin took it all.
            let mut uploaded: Option<bool> = None;
            let is_uploading = self.framing != Framing::Empty;
            self.deadline.set_from(sent_at, if is_uploading { client_stall } else { response_timeout });
            let framing = loop {
                let head = poll_fn(|cx| {
                    if uploaded.is_none()
                        && let Poll::Ready(result) = upload.as_mut().poll(cx)
                    {
                        match result {
                            Err(RelayError::Read(BodyError::Malformed)) => {
                                return Poll::Ready(Err(Attempt::ClientBroke(Failure::ClientAborted)));
                            }
                            Err(RelayError::Read(BodyError::TooLarge)) => {
                                return Poll::Ready(Err(Attempt::ClientBroke(Failure::BodyTooLarge)));
                            }
                            Err(RelayError::Read(_)) => return Poll::Ready(Err(Attempt::ClientLeft)),
                            // It may still have said why it takes no more.
                            Err(RelayError::Write(_)) => uploaded = Some(false),
                            Ok(()) => uploaded = Some(true),
                        }
                        if is_uploading {
                            self.deadline.set(response_timeout);
                        }
                    }
                    match reader.poll_head(cx, &self.request.method, response) {
                        Poll::Ready(Ok(kind)) => return Poll::Ready(Ok(kind)),
                        Poll::Ready(Err(no_head)) => {
                            let (failure, silent) = (no_head.failure, no_head.silent);
                            return Poll::Ready(Err(Attempt::NoHead { failure, silent }));
                        }
                        Poll::Pending => {}
                    }
                    if uploaded.is_some() && reply.poll_gone(cx).is_ready() {
                        return Poll::Ready(Err(Attempt::ClientLeft));
                    }
                    Poll::Pending
                });
                match self.deadline.guard(head).await {
                    Ok(Ok(HeadKind::Interim)) => {
                        hygiene::clean_response(response);
                        reply.interim(response);
                        if poll_fn(|cx| reply.poll_flush(cx)).await.is_err() {
                            return Attempt::ClientLeft;
                        }
                    }
                    Ok(Ok(HeadKind::Final(framing))) => break Some(framing),
                    Ok(Ok(HeadKind::Switched)) => break None,
                    Ok(Err(attempt)) => return attempt,
                    Err(_) if self.deadline.is_past_limit() => {
                        return Attempt::NoHead { failure: Failure::RequestDeadline, silent: false };
                    }
                    Err(_) if uploaded.is_none() && !up_stalls.waits_to_write() => {
                        return Attempt::ClientBroke(Failure::ClientStalled);
                    }
                    Err(_) => {
                        return Attempt::NoHead { failure: Failure::ResponseTimeout, silent: false };
                    }
                }
            };
            let answered_at = Instant::now();
            let latency = answered_at.duration_since(chosen_at);
            self.tally.upstream.set(Some(latency));
            self.pool.metrics.response.observe(latency);
            match framing {
                None => true,
                Some(framing) => {
                    if self.pool.plan.retry.statuses.contains(&response.status.as_u16()) && self.takes_retry()
                    {
                        let status = response.status;
                        let answer = Withheld::read(lease, response, framing, reader).await;
                        return Attempt::Withheld(status, answer);
                    }
                    self.edit_response(Some(lease), response);
                    self.tally.status.set(Some(response.status));
                    reply.head(response.status, &response.fields, framing);
                    self.deadline.set_from(answered_at, origin_stall);
                    up_stalls.yields();
                    let mut download =
                        pin!(relay(reader, reply, self.deadline, &down_stalls, &self.tally.sent_bytes));
                    let both = poll_fn(|cx| {
                        if uploaded.is_none()
                            && let Poll::Ready(result) = upload.as_mut().poll(cx)
                        {
                            uploaded = Some(result.is_ok());
                        }
                        download.as_mut().poll(cx)
                    });
                    match self.deadline.guard(both).await {
                        Ok(Ok(())) => {
                            return Attempt::Done {
                                status: response.status,
                                connection_is_clean: uploaded == Some(true),
                            };
                        }
                        Ok(Err(RelayError::Read(_))) => return Attempt::OriginBroke,
                        Ok(Err(RelayError::Write(_))) => return Attempt::ClientLeft,
                        Err(_) => false,
                    }
                }
            }
        };
        if !switched && self.deadline.is_past_limit() {
            return Attempt::ClientBroke(Failure::RequestDeadline);
        }
        if !switched {
            return if down_stalls.waits_to_write() {
                Attempt::ClientBroke(Failure::ClientStalled)
            } else {
                Attempt::OriginBroke
            };
        }
        if self.upgrade.is_none() || response.status != StatusCode::SWITCHING_PROTOCOLS {
            return Attempt::NoHead { failure: Failure::UpgradeFailed, silent: false };
        }
        let protocol = response.fields.get_known(Name::Upgrade).or(self.upgrade).map(<[u8]>::to_vec);
        self.edit_response(Some(lease), response);
        self.tally.status.set(Some(response.status));
        reply.tunnel(response.status, &response.fields, protocol.as_deref());
        writer.become_tunnel();
        reader.become_tunnel();
        body.become_tunnel();
        let is_websocket = protocol.is_some_and(|name| name.eq_ignore_ascii_case(b"websocket"));
        self.tunnel(is_websocket, writer, reader, body, reply).await;
        Attempt::Tunnelled
    }

    /// Passes bytes of another protocol both ways.
    async fn tunnel<B: BodyRead, R: Reply, W: OriginWrite, O: OriginRead>(
        &self,
        is_websocket: bool,
        writer: &mut W,
        reader: &mut O,
        body: &mut B,
        reply: &mut R,
    ) {
        // It is no request any more: neither its deadline nor its turn are for what may last for days.
        self.deadline.limit(None);
        drop(self.tally.turn.take());
        let idle = self.local.plan.limits.tunnel_idle;
        let (received, sent) = (&self.tally.received_bytes, &self.tally.sent_bytes);
        if is_websocket {
            let (client, origin) = ((body, reply), (reader, writer));
            return websocket::relay(self.worker, client, origin, self.deadline, idle, received, sent).await;
        }
        relay_both((body, reply), (reader, writer), self.deadline, idle, received, sent).await;
    }

    /// CONNECT: the target itself is what the client talks to.
    async fn connect_tunnel<B: BodyRead, R: Reply>(
        &self,
        lease: &Lease,
        chosen_at: Instant,
        out: &mut Vec<u8>,
        body: &mut B,
        reply: &mut R,
    ) -> Result<Outcome, Failure> {
        let plan = &self.pool.plan;
        let (slabs, time) = (&self.worker.slabs, self.time_to_connect());
        let mut connection = connect::raw(plan, lease.target(), self.peer, slabs, time)
            .await
            .map_err(|failure| self.in_time(failure))?;
        let latency = chosen_at.elapsed();
        self.tally.status.set(Some(StatusCode::OK));
        let mut response = Response::default();
        self.edit_response(Some(lease), &mut response);
        reply.tunnel(StatusCode::OK, &response.fields, None);
        let mut writer = Writer::new(&connection.io, out);
        let mut reader = ResponseReader::new(&connection.io, &mut connection.buffer, 0);
        OriginWrite::become_tunnel(&mut writer);
        reader.become_tunnel();
        body.become_tunnel();
        self.tunnel(false, &mut writer, &mut reader, body, reply).await;
        Ok(Outcome::Success { latency })
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
