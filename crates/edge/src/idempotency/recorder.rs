//! The exchange's end of an attempt: what the origin answers goes to the client and is kept for repeats.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::StatusCode;

use crate::body::{BodyError, BodyWrite};
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::head::{Fields, Response};
use crate::http1::framing::Framing;

use super::answer::{Answer, Kept, fields_weight, kept_fields};
use super::attempt::{Attempt, Outcome};
use super::buffers::Share;
use super::pipe::{Gone, Pipe};
use super::tap::Tap;

/// The exchange's end. `F` tells whether what is sent is an answer of ours to something that failed.
pub(crate) struct Recorder<F> {
    attempt: Rc<Attempt>,
    pipe: Rc<Pipe>,
    failure: F,
    state: State,
    /// Bytes of the body that are still to come, where its length was stated.
    left: Option<u64>,
}

enum State {
    /// For a head.
    Waiting,
    /// The answer is being recorded.
    Recording(Box<Recording>),
    /// It is only passed on, and this is what comes of the attempt once it is over.
    Passing(Outcome),
    /// All of it is here.
    Over(Outcome),
    /// It broke off.
    Aborted,
}

struct Recording {
    status: StatusCode,
    fields: Fields,
    chunks: Vec<Bytes>,
    bytes: usize,
    share: Share,
}

impl<F: Fn() -> Option<Failure>> Recorder<F> {
    /// Both ends of an attempt.
    pub fn new(attempt: Rc<Attempt>, failure: F) -> (Self, Tap) {
        let pipe = Pipe::new();
        let tap = Tap::new(Rc::clone(&pipe));
        (Self { attempt, pipe, failure, state: State::Waiting, left: None }, tap)
    }

    /// Makes the exchange (which sends its answer here), keeps hold of the key meanwhile, and settles it. For a task of
    /// its own, so that it goes on when the client leaves.
    pub async fn run(mut self, exchange: impl AsyncFnOnce(&mut Self)) {
        let (attempt, pipe) = (Rc::clone(&self.attempt), Rc::clone(&self.pipe));
        attempt.drive(exchange(&mut self), &pipe).await;
        let (outcome, is_whole) = self.outcome();
        let settled = attempt.settle(&outcome).await;
        // Only now: a client that has its answer and repeats the request finds it stored.
        if is_whole {
            pipe.end();
        } else {
            pipe.abort();
        }
        drop(self);
        if let Err(reason) = settled {
            attempt.insist(&outcome, reason).await;
        }
    }

    /// What the attempt has come to, and whether the client's answer is whole.
    fn outcome(&mut self) -> (Outcome, bool) {
        match std::mem::replace(&mut self.state, State::Aborted) {
            State::Over(outcome) => (outcome, true),
            // Once it is known that it is not kept whole, the rest of it changes nothing.
            State::Passing(outcome) => (outcome, false),
            State::Waiting | State::Recording(_) | State::Aborted => (self.without_answer(), false),
        }
    }

    fn without_answer(&self) -> Outcome {
        if self.attempt.was_sent() { Outcome::Unknown } else { Outcome::Free }
    }

    /// Whether a piece is the last one. An HTTP/2 origin says so later than the length does.
    fn is_last(&mut self, bytes: usize, last: bool) -> bool {
        let Some(left) = &mut self.left else { return last };
        *left = left.saturating_sub(bytes as u64);
        last || *left == 0
    }

    /// The answer is too large to be kept; that there was one is.
    fn too_large(status: StatusCode) -> Outcome {
        Outcome::Finished(Arc::new(Kept::TooLarge(status)))
    }
}

impl Recording {
    /// Keeps a piece, if it still fits.
    fn keep(&mut self, chunk: &Bytes, most: usize) -> bool {
        let fits = self.bytes + chunk.len() <= most && self.share.grow(chunk.len());
        if fits {
            self.bytes += chunk.len();
            self.chunks.push(chunk.clone());
        }
        fits
    }

    fn finish(self, trailers: Option<&Fields>) -> (Outcome, Share) {
        let body = match <[Bytes; 1]>::try_from(self.chunks) {
            Ok([only]) => only,
            Err(chunks) => Bytes::from(chunks.concat()),
        };
        let trailers = trailers.cloned().unwrap_or_default();
        let answer = Answer { status: self.status, fields: self.fields, body, trailers };
        (Outcome::Finished(Arc::new(Kept::Whole(Arc::new(answer)))), self.share)
    }
}

impl<F: Fn() -> Option<Failure>> Reply for Recorder<F> {
    fn interim(&mut self, response: &Response) {
        self.pipe.interim(response);
    }

    fn head(&mut self, status: StatusCode, fields: &Fields, framing: Framing) {
        let plan = self.attempt.plan();
        self.state = if (self.failure)().is_some() {
            // An answer of ours, to an origin that gave none.
            State::Passing(self.without_answer())
        } else if !plan.keeps(status) {
            State::Passing(Outcome::Free)
        } else {
            let fields = kept_fields(fields, plan.keep_cookies);
            let bytes = fields_weight(&fields);
            let mut share = Share::of(self.attempt.keeper().buffers());
            if bytes <= plan.max_response && share.grow(bytes) {
                State::Recording(Box::new(Recording { status, fields, chunks: Vec::new(), bytes, share }))
            } else {
                State::Passing(Self::too_large(status))
            }
        };
        self.left = if let Framing::Length(length) = framing { Some(length) } else { None };
        self.pipe.head(status, fields, framing);
    }

    fn stored(&mut self, _: StatusCode, _: [&[u8]; 2], _: &[u8]) {
        // Nothing stored is ever sent to an attempt.
        self.abort();
    }

    fn tunnel(&mut self, _: StatusCode, _: &Fields, _: Option<&[u8]>) {
        // Only safe methods and CONNECT become tunnels, and they have no keys.
        self.abort();
    }

    fn abort(&mut self) {
        if !matches!(self.state, State::Passing(_)) {
            self.state = State::Aborted;
        }
    }

    fn poll_gone(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        // Whoever leaves may come back with its key.
        Poll::Pending
    }

    fn head_sent(&self) -> bool {
        !matches!(self.state, State::Waiting)
    }

    fn close_after(&mut self) {
        self.pipe.close_after();
    }
}

impl<F: Fn() -> Option<Failure>> BodyWrite for Recorder<F> {
    fn poll_data(&mut self, cx: &mut Context<'_>, data: &[u8], last: bool) -> Poll<Result<usize, BodyError>> {
        let most = self.attempt.plan().max_response;
        if let State::Recording(recording) = &mut self.state {
            let chunk = Bytes::copy_from_slice(data);
            if recording.keep(&chunk, most) {
                let last = self.is_last(data.len(), last);
                self.pipe.push(chunk, last);
                return Poll::Ready(Ok(data.len()));
            }
            self.state = State::Passing(Self::too_large(recording.status));
        }
        if let State::Passing(_) = self.state {
            // At the client's pace: this is not kept.
            ready!(self.pipe.poll_room(cx)).map_err(|Gone| BodyError::Truncated)?;
            let last = self.is_last(data.len(), last);
            self.pipe.push(Bytes::copy_from_slice(data), last);
            return Poll::Ready(Ok(data.len()));
        }
        Poll::Ready(Err(BodyError::Malformed))
    }

    fn poll_end(&mut self, _cx: &mut Context<'_>, trailers: Option<&Fields>) -> Poll<Result<(), BodyError>> {
        self.pipe.set_trailers(trailers);
        self.state = match std::mem::replace(&mut self.state, State::Aborted) {
            State::Recording(recording) => {
                let (outcome, share) = recording.finish(trailers);
                self.pipe.hold(share);
                State::Over(outcome)
            }
            State::Passing(outcome) => State::Over(outcome),
            state => state,
        };
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        Poll::Ready(Ok(()))
    }
}

impl<F> Drop for Recorder<F> {
    fn drop(&mut self) {
        // Has no effect on an answer that is whole.
        self.pipe.abort();
    }
}
