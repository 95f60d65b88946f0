//! Passing a WebSocket's bytes both ways, and ending it when the process leaves.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::body::{BodyError, BodyRead, BodyWrite, Frame};
use crate::io::Deadline;
use crate::worker::Worker;

use super::{CLOSE, Frames, MASKED};

/// "Going away" (RFC 6455 §7.4.1).
const GOING_AWAY: u16 = 1001;
/// How long both sides may take to answer a Close frame.
const GOODBYE: Duration = Duration::from_secs(5);

/// How far a direction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Passing,
    /// So many bytes of our Close frame are sent.
    Closing(usize),
    /// Nothing may follow our Close frame: what still comes is dropped, until its sender says goodbye, too.
    Dropping,
    /// The sender has ended: the receiver is told so.
    Ending,
    /// Nothing more is passed.
    Over,
}

/// One direction.
struct Direction<'a, R: ?Sized, W: ?Sized> {
    reader: &'a mut R,
    writer: &'a mut W,
    frames: Frames,
    stage: Stage,
    /// Our Close frame, for the receiver.
    goodbye: Vec<u8>,
    moved_bytes: &'a Cell<u64>,
}

/// A Close frame; whoever takes the place of a client masks it (RFC 6455 §5.3).
fn goodbye(mask: Option<[u8; 4]>) -> Vec<u8> {
    let code = GOING_AWAY.to_be_bytes();
    let mut frame = vec![0x80 | CLOSE, code.len() as u8];
    match mask {
        None => frame.extend_from_slice(&code),
        Some(mask) => {
            frame[1] |= MASKED;
            frame.extend_from_slice(&mask);
            frame.extend(code.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
        }
    }
    frame
}

impl<R: BodyRead + ?Sized, W: BodyWrite + ?Sized> Direction<'_, R, W> {
    /// Goes on as far as it can; ready when nothing more is to be passed.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        leaving: bool,
        progress: impl Fn(),
    ) -> Poll<Result<(), BodyError>> {
        loop {
            match self.stage {
                Stage::Passing if leaving && self.frames.is_between() && !self.frames.has_closed() => {
                    self.stage = Stage::Closing(0);
                }
                Stage::Passing => {
                    if !ready!(self.poll_read(cx))? {
                        self.stage = Stage::Ending;
                        continue;
                    }
                    let data = self.reader.data();
                    // A frame of ours may follow the one that is under way, and not one that begins after it.
                    let len = if leaving { self.frames.rest_of_frame(data) } else { data.len() };
                    let taken = ready!(self.writer.poll_data(cx, &data[..len], false))?;
                    self.frames.pass(&data[..taken]);
                    self.reader.consume(taken);
                    self.moved_bytes.set(self.moved_bytes.get() + taken as u64);
                    progress();
                }
                Stage::Closing(sent) if sent < self.goodbye.len() => {
                    let taken = ready!(self.writer.poll_data(cx, &self.goodbye[sent..], false))?;
                    self.stage = Stage::Closing(sent + taken);
                }
                Stage::Closing(_) => {
                    ready!(self.writer.poll_flush(cx))?;
                    self.stage = Stage::Dropping;
                }
                Stage::Dropping => {
                    if self.frames.has_closed() || !ready!(self.poll_read(cx))? {
                        self.stage = Stage::Over;
                        continue;
                    }
                    let len = self.reader.data().len();
                    self.frames.pass(self.reader.data());
                    self.reader.consume(len);
                }
                Stage::Ending => {
                    ready!(self.writer.poll_end(cx, None))?;
                    self.stage = Stage::Over;
                }
                Stage::Over => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Ready with whether there is data; what was given to the writer leaves meanwhile.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BodyError>> {
        if !self.reader.data().is_empty() {
            return Poll::Ready(Ok(true));
        }
        match self.reader.poll_frame(cx) {
            Poll::Ready(Ok(frame)) => Poll::Ready(Ok(frame == Frame::Data)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                ready!(self.writer.poll_flush(cx))?;
                Poll::Pending
            }
        }
    }
}

/// Passes bytes both ways until both sides have ended, one has failed, or nothing has moved for `idle`. When the worker
/// drains, both are told that it goes away, at the next end of a frame, unless one of them has said goodbye before.
pub(crate) async fn relay(
    worker: &Worker,
    (from_client, to_client): (&mut (impl BodyRead + ?Sized), &mut (impl BodyWrite + ?Sized)),
    (from_origin, to_origin): (&mut (impl BodyRead + ?Sized), &mut (impl BodyWrite + ?Sized)),
    deadline: &Deadline,
    idle: Duration,
    received_bytes: &Cell<u64>,
    sent_bytes: &Cell<u64>,
) {
    let mask = (worker.random.borrow_mut().next_u64() as u32).to_ne_bytes();
    let mut up = Direction {
        reader: from_client,
        writer: to_origin,
        frames: Frames::default(),
        stage: Stage::Passing,
        goodbye: goodbye(Some(mask)),
        moved_bytes: received_bytes,
    };
    let mut down = Direction {
        reader: from_origin,
        writer: to_client,
        frames: Frames::default(),
        stage: Stage::Passing,
        goodbye: goodbye(None),
        moved_bytes: sent_bytes,
    };
    let sleeper = worker.sleeper();
    let mut leaving = false;
    deadline.set(idle);
    let mut told = false;
    let both = poll_fn(|cx| {
        if !worker.is_draining() {
            sleeper.register(cx);
        } else if !up.frames.has_closed() && !down.frames.has_closed() {
            leaving = true;
        }
        // Once both were told, moving data gains them no time.
        let progress = || {
            if !told {
                deadline.set(idle);
            }
        };
        let upwards = up.poll(cx, leaving, progress);
        let downwards = down.poll(cx, leaving, progress);
        if leaving && !told && up.stage != Stage::Passing && down.stage != Stage::Passing {
            told = true;
            deadline.set(GOODBYE.min(idle));
        }
        if matches!(upwards, Poll::Ready(Err(_))) || matches!(downwards, Poll::Ready(Err(_))) {
            return Poll::Ready(());
        }
        // After both goodbyes nothing follows, and a process that leaves does not wait for the clients to close.
        let said = worker.is_draining() && up.frames.has_closed() && down.frames.has_closed();
        if !said && (upwards.is_pending() || downwards.is_pending()) {
            return Poll::Pending;
        }
        // A writer that has ended or failed has nothing to add.
        let _ = ready!(up.writer.poll_end(cx, None));
        let _ = ready!(down.writer.poll_end(cx, None));
        Poll::Ready(())
    });
    // Passing the deadline ends it as its own end does.
    let _ = deadline.guard(both).await;
}
