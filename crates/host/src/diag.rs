//! What the kernel knows of single TCP connections, asked over netlink (sock_diag(7)).
//!
//! The same `struct tcp_info` that `getsockopt(TCP_INFO)` gives, for a socket at hand or any other of this
//! network namespace, and how many connections a listener has room for, which `/proc` does not tell. No
//! call waits: the kernel has answered before the question is sent.

mod info;
mod message;

#[cfg(test)]
mod tests;

pub use info::TcpInfo;
pub(crate) use message::Messages;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{connect, getpeername, getsockname, recv, send, socket_with};

use message::{Answer, LISTEN, Question};

/// The kernel answers in pieces of up to 32 KiB.
const BUFFER_BYTES: usize = 32 * 1_024;
/// Listeners that are looked at.
const MOST_LISTENERS: usize = 1_024;

/// The accept queue of a socket that listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Where it listens.
    pub address: SocketAddr,
    /// Connections that are open and wait to be accepted.
    pub queued: u32,
    /// How many may wait; more are refused.
    pub most: u32,
}

/// A conversation with the kernel about sockets. After an error, begin a new one.
#[derive(Debug)]
pub struct Diag {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Diag {
    /// Begins one.
    ///
    /// # Errors
    /// When the kernel has no `sock_diag`, as in some sandboxes.
    pub fn open() -> io::Result<Self> {
        let protocol = Some(netlink::SOCK_DIAG);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, protocol)?;
        connect(&socket, &SocketAddrNetlink::new(0, 0))?;
        Ok(Self { socket, buffer: vec![0; BUFFER_BYTES], sequence: 0 })
    }

    /// What is known of the connection of a socket. `None` when it is not connected, or no longer.
    ///
    /// # Errors
    /// When it is no TCP socket, or the kernel does not answer.
    pub fn tcp_info(&mut self, socket: BorrowedFd<'_>) -> io::Result<Option<TcpInfo>> {
        let remote = match getpeername(socket) {
            Ok(Some(remote)) => SocketAddr::try_from(remote)?,
            Ok(None) | Err(Errno::NOTCONN) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        self.connection(SocketAddr::try_from(getsockname(socket)?)?, remote)
    }

    /// What is known of the connection between two addresses, seen from the first. `None` when there is none.
    ///
    /// # Errors
    /// When the kernel does not answer.
    pub fn connection(&mut self, local: SocketAddr, remote: SocketAddr) -> io::Result<Option<TcpInfo>> {
        let mut found = None;
        self.ask(&Question::Connection { local, remote }, |answer| {
            // Without such a connection the kernel finds the socket that listens at its place.
            if answer.state != LISTEN {
                found = answer.info.and_then(TcpInfo::parse);
            }
        })?;
        Ok(found)
    }

    /// The accept queues of all sockets that listen, as many as are looked at.
    ///
    /// # Errors
    /// When the kernel does not answer.
    pub fn backlogs(&mut self) -> io::Result<Vec<Backlog>> {
        let mut found = Vec::new();
        for any in
            [SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))]
        {
            self.ask(&Question::Listeners { family_of: any }, |answer| {
                let Answer { local: address, queued, most, .. } = *answer;
                if found.len() < MOST_LISTENERS {
                    found.push(Backlog { address, queued, most });
                }
            })?;
        }
        Ok(found)
    }

    /// Asks, and hands over each answer. All are read, lest the next question finds the kernel busy with this.
    fn ask(&mut self, question: &Question, mut take: impl FnMut(&Answer<'_>)) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        send(self.socket.as_fd(), &question.bytes(self.sequence), SendFlags::DONTWAIT)?;
        loop {
            let (received, _) = recv(self.socket.as_fd(), self.buffer.as_mut_slice(), RecvFlags::DONTWAIT)?;
            for message in Messages::new(&self.buffer[..received]) {
                // What is left of an answer that was broken off.
                if message.sequence != self.sequence {
                    continue;
                }
                let Some(answer) = message.answer()? else { return Ok(()) };
                take(&answer);
                if !question.has_many_answers() {
                    return Ok(());
                }
            }
            if received == 0 {
                return Ok(());
            }
        }
    }
}
