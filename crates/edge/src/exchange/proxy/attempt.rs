//! One request and its response over one connection.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

use deepwater_upstream::Lease;
use http::StatusCode;

use crate::body::{BodyError, BodyRead, RelayError, Stalls, relay};
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::head::{Name, Response};
use crate::http1::framing::Framing;
use crate::hygiene;
use crate::origin::{HeadKind, NoHead, OriginRead, OriginWrite};

use super::{Proxying, Withheld};

/// How sending a request over one connection ended.
pub(super) enum Attempt {
    /// The response went to the client, whole.
    Done { status: StatusCode, connection_is_clean: bool },
    /// Both directions became bytes; they are through.
    Tunnelled,
    /// An answer came, and is kept from the client: the request is to be sent again. It is here if it was short.
    Withheld(StatusCode, Option<Box<Withheld>>),
    /// No response head came. `silent` and `undone` as in [`NoHead`].
    NoHead { failure: Failure, silent: bool, undone: bool },
    /// The client has the head, but the origin broke its body off.
    OriginBroke,
    /// The client sent a malformed body, or stalled.
    ClientBroke(Failure),
    /// The client is gone: there is nobody to tell.
    ClientLeft,
}

impl Attempt {
    /// No response head came, and it is not known why.
    pub(super) fn failed(failure: Failure) -> Self {
        Self::NoHead { failure, silent: false, undone: false }
    }
}

impl Proxying<'_> {
    /// Both directions at once.
    #[allow(clippy::too_many_arguments)]
    pub(super) async fn attempt<B: BodyRead, R: Reply, W: OriginWrite, O: OriginRead>(
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
                        Poll::Ready(Err(NoHead { failure, silent, undone })) => {
                            return Poll::Ready(Err(Attempt::NoHead { failure, silent, undone }));
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
                        return Attempt::failed(Failure::RequestDeadline);
                    }
                    Err(_) if uploaded.is_none() && !up_stalls.waits_to_write() => {
                        return Attempt::ClientBroke(Failure::ClientStalled);
                    }
                    Err(_) => {
                        return Attempt::failed(Failure::ResponseTimeout);
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
                    if self.pool.plan.retry.statuses.contains(&response.status.as_u16())
                        && self.takes_retry(false)
                    {
                        let status = response.status;
                        let answer = Withheld::read(lease, response, framing, reader.body()).await;
                        return Attempt::Withheld(status, answer);
                    }
                    self.edit_response(Some(lease), response);
                    self.tally.status.set(Some(response.status));
                    reply.head(response.status, &response.fields, framing);
                    self.deadline.set_from(answered_at, origin_stall);
                    up_stalls.yields();
                    let mut download = pin!(relay(
                        reader.body(),
                        reply,
                        self.deadline,
                        &down_stalls,
                        &self.tally.sent_bytes
                    ));
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
            return Attempt::failed(Failure::UpgradeFailed);
        }
        let protocol = response.fields.get_known(Name::Upgrade).or(self.upgrade).map(<[u8]>::to_vec);
        self.edit_response(Some(lease), response);
        self.tally.status.set(Some(response.status));
        reply.tunnel(response.status, &response.fields, protocol.as_deref());
        writer.become_tunnel();
        reader.body().become_tunnel();
        body.become_tunnel();
        let is_websocket = protocol.is_some_and(|name| name.eq_ignore_ascii_case(b"websocket"));
        self.tunnel(is_websocket, writer, reader.body(), body, reply).await;
        Attempt::Tunnelled
    }
}
