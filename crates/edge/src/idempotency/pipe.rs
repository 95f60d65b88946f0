//! From an exchange with the origin to the client it was begun for. They are two tasks: the client may leave, the
//! exchange goes on.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::StatusCode;

use crate::head::{Fields, Response};
use crate::http1::framing::Framing;

use super::buffers::Share;

/// Interim responses that wait for the client; more are dropped.
const MOST_INTERIMS: usize = 8;
/// Bytes of an answer that is not kept that wait for the client.
const MOST_QUEUED: usize = 64 * 1024;

/// A final head.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub status: StatusCode,
    pub fields: Fields,
    pub framing: Framing,
    /// The client's connection must not be used after it.
    pub closes: bool,
}

/// How far an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    UnderWay,
    Ended,
    Aborted,
}

/// What is on its way.
pub(super) struct Pipe {
    state: RefCell<State>,
}

struct State {
    interims: VecDeque<Response>,
    head: Option<Head>,
    chunks: VecDeque<Bytes>,
    queued: usize,
    /// What would make the answer whole for the client. It is let go when the answer is stored, so that a repeat finds
    /// it there.
    withheld: Option<Withheld>,
    trailers: Option<Fields>,
    progress: Progress,
    /// The client's end is gone.
    is_gone: bool,
    closes: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    watcher: Option<Waker>,
    /// Memory of the chunks, held for as long as either end is.
    share: Option<Share>,
}

enum Withheld {
    Head(Head),
    Chunk(Bytes),
}

impl Pipe {
    pub fn new() -> Rc<Self> {
        let state = State {
            interims: VecDeque::new(),
            head: None,
            chunks: VecDeque::new(),
            queued: 0,
            withheld: None,
            trailers: None,
            progress: Progress::UnderWay,
            is_gone: false,
            closes: false,
            reader: None,
            writer: None,
            watcher: None,
            share: None,
        };
        Rc::new(Self { state: RefCell::new(state) })
    }

    // The exchange's end.

    pub fn interim(&self, response: &Response) {
        let mut state = self.state.borrow_mut();
        if state.interims.len() < MOST_INTERIMS && !state.is_gone {
            let fields = response.fields.clone();
            let (status, version) = (response.status, response.version);
            state.interims.push_back(Response { status, version, fields });
            state.wake_reader();
        }
    }

    /// Sends the head; one without a body makes the answer whole, and is withheld.
    pub fn head(&self, status: StatusCode, fields: &Fields, framing: Framing) {
        let mut state = self.state.borrow_mut();
        let head = Head { status, fields: fields.clone(), framing, closes: state.closes };
        if framing == Framing::Empty {
            state.withheld = Some(Withheld::Head(head));
        } else {
            state.head = Some(head);
            state.wake_reader();
        }
    }

    /// Sends a piece of the body; the last one makes the answer whole, and is withheld.
    pub fn push(&self, chunk: Bytes, last: bool) {
        let mut state = self.state.borrow_mut();
        if state.is_gone {
            return;
        }
        state.let_go();
        if last {
            state.withheld = Some(Withheld::Chunk(chunk));
        } else {
            state.queue(chunk);
        }
        state.wake_reader();
    }

    /// Ready once the client has taken most of what was sent; an error once it has left.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        let mut state = self.state.borrow_mut();
        if state.is_gone {
            return Poll::Ready(Err(Gone));
        }
        if state.queued < MOST_QUEUED {
            return Poll::Ready(Ok(()));
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    pub fn set_trailers(&self, trailers: Option<&Fields>) {
        self.state.borrow_mut().trailers = trailers.cloned();
    }

    /// The client's connection must not be used after this answer.
    pub fn close_after(&self) {
        self.state.borrow_mut().closes = true;
    }

    /// Holds memory for as long as either end is there.
    pub fn hold(&self, share: Share) {
        self.state.borrow_mut().share = Some(share);
    }

    /// Lets go what was withheld: the answer is whole.
    pub fn end(&self) {
        self.conclude(Progress::Ended);
    }

    /// The client must not take what it has for a whole answer.
    pub fn abort(&self) {
        self.conclude(Progress::Aborted);
    }

    fn conclude(&self, progress: Progress) {
        let mut state = self.state.borrow_mut();
        if state.progress != Progress::UnderWay {
            return;
        }
        state.progress = progress;
        if progress == Progress::Ended {
            state.let_go();
        }
        state.wake_reader();
    }

    /// Resolves once the client's end is gone.
    pub async fn gone(&self) {
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            if state.is_gone {
                return Poll::Ready(());
            }
            state.watcher = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    // The client's end.

    pub fn take_interim(&self) -> Option<Response> {
        self.state.borrow_mut().interims.pop_front()
    }

    /// Whether an interim response is to be sent before anything else.
    pub fn has_interim(&self) -> bool {
        !self.state.borrow().interims.is_empty()
    }

    /// The head; an error if there will be none.
    pub fn poll_head(&self, cx: &mut Context<'_>) -> Poll<Result<Head, Broken>> {
        let mut state = self.state.borrow_mut();
        match (state.head.take(), state.progress) {
            (Some(head), _) => Poll::Ready(Ok(head)),
            (None, Progress::UnderWay) => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            (None, _) => Poll::Ready(Err(Broken)),
        }
    }

    /// The next piece of the body; none at its end.
    pub fn poll_chunk(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Broken>> {
        let mut state = self.state.borrow_mut();
        if let Some(chunk) = state.chunks.pop_front() {
            state.queued -= chunk.len();
            if let Some(writer) = state.writer.take() {
                writer.wake();
            }
            return Poll::Ready(Ok(Some(chunk)));
        }
        match state.progress {
            Progress::UnderWay => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            Progress::Ended => Poll::Ready(Ok(None)),
            Progress::Aborted => Poll::Ready(Err(Broken)),
        }
    }

    /// Whether nothing follows what was taken.
    pub fn is_over(&self) -> bool {
        let state = self.state.borrow();
        state.progress == Progress::Ended && state.chunks.is_empty()
    }

    /// Whether the client waits for the origin, rather than the other way round.
    pub fn waits_for_origin(&self) -> bool {
        let state = self.state.borrow();
        state.progress == Progress::UnderWay && state.chunks.is_empty()
    }

    pub fn trailers(&self) -> Option<Fields> {
        self.state.borrow().trailers.clone()
    }

    pub fn leave(&self) {
        let mut state = self.state.borrow_mut();
        state.is_gone = true;
        state.chunks.clear();
        state.queued = 0;
        state.withheld = None;
        state.wake_reader();
        for waker in [state.writer.take(), state.watcher.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl State {
    fn queue(&mut self, chunk: Bytes) {
        self.queued += chunk.len();
        self.chunks.push_back(chunk);
    }

    fn let_go(&mut self) {
        match self.withheld.take() {
            Some(Withheld::Head(head)) => self.head = Some(head),
            Some(Withheld::Chunk(chunk)) => self.queue(chunk),
            None => {}
        }
    }

    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// The client has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

/// The exchange ended before its answer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;
