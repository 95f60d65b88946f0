//! `struct tcp_info` (`linux/tcp.h`): it has grown with the kernel and is as long as the kernel's is.

use std::time::Duration;

/// What the kernel knows of a connection, since it began. Fields that came with a later kernel are unknown on an
/// earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpInfo {
    /// The smoothed round-trip time. Unknown before one was measured.
    pub round_trip: Option<Duration>,
    /// Time with anything to send.
    pub busy: Option<Duration>,
    /// Of it, time in which the receiver's window was full: the other end does not read.
    pub receive_window_limited: Option<Duration>,
    /// Bytes sent, those sent again included.
    pub bytes_sent: Option<u64>,
    /// Bytes sent again.
    pub bytes_retransmitted: Option<u64>,
}

impl TcpInfo {
    /// Reads it; `None` when it is shorter than it ever was.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes);
        let long = |at: usize| bytes.get(at..)?.first_chunk().copied().map(u64::from_ne_bytes);
        let micros = |at: usize| long(at).map(Duration::from_micros);
        let round_trip = Duration::from_micros(u64::from(word(68)?));
        // The last field there was from the beginning.
        word(100)?;
        Some(Self {
            round_trip: Some(round_trip).filter(|time| !time.is_zero()),
            busy: micros(168),
            receive_window_limited: micros(176),
            bytes_sent: long(200),
            bytes_retransmitted: long(208),
        })
    }
}
