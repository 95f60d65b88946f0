//! `struct tcp_info` (`linux/tcp.h`): it has grown with the kernel and is as long as the kernel's is.

use std::time::Duration;

/// What the kernel knows of a connection. Fields that came with a later kernel are unknown on an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpInfo {
    /// The smoothed round-trip time.
    pub round_trip: Duration,
    /// Its variation.
    pub round_trip_variation: Duration,
    /// The least round-trip time seen lately.
    pub least_round_trip: Option<Duration>,
    /// Segments that may be under way at once.
    pub congestion_window: u32,
    /// Segments sent again, since the connection began.
    pub total_retransmits: u32,
    /// Segments believed lost, at this instant.
    pub lost: u32,
    /// Bytes per second that arrived, as last measured.
    pub delivery_rate: Option<u64>,
    /// Whether that was all the program sent: the network could do more.
    pub application_limited: bool,
    /// Time with anything to send.
    pub busy: Option<Duration>,
    /// Of it, time in which the receiver's window was full: the other end does not read.
    pub receive_window_limited: Option<Duration>,
    /// Of it, time in which the send buffer was full: the buffer is too small for the path.
    pub send_buffer_limited: Option<Duration>,
    /// Bytes the other end has acknowledged.
    pub bytes_acknowledged: Option<u64>,
    /// Bytes received.
    pub bytes_received: Option<u64>,
    /// Bytes in the send buffer that have not been sent yet.
    pub unsent_bytes: Option<u32>,
    /// Bytes sent again.
    pub bytes_retransmitted: Option<u64>,
}

impl TcpInfo {
    /// Reads it; `None` when it is shorter than it ever was.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes);
        let long = |at: usize| bytes.get(at..)?.first_chunk().copied().map(u64::from_ne_bytes);
        let micros = |at: usize| long(at).map(Duration::from_micros);
        let short_micros = |at: usize| word(at).map(|micros| Duration::from_micros(u64::from(micros)));
        Some(Self {
            round_trip: short_micros(68)?,
            round_trip_variation: short_micros(72)?,
            // All bits set before anything was measured.
            least_round_trip: short_micros(148)
                .filter(|least| *least < Duration::from_micros(u32::MAX.into())),
            congestion_window: word(80)?,
            total_retransmits: word(100)?,
            lost: word(32)?,
            delivery_rate: long(160),
            application_limited: bytes.get(7)? & 1 == 1,
            busy: micros(168),
            receive_window_limited: micros(176),
            send_buffer_limited: micros(184),
            bytes_acknowledged: long(120),
            bytes_received: long(128),
            unsent_bytes: word(144),
            bytes_retransmitted: long(208),
        })
    }
}
