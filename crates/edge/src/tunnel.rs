//! Bytes between a client and an origin that are nothing but bytes to us: layer 4, and whatever a connection was
//! upgraded to.
//!
//! On Linux they move through a pipe by `splice(2)` and are never copied into this process. A tunnel holds a pipe
//! only while bytes are on their way, so idle tunnels cost their two sockets and nothing else.

mod copy;
#[cfg(target_os = "linux")]
mod pipe;

use std::cell::Cell;
use std::io;
use std::net::Shutdown;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

use crate::io::{Deadline, Slabs};

/// Bytes one direction may move before others on the core get their turn: about 0.1 ms of work.
const TURN_BYTES: usize = 512 * 1024;

/// How long a tunnel may live.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Silence in both directions, after which it ends.
    pub idle: Duration,
}

/// Bytes moved so far; they count once they are in the receiver's socket.
#[derive(Debug, Default)]
pub(crate) struct TunnelCounters {
    /// From the client to the origin.
    pub received: Cell<u64>,
    /// From the origin to the client.
    pub sent: Cell<u64>,
}

/// How a tunnel ended without a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Both sides said they were done, and all they had sent has been passed on.
    Closed,
    /// Nothing moved for [`Limits::idle`].
    Idle,
}

/// What a core lends its tunnels to move bytes with. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Carriers {
    slabs: Slabs,
    #[cfg(target_os = "linux")]
    pipes: pipe::Pipes,
}

impl Carriers {
    /// Pipes of its own, and the core's buffers where there are no pipes.
    pub(crate) fn new(slabs: &Slabs) -> Self {
        Self {
            slabs: slabs.clone(),
            #[cfg(target_os = "linux")]
            pipes: pipe::Pipes::default(),
        }
    }
}

/// Passes bytes both ways until both sides are done. A side that has sent its last byte is half-closed: the other
/// still answers.
///
/// Unless the tunnel ended as [`Ended::Closed`], closing the two sockets then resets both connections (RST), so
/// that neither side takes what it got for the whole.
///
/// # Errors
/// The first fault of either socket.
pub(crate) async fn splice(
    client: &TcpStream,
    origin: &TcpStream,
    carriers: &Carriers,
    limits: Limits,
    counters: &TunnelCounters,
) -> io::Result<Ended> {
    let deadline = Deadline::default();
    deadline.set(limits.idle);
    let progress = |counter: &Cell<u64>, bytes: usize| {
        counter.set(counter.get() + bytes as u64);
        deadline.set(limits.idle);
    };
    let upwards = pass(client, origin, carriers, |bytes| progress(&counters.received, bytes));
    let downwards = pass(origin, client, carriers, |bytes| progress(&counters.sent, bytes));
    let both = async { tokio::try_join!(upwards, downwards) };

    let ended = match deadline.guard(both).await {
        Ok(Ok(((), ()))) => return Ok(Ended::Closed),
        Ok(Err(error)) => Err(error),
        Err(_) => Ok(Ended::Idle),
    };
    reset_on_close(client);
    reset_on_close(origin);
    ended
}

/// What made a direction pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pause {
    /// The source has nothing at present.
    Drained,
    /// The source has sent its last byte.
    Finished,
    /// Its turn is over.
    Yielded,
}

/// Passes one direction to its end, then tells the receiver that it was the end.
async fn pass(
    from: &TcpStream,
    to: &TcpStream,
    carriers: &Carriers,
    moved: impl Fn(usize),
) -> io::Result<()> {
    loop {
        from.readable().await?;
        match carry(from, to, carriers, &moved).await? {
            Pause::Drained => {}
            Pause::Yielded => tokio::task::yield_now().await,
            Pause::Finished => return half_close(to),
        }
    }
}

/// Moves what the source has, and holds something to carry it in only meanwhile.
async fn carry(
    from: &TcpStream,
    to: &TcpStream,
    carriers: &Carriers,
    moved: &impl Fn(usize),
) -> io::Result<Pause> {
    #[cfg(target_os = "linux")]
    if let Some(pause) = carriers.pipes.carry(from, to, moved).await {
        return pause;
    }
    copy::carry(from, to, &carriers.slabs, moved).await
}

/// Sends the end of the stream.
fn half_close(socket: &TcpStream) -> io::Result<()> {
    match SockRef::from(socket).shutdown(Shutdown::Write) {
        // The receiver is gone already; if that is a fault, the other direction meets it.
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        done => done,
    }
}

fn reset_on_close(socket: &TcpStream) {
    // A socket that is dead already needs no reset.
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}

#[cfg(test)]
mod tests;
