//! The client's end of an exchange: what it gets to see of it, as it comes.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::StatusCode;

use crate::body::{BodyError, BodyRead, Frame, RelayError, Stalls, relay};
use crate::downstream::Reply;
use crate::head::Fields;
use crate::io::Deadline;

use super::pipe::{Broken, Head, Pipe};

/// The client's end. When it is dropped the client counts as gone.
pub(crate) struct Tap {
    pipe: Rc<Pipe>,
    chunk: Bytes,
    trailers: Option<Fields>,
    is_done: bool,
}

/// What became of an answer on its way to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    /// It is whole.
    Whole,
    /// The client left before it.
    ClientLeft,
    /// The client takes no more of it.
    ClientStalled,
    /// The exchange broke off.
    Broken,
}

impl Tap {
    pub(super) fn new(pipe: Rc<Pipe>) -> Self {
        Self { pipe, chunk: Bytes::new(), trailers: None, is_done: false }
    }

    /// Passes the answer on, and says which status the client got, if it got one. While the client waits for the origin
    /// there is no deadline: the exchange has its own. A reply that is not whole is broken off.
    pub async fn pass<R: Reply>(
        mut self,
        reply: &mut R,
        deadline: &Deadline,
        stall: Duration,
        sent_bytes: &Cell<u64>,
    ) -> (Option<StatusCode>, Passed) {
        let head = match self.head(reply).await {
            Ok(head) => head,
            Err(why) => {
                reply.abort();
                return (None, why);
            }
        };
        if head.closes {
            reply.close_after();
        }
        reply.head(head.status, &head.fields, head.framing);
        let passed = self.body(reply, deadline, stall, sent_bytes).await;
        if passed != Passed::Whole {
            reply.abort();
        }
        (Some(head.status), passed)
    }

    async fn head<R: Reply>(&self, reply: &mut R) -> Result<Head, Passed> {
        loop {
            while let Some(interim) = self.pipe.take_interim() {
                reply.interim(&interim);
                if poll_fn(|cx| reply.poll_flush(cx)).await.is_err() {
                    return Err(Passed::ClientLeft);
                }
            }
            let head = poll_fn(|cx| {
                if self.pipe.has_interim() {
                    return Poll::Ready(None);
                }
                if let Poll::Ready(head) = self.pipe.poll_head(cx) {
                    return Poll::Ready(Some(head.map_err(|Broken| Passed::Broken)));
                }
                reply.poll_gone(cx).map(|()| Some(Err(Passed::ClientLeft)))
            });
            if let Some(head) = head.await {
                return head;
            }
        }
    }

    async fn body<R: Reply>(
        &mut self,
        reply: &mut R,
        deadline: &Deadline,
        stall: Duration,
        sent_bytes: &Cell<u64>,
    ) -> Passed {
        let pipe = Rc::clone(&self.pipe);
        deadline.set(stall);
        let stalls = Stalls::both(stall);
        let mut relaying = pin!(relay(self, reply, deadline, &stalls, sent_bytes));
        loop {
            match deadline.guard(relaying.as_mut()).await {
                Ok(Ok(())) => return Passed::Whole,
                Ok(Err(RelayError::Read(_))) => return Passed::Broken,
                Ok(Err(RelayError::Write(_))) => return Passed::ClientLeft,
                Err(_) if pipe.waits_for_origin() => deadline.set(stall),
                Err(_) => return Passed::ClientStalled,
            }
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.pipe.leave();
    }
}

impl BodyRead for Tap {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, BodyError>> {
        while self.chunk.is_empty() && !self.is_done {
            match ready!(self.pipe.poll_chunk(cx)) {
                Ok(Some(chunk)) => self.chunk = chunk,
                Ok(None) => {
                    self.trailers = self.pipe.trailers();
                    self.is_done = true;
                }
                Err(Broken) => return Poll::Ready(Err(BodyError::Truncated)),
            }
        }
        Poll::Ready(Ok(if self.chunk.is_empty() { Frame::End } else { Frame::Data }))
    }

    fn data(&self) -> &[u8] {
        &self.chunk
    }

    fn consume(&mut self, n: usize) {
        self.chunk.advance(n);
    }

    fn ends_with_data(&self) -> bool {
        // With trailers the end is to be read, too.
        self.pipe.is_over() && self.pipe.trailers().is_none()
    }

    fn trailers(&self) -> Option<&Fields> {
        self.trailers.as_ref()
    }

    fn is_done(&self) -> bool {
        self.chunk.is_empty() && (self.is_done || self.pipe.is_over())
    }
}
