//! TCP's counters and memory.

use crate::text::paired;

/// TCP's counters since boot (RFC 4022 and Linux's own).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpCounters {
    /// Segments sent.
    pub segments_out: Option<u64>,
    /// Segments sent again.
    pub retransmitted: Option<u64>,
    /// Connections opened by this machine.
    pub active_opens: Option<u64>,
    /// Connections opened to it.
    pub passive_opens: Option<u64>,
    /// Connections that could not be opened.
    pub failed_opens: Option<u64>,
    /// Connections open at this instant.
    pub established: Option<u64>,
    /// Connections refused because the accept queue was full.
    pub listen_overflows: Option<u64>,
    /// Connections refused while listening, for that reason or another.
    pub listen_drops: Option<u64>,
    /// Segments dropped because their socket was busy and its backlog full.
    pub backlog_drops: Option<u64>,
    /// Times nothing was heard for a whole retransmission timeout.
    pub timeouts: Option<u64>,
    /// Times TCP as a whole came under memory pressure.
    pub memory_pressures: Option<u64>,
    /// Times a socket's receive queue had to be pruned for memory.
    pub pruned: Option<u64>,
}

/// Memory of all TCP sockets against `tcp_mem`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpMemory {
    /// In use.
    pub used_bytes: u64,
    /// Beyond it sockets are held short.
    pub pressure_bytes: u64,
    /// Beyond it packets are dropped.
    pub limit_bytes: u64,
}

impl TcpMemory {
    pub(super) fn of_pages(used: u64, [_, pressure, limit]: [u64; 3]) -> Self {
        let page = rustix::param::page_size() as u64;
        Self {
            used_bytes: used.saturating_mul(page),
            pressure_bytes: pressure.saturating_mul(page),
            limit_bytes: limit.saturating_mul(page),
        }
    }
}

/// `/proc/net/snmp`.
pub(crate) fn snmp(text: &str, counters: &mut TcpCounters) -> Option<()> {
    let names = ["OutSegs", "RetransSegs", "ActiveOpens", "PassiveOpens", "AttemptFails", "CurrEstab"];
    let [sent, again, active, passive, failed, established] = paired(text, "Tcp", names)?;
    counters.segments_out = sent;
    counters.retransmitted = again;
    counters.active_opens = active;
    counters.passive_opens = passive;
    counters.failed_opens = failed;
    counters.established = established;
    Some(())
}

/// `/proc/net/netstat`.
pub(crate) fn netstat(text: &str, counters: &mut TcpCounters) -> Option<()> {
    let names = [
        "ListenOverflows",
        "ListenDrops",
        "TCPBacklogDrop",
        "TCPTimeouts",
        "TCPMemoryPressures",
        "PruneCalled",
    ];
    let [overflows, drops, backlog, timeouts, pressures, pruned] = paired(text, "TcpExt", names)?;
    counters.listen_overflows = overflows;
    counters.listen_drops = drops;
    counters.backlog_drops = backlog;
    counters.timeouts = timeouts;
    counters.memory_pressures = pressures;
    counters.pruned = pruned;
    Some(())
}

/// `/proc/net/softnet_stat`, a line of hexadecimal columns for each core: dropped is the second, squeezed the
/// third. Each is 32 bits wide; their sum goes back when one wraps, which gives no rate once in a while.
pub(crate) fn softnet(text: &str) -> Option<(u64, u64)> {
    let mut sum = None;
    for line in text.lines() {
        let mut columns =
            line.split_ascii_whitespace().skip(1).map(|word| u32::from_str_radix(word, 16).ok());
        let (dropped, squeezed) = (u64::from(columns.next()??), u64::from(columns.next()??));
        let (drops, squeezes) = sum.unwrap_or((0, 0));
        sum = Some((drops + dropped, squeezes + squeezed));
    }
    sum
}

/// What is taken of `/proc/net/sockstat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sockstat {
    pub(crate) in_use: u64,
    pub(crate) time_wait: u64,
    pub(crate) memory_pages: u64,
}

/// `/proc/net/sockstat`: names and values in turn.
pub(crate) fn sockstat(text: &str) -> Option<Sockstat> {
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let mut words = line.split_ascii_whitespace();
    let (mut in_use, mut time_wait, mut memory_pages) = (None, None, None);
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        let value = value.parse().ok();
        match name {
            "inuse" => in_use = value,
            "tw" => time_wait = value,
            "mem" => memory_pages = value,
            _ => {}
        }
    }
    Some(Sockstat { in_use: in_use?, time_wait: time_wait?, memory_pages: memory_pages? })
}
