//! Options of TCP sockets.

use std::io;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::config::Keepalive;

/// Asks silent peers whether they are there.
///
/// # Errors
/// When the system refuses a value.
pub(crate) fn tune(tcp: &TcpStream, keepalive: &Keepalive) -> io::Result<()> {
    let socket = SockRef::from(tcp);
    if !keepalive.user_timeout.get().is_zero() {
        socket.set_tcp_user_timeout(Some(keepalive.user_timeout.get()))?;
    }
    if !keepalive.enabled {
        return Ok(());
    }
    let mut options = TcpKeepalive::new();
    if !keepalive.idle.get().is_zero() {
        options = options.with_time(keepalive.idle.get());
    }
    if !keepalive.interval.get().is_zero() {
        options = options.with_interval(keepalive.interval.get());
    }
    if keepalive.probes > 0 {
        options = options.with_retries(keepalive.probes);
    }
    // Enables it, too.
    socket.set_tcp_keepalive(&options)
}
