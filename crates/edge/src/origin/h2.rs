//! HTTP/2 to an origin: many requests share a connection.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use ::h2::client::{self, ResponseFuture, SendRequest};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Uri, Version as HttpVersion};

use crate::body::BodyRead;
use crate::body::h2::{Reader, Writer};
use crate::failure::Failure;
use crate::head::{Name, Request, Response, Version};
use crate::http1::framing::{self, Framing};
use crate::io::Transport;

use super::{HeadKind, NoHead, OriginRead, OriginWrite};

/// Bytes an origin may have under way to us per stream; ours to give back as the client takes them.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for a whole connection.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// Opens streams on a shared connection.
#[derive(Clone)]
pub(crate) struct Sender {
    requests: SendRequest<Bytes>,
    state: Rc<State>,
}

/// What all who share a connection know of it.
#[derive(Default)]
struct State {
    /// It takes no more streams; some may still be under way.
    closed: Cell<bool>,
    streams: Cell<usize>,
}

/// A stream under way.
struct OpenStream(Rc<State>);

impl OpenStream {
    fn new(state: &Rc<State>) -> Self {
        state.streams.set(state.streams.get() + 1);
        Self(Rc::clone(state))
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
    }
}

impl Sender {
    /// Starts HTTP/2 on a connection; a task of this core drives it until it ends.
    ///
    /// # Errors
    /// When the preface cannot be exchanged.
    pub async fn handshake(transport: Transport, max_head_bytes: usize) -> Result<Self, ::h2::Error> {
        let (requests, connection) = client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(max_head_bytes as u32)
            .enable_push(false)
            .handshake(transport)
            .await?;
        let state = Rc::new(State::default());
        tokio::task::spawn_local({
            let state = Rc::clone(&state);
            async move {
                // Whatever ended it reaches each stream as its own error.
                let _ = connection.await;
                state.closed.set(true);
            }
        });
        Ok(Self { requests, state })
    }

    /// Whether the connection takes no more streams.
    pub fn is_closed(&self) -> bool {
        self.state.closed.get()
    }

    /// Whether streams are under way.
    pub fn is_busy(&self) -> bool {
        self.state.streams.get() > 0
    }

    /// Whether the origin takes one more stream (its SETTINGS_MAX_CONCURRENT_STREAMS).
    pub fn has_room(&self) -> bool {
        !self.is_closed() && self.state.streams.get() < self.requests.current_max_send_streams()
    }

    /// Opens a stream with the request's head.
    ///
    /// # Errors
    /// [`Failure::ConnectionTerminated`] when the connection takes no more streams: then nothing was sent.
    pub async fn send(
        self,
        request: &Request,
        host: &[u8],
        secure: bool,
        framing: Framing,
    ) -> Result<(Writer, ResponseReader), Failure> {
        let head = request_head(request, host, secure).ok_or(Failure::BadRequest)?;
        let open = OpenStream::new(&self.state);
        // It has ended, or the origin has said that it will (GOAWAY), however long the streams under way may take.
        let over = || {
            self.state.closed.set(true);
            Failure::ConnectionTerminated
        };
        let mut requests = self.requests.ready().await.map_err(|_| over())?;
        let ends = framing == Framing::Empty;
        let (response, stream) = requests.send_request(head, ends).map_err(|error| {
            // Else it is the head that h2 does not send.
            if error.is_io() || error.is_go_away() { over() } else { Failure::BadRequest }
        })?;
        let reader = ResponseReader { response: Some(response), body: Reader::new(None), open };
        Ok((Writer::new((!ends).then_some(stream)), reader))
    }
}

fn request_head(request: &Request, host: &[u8], secure: bool) -> Option<http::Request<()>> {
    let mut head = http::Request::new(());
    *head.method_mut() = request.method.clone();
    *head.version_mut() = HttpVersion::HTTP_2;
    let mut uri = Uri::builder().authority(host);
    if request.method != Method::CONNECT {
        uri = uri.scheme(if secure { "https" } else { "http" }).path_and_query(request.target());
    }
    *head.uri_mut() = uri.build().ok()?;
    let headers = head.headers_mut();
    for (_, name, value) in request.fields.iter() {
        headers.append(HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    Some(head)
}

/// Reads a response.
pub(crate) struct ResponseReader {
    response: Option<ResponseFuture>,
    body: Reader,
    open: OpenStream,
}

impl OriginRead for ResponseReader {
    type Body = Reader;

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        _method: &Method,
        response: &mut Response,
    ) -> Poll<Result<HeadKind, NoHead>> {
        let silent = |failure| NoHead { failure, silent: true, undone: false };
        let Some(coming) = &mut self.response else {
            return Poll::Ready(Err(silent(Failure::Internal)));
        };
        if let Poll::Ready(Some(Ok(interim))) = coming.poll_informational(cx) {
            copy_head(interim.status(), interim.headers(), response);
            return Poll::Ready(Ok(HeadKind::Interim));
        }
        let head = match ready!(Pin::new(coming).poll(cx)) {
            Ok(head) => head,
            Err(error) => {
                // REFUSED_STREAM and a GOAWAY below this stream promise that nothing was done (RFC 9113 §8.7). The
                // one is about this stream, the other about all that were to come.
                let refused = error.is_reset() && error.reason() == Some(::h2::Reason::REFUSED_STREAM);
                let left = error.is_go_away() && error.is_remote();
                if left {
                    self.open.0.closed.set(true);
                }
                let is_over = error.is_io() || error.is_go_away();
                let failure =
                    if is_over || refused { Failure::ConnectionTerminated } else { Failure::BadResponse };
                let undone = left || (refused && error.is_remote());
                return Poll::Ready(Err(NoHead { failure, silent: is_over, undone }));
            }
        };
        self.response = None;
        let (parts, body) = head.into_parts();
        copy_head(parts.status, &parts.headers, response);
        self.body = Reader::new(Some(body));
        let Ok(length) = framing::one_length(&response.fields) else {
            return Poll::Ready(Err(silent(Failure::BadResponse)));
        };
        let framing = match length {
            _ if self.body.is_done() => Framing::Empty,
            Some(0) | None => {
                // The end comes with a frame of its own, perhaps with trailers: the length must not frame it twice.
                response.fields.remove_known(Name::ContentLength);
                Framing::Chunked
            }
            Some(n) => Framing::Length(n),
        };
        Poll::Ready(Ok(HeadKind::Final(framing)))
    }

    fn body(&mut self) -> &mut Reader {
        &mut self.body
    }
}

fn copy_head(status: http::StatusCode, headers: &http::HeaderMap, response: &mut Response) {
    response.clear();
    response.status = status;
    response.version = Version::Http2;
    for (name, value) in headers {
        response.fields.add(name.as_str().as_bytes(), value.as_bytes());
    }
}

impl OriginWrite for Writer {
    fn become_tunnel(&mut self) {}
}
