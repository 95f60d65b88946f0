//! Moving a body from a reader to a writer, at the pace of the slower one.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::io::Deadline;

use super::{BodyError, BodyRead, BodyWrite, Frame};

/// Which side broke a relay off.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Reading failed.
    #[error("reading the body: {0}")]
    Read(BodyError),
    /// Writing failed.
    #[error("writing the body: {0}")]
    Write(BodyError),
}

/// How long either side of a relay may keep the other waiting.
#[derive(Debug)]
pub(crate) struct Stalls {
    read: Duration,
    write: Duration,
    /// Whether the deadline is another relay's, and is only put off by this one.
    yields: Cell<bool>,
    waits_to_write: Cell<bool>,
}

impl Stalls {
    /// So long for whom is read from, so long for whom is written to.
    pub(crate) fn new(read: Duration, write: Duration) -> Self {
        Self { read, write, yields: Cell::new(false), waits_to_write: Cell::new(false) }
    }

    /// So long for either.
    pub(crate) fn both(stall: Duration) -> Self {
        Self::new(stall, stall)
    }

    /// From here on the deadline is another relay's.
    pub(crate) fn yields(&self) {
        self.yields.set(true);
    }

    /// Whether it is the side written to that keeps the other waiting.
    pub(crate) fn waits_to_write(&self) -> bool {
        self.waits_to_write.get()
    }

    /// Notes who is waited for, and gives him his time, if it begins now.
    fn wait(&self, to_write: bool, progress: bool, deadline: &Deadline) {
        if self.waits_to_write.replace(to_write) == to_write && !progress {
            return;
        }
        let stall = if to_write { self.write } else { self.read };
        if self.yields.get() {
            deadline.put_off(stall);
        } else {
            deadline.set(stall);
        }
    }
}

/// Moves the whole body, trailers included. Holds at most what is in the two buffers; flushes whenever nothing
/// more is at hand, so that streams are not delayed. Each byte moved puts the deadline off by what the side has that is
/// waited for next.
///
/// # Errors
/// When either side breaks off. Exceeding the deadline is for the caller to watch.
pub(crate) async fn relay(
    reader: &mut (impl BodyRead + ?Sized),
    writer: &mut (impl BodyWrite + ?Sized),
    deadline: &Deadline,
    stalls: &Stalls,
    moved_bytes: &Cell<u64>,
) -> Result<(), RelayError> {
    let mut over = false;
    poll_fn(|cx| {
        let mut progress = false;
        loop {
            if over {
                let ended = writer.poll_end(cx, reader.trailers()).map_err(RelayError::Write);
                if ended.is_pending() {
                    stalls.wait(true, progress, deadline);
                }
                return ended;
            }
            if reader.data().is_empty() {
                match reader.poll_frame(cx) {
                    Poll::Ready(Ok(Frame::Data)) => {}
                    Poll::Ready(Ok(Frame::End)) => {
                        over = true;
                        continue;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(RelayError::Read(error))),
                    Poll::Pending => {
                        let flushed = writer.poll_flush(cx).map_err(RelayError::Write)?;
                        stalls.wait(flushed.is_pending(), progress, deadline);
                        return Poll::Pending;
                    }
                }
            }
            let last = reader.ends_with_data();
            let taken = match writer.poll_data(cx, reader.data(), last) {
                Poll::Ready(taken) => taken.map_err(RelayError::Write)?,
                Poll::Pending => {
                    stalls.wait(true, progress, deadline);
                    return Poll::Pending;
                }
            };
            over = last && taken == reader.data().len();
            reader.consume(taken);
            moved_bytes.set(moved_bytes.get() + taken as u64);
            progress = true;
        }
    })
    .await
}

/// Moves bytes both ways until both sides have ended, one has failed, or nothing has moved for `idle`.
pub async fn relay_both(
    (from_client, to_client): (&mut (impl BodyRead + ?Sized), &mut (impl BodyWrite + ?Sized)),
    (from_origin, to_origin): (&mut (impl BodyRead + ?Sized), &mut (impl BodyWrite + ?Sized)),
    deadline: &Deadline,
    idle: Duration,
    received_bytes: &Cell<u64>,
    sent_bytes: &Cell<u64>,
) {
    deadline.set(idle);
    let (up_stalls, down_stalls) = (Stalls::both(idle), Stalls::both(idle));
    let mut up = pin!(relay(from_client, to_origin, deadline, &up_stalls, received_bytes));
    let mut down = pin!(relay(from_origin, to_client, deadline, &down_stalls, sent_bytes));
    let (mut up_over, mut down_over) = (false, false);
    let both = poll_fn(|cx| {
        if !up_over && let Poll::Ready(result) = up.as_mut().poll(cx) {
            if result.is_err() {
                return Poll::Ready(());
            }
            up_over = true;
        }
        if !down_over && let Poll::Ready(result) = down.as_mut().poll(cx) {
            if result.is_err() {
                return Poll::Ready(());
            }
            down_over = true;
        }
        if up_over && down_over { Poll::Ready(()) } else { Poll::Pending }
    });
    // Passing the deadline ends a tunnel as its own end does.
    let _ = deadline.guard(both).await;
}
