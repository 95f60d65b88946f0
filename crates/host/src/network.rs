//! Network: what TCP had to repeat, drop or refuse, interfaces and their speed, tables that can fill up.

mod interface;
mod tcp;

#[cfg(test)]
mod tests;

pub use interface::Interface;
pub use tcp::{TcpCounters, TcpMemory};

pub(crate) use interface::devices;
pub(crate) use tcp::{netstat, snmp, sockstat, softnet};

use std::path::Path;
use std::time::Duration;

use interface::Interfaces;
use tcp::Sockstat;

use crate::every::Every;
use crate::file::{Kept, Reader};
use crate::process::Descriptors;
use crate::roots::{OWN, Roots};
use crate::text::{number, numbers};
use crate::unknown::Unknown;

/// Settings change seldom.
const SETTINGS_EVERY: Duration = Duration::from_secs(10);

/// The table of connections of the packet filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conntrack {
    /// Connections in it.
    pub count: u64,
    /// Connections it has room for; more are dropped.
    pub max: u64,
}

/// What the network source reads. Counters are since boot, of this network namespace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NetworkReading {
    /// TCP's counters.
    pub tcp: TcpCounters,
    /// Packets dropped because a core's queue was full.
    pub softnet_dropped: Option<u64>,
    /// Times a core had more packets than it could take in one go.
    pub softnet_squeezed: Option<u64>,
    /// Sockets in TIME-WAIT.
    pub time_wait: Option<u64>,
    /// TCP sockets in use.
    pub tcp_in_use: Option<u64>,
    /// Memory of all TCP sockets and its limits.
    pub tcp_memory: Option<TcpMemory>,
    /// Each interface, loopback too.
    pub interfaces: Vec<Interface>,
    /// The packet filter's table; `None` where there is none.
    pub conntrack: Option<Conntrack>,
    /// Local ports outgoing connections get, first and last.
    pub ephemeral_ports: Option<(u16, u16)>,
    /// Most connections that can wait to be accepted, whatever the listener asks for.
    pub most_backlog: Option<u64>,
    /// Open descriptors of this process.
    pub descriptors: Option<u64>,
    /// Descriptors this process may have.
    pub descriptor_limit: Option<u64>,
}

/// The network source.
#[derive(Debug)]
pub struct Network {
    reader: Reader,
    snmp: Kept,
    netstat: Kept,
    softnet: Kept,
    sockstat: Kept,
    conntrack_count: Kept,
    interfaces: Interfaces,
    descriptors: Descriptors,
    settings: Settings,
}

/// What seldom changes.
#[derive(Debug)]
struct Settings {
    every: Every,
    tcp_mem: Setting<[u64; 3]>,
    conntrack_max: Setting<u64>,
    ephemeral: Setting<(u16, u16)>,
    most_backlog: Setting<u64>,
}

#[derive(Debug)]
struct Setting<T> {
    file: Kept,
    value: Option<T>,
}

impl<T> Setting<T> {
    fn new(roots: &Roots, file: &str, what: &'static str) -> Self {
        let file = Kept::new(roots.proc(Path::new("sys/net").join(file)), what).reopened();
        Self { file, value: None }
    }

    fn read(&mut self, reader: &mut Reader, parse: fn(&str) -> Option<T>) {
        self.value = reader.parse(&mut self.file, parse);
    }
}

impl Settings {
    fn new(roots: &Roots) -> Self {
        Self {
            every: Every::new(SETTINGS_EVERY),
            tcp_mem: Setting::new(roots, "ipv4/tcp_mem", "tcp memory limits"),
            conntrack_max: Setting::new(roots, "netfilter/nf_conntrack_max", "size of conntrack"),
            ephemeral: Setting::new(roots, "ipv4/ip_local_port_range", "ephemeral ports"),
            most_backlog: Setting::new(roots, "core/somaxconn", "most backlog"),
        }
    }

    fn read(&mut self, now: Duration, reader: &mut Reader) {
        if self.every.due(now) {
            self.tcp_mem.read(reader, numbers);
            self.ephemeral.read(reader, port_range);
            self.most_backlog.read(reader, number);
            // Without a packet filter there is none, and nothing unknown.
            self.conntrack_max.value = reader.parse_if_there(&mut self.conntrack_max.file, number);
        }
    }
}

impl Network {
    /// The network of this process's namespace.
    pub fn new(roots: &Roots) -> Self {
        // `/proc/net` is a link to the reader's own namespace.
        let net = |file: &str, what| Kept::new(roots.proc(Path::new("net").join(file)), what);
        Self {
            reader: Reader::default(),
            snmp: net("snmp", "tcp segments"),
            netstat: net("netstat", "tcp overflows"),
            softnet: net("softnet_stat", "packet queues"),
            sockstat: net("sockstat", "sockets in use"),
            conntrack_count: Kept::new(roots.proc("sys/net/netfilter/nf_conntrack_count"), "conntrack"),
            interfaces: Interfaces::new(roots),
            descriptors: Descriptors::new(roots, OWN),
            settings: Settings::new(roots),
        }
    }

    /// Reads it all.
    pub fn read(&mut self, now: Duration) -> NetworkReading {
        self.settings.read(now, &mut self.reader);
        let (settings, reader) = (&self.settings, &mut self.reader);
        let mut reading = NetworkReading::default();
        reader.parse(&mut self.snmp, |text| snmp(text, &mut reading.tcp));
        reader.parse(&mut self.netstat, |text| netstat(text, &mut reading.tcp));
        if let Some((dropped, squeezed)) = reader.parse(&mut self.softnet, softnet) {
            reading.softnet_dropped = Some(dropped);
            reading.softnet_squeezed = Some(squeezed);
        }
        if let Some(Sockstat { in_use, time_wait, memory_pages }) = reader.parse(&mut self.sockstat, sockstat)
        {
            reading.tcp_in_use = Some(in_use);
            reading.time_wait = Some(time_wait);
            reading.tcp_memory =
                settings.tcp_mem.value.map(|limits| TcpMemory::of_pages(memory_pages, limits));
        }
        let tracked = reader.parse_if_there(&mut self.conntrack_count, number);
        reading.conntrack =
            tracked.zip(settings.conntrack_max.value).map(|(count, max)| Conntrack { count, max });
        reading.interfaces = self.interfaces.read(now, reader);
        reading.ephemeral_ports = settings.ephemeral.value;
        reading.most_backlog = settings.most_backlog.value;
        reading.descriptors = self.descriptors.count(now, reader);
        reading.descriptor_limit = self.descriptors.limit(now, reader);
        reading
    }

    /// What it does not know at present.
    pub fn unknown(&self) -> impl Iterator<Item = &Unknown> {
        self.reader.unknown()
    }
}

pub(crate) fn port_range(text: &str) -> Option<(u16, u16)> {
    let [first, last] = numbers(text)?;
    let range = (u16::try_from(first).ok()?, u16::try_from(last).ok()?);
    (range.0 <= range.1).then_some(range)
}
