//! Who is at the other end of a client's connection.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;

/// Both ends of a client's connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Peer {
    Tcp {
        remote: SocketAddr,
        local: SocketAddr,
    },
    Unix {
        /// The socket it came to.
        path: String,
        /// The process at the other end and its user, as far as the system tells.
        uid: Option<u32>,
        pid: Option<i32>,
    },
}

impl Peer {
    /// Of a TCP connection: the client's address and ours.
    pub(crate) fn tcp(remote: SocketAddr, local: SocketAddr) -> Self {
        // Over a socket on `::` IPv4 comes as ::ffff:192.0.2.1, which nobody looks for.
        let plain = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        Self::Tcp { remote: plain(remote), local: plain(local) }
    }

    /// Of a connection to a Unix socket.
    pub(crate) fn unix(unix: &UnixStream, path: &str) -> Self {
        let credentials = unix.peer_cred().ok();
        let uid = credentials.as_ref().map(tokio::net::unix::UCred::uid);
        Self::Unix { path: path.to_owned(), uid, pid: credentials.and_then(|credentials| credentials.pid()) }
    }

    /// The process at the other end of a Unix socket; 0 for any other.
    pub(crate) fn pid(&self) -> u32 {
        match self {
            Self::Unix { pid: Some(pid), .. } => u32::try_from(*pid).unwrap_or(0),
            Self::Tcp { .. } | Self::Unix { .. } => 0,
        }
    }

    pub(super) fn is_unix(&self) -> bool {
        matches!(self, Self::Unix { .. })
    }

    /// Our end.
    pub(crate) fn local(&self) -> String {
        match self {
            Self::Tcp { local, .. } => local.to_string(),
            Self::Unix { path, .. } => path.clone(),
        }
    }
}

/// Its address and port, or `unix`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { remote, .. } => remote.fmt(f),
            Self::Unix { pid: Some(pid), .. } => write!(f, "unix({pid})"),
            Self::Unix { pid: None, .. } => f.write_str("unix"),
        }
    }
}
