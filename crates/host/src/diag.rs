//! What the kernel knows of TCP sockets, asked over netlink (sock_diag(7)).
//!
//! All sockets of this network namespace, and of connections the same `struct tcp_info` that `getsockopt(TCP_INFO)`
//! gives. No call waits: the kernel has answered before the question is sent.

mod info;
mod message;

#[cfg(test)]
mod tests;

pub use info::TcpInfo;
pub(crate) use message::Messages;

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{connect, recv, send, socket_with};

use message::{AF_INET, AF_INET6, Answer};

use crate::sockets::Entry;

/// The kernel answers in pieces of up to 32 KiB.
const BUFFER_BYTES: usize = 32 * 1_024;

/// A connection that is established.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// Tells it from all others there ever were since the system started.
    pub cookie: u64,
    /// What is known of it.
    pub info: TcpInfo,
}

/// Connections of one port.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Connections {
    /// In the order of the kernel's table, where chance puts them: the first are as good as any, and the
    /// same each time as long as they last.
    pub found: Vec<Connection>,
    /// Whether there are more.
    pub cut_short: bool,
}

/// Asks the kernel about sockets.
#[derive(Debug)]
pub struct Diag {
    buffer: Vec<u8>,
}

impl Default for Diag {
    fn default() -> Self {
        Self { buffer: vec![0; BUFFER_BYTES] }
    }
}

impl Diag {
    /// Established connections of whoever listens there, at most so many: all of the address's port and version
    /// of IP. IPv4 clients of a socket that listens for both count as IPv6 ones.
    ///
    /// # Errors
    /// When the kernel has no `sock_diag` for TCP, as in some sandboxes, or does not answer.
    pub fn connections(&mut self, listener: SocketAddr, most: usize) -> io::Result<Connections> {
        let (mut connections, mut left) = (Connections::default(), most);
        self.ask(&message::connections(listener), |answer| {
            if left == 0 {
                connections.cut_short = true;
                return false;
            }
            left -= 1;
            let known = answer.info.and_then(TcpInfo::parse);
            connections.found.extend(known.map(|info| Connection { cookie: answer.cookie, info }));
            true
        })?;
        Ok(connections)
    }

    /// Hands over all sockets there are, until `take` wants no more.
    ///
    /// # Errors
    /// As for [`connections`](Self::connections).
    pub(crate) fn sockets(&mut self, mut take: impl FnMut(&Entry) -> bool) -> io::Result<()> {
        let mut wanted = true;
        for family in [AF_INET, AF_INET6] {
            let asked = self.ask(&message::sockets(family), |answer| {
                wanted = answer.entry().is_none_or(|entry| take(&entry));
                wanted
            });
            match asked {
                // A machine without IPv6 has none of them.
                Err(_) if family == AF_INET6 => {}
                asked => asked?,
            }
            if !wanted {
                break;
            }
        }
        Ok(())
    }

    /// Asks, and hands over the answers until `take` wants no more.
    fn ask(&mut self, question: &[u8], mut take: impl FnMut(&Answer<'_>) -> bool) -> io::Result<()> {
        // A socket for each question: with it goes what is not wanted of the answer, which the kernel writes only as
        // fast as it is read.
        let protocol = Some(netlink::SOCK_DIAG);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, protocol)?;
        connect(&socket, &SocketAddrNetlink::new(0, 0))?;
        send(socket.as_fd(), question, SendFlags::DONTWAIT)?;
        loop {
            let (received, _) = recv(socket.as_fd(), self.buffer.as_mut_slice(), RecvFlags::DONTWAIT)?;
            if received == 0 {
                return Ok(());
            }
            for message in Messages::new(&self.buffer[..received]) {
                match message.answer()? {
                    Some(answer) if take(&answer) => {}
                    _ => return Ok(()),
                }
            }
        }
    }
}
