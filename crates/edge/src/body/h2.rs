//! HTTP/2 bodies (RFC 9113 §8.1): DATA frames under flow control, and trailers.

use std::task::{Context, Poll, ready};

use ::h2::{RecvStream, SendStream};
use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::body::h1::allowed_in_trailers;
use crate::head::Fields;

use super::{BodyError, BodyRead, BodyWrite, Frame};

/// The largest piece handed to the connection at once; a frame is 16 KiB unless negotiated otherwise.
const PIECE_BYTES: usize = 16 * 1024;

/// Reads a body from a stream.
pub struct Reader {
    stream: Option<RecvStream>,
    data: Bytes,
    trailers: Option<Box<Fields>>,
}

impl Reader {
    /// The body of a stream; none when the head ended it.
    pub fn new(stream: Option<RecvStream>) -> Self {
        let stream = stream.filter(|stream| !stream.is_end_stream());
        Self { stream, data: Bytes::new(), trailers: None }
    }
}

impl BodyRead for Reader {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, BodyError>> {
        loop {
            if !self.data.is_empty() {
                return Poll::Ready(Ok(Frame::Data));
            }
            let Some(stream) = &mut self.stream else { return Poll::Ready(Ok(Frame::End)) };
            match ready!(stream.poll_data(cx)) {
                Some(data) => self.data = data?,
                None => {
                    if let Some(trailers) = ready!(stream.poll_trailers(cx))? {
                        self.trailers = Some(Box::new(fields_of(&trailers)));
                    }
                    self.stream = None;
                }
            }
        }
    }

    fn data(&self) -> &[u8] {
        &self.data
    }

    fn consume(&mut self, n: usize) {
        self.data.advance(n);
        if let Some(stream) = &mut self.stream {
            // Only now may the peer send as much again: back-pressure. It fails only on a stream already gone.
            let _ = stream.flow_control().release_capacity(n);
        }
    }

    fn ends_with_data(&self) -> bool {
        self.stream.as_ref().is_none_or(RecvStream::is_end_stream)
    }

    fn trailers(&self) -> Option<&Fields> {
        self.trailers.as_deref()
    }

    fn is_done(&self) -> bool {
        self.data.is_empty() && self.stream.as_ref().is_none_or(RecvStream::is_end_stream)
    }
}

/// Writes a body to a stream.
pub struct Writer {
    stream: Option<SendStream<Bytes>>,
}

impl Writer {
    /// A writer to a stream whose head is sent; none when that ended it.
    pub fn new(stream: Option<SendStream<Bytes>>) -> Self {
        Self { stream }
    }

    /// Resets the stream.
    pub fn reset(&mut self, reason: ::h2::Reason) {
        if let Some(mut stream) = self.stream.take() {
            stream.send_reset(reason);
        }
    }
}

impl BodyWrite for Writer {
    fn poll_data(&mut self, cx: &mut Context<'_>, data: &[u8], last: bool) -> Poll<Result<usize, BodyError>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(Err(BodyError::Truncated)) };
        if stream.capacity() == 0 {
            stream.reserve_capacity(data.len().min(PIECE_BYTES));
            while stream.capacity() == 0 {
                match ready!(stream.poll_capacity(cx)) {
                    Some(capacity) => capacity?,
                    None => return Poll::Ready(Err(BodyError::Truncated)),
                };
            }
        }
        let n = stream.capacity().min(data.len());
        let ends = last && n == data.len();
        stream.send_data(Bytes::copy_from_slice(&data[..n]), ends)?;
        if ends {
            self.stream = None;
        }
        Poll::Ready(Ok(n))
    }

    fn poll_end(&mut self, _cx: &mut Context<'_>, trailers: Option<&Fields>) -> Poll<Result<(), BodyError>> {
        if let Some(mut stream) = self.stream.take() {
            match trailers {
                Some(trailers) => stream.send_trailers(trailer_map(trailers))?,
                None => stream.send_data(Bytes::new(), true)?,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        // The connection's own task flushes; here only a reset by the peer is of interest.
        match &mut self.stream {
            Some(stream) => match stream.poll_reset(cx) {
                Poll::Ready(reason) => Poll::Ready(Err(BodyError::Stream(reason?.into()))),
                Poll::Pending => Poll::Ready(Ok(())),
            },
            None => Poll::Ready(Ok(())),
        }
    }
}

/// Copies a header map.
pub(crate) fn fields_of(map: &HeaderMap) -> Fields {
    let mut fields = Fields::default();
    // The `http` crate takes a quote for a part of a name, HTTP/1.1 does not.
    for (name, value) in map.iter().filter(|(name, _)| !name.as_str().contains('"')) {
        fields.add(name.as_str().as_bytes(), value.as_bytes());
    }
    fields
}

fn trailer_map(fields: &Fields) -> HeaderMap {
    let allowed = fields.iter().filter(|(id, name, _)| allowed_in_trailers(*id, name));
    allowed
        .filter_map(|(_, name, value)| {
            Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
        })
        .collect()
}
