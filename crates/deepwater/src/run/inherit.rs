//! Where a process begins: with sockets of its own, with those a service manager has opened, or with those of a process
//! that it is to take over from.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use deepwater_core::handover::{Bound, Passenger, Sockets};
use deepwater_core::{Events, Handover};
use listenfd::ListenFd;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use tokio::io::Interest;
use tokio::net::UnixStream;

use super::channel::{self, Bequest, Message};
use crate::cli::Failure;

/// Set for a process that is to take over; its standard input is the channel to the one before.
pub(super) const TAKES_OVER: &str = "DEEPWATER_TAKES_OVER";
/// How long the one before may take to send what it leaves.
const BEQUEST: Duration = Duration::from_secs(10);

deepwater_core::event! {
    /// A socket was handed to the process that nothing in its configuration listens on.
    pub struct SocketUnused { address: String }
    socket_unused: Warn, "a socket on {address} was handed over, and no listener of the configuration is there: it is closed"
}

deepwater_core::event! {
    /// The process that was to be taken over from has ended early.
    pub struct PredecessorGone { reason: String }
    predecessor_gone: Warn, "the process before this one has gone ({reason}); this one serves in its place"
}

/// How this process came to be.
pub(super) struct Origin {
    pub handover: Handover,
    predecessor: Option<OwnedFd>,
}

impl Origin {
    /// Takes what was handed to the process. To be called before there are other threads.
    ///
    /// # Errors
    /// When a predecessor has announced itself and does not say what it should.
    pub(super) fn of_this_process() -> Result<Self, Failure> {
        if std::env::var_os(TAKES_OVER).is_some() {
            let channel = channel_to_predecessor()?;
            let bequest = Bequest::receive(&channel)?;
            let handover = Handover::inherited(bequest.sockets, bequest.kept);
            set_socket_timeout(&channel, Timeout::Recv, None).map_err(io::Error::from)?;
            return Ok(Self { handover, predecessor: Some(channel) });
        }
        Ok(Self { handover: Handover::activated(activated()?), predecessor: None })
    }

    /// Whether another process serves until this one takes over.
    pub(super) fn has_predecessor(&self) -> bool {
        self.predecessor.is_some()
    }

    /// Tells a predecessor why this process does not take over; whether there is one that still serves.
    pub(super) fn refuse(&self, reason: &str) -> bool {
        let message = Message::Refused { reason: reason.to_owned() };
        self.predecessor.as_ref().is_some_and(|channel| channel::send(channel, &message, &[]).is_ok())
    }

    /// Tells of sockets that no plane has taken, and closes them.
    pub(super) fn close_rest(&self, events: &Events) {
        for bound in self.handover.close_rest() {
            let address = match bound {
                Bound::Tcp(address) => address.to_string(),
                Bound::Unix(path) => path.display().to_string(),
            };
            events.emit(SocketUnused { address });
        }
    }

    /// Tells a predecessor that this process could serve, waits until it is to, and lets connections be accepted; what it
    /// sends on of its own is taken as it comes. Without one they are already. One that gives up ends this process; one
    /// that has gone without that has left it everything.
    ///
    /// # Errors
    /// When the channel cannot be waited for.
    pub(super) async fn take_over(self, events: &Events) -> io::Result<()> {
        let Some(channel) = self.predecessor else { return Ok(()) };
        let channel = channel::waitable(channel)?;
        let told = async {
            channel::send(&channel, &Message::Ready, &[])?;
            channel.async_io(Interest::READABLE, || channel::receive(&channel)).await
        };
        let told = told.await;
        self.handover.open();
        match told {
            Ok(_) => drop(tokio::spawn(board(channel, self.handover))),
            Err(error) => events.emit(PredecessorGone { reason: error.to_string() }),
        }
        Ok(())
    }
}

/// Takes the connections that a predecessor sends, until it has sent them all or has gone.
async fn board(channel: UnixStream, handover: Handover) {
    loop {
        match channel.async_io(Interest::READABLE, || channel::receive(&channel)).await {
            Ok((Message::Passenger { plane, about }, mut sockets)) => {
                if let Some(socket) = sockets.pop() {
                    handover.board(Passenger { plane, about, socket });
                }
            }
            // A process of another version may say more. What follows may be understood.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
            Err(_) => return,
        }
    }
}

/// Standard input, which is free for anything else from then on.
fn channel_to_predecessor() -> io::Result<OwnedFd> {
    let channel = io::stdin().as_fd().try_clone_to_owned()?;
    let nowhere = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nowhere)?;
    set_socket_timeout(&channel, Timeout::Recv, Some(BEQUEST))?;
    Ok(channel)
}

/// Sockets that a service manager has opened (`sd_listen_fds(3)`), those of one address together.
fn activated() -> Result<Vec<Sockets>, Failure> {
    let mut manager = ListenFd::from_env();
    let mut found: Vec<(Option<Bound>, Sockets)> = Vec::new();
    for at in 0..manager.len() {
        let tcp = manager.take_tcp_listener(at).ok().flatten().map(OwnedFd::from);
        let unix = || manager.take_unix_listener(at).ok().flatten().map(OwnedFd::from);
        let Some(socket) = tcp.or_else(unix) else {
            return Err(Failure::Usage(format!(
                "socket {at} of the service manager is none that connections can be accepted on\n  fix: use \
                 ListenStream= in the socket unit, and Accept=no"
            )));
        };
        let bound = Bound::of(&socket);
        match found.iter_mut().find(|(known, _)| bound.is_some() && *known == bound) {
            Some((_, group)) => group.sockets.push(socket),
            None => {
                let (plane, configured) = (String::new(), String::new());
                found.push((bound, Sockets { plane, configured, sockets: vec![socket] }));
            }
        }
    }
    Ok(found.into_iter().map(|(_, group)| group).collect())
}
