//! HTTP/2 clients (RFC 9113).

use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::h2::Reason;
use ::h2::server::{self, SendResponse};
use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::body::h2::{Reader, Writer};
use crate::body::{BodyError, BodyWrite};
use crate::cache::Lines;
use crate::exchange;
use crate::failure::Failure;
use crate::head::{Fields, Name, Request, Response, Version};
use crate::http1::framing::{self, Framing};
use crate::http1::parse::valid_authority;
use crate::io::{Deadline, Transport};
use crate::peer::Peer;
use crate::worker::{Scratch, Worker};

use super::Reply;

/// Requests a connection may have under way.
const MAX_STREAMS: u32 = 256;
/// Bytes a client may send ahead per stream; more as they are taken on.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same per connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes gathered to send per stream before the writer has to wait.
const SEND_BUFFER_BYTES: usize = 256 * 1024;
/// Streams reset by us or by the client that are remembered; more end the connection (CVE-2023-44487).
const MAX_RESET_STREAMS: usize = 64;
/// How long streams may take to end after a GOAWAY when the connection was idle too long.
const GOAWAY_GRACE: Duration = Duration::from_secs(1);

/// Serves a connection until either side ends it.
pub(crate) async fn serve(worker: Rc<Worker>, transport: Transport, peer: Peer) {
    let limits = worker.limits();
    let handshake = server::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(limits.max_head_bytes as u32)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .max_concurrent_reset_streams(MAX_RESET_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESET_STREAMS)
        .handshake::<_, Bytes>(transport);
    let deadline = Deadline::default();
    deadline.set(limits.header);
    let Ok(Ok(mut connection)) = deadline.guard(handshake).await else { return };
    let peer = Rc::new(peer);
    let sleeper = worker.sleeper();
    let streams = Rc::new(());
    let mut leaving = false;
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
            connection.poll_accept(cx)
        });
        match deadline.guard(next).await {
            Ok(Some(Ok((head, respond)))) => {
                deadline.set(limits.idle);
                let stream =
                    Stream { worker: Rc::clone(&worker), peer: Rc::clone(&peer), _open: Rc::clone(&streams) };
                tokio::task::spawn_local(stream.serve(head, respond));
            }
            Ok(Some(Err(_)) | None) => return,
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
        let valid = copy_head(&parts, request);
        request.secure = self.peer.secure;
        let mut reply = H2Reply::new(respond);
        let mut body = Reader::new(Some(stream));
        match valid {
            Err(failure) => {
                exchange::refuse(worker, &self.peer, request, &mut reply, &deadline, failure).await;
            }
            Ok(()) => {
                use crate::body::BodyRead;
                let length = request.fields.get_known(Name::ContentLength).and_then(framing::parse_length);
                let framing = match length {
                    _ if body.is_done() => Framing::Empty,
                    Some(0) | None => {
                        request.fields.remove_known(Name::ContentLength);
                        Framing::Chunked
                    }
                    Some(n) => Framing::Length(n),
                };
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

/// Copies a request head and checks what RFC 9113 §8.3 demands.
fn copy_head(parts: &http::request::Parts, request: &mut Request) -> Result<(), Failure> {
    request.clear();
    request.version = Version::Http2;
    request.method = parts.method.clone();
    let mut host: Option<&HeaderValue> = None;
    for (name, value) in &parts.headers {
        if name == http::header::HOST {
            if host.replace(value).is_some() {
                return Err(Failure::BadRequest);
            }
            continue;
        }
        if name == http::header::COOKIE {
            continue;
        }
        request.fields.add(name.as_str().as_bytes(), value.as_bytes());
    }
    join_cookies(&parts.headers, &mut request.fields);
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    let authority = match (authority, host.map(HeaderValue::as_bytes)) {
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => {
            return Err(Failure::BadRequest);
        }
        (Some(authority), _) => authority,
        (None, Some(host)) => host,
        (None, None) => return Err(Failure::BadRequest),
    };
    if !valid_authority(authority) {
        return Err(Failure::BadRequest);
    }
    request.set_authority(authority);
    match parts.uri.path_and_query() {
        _ if parts.method == Method::CONNECT => {}
        Some(target) => request.set_target(target.as_str().as_bytes()),
        None => return Err(Failure::BadRequest),
    }
    Ok(())
}

/// Cookies may come in crumbs; HTTP/1.1 wants one field (RFC 9113 §8.2.3).
fn join_cookies(headers: &HeaderMap, fields: &mut Fields) {
    let mut crumbs = headers.get_all(http::header::COOKIE).iter().map(HeaderValue::as_bytes);
    let Some(first) = crumbs.next() else { return };
    let mut whole = first.to_vec();
    for crumb in crumbs {
        whole.extend_from_slice(b"; ");
        whole.extend_from_slice(crumb);
    }
    fields.add_known(Name::Cookie, &whole);
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
