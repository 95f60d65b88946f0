//! Why the console did not start, and what to do about it.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

/// The console could not start. Nothing was left open.
#[derive(Debug, Error)]
pub enum StartError {
    /// Another socket listens there.
    #[error(
        "the console cannot listen on {0}: the address is in use, perhaps by another Deepwater\n  \
         fix: stop the other process, or set `listen` in [console] to a free port \
         (\"127.0.0.1:0\" picks one) or to \"off\""
    )]
    InUse(SocketAddr),
    /// The system forbids it, as it does for ports below 1024.
    #[error(
        "the console cannot listen on {0}: permission denied\n  \
         fix: set `listen` in [console] to a port of 1024 or above"
    )]
    Forbidden(SocketAddr),
    /// No interface of this machine has the address.
    #[error(
        "the console cannot listen on {0}: no network interface has this address\n  \
         fix: set `listen` in [console] to an address of this machine, such as \"127.0.0.1:9000\""
    )]
    NotLocal(SocketAddr),
    /// Binding failed in another way.
    #[error("the console cannot listen on {address}: {source}")]
    Bind {
        /// The address that was wanted.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Open to the network, and anybody could command it.
    #[error(
        "the console would listen on {0}, which other machines can reach, without a token\n  \
         fix: set `token = \"env:DEEPWATER_TOKEN\"` in [console], or listen on \"127.0.0.1:9000\""
    )]
    TokenMissing(SocketAddr),
    /// The environment variable or file behind the token cannot be read.
    #[error("the console's token cannot be read: {0}")]
    TokenUnreadable(#[from] deepwater_core::config::SecretError),
    /// Two endpoints with one method and path.
    #[error("two endpoints claim {method} {path}")]
    Conflict {
        /// Method of both.
        method: &'static str,
        /// Path of the later one.
        path: &'static str,
    },
}

impl StartError {
    pub(super) fn bind(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(address),
            io::ErrorKind::PermissionDenied => Self::Forbidden(address),
            io::ErrorKind::AddrNotAvailable => Self::NotLocal(address),
            _ => Self::Bind { address, source },
        }
    }
}
