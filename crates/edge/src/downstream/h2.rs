//! HTTP/2 clients (RFC 9113).

mod calm;
mod frames;
mod head;
mod meter;

use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use ::h2::Reason;
use ::h2::server::{self, SendResponse};
use bytes::{Buf, Bytes};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::body::h2::{Reader, Writer};
use crate::body::{BodyError, BodyRead, BodyWrite};
use crate::cache::Lines;
use crate::exchange;
use crate::failure::Failure;
use crate::head::{Fields, Name, Request, Response};
use crate::http1::framing::{self, Framing};
use crate::io::{Deadline, Transport};
use crate::peer::Peer;
use crate::worker::{Scratch, Worker};

use super::Reply;
use super::intake::Intake;
use calm::Calm;
use meter::Meter;

pub(crate) use calm::Excess;
pub(crate) use frames::payloads;
pub(crate) use head::copy_head;

/// Requests a connection may have under way.
const MAX_STREAMS: u32 = 128;
/// Bytes a client may send ahead per stream; more as they are taken on.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same per connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes gathered to send per stream before the writer has to wait. All streams of a client that opens its windows wide
/// and reads nothing hold 8 MiB.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Streams reset by us that are remembered, and streams reset by the client before they were looked at; more of these end
/// the connection (CVE-2023-44487).
const MAX_RESET_STREAMS: usize = 64;
/// Streams that the client's faults made us reset in the life of a connection (CVE-2025-8671); more end it.
const MAX_FAULTY_STREAMS: usize = 256;
/// How long streams may take to end after a GOAWAY when the connection was idle too long.
const GOAWAY_GRACE: Duration = Duration::from_secs(1);

/// Serves a connection until either side ends it.
pub(crate) async fn serve(worker: Rc<Worker>, transport: Transport, peer: Peer) {
    let limits = worker.limits();
    let calm = Rc::new(Calm::new(Instant::now()));
    let handshake = server::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(limits.max_head_bytes as u32)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .max_concurrent_reset_streams(MAX_RESET_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESET_STREAMS)
        .max_local_error_reset_streams(Some(MAX_FAULTY_STREAMS))
        .handshake::<_, Bytes>(Meter::new(transport, Rc::clone(&calm)));
    let (deadline, head_deadline) = (Deadline::default(), Deadline::default());
    deadline.set(limits.header);
    let Ok(Ok(mut connection)) = deadline.guard(handshake).await else { return };
    let peer = Rc::new(peer);
    let sleeper = worker.sleeper();
    let streams = Rc::new(());
    let mut leaving = false;
    let mut ended = false;
    // Counted from the first byte of a head, however slowly the others drip in.
    let drips = |cx: &mut Context<'_>| {
        calm.head_since().is_some_and(|since| {
            head_deadline.set_from(since, limits.header);
            head_deadline.poll_elapsed(cx).is_ready()
        })
    };
    let flooded = |excess| {
        worker.metrics.hostile.flooded(excess, peer.address.ip(), Instant::now(), &worker.context.events);
    };
    deadline.set(limits.idle);
    loop {
        let next = std::future::poll_fn(|cx| {
            if worker.is_draining() && !leaving {
                connection.graceful_shutdown();
                leaving = true;
            }
            if !leaving {
                sleeper.register(cx);
            }
            let polled = connection.poll_accept(cx);
            match calm.excess() {
                _ if ended => return polled,
                Some(excess) => flooded(excess),
                None if polled.is_pending() && drips(cx) => worker.metrics.failed(Failure::RequestTimeout),
                None => return polled,
            }
            (leaving, ended) = (true, true);
            deadline.set(GOAWAY_GRACE);
            connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            connection.poll_accept(cx)
        });
        match deadline.guard(next).await {
            // What came with a flood is part of it.
            Ok(Some(Ok(_))) if ended => {}
            Ok(Some(Ok((head, respond)))) => {
                calm.asked();
                deadline.set(limits.idle);
                let stream =
                    Stream { worker: Rc::clone(&worker), peer: Rc::clone(&peer), _open: Rc::clone(&streams) };
                tokio::task::spawn_local(stream.serve(head, respond));
            }
            Ok(Some(Err(error))) => {
                if error.is_library() && error.reason() == Some(Reason::ENHANCE_YOUR_CALM) {
                    flooded(Excess::Protocol);
                }
                return;
            }
            Ok(None) => return,
            Err(_) if ended => return,
            // Streams under way have deadlines of their own; only a connection without any is idle.
            Err(_) if Rc::strong_count(&streams) > 1 => deadline.set(limits.idle),
            Err(_) if leaving => return,
            Err(_) => {
                connection.graceful_shutdown();
                leaving = true;
                deadline.set(GOAWAY_GRACE);
            }
        }
    }
}

/// What one request's task holds of its connection.
struct Stream {
    worker: Rc<Worker>,
    peer: Rc<Peer>,
    /// Counts the streams under way.
    _open: Rc<()>,
}

impl Stream {
    async fn serve(self, head: http::Request<::h2::RecvStream>, respond: SendResponse<Bytes>) {
        let worker = &self.worker;
        let mut scratch = worker.scratch();
        let Scratch { request, response, origin_out, .. } = &mut *scratch;
        let deadline = Deadline::default();
        let (parts, stream) = head.into_parts();
        let limits = worker.limits();
        let mut body = Intake::new(Reader::new(Some(stream)), &deadline, &limits);
        let framing = copy_head(&parts, request)
            .and_then(|()| framing_of(request, body.is_done(), limits.max_body_bytes));
        request.secure = self.peer.secure;
        let mut reply = H2Reply::new(respond);
        match framing {
            Err(failure) => {
                exchange::refuse(worker, &self.peer, request, &mut reply, &deadline, failure).await;
            }
            Ok(framing) => {
                exchange::serve(
                    worker, &self.peer, request, response, origin_out, framing, &mut body, &mut reply,
                    &deadline,
                )
                .await;
            }
        }
        // Dropped with the request still coming in, the stream is reset without an error once the answer is out
        // (RFC 9113 §8.1).
        drop(reply);
        drop(body);
        worker.put_scratch(scratch);
    }
}

/// How the body is framed for an HTTP/1.1 origin. That it has the length announced is for the `h2` crate to see to.
fn framing_of(request: &mut Request, is_over: bool, max_body_bytes: u64) -> Result<Framing, Failure> {
    let length = request.fields.get_known(Name::ContentLength).and_then(framing::parse_length);
    match length {
        _ if is_over => Ok(Framing::Empty),
        Some(0) | None => {
            request.fields.remove_known(Name::ContentLength);
            Ok(Framing::Chunked)
        }
        Some(length) if length > max_body_bytes => Err(Failure::BodyTooLarge),
        Some(length) => Ok(Framing::Length(length)),
    }
}

/// Replies over HTTP/2.
struct H2Reply {
    respond: SendResponse<Bytes>,
    body: Writer,
    /// Of a stored answer, what has not left.
    rest: Bytes,
    head_sent: bool,
}

impl H2Reply {
    fn new(respond: SendResponse<Bytes>) -> Self {
        Self { respond, body: Writer::new(None), rest: Bytes::new(), head_sent: false }
    }
}

fn http_response(status: StatusCode, fields: &Fields) -> http::Response<()> {
    let mut response = http::Response::new(());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(fields.len());
    for (_, name, value) in fields.iter() {
        // Both were checked when they were read or configured.
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    response
}

impl Reply for H2Reply {
    fn interim(&mut self, response: &Response) {
        // A stream that is gone is noticed when the final head is sent.
        let _ = self.respond.send_informational(http_response(response.status, &response.fields));
    }

    fn head(&mut self, status: StatusCode, fields: &Fields, framing: Framing) {
        self.head_sent = true;
        let ends = framing == Framing::Empty;
        // On failure the writer stays closed, so writing the body fails and ends the exchange.
        if let Ok(stream) = self.respond.send_response(http_response(status, fields), ends) {
            self.body = Writer::new((!ends).then_some(stream));
        }
    }

    fn stored(&mut self, status: StatusCode, lines: [&[u8]; 2], body: &[u8]) {
        self.head_sent = true;
        let mut response = http::Response::new(());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        for (name, value) in lines.into_iter().flat_map(|lines| Lines(lines).iter()) {
            // Both were checked when they were read.
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                headers.append(name, value);
            }
        }
        // On failure the writer stays closed, so ending the body fails and ends the exchange.
        if let Ok(stream) = self.respond.send_response(response, body.is_empty())
            && !body.is_empty()
        {
            self.body = Writer::new(Some(stream));
            self.rest = Bytes::copy_from_slice(body);
        }
    }

    fn tunnel(&mut self, status: StatusCode, fields: &Fields, _protocol: Option<&[u8]>) {
        self.head(status, fields, Framing::UntilClose);
    }

    fn abort(&mut self) {
        self.body.reset(Reason::INTERNAL_ERROR);
        if !self.head_sent {
            self.respond.send_reset(Reason::INTERNAL_ERROR);
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.respond.poll_reset(cx).map(|_| ())
    }

    fn head_sent(&self) -> bool {
        self.head_sent
    }

    fn close_after(&mut self) {}
}

impl BodyWrite for H2Reply {
    fn poll_data(&mut self, cx: &mut Context<'_>, data: &[u8], last: bool) -> Poll<Result<usize, BodyError>> {
        self.body.poll_data(cx, data, last)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>, trailers: Option<&Fields>) -> Poll<Result<(), BodyError>> {
        while !self.rest.is_empty() {
            let taken = ready!(self.body.poll_data(cx, &self.rest, true))?;
            self.rest.advance(taken);
        }
        self.body.poll_end(cx, trailers)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        self.body.poll_flush(cx)
    }
}
