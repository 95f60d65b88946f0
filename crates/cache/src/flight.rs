//! Coalescing: one fetch per key however many ask, its answer read by all while it arrives.
//!
//! A fetch keeps its bytes until it lands, so that whoever joins late reads from the start. Once the answer turns out
//! to be for one client only, or too large to keep, the fetch is *closed*: nobody joins any longer, bytes everybody
//! has read are dropped, and the fetch waits for the slowest of its readers.

mod table;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use slab::Slab;

use crate::purge::Epoch;

pub use table::{Flights, Joined, Lead};

/// Bytes a closed fetch may be ahead of its slowest reader.
const WINDOW_BYTES: u64 = 256 * 1024;

/// One fetch under way. `H` is what is known of an answer before its body, `E` why there is none.
#[derive(Debug)]
pub struct Flight<H, E> {
    born: Epoch,
    state: Mutex<State<H, E>>,
    /// What all flights hold, bytes.
    held: Arc<AtomicUsize>,
}

/// Who may read a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Whoever asks, now or later.
    Everybody,
    /// Those who wait already: the body is too large to keep.
    Present,
    /// The one who began it.
    Leader,
}

#[derive(Debug)]
struct State<H, E> {
    phase: Phase<H, E>,
    audience: Audience,
    chunks: VecDeque<Chunk>,
    /// How many bytes and chunks went before those in `chunks`.
    dropped: Position,
    pushed_bytes: u64,
    over: Option<Result<(), Broken>>,
    readers: Slab<Reading>,
    writer: Option<Waker>,
}

/// A piece of a body, and how many of those who read have not read it.
#[derive(Debug)]
struct Chunk {
    bytes: Bytes,
    unread: usize,
}

#[derive(Debug)]
enum Phase<H, E> {
    Waiting,
    Answered(Arc<H>),
    Failed(E),
}

#[derive(Debug, Default, Clone, Copy)]
struct Position {
    bytes: u64,
    chunks: usize,
}

#[derive(Debug, Default)]
struct Reading {
    at: Position,
    waker: Option<Waker>,
}

/// The body broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body broke off")]
pub struct Broken;

/// As many read a flight as may.
struct Full;

/// What became of a fetch.
#[derive(Debug)]
pub enum Outcome<H, E> {
    /// The answer; its body can be read.
    Answered(Arc<H>),
    /// The answer is for another client only.
    NotForYou,
    /// There is none.
    Failed(E),
}

impl<H, E: Clone> Flight<H, E> {
    fn new(born: Epoch, held: Arc<AtomicUsize>) -> Self {
        let state = State {
            phase: Phase::Waiting,
            audience: Audience::Everybody,
            chunks: VecDeque::new(),
            dropped: Position::default(),
            pushed_bytes: 0,
            over: None,
            readers: Slab::new(),
            writer: None,
        };
        Self { born, state: Mutex::new(state), held }
    }

    /// When it began: what was purged since may be in its answer.
    pub fn born(&self) -> Epoch {
        self.born
    }

    fn state(&self) -> MutexGuard<'_, State<H, E>> {
        // A panic elsewhere leaves nothing half done: each change here is one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the answer's head, and whom it is for.
    pub fn answer(&self, head: Arc<H>, audience: Audience) {
        let mut state = self.state();
        state.phase = Phase::Answered(head);
        state.audience = audience;
        state.wake_readers();
    }

    /// Lets nobody join any longer, and keeps no more than the slowest reader needs.
    pub fn close(&self) {
        let mut state = self.state();
        if state.audience == Audience::Everybody {
            state.audience = Audience::Present;
        }
        state.drop_read(&self.held);
    }

    /// Tells that there will be no answer; once there is one, that its body broke off.
    pub fn fail(&self, error: E) {
        let mut state = self.state();
        if matches!(state.phase, Phase::Waiting) {
            state.phase = Phase::Failed(error);
        }
        state.over.get_or_insert(Err(Broken));
        state.wake_readers();
    }

    /// Adds to the body.
    pub fn push(&self, chunk: Bytes) {
        let mut state = self.state();
        self.held.fetch_add(chunk.len(), Relaxed);
        state.pushed_bytes += chunk.len() as u64;
        let unread = state.readers.len();
        state.chunks.push_back(Chunk { bytes: chunk, unread });
        state.wake_readers();
    }

    /// Ready while more may be pushed.
    ///
    /// # Errors
    /// When nothing is kept and nobody reads: there is no use in going on.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let mut state = self.state();
        if state.audience == Audience::Everybody {
            return Poll::Ready(Ok(()));
        }
        if state.readers.is_empty() {
            return Poll::Ready(Err(Broken));
        }
        // What everybody has read is dropped: what is left begins where the slowest is.
        if state.pushed_bytes - state.dropped.bytes < WINDOW_BYTES {
            return Poll::Ready(Ok(()));
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Ends the body, whole or broken off.
    pub fn end(&self, result: Result<(), Broken>) {
        let mut state = self.state();
        state.over.get_or_insert(result);
        state.wake_readers();
    }
}

impl<H, E> State<H, E> {
    fn wake_readers(&mut self) {
        for (_, reading) in &mut self.readers {
            if let Some(waker) = reading.waker.take() {
                waker.wake();
            }
        }
    }

    /// Drops what everybody has read, unless somebody may still join.
    fn drop_read(&mut self, held: &AtomicUsize) {
        if self.audience == Audience::Everybody {
            return;
        }
        while self.chunks.front().is_some_and(|chunk| chunk.unread == 0) {
            let Some(Chunk { bytes, .. }) = self.chunks.pop_front() else { break };
            held.fetch_sub(bytes.len(), Relaxed);
            self.dropped.chunks += 1;
            self.dropped.bytes += bytes.len() as u64;
        }
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }

    /// One more reader, who has read nothing.
    fn begin(&mut self) -> usize {
        self.chunks.iter_mut().for_each(|chunk| chunk.unread += 1);
        self.readers.insert(Reading::default())
    }
}

impl<H, E> Drop for Flight<H, E> {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let left: usize = state.chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        self.held.fetch_sub(left, Relaxed);
    }
}

/// Reads one flight from its beginning.
#[derive(Debug)]
pub struct Reader<H, E> {
    flight: Arc<Flight<H, E>>,
    key: usize,
    is_leader: bool,
}

impl<H, E: Clone> Reader<H, E> {
    fn new(flight: Arc<Flight<H, E>>, is_leader: bool) -> Self {
        let key = flight.state().begin();
        Self { flight, key, is_leader }
    }

    /// One more reader, unless the flight is closed (`None`) or as many read as may.
    fn join(flight: &Arc<Flight<H, E>>, most: usize) -> Option<Result<Self, Full>> {
        let mut state = flight.state();
        if state.audience != Audience::Everybody {
            return None;
        }
        if state.readers.len() >= most {
            return Some(Err(Full));
        }
        let key = state.begin();
        drop(state);
        Some(Ok(Self { flight: Arc::clone(flight), key, is_leader: false }))
    }

    /// When the flight began: what was purged since may be in its answer.
    pub fn born(&self) -> Epoch {
        self.flight.born
    }

    /// Waits for the head.
    pub fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<H, E>> {
        let mut state = self.flight.state();
        match &state.phase {
            Phase::Waiting => {
                state.readers[self.key].waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Phase::Failed(error) => Poll::Ready(Outcome::Failed(error.clone())),
            Phase::Answered(_) if state.audience == Audience::Leader && !self.is_leader => {
                Poll::Ready(Outcome::NotForYou)
            }
            Phase::Answered(head) => Poll::Ready(Outcome::Answered(Arc::clone(head))),
        }
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// When the body broke off.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let mut state = self.flight.state();
        let at = state.readers[self.key].at;
        let index = at.chunks - state.dropped.chunks;
        let next = state.chunks.get_mut(index).map(|chunk| {
            chunk.unread -= 1;
            chunk.bytes.clone()
        });
        if let Some(chunk) = next {
            let reading = &mut state.readers[self.key];
            reading.at.chunks += 1;
            reading.at.bytes += chunk.len() as u64;
            state.drop_read(&self.flight.held);
            return Poll::Ready(Some(Ok(chunk)));
        }
        match state.over {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(Broken)) => Poll::Ready(Some(Err(Broken))),
            None => {
                state.readers[self.key].waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<H, E> Drop for Reader<H, E> {
    fn drop(&mut self) {
        let mut state = self.flight.state.lock().unwrap_or_else(PoisonError::into_inner);
        let at = state.readers.remove(self.key).at;
        let read = at.chunks.saturating_sub(state.dropped.chunks);
        state.chunks.iter_mut().skip(read).for_each(|chunk| chunk.unread -= 1);
        state.drop_read(&self.flight.held);
    }
}

#[cfg(test)]
mod tests;
