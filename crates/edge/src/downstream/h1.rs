//! HTTP/1.1 clients (RFC 9112).

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::io::AsyncWriteExt;

use crate::body::h1::{Reader, Writer};
use crate::body::{BodyError, BodyRead, BodyWrite, Frame};
use crate::exchange;
use crate::failure::Failure;
use crate::head::{Fields, Name, Request, Response, Version};
use crate::http1::encode;
use crate::http1::framing::{self, BadFraming, Framing};
use crate::http1::parse::{self, BadHead};
use crate::hygiene;
use crate::io::{Buffer, Deadline, Elapsed, Transport};
use crate::origin::h1::may_be_complete;
use crate::peer::Peer;
use crate::worker::{Scratch, Sleeper, Worker};

use super::Reply;
use super::intake::Intake;

/// Bytes of an unread request body that are read and dropped so that the connection can be kept.
const MAX_DISCARDED_BYTES: u64 = 256 * 1024;

/// How waiting for a request ended.
enum Awaited {
    /// A whole head is in the request.
    Request,
    /// The connection is over, for the best of reasons.
    Closed,
    /// The head is bad; answer and close.
    Refused(Failure),
}

/// How long a connection waits for its next request before it counts as idle, and gives its memory back.
const BUSY_SPELL: Duration = Duration::from_secs(1);

/// What became of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    /// Another request may come.
    Open,
    /// It is to be closed.
    Over,
    /// The answer was cut: nothing may make it look whole.
    Aborted,
}

/// Serves a connection until either side ends it. `first_bytes` were read while telling the protocols apart.
pub(crate) async fn serve(worker: Rc<Worker>, transport: Transport, first_bytes: Buffer, peer: Peer) {
    let io = RefCell::new(transport);
    let mut buffer = first_bytes;
    let deadline = Deadline::default();
    let sleeper = worker.sleeper();
    deadline.set(worker.limits().header);
    let mut was_used = false;
    let mut after = After::Open;
    while after == After::Open {
        if buffer.is_empty() {
            let waited = wait_for_bytes(&worker, &io, &mut buffer, &deadline, &sleeper, was_used).await;
            if !matches!(waited, Ok(true)) {
                break;
            }
        }
        was_used = true;
        // Boxed: an exchange takes memory that a connection should have only while it is busy.
        after = Box::pin(busy_spell(&worker, &io, &mut buffer, &deadline, &sleeper, &peer)).await;
        deadline.set(worker.limits().idle.saturating_sub(BUSY_SPELL));
    }
    // TLS wants to say goodbye, but a goodbye after a cut answer would make it look whole.
    if after != After::Aborted && io.borrow().is_tls() {
        deadline.set(worker.limits().body_stall);
        let mut transport = io.into_inner();
        let _ = deadline.guard(transport.shutdown()).await;
    }
}

/// Answers requests for as long as one follows the other closely.
async fn busy_spell(
    worker: &Rc<Worker>,
    io: &RefCell<Transport>,
    buffer: &mut Buffer,
    deadline: &Deadline,
    sleeper: &Sleeper,
    peer: &Peer,
) -> After {
    loop {
        let after = exchange_one(worker, io, buffer, deadline, peer).await;
        if after != After::Open {
            return after;
        }
        if buffer.is_empty() {
            deadline.set_from(worker.finished_at.get(), worker.limits().idle.min(BUSY_SPELL));
            match wait_for_bytes(worker, io, buffer, deadline, sleeper, false).await {
                Ok(true) => {}
                Ok(false) => return After::Over,
                Err(Elapsed) => return After::Open,
            }
        }
    }
}

/// Reads one request and answers it.
async fn exchange_one(
    worker: &Rc<Worker>,
    io: &RefCell<Transport>,
    buffer: &mut Buffer,
    deadline: &Deadline,
    peer: &Peer,
) -> After {
    let mut scratch = worker.scratch();
    let Scratch { request, response, out, origin_out } = &mut *scratch;
    let awaited = read_head(worker, io, buffer, deadline, request).await;
    request.secure = peer.secure;
    let mut reply = H1Reply::new(io, out, request, worker);
    let awaited = match awaited {
        Awaited::Request => match framing::of_request(request) {
            Ok(Framing::Length(length)) if length > worker.limits().max_body_bytes => {
                Err(Failure::BodyTooLarge)
            }
            framing => framing.map_err(framing_failure),
        },
        Awaited::Refused(failure) => Err(failure),
        Awaited::Closed => {
            worker.put_scratch(scratch);
            return After::Over;
        }
    };
    let after = match awaited {
        Err(failure) => {
            reply.close_after();
            exchange::refuse(worker, peer, request, &mut reply, deadline, failure).await;
            lingering_close(worker, io, buffer, deadline).await;
            After::Over
        }
        Ok(framing) => {
            let body = Reader::new(io, buffer, framing);
            let mut body = Intake::new(body, deadline, &worker.limits());
            exchange::serve(
                worker, peer, request, response, origin_out, framing, &mut body, &mut reply, deadline,
            )
            .await;
            deadline.limit(None);
            if reply.keeps_alive() {
                if finish_body(&mut body, deadline).await { After::Open } else { After::Over }
            } else if reply.was_aborted() {
                io.borrow().abort_on_close();
                After::Aborted
            } else {
                let unread = !body.is_done();
                drop(body);
                if unread {
                    lingering_close(worker, io, buffer, deadline).await;
                }
                After::Over
            }
        }
    };
    worker.put_scratch(scratch);
    after
}

fn framing_failure(bad: BadFraming) -> Failure {
    match bad {
        BadFraming::Coding => Failure::CodingUnsupported,
        BadFraming::Length | BadFraming::Both => Failure::BadRequest,
    }
}

/// Waits without holding a buffer until a request begins; false when the connection is over. A drain ends one that is
/// `idle`; a new one may still ask, and so may one whose client has just had an answer: its next request may be on its way,
/// and is answered with `Connection: close`.
async fn wait_for_bytes(
    worker: &Worker,
    io: &RefCell<Transport>,
    buffer: &mut Buffer,
    deadline: &Deadline,
    sleeper: &Sleeper,
    idle: bool,
) -> Result<bool, Elapsed> {
    buffer.release_if_empty();
    let filled = std::future::poll_fn(|cx| {
        let polled = io.borrow_mut().poll_fill(cx, buffer);
        if polled.is_pending() {
            buffer.release_if_empty();
            if idle && worker.is_draining() {
                return Poll::Ready(Ok(0));
            }
            sleeper.register(cx);
        }
        polled
    });
    Ok(matches!(deadline.guard(filled).await?, Ok(n) if n > 0))
}

async fn read_head(
    worker: &Worker,
    io: &RefCell<Transport>,
    buffer: &mut Buffer,
    deadline: &Deadline,
    request: &mut Request,
) -> Awaited {
    let limits = worker.limits();
    let mut looked_at = 0;
    let mut timed = false;
    loop {
        let filled = buffer.filled();
        if filled.len() > looked_at && may_be_complete(filled, looked_at) {
            match parse::request(filled, request) {
                Ok(Some(len)) if len <= limits.max_head_bytes => {
                    buffer.consume(len);
                    return Awaited::Request;
                }
                Ok(Some(_)) => return Awaited::Refused(Failure::HeadTooLarge),
                Ok(None) => {}
                Err(bad) => {
                    request.clear();
                    return Awaited::Refused(head_failure(bad));
                }
            }
        }
        looked_at = filled.len();
        if looked_at > limits.max_head_bytes {
            request.clear();
            return Awaited::Refused(Failure::HeadTooLarge);
        }
        if buffer.room().is_empty() {
            buffer.grow();
        }
        if !timed {
            // Counted from the first byte, however slowly the others drip in.
            deadline.set(limits.header);
            timed = true;
        }
        let filled = std::future::poll_fn(|cx| io.borrow_mut().poll_fill(cx, buffer));
        match deadline.guard(filled).await {
            Ok(Ok(0) | Err(_)) => return Awaited::Closed,
            Ok(Ok(_)) => {}
            Err(_) => {
                request.clear();
                return Awaited::Refused(Failure::RequestTimeout);
            }
        }
    }
}

fn head_failure(bad: BadHead) -> Failure {
    match bad {
        BadHead::TooManyFields => Failure::HeadTooLarge,
        BadHead::Version => Failure::VersionUnsupported,
        BadHead::Syntax | BadHead::Host | BadHead::Target => Failure::BadRequest,
    }
}

/// Reads what is left of a request body nobody wanted; false when that is too much.
async fn finish_body(body: &mut impl BodyRead, deadline: &Deadline) -> bool {
    if body.is_done() {
        return true;
    }
    let mut left = MAX_DISCARDED_BYTES;
    let finished = std::future::poll_fn(|cx| {
        loop {
            let n = body.data().len();
            body.consume(n);
            left = left.saturating_sub(n as u64);
            if left == 0 {
                return Poll::Ready(false);
            }
            match ready!(body.poll_frame(cx)) {
                Ok(Frame::Data) => {}
                Ok(Frame::End) => return Poll::Ready(true),
                Err(_) => return Poll::Ready(false),
            }
        }
    });
    deadline.guard(finished).await.unwrap_or(false)
}

/// Lets a client that is still sending read our answer before the connection is reset (RFC 9112 §9.6).
async fn lingering_close(worker: &Worker, io: &RefCell<Transport>, buffer: &mut Buffer, deadline: &Deadline) {
    let shut = std::future::poll_fn(|cx| {
        use tokio::io::AsyncWrite;
        std::pin::Pin::new(&mut *io.borrow_mut()).poll_shutdown(cx)
    });
    deadline.set(worker.limits().linger);
    if !matches!(deadline.guard(shut).await, Ok(Ok(()))) {
        return;
    }
    let mut left = MAX_DISCARDED_BYTES;
    let drained = std::future::poll_fn(|cx| {
        loop {
            let n = buffer.filled().len();
            buffer.consume(n);
            left = left.saturating_sub(n as u64);
            if left == 0 || !matches!(ready!(io.borrow_mut().poll_fill(cx, buffer)), Ok(1..)) {
                return Poll::Ready(());
            }
        }
    });
    let _ = deadline.guard(drained).await;
}

/// Replies over HTTP/1.1.
pub(crate) struct H1Reply<'a> {
    worker: &'a Worker,
    writer: Writer<'a>,
    version: Version,
    is_head: bool,
    keep_alive: bool,
    head_sent: bool,
    aborted: bool,
}

impl<'a> H1Reply<'a> {
    fn new(io: &'a RefCell<Transport>, out: &'a mut Vec<u8>, request: &Request, worker: &'a Worker) -> Self {
        let keep_alive = match request.version {
            Version::Http10 => hygiene::connection_has(&request.fields, b"keep-alive"),
            _ => {
                request.fields.get_known(Name::Connection).is_none()
                    || !hygiene::connection_has(&request.fields, b"close")
            }
        };
        Self {
            worker,
            writer: Writer::new(io, out),
            version: request.version,
            is_head: request.method == Method::HEAD,
            keep_alive,
            head_sent: false,
            aborted: false,
        }
    }

    /// Whether the connection can carry another request.
    fn keeps_alive(&self) -> bool {
        self.keep_alive && self.head_sent && !self.aborted
    }

    fn was_aborted(&self) -> bool {
        self.aborted
    }

    /// Says what becomes of the connection, and ends the head. A drain may have begun since the request came.
    fn end_head(&mut self) {
        self.keep_alive &= !self.worker.is_draining();
        let out = self.writer.head();
        if !self.keep_alive {
            out.extend_from_slice(b"connection: close\r\n");
        } else if self.version == Version::Http10 {
            out.extend_from_slice(b"connection: keep-alive\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }
}

impl Reply for H1Reply<'_> {
    fn interim(&mut self, response: &Response) {
        if self.version == Version::Http11 {
            let out = self.writer.head();
            encode::response(out, response.status, &response.fields);
            out.extend_from_slice(b"\r\n");
        }
    }

    fn head(&mut self, status: StatusCode, fields: &Fields, framing: Framing) {
        if self.head_sent {
            // Nothing of the earlier head has left: this one takes its place.
            self.writer.discard();
        }
        self.head_sent = true;
        self.writer.mark();
        let framing = match framing {
            // Without chunks only the end of the connection can end a body of unknown length.
            Framing::Chunked | Framing::UntilClose if self.version == Version::Http10 => {
                self.keep_alive = false;
                Framing::UntilClose
            }
            Framing::UntilClose => Framing::Chunked,
            framing => framing,
        };
        let out = self.writer.head();
        encode::response(out, status, fields);
        if framing == Framing::Chunked {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
        } else if framing == Framing::Empty
            && !self.is_head
            && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            && fields.get_known(Name::ContentLength).is_none()
        {
            // An HTTP/2 origin ends a body without a length; here the length is what ends it.
            out.extend_from_slice(b"content-length: 0\r\n");
        }
        self.end_head();
        self.writer.begin(if self.is_head { Framing::Empty } else { framing });
    }

    fn stored(&mut self, status: StatusCode, lines: [&[u8]; 2], body: &[u8]) {
        self.head_sent = true;
        self.writer.mark();
        let out = self.writer.head();
        out.reserve(128 + lines[0].len() + lines[1].len() + body.len());
        encode::status_line(out, status);
        lines.iter().for_each(|lines| out.extend_from_slice(lines));
        self.end_head();
        self.writer.head().extend_from_slice(body);
        self.writer.begin(Framing::Empty);
    }

    fn tunnel(&mut self, status: StatusCode, fields: &Fields, protocol: Option<&[u8]>) {
        self.head_sent = true;
        self.writer.mark();
        self.keep_alive = false;
        let out = self.writer.head();
        encode::response(out, status, fields);
        if let Some(protocol) = protocol {
            out.extend_from_slice(b"connection: upgrade\r\nupgrade: ");
            out.extend_from_slice(protocol);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        self.writer.begin(Framing::UntilClose);
    }

    fn abort(&mut self) {
        self.aborted = true;
        self.keep_alive = false;
        self.writer.discard();
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.writer.poll_peer_closed(cx)
    }

    async fn gone(&mut self) {
        self.writer.peer_closed().await;
    }

    fn head_sent(&self) -> bool {
        self.head_sent && self.writer.has_left()
    }

    fn close_after(&mut self) {
        self.keep_alive = false;
    }
}

impl BodyWrite for H1Reply<'_> {
    fn poll_data(&mut self, cx: &mut Context<'_>, data: &[u8], last: bool) -> Poll<Result<usize, BodyError>> {
        self.writer.poll_data(cx, data, last)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>, trailers: Option<&Fields>) -> Poll<Result<(), BodyError>> {
        self.writer.poll_end(cx, trailers)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        self.writer.poll_flush(cx)
    }
}
