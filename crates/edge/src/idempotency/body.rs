//! Bodies in memory: a request's, read whole before it is judged, and a stored answer's.

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};

use crate::body::{BodyError, BodyRead, Frame};
use crate::failure::Failure;
use crate::head::Fields;
use crate::http1::framing::Framing;
use crate::io::Deadline;

use super::buffers::{Buffers, Share};

/// A body that is here, whole.
#[derive(Debug, Default)]
pub(crate) struct Buffered {
    rest: Bytes,
    trailers: Option<Fields>,
    /// Held for as long as the body is.
    _share: Option<Share>,
}

impl Buffered {
    /// Of an answer that is stored.
    pub fn stored(body: Bytes, trailers: &Fields) -> Self {
        Self { rest: body, trailers: (!trailers.is_empty()).then(|| trailers.clone()), _share: None }
    }
}

impl BodyRead for Buffered {
    fn poll_frame(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Frame, BodyError>> {
        Poll::Ready(Ok(if self.rest.is_empty() { Frame::End } else { Frame::Data }))
    }

    fn data(&self) -> &[u8] {
        &self.rest
    }

    fn consume(&mut self, n: usize) {
        self.rest.advance(n);
    }

    fn ends_with_data(&self) -> bool {
        true
    }

    fn trailers(&self) -> Option<&Fields> {
        self.trailers.as_ref()
    }

    fn is_done(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Why a body was not read whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotRead {
    /// It is larger than it may be.
    TooLarge,
    /// No memory is left for it.
    NoRoom,
    /// The client broke off, stalled, or sent more than any request may.
    Broken(Failure),
}

/// Reads a body of at most `most` bytes, and asks for it first where none of it is here. Each byte puts the deadline off
/// by `stall`.
pub(crate) async fn read_whole<B: BodyRead>(
    body: &mut B,
    framing: Framing,
    (most, buffers): (usize, &Arc<Buffers>),
    (deadline, stall): (&Deadline, Duration),
    received_bytes: &Cell<u64>,
    ask: impl AsyncFnOnce(),
) -> Result<Buffered, NotRead> {
    let mut share = Share::of(buffers);
    let mut bytes = Vec::new();
    if let Framing::Length(length) = framing {
        let length = usize::try_from(length).ok().filter(|length| *length <= most);
        let length = length.ok_or(NotRead::TooLarge)?;
        if !share.grow(length) {
            return Err(NotRead::NoRoom);
        }
        // Memory is taken as bytes come: a client that only announces them costs none.
    } else if framing == Framing::Empty {
        return Ok(Buffered::default());
    }
    let is_paid = matches!(framing, Framing::Length(_));
    deadline.set(stall);
    let is_here = !body.data().is_empty() || body.is_done();
    let reading = poll_fn(|cx| {
        loop {
            match ready!(body.poll_frame(cx)) {
                Ok(Frame::Data) => {}
                Ok(Frame::End) => return Poll::Ready(Ok(())),
                Err(BodyError::TooLarge) => {
                    return Poll::Ready(Err(NotRead::Broken(Failure::BodyTooLarge)));
                }
                Err(_) => return Poll::Ready(Err(NotRead::Broken(Failure::ClientAborted))),
            }
            let data = body.data();
            if bytes.len() + data.len() > most {
                return Poll::Ready(Err(NotRead::TooLarge));
            }
            if !is_paid && !share.grow(data.len()) {
                return Poll::Ready(Err(NotRead::NoRoom));
            }
            bytes.extend_from_slice(data);
            let n = data.len();
            body.consume(n);
            received_bytes.set(received_bytes.get() + n as u64);
            deadline.set(stall);
        }
    });
    let asked = async {
        if !is_here {
            ask().await;
        }
        reading.await
    };
    match deadline.guard(asked).await {
        Ok(read) => read?,
        Err(_) => return Err(NotRead::Broken(Failure::ClientStalled)),
    }
    let trailers = body.trailers().filter(|trailers| !trailers.is_empty()).cloned();
    Ok(Buffered { rest: bytes.into(), trailers, _share: Some(share) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body in pieces; `None` is silence.
    struct Pieces(Vec<Option<&'static [u8]>>);

    impl BodyRead for Pieces {
        fn poll_frame(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Frame, BodyError>> {
            match self.0.first() {
                Some(Some(_)) => Poll::Ready(Ok(Frame::Data)),
                Some(None) => Poll::Pending,
                None => Poll::Ready(Ok(Frame::End)),
            }
        }
        fn data(&self) -> &[u8] {
            self.0.first().copied().flatten().unwrap_or_default()
        }
        fn consume(&mut self, _n: usize) {
            self.0.remove(0);
        }
        fn ends_with_data(&self) -> bool {
            false
        }
        fn trailers(&self) -> Option<&Fields> {
            None
        }
        fn is_done(&self) -> bool {
            self.0.is_empty()
        }
    }

    async fn read(
        framing: Framing,
        pieces: Vec<Option<&'static [u8]>>,
        most: usize,
        room: usize,
    ) -> Result<Bytes, NotRead> {
        let (buffers, deadline, received) = (Buffers::new(room), Deadline::default(), Cell::new(0));
        let timing = (&deadline, Duration::from_secs(5));
        let bounds = (most, &buffers);
        let read = read_whole(&mut Pieces(pieces), framing, bounds, timing, &received, async || ()).await;
        if read.is_err() {
            assert_eq!(buffers.held_bytes(), 0);
        }
        read.map(|body| body.rest)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_read_whole_or_not_at_all() {
        let hello = || vec![Some(&b"hello "[..]), Some(b"world")];
        assert_eq!(read(Framing::Chunked, hello(), 11, 11).await.unwrap(), "hello world");
        assert_eq!(read(Framing::Length(11), hello(), 11, 11).await.unwrap(), "hello world");
        assert_eq!(read(Framing::Empty, vec![], 0, 0).await.unwrap(), "");
        assert_eq!(read(Framing::Chunked, vec![], 0, 0).await.unwrap(), "");

        assert_eq!(read(Framing::Chunked, hello(), 10, 11).await, Err(NotRead::TooLarge));
        assert_eq!(read(Framing::Length(11), vec![None], 10, 11).await, Err(NotRead::TooLarge));
        assert_eq!(read(Framing::Length(u64::MAX), vec![None], 10, 11).await, Err(NotRead::TooLarge));
        assert_eq!(read(Framing::Chunked, hello(), 11, 10).await, Err(NotRead::NoRoom));
        assert_eq!(read(Framing::Length(11), vec![None], 11, 10).await, Err(NotRead::NoRoom));
        let stalls = vec![Some(&b"hello "[..]), None];
        assert_eq!(
            read(Framing::Chunked, stalls, 11, 11).await,
            Err(NotRead::Broken(Failure::ClientStalled))
        );
    }
}
