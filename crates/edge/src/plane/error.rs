//! Why the edge cannot run as it is told to.

use std::io;
use std::net::SocketAddr;

use deepwater_core::config::Problems;

/// Why the edge did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be meant.
    #[error("{0}")]
    Config(#[from] Problems),
    /// Keys of an `[auth]` cannot be fetched.
    #[error("{0}\n  fix: see that the issuer answers, or mend `jwks`")]
    Keys(String),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}\n  fix: {fix}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's word.
        reason: String,
        /// What to do.
        fix: String,
    },
    /// The access log cannot be opened.
    #[error(
        "cannot open the access log `{path}`: {source}\n  fix: create its directory, or change edge.access_log.path"
    )]
    AccessLog {
        /// The file.
        path: String,
        /// The system's word.
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// The error, with what to do about it.
pub(super) fn listen_error(address: SocketAddr, error: &io::Error) -> StartError {
    let fix = match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there: stop it, or choose another port",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need a privilege: use a higher port, or grant CAP_NET_BIND_SERVICE"
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address: use one of its own, or 0.0.0.0 for all"
        }
        _ => "check the address",
    };
    StartError::Listen { address, reason: error.to_string(), fix: fix.into() }
}
