//! What the kernel knows of the TCP connections of a port, asked over netlink (sock_diag(7)).
//!
//! The same `struct tcp_info` that `getsockopt(TCP_INFO)` gives, for any socket of this network namespace. No
//! call waits: the kernel has answered before the question is sent.

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

use message::{Answer, question};

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
        // A socket for each question: with it goes what is not wanted of the answer, which the kernel writes only as
        // fast as it is read.
        let protocol = Some(netlink::SOCK_DIAG);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, protocol)?;
        connect(&socket, &SocketAddrNetlink::new(0, 0))?;
        send(socket.as_fd(), &question(listener), SendFlags::DONTWAIT)?;
        let (mut connections, mut left) = (Connections::default(), most);
        loop {
            let (received, _) = recv(socket.as_fd(), self.buffer.as_mut_slice(), RecvFlags::DONTWAIT)?;
            if received == 0 {
                return Ok(connections);
            }
            for message in Messages::new(&self.buffer[..received]) {
                let Some(Answer { cookie, info }) = message.answer()? else { return Ok(connections) };
                if left == 0 {
                    connections.cut_short = true;
                    return Ok(connections);
                }
                left -= 1;
                let known = info.and_then(TcpInfo::parse);
                connections.found.extend(known.map(|info| Connection { cookie, info }));
            }
        }
    }
}
