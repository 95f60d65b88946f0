//! Moving bytes from socket to socket inside the kernel: `splice(2)` into a pipe and out of it.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use rustix::io::retry_on_intr;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::{Pause, TURN_BYTES};

/// What a pipe holds unless the system is told otherwise. Larger ones were measured to move bytes no faster, and use
/// up sooner what a user may have in pipes (`/proc/sys/fs/pipe-user-pages-soft`).
const PIPE_BYTES: usize = 64 * 1024;
/// Pipes kept for reuse by a core; more are closed.
const KEPT: usize = 64;

/// The spare pipes of one core, all empty. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Pipes {
    spare: Rc<RefCell<Vec<Pipe>>>,
}

impl Pipes {
    /// Passes what the source has, through a pipe held only meanwhile. None when the system gives no pipe
    /// (`EMFILE`, `ENFILE`): then nothing has been read.
    pub(super) async fn carry(
        &self,
        from: &TcpStream,
        to: &TcpStream,
        moved: &impl Fn(usize),
    ) -> Option<io::Result<Pause>> {
        let spare = self.spare.borrow_mut().pop();
        let mut pipe = spare.or_else(Pipe::open)?;
        let pause = pipe.carry(from, to, moved).await;
        // After a fault, or when the tunnel is given up while we wait, bytes are left in the pipe: it is closed.
        if pause.is_ok() {
            self.keep(pipe);
        }
        Some(pause)
    }

    fn keep(&self, pipe: Pipe) {
        debug_assert_eq!(pipe.held, 0, "bytes of one tunnel must not reach another");
        let mut spare = self.spare.borrow_mut();
        if spare.len() < KEPT {
            spare.push(pipe);
        }
    }

    #[cfg(test)]
    pub(super) fn spare(&self) -> usize {
        self.spare.borrow().len()
    }
}

#[derive(Debug)]
struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    /// Bytes in it.
    held: usize,
}

impl Pipe {
    fn open() -> Option<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        Some(Self { read, write, held: 0 })
    }

    /// Moves what the source has, until it has no more at present, has finished or its turn is over.
    ///
    /// The pipe is filled only when it is empty, and emptied before it is filled again. So `EAGAIN` has one meaning
    /// each time (an empty source, a full receiver), and a slow receiver slows its sender.
    async fn carry(&mut self, from: &TcpStream, to: &TcpStream, moved: &impl Fn(usize)) -> io::Result<Pause> {
        let mut turn = 0;
        while turn < TURN_BYTES {
            match from.try_io(Interest::READABLE, || transfer(from, &self.write, PIPE_BYTES)) {
                Ok(0) => return Ok(Pause::Finished),
                Ok(n) => {
                    self.held = n;
                    turn += n;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Pause::Drained),
                Err(error) => return Err(error),
            }
            while self.held > 0 {
                match to.try_io(Interest::WRITABLE, || transfer(&self.read, to, self.held)) {
                    // Bytes are there and the socket takes none: never seen, and not worth a busy loop.
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(n) => {
                        self.held -= n;
                        moved(n);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => to.writable().await?,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(Pause::Yielded)
    }
}

/// One `splice(2)` that does not wait.
fn transfer(from: impl AsFd, to: impl AsFd, at_most: usize) -> io::Result<usize> {
    let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
    Ok(retry_on_intr(|| splice(&from, None, &to, None, at_most, flags))?)
}
