//! HTTP/1.1 bodies over a connection whose two directions are used side by side.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncWrite, Interest};

use crate::head::{Fields, Name};
use crate::http1::chunked::{self, Decoder, Step};
use crate::http1::framing::Framing;
use crate::io::{Buffer, Transport};

use super::{BodyError, BodyRead, BodyWrite, Frame};

/// Bytes up to which output is gathered rather than written at once.
const GATHER_BYTES: usize = 8 * 1024;

/// Reads a body from a connection.
pub struct Reader<'a> {
    io: &'a RefCell<Transport>,
    buffer: &'a mut Buffer,
    state: Reading,
    /// How many bytes at the front of the buffer are body bytes, known without looking again.
    at_hand: usize,
    trailers: Option<Box<Fields>>,
}

#[derive(Debug)]
enum Reading {
    Length(u64),
    Chunked(Decoder),
    UntilClose,
    Done,
}

impl<'a> Reader<'a> {
    /// A body of that framing whose first bytes may be in the buffer already.
    pub fn new(io: &'a RefCell<Transport>, buffer: &'a mut Buffer, framing: Framing) -> Self {
        let mut reader = Self { io, buffer, state: Reading::Done, at_hand: 0, trailers: None };
        reader.restart(framing);
        reader
    }

    /// Starts over with another framing, for the next message on the same connection.
    pub fn restart(&mut self, framing: Framing) {
        self.state = match framing {
            Framing::Empty => Reading::Done,
            Framing::Length(n) => Reading::Length(n),
            Framing::Chunked => Reading::Chunked(Decoder::default()),
            Framing::UntilClose => Reading::UntilClose,
        };
        self.at_hand = 0;
        self.see();
    }

    /// The bytes read, framing and all: for reading a head before the body.
    pub fn buffer(&mut self) -> &mut Buffer {
        self.buffer
    }

    /// Reads more bytes; 0 is the end of the stream.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.io.borrow_mut().poll_fill(cx, self.buffer)
    }

    /// For framings that need no decoding: what of the buffer is body.
    fn see(&mut self) {
        let filled = self.buffer.filled().len();
        match self.state {
            Reading::Length(left) => self.at_hand = usize::try_from(left).unwrap_or(usize::MAX).min(filled),
            Reading::UntilClose => self.at_hand = filled,
            Reading::Chunked(_) | Reading::Done => {}
        }
    }

    /// Looks for body bytes in the buffer; `None` when more must be read.
    fn decode(&mut self) -> Result<Option<Frame>, BodyError> {
        self.see();
        loop {
            if self.at_hand > 0 {
                return Ok(Some(Frame::Data));
            }
            let Reading::Chunked(decoder) = &mut self.state else {
                return Ok(matches!(self.state, Reading::Done).then_some(Frame::End));
            };
            let trailers = self.trailers.get_or_insert_default();
            match decoder.step(self.buffer.filled(), trailers).map_err(|_| BodyError::Malformed)? {
                Step::Skip(n) => self.buffer.consume(n),
                Step::Data(n) => self.at_hand = n,
                Step::End(n) => {
                    self.buffer.consume(n);
                    self.state = Reading::Done;
                }
                Step::More => return Ok(None),
            }
        }
    }
}

impl BodyRead for Reader<'_> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, BodyError>> {
        loop {
            if let Some(frame) = self.decode()? {
                return Poll::Ready(Ok(frame));
            }
            if self.buffer.room().is_empty() {
                // Only framing can be left over, and its parts are limited to less than a buffer.
                return Poll::Ready(Err(BodyError::Malformed));
            }
            let read = match self.io.borrow_mut().poll_fill(cx, self.buffer) {
                Poll::Ready(read) => read,
                Poll::Pending => {
                    // While a stream is silent its buffer can serve another.
                    self.buffer.release_if_empty();
                    return Poll::Pending;
                }
            };
            match read {
                Ok(0) if matches!(self.state, Reading::UntilClose) => self.state = Reading::Done,
                Ok(0) => return Poll::Ready(Err(BodyError::Truncated)),
                Ok(_) => {}
                // A TLS peer that just closes has not said that this was all (RFC 9112 §9.8).
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Err(BodyError::Truncated));
                }
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    #[inline]
    fn data(&self) -> &[u8] {
        &self.buffer.filled()[..self.at_hand]
    }

    #[inline]
    fn consume(&mut self, n: usize) {
        self.buffer.consume(n);
        self.at_hand -= n;
        match &mut self.state {
            Reading::Length(left) => {
                *left -= n as u64;
                if *left == 0 {
                    self.state = Reading::Done;
                }
            }
            Reading::Chunked(decoder) => decoder.took(n),
            Reading::UntilClose | Reading::Done => {}
        }
    }

    #[inline]
    fn ends_with_data(&self) -> bool {
        matches!(self.state, Reading::Length(left) if left == self.at_hand as u64)
    }

    fn trailers(&self) -> Option<&Fields> {
        self.trailers.as_deref().filter(|trailers| self.is_done() && !trailers.is_empty())
    }

    fn is_done(&self) -> bool {
        matches!(self.state, Reading::Done)
    }

    fn become_tunnel(&mut self) {
        self.restart(Framing::UntilClose);
    }
}

/// Writes heads and bodies to a connection.
pub struct Writer<'a> {
    io: &'a RefCell<Transport>,
    out: &'a mut Vec<u8>,
    sent: usize,
    /// Whether any byte has left since the last [`Writer::mark`].
    left: bool,
    state: Writing,
}

#[derive(Debug, Clone, Copy)]
enum Writing {
    /// Bytes still promised by `Content-Length`.
    Length(u64),
    /// Bytes still promised by the chunk that was opened.
    Chunked { owed: usize },
    /// Everything until the connection's end.
    Raw,
    /// The body is over (or there is none).
    Done,
}

impl<'a> Writer<'a> {
    /// A writer with nothing to say yet; `out` is its scratch memory.
    pub fn new(io: &'a RefCell<Transport>, out: &'a mut Vec<u8>) -> Self {
        out.clear();
        Self { io, out, sent: 0, left: false, state: Writing::Done }
    }

    /// Forgets what has left so far, for [`Writer::has_left`].
    pub fn mark(&mut self) {
        self.left = false;
    }

    /// Whether any byte has left since the mark: what has not can be taken back.
    pub fn has_left(&self) -> bool {
        self.left
    }

    /// Where the bytes of a head are appended.
    pub fn head(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Begins a body of that framing.
    pub fn begin(&mut self, framing: Framing) {
        self.state = match framing {
            Framing::Empty => Writing::Done,
            Framing::Length(n) => Writing::Length(n),
            Framing::Chunked => Writing::Chunked { owed: 0 },
            Framing::UntilClose => Writing::Raw,
        };
    }

    /// Forgets what has not been sent, to answer otherwise or to try another connection.
    pub fn discard(&mut self) {
        self.out.clear();
        self.sent = 0;
        self.state = Writing::Done;
    }

    /// Ready when the peer has closed its side (or the connection), seen without taking any of its bytes.
    pub fn poll_peer_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let io = self.io.borrow();
        let Some(tcp) = io.tcp() else { return Poll::Pending };
        let mut byte = [0];
        match tcp.poll_peek(cx, &mut tokio::io::ReadBuf::new(&mut byte)) {
            Poll::Ready(Ok(1..)) | Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(()),
        }
    }

    /// Waits until the peer has closed its side (or the connection), whatever of its bytes is still to be read. Behind
    /// more bytes than the system takes, the end does not arrive until some are.
    #[allow(
        clippy::await_holding_refcell_ref,
        reason = "for as long as this waits nothing else uses the connection"
    )]
    pub async fn peer_closed(&self) {
        let io = self.io.borrow();
        let Some(tcp) = io.tcp() else { return std::future::pending().await };
        // Unread bytes make a socket readable for good. Urgent ones nobody sends, and their readers hear of the end, too.
        let ready = tcp.ready(Interest::PRIORITY).await;
        if ready.is_ok_and(|ready| !ready.is_read_closed()) {
            std::future::pending::<()>().await;
        }
    }

    fn pending(&self) -> usize {
        self.out.len() - self.sent
    }

    /// Writes what is pending, then `data`; says how much of `data` left.
    fn poll_write_through(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let mut io = self.io.borrow_mut();
        let mut io = Pin::new(&mut *io);
        while self.sent < self.out.len() {
            let pending = &self.out[self.sent..];
            let n = if data.is_empty() {
                ready!(io.as_mut().poll_write(cx, pending))?
            } else {
                ready!(io.as_mut().poll_write_vectored(cx, &[IoSlice::new(pending), IoSlice::new(data)]))?
            };
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.left = true;
            let of_data = n.saturating_sub(pending.len());
            self.sent += n - of_data;
            if of_data > 0 {
                self.clear_sent();
                return Poll::Ready(Ok(of_data));
            }
        }
        self.clear_sent();
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        match ready!(io.poll_write(cx, data))? {
            0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            n => Poll::Ready(Ok(n)),
        }
    }

    fn clear_sent(&mut self) {
        self.out.clear();
        self.sent = 0;
    }

    /// Takes bytes: gathers few, writes many.
    fn poll_take(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, BodyError>> {
        if self.pending() + data.len() <= GATHER_BYTES {
            self.out.extend_from_slice(data);
            return Poll::Ready(Ok(data.len()));
        }
        Poll::Ready(Ok(ready!(self.poll_write_through(cx, data))?))
    }
}

impl BodyWrite for Writer<'_> {
    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
        _last: bool,
    ) -> Poll<Result<usize, BodyError>> {
        match self.state {
            Writing::Raw => self.poll_take(cx, data),
            Writing::Length(left) => {
                // More than was promised must not reach the peer as the next message.
                if data.len() as u64 > left {
                    return Poll::Ready(Err(BodyError::Malformed));
                }
                let taken = ready!(self.poll_take(cx, data))?;
                self.state = match left - taken as u64 {
                    0 => Writing::Done,
                    left => Writing::Length(left),
                };
                Poll::Ready(Ok(taken))
            }
            Writing::Chunked { mut owed } => {
                if owed == 0 {
                    chunked::write_size(self.out, data.len());
                    owed = data.len();
                    self.state = Writing::Chunked { owed };
                }
                let taken = ready!(self.poll_take(cx, &data[..owed.min(data.len())]))?;
                owed -= taken;
                if owed == 0 {
                    self.out.extend_from_slice(b"\r\n");
                }
                self.state = Writing::Chunked { owed };
                Poll::Ready(Ok(taken))
            }
            Writing::Done => Poll::Ready(Err(BodyError::Malformed)),
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>, trailers: Option<&Fields>) -> Poll<Result<(), BodyError>> {
        match self.state {
            Writing::Chunked { owed: 0 } => {
                self.out.extend_from_slice(b"0\r\n");
                if let Some(trailers) = trailers {
                    write_trailers(trailers, self.out);
                }
                self.out.extend_from_slice(b"\r\n");
                self.state = Writing::Done;
            }
            Writing::Done | Writing::Raw => {}
            Writing::Length(_) | Writing::Chunked { .. } => return Poll::Ready(Err(BodyError::Truncated)),
        }
        ready!(self.poll_flush(cx))?;
        if matches!(self.state, Writing::Raw) {
            ready!(Pin::new(&mut *self.io.borrow_mut()).poll_shutdown(cx))?;
            self.state = Writing::Done;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        if self.sent < self.out.len() {
            ready!(self.poll_write_through(cx, &[]))?;
        }
        let mut io = self.io.borrow_mut();
        if io.is_tls() {
            ready!(Pin::new(&mut *io).poll_flush(cx))?;
        }
        Poll::Ready(Ok(()))
    }
}

/// Trailers that frame, route or authenticate a message, or say where it comes from, are not forwarded (RFC 9110 §6.5.1).
fn write_trailers(trailers: &Fields, out: &mut Vec<u8>) {
    for (id, name, value) in trailers.iter() {
        if allowed_in_trailers(id, name) {
            out.extend_from_slice(name);
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Whether a field may stand in a trailer section.
pub(crate) fn allowed_in_trailers(id: Name, name: &[u8]) -> bool {
    use Name::{
        Age, Authorization, CacheControl, Connection, ContentLength, ContentRange, ContentType, Cookie, Date,
        Expect, Forwarded, Host, KeepAlive, Location, ProxyAuthenticate, ProxyAuthorization, ProxyConnection,
        Range, RetryAfter, SetCookie, Te, Trailer, TransferEncoding, Upgrade, XForwardedFor, XForwardedHost,
        XForwardedPort, XForwardedProto, XRealIp,
    };
    // An application that takes trailers for fields may take `_` for `-`, too.
    let id = if id == Name::Other { Name::as_cgi_reads(name) } else { id };
    #[rustfmt::skip]
    let forbidden = matches!(
        id,
        Age | Authorization | CacheControl | Connection | ContentLength | ContentRange | ContentType | Cookie | Date
            | Expect | Forwarded | Host | KeepAlive | Location | ProxyAuthenticate | ProxyAuthorization
            | ProxyConnection | Range | RetryAfter | SetCookie | Te | Trailer | TransferEncoding | Upgrade
            | XForwardedFor | XForwardedHost | XForwardedPort | XForwardedProto | XRealIp
    );
    !forbidden
}
