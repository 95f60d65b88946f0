//! TCP sockets of the machine: who listens and how long the accept queue is, which destination takes up
//! local ports.

mod table;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use foldhash::{HashMap, HashMapExt as _};

use table::{ESTABLISHED, LISTEN, TIME_WAIT, each_line};
pub(crate) use table::{Entry, entry};

use crate::diag::Diag;
use crate::every::Every;
use crate::network::port_range;
use crate::roots::Roots;
use crate::unknown::{Unknown, Unknowns, Why};

/// The kernel walks its whole table of sockets for this.
const EVERY: Duration = Duration::from_secs(10);
/// Sockets that are looked at; a busy proxy has tens of thousands in TIME-WAIT.
const MOST_SOCKETS: usize = 65_536;
/// A second more between readings for so many sockets: up to two microseconds are spent on each, where the kernel
/// has to write a table of them, so that a full one takes less than one hundredth of a core.
const SOCKETS_A_SECOND: usize = 4_096;
const MOST_LISTENERS: usize = 1_024;
const MOST_DESTINATIONS: usize = 4_096;
const WHAT: &str = "tcp sockets";

/// A socket that listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// Where.
    pub address: SocketAddr,
    /// Connections that are open and wait to be accepted.
    pub queued: u32,
    pub(crate) inode: u64,
}

/// A destination of connections this machine opened. Each takes a local port, of which there are some
/// 28,000 for each destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination {
    /// Where to.
    pub address: SocketAddr,
    /// Local ports taken by connections, those in TIME-WAIT included.
    pub ports: u32,
    /// Of these, ports in TIME-WAIT.
    pub time_wait: u32,
}

/// What the socket source reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SocketsReading {
    /// When it was read.
    pub at: Duration,
    /// Sockets that listen.
    pub listeners: Vec<Listener>,
    /// Connections that are established.
    pub established: u32,
    /// Connections in TIME-WAIT.
    pub time_wait: u32,
    /// The destination that takes up most local ports.
    pub busiest: Option<Destination>,
    /// Whether there are more sockets than were looked at.
    pub cut_short: bool,
}

/// The source of sockets.
#[derive(Debug)]
pub struct Sockets {
    /// Asked in place of the tables, which cost the kernel several times as much; none where it does not answer.
    diag: Option<Diag>,
    tables: [PathBuf; 2],
    port_range: PathBuf,
    every: Every,
    unknowns: Unknowns,
    last: Option<SocketsReading>,
    buffer: Vec<u8>,
}

impl Sockets {
    /// The sockets of this process's network namespace.
    pub fn new(roots: &Roots) -> Self {
        Self {
            // Tables that are somewhere else are another machine's.
            diag: (*roots == Roots::default()).then(Diag::default),
            tables: [roots.proc("net/tcp"), roots.proc("net/tcp6")],
            port_range: roots.proc("sys/net/ipv4/ip_local_port_range"),
            every: Every::new(EVERY),
            unknowns: Unknowns::default(),
            last: None,
            buffer: Vec::new(),
        }
    }

    /// The last reading; a new one when the last is ten seconds old, or older where there are many sockets.
    pub fn read(&mut self, now: Duration) -> Option<&SocketsReading> {
        if self.every.due(now) {
            self.scan(now);
        }
        self.last.as_ref()
    }

    /// The last reading, however old.
    pub fn last(&self) -> Option<&SocketsReading> {
        self.last.as_ref()
    }

    fn scan(&mut self, now: Duration) {
        let range = std::fs::read_to_string(&self.port_range).ok().and_then(|text| port_range(&text));
        let mut scan = Scan::new(now, range);
        let mut found = self.diag.as_mut().is_some_and(|diag| diag.sockets(|entry| scan.take(entry)).is_ok());
        if !found {
            self.diag = None;
            scan = Scan::new(now, range);
            found = self.read_tables(&mut scan);
        }
        if found {
            self.unknowns.clear(WHAT, &self.tables[0]);
        }
        let seconds = u64::try_from(scan.seen / SOCKETS_A_SECOND).unwrap_or(u64::MAX);
        self.every.set_period(EVERY.max(Duration::from_secs(seconds)));
        self.last = found.then(|| scan.end());
    }

    /// Whether there are any.
    fn read_tables(&mut self, scan: &mut Scan) -> bool {
        let mut found = false;
        for (version, path) in self.tables.iter().enumerate() {
            match each_line(path, &mut self.buffer, |line| entry(line).is_none_or(|entry| scan.take(&entry)))
            {
                Ok(()) => found = true,
                // A machine without IPv6 has no table of it.
                Err(error) if version == 0 => self.unknowns.note(WHAT, path, "", Why::from(&error)),
                Err(_) => {}
            }
        }
        found
    }

    /// What it does not know at present.
    pub fn unknown(&self) -> impl Iterator<Item = &Unknown> {
        self.unknowns.iter()
    }
}

/// An IPv4 address in IPv6's clothes is that IPv4 address.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// One walk through all sockets.
struct Scan {
    reading: SocketsReading,
    ephemeral: Option<(u16, u16)>,
    /// Ports, and of these in TIME-WAIT.
    destinations: HashMap<SocketAddr, (u32, u32)>,
    seen: usize,
}

impl Scan {
    fn new(at: Duration, ephemeral: Option<(u16, u16)>) -> Self {
        let reading = SocketsReading { at, ..SocketsReading::default() };
        Self { reading, ephemeral, destinations: HashMap::new(), seen: 0 }
    }

    /// Takes a socket; says whether it wants more.
    fn take(&mut self, entry: &Entry) -> bool {
        if self.seen == MOST_SOCKETS {
            self.reading.cut_short = true;
            return false;
        }
        self.seen += 1;
        self.count(entry);
        true
    }

    fn count(&mut self, entry: &Entry) {
        let reading = &mut self.reading;
        match entry.state {
            LISTEN => {
                if reading.listeners.len() < MOST_LISTENERS {
                    let Entry { local: address, queued, inode, .. } = *entry;
                    reading.listeners.push(Listener { address, queued, inode });
                }
                return;
            }
            ESTABLISHED => reading.established += 1,
            TIME_WAIT => reading.time_wait += 1,
            _ => {}
        }
        let port = entry.local.port();
        if self.ephemeral.is_some_and(|(first, last)| (first..=last).contains(&port)) {
            let remote = canonical(entry.remote);
            if self.destinations.len() < MOST_DESTINATIONS || self.destinations.contains_key(&remote) {
                let (ports, waiting) = self.destinations.entry(remote).or_default();
                *ports += 1;
                *waiting += u32::from(entry.state == TIME_WAIT);
            }
        }
    }

    fn end(mut self) -> SocketsReading {
        // A port someone listens on, in the range, has its clients for destinations: one port each.
        let busiest = self.destinations.iter().max_by_key(|(address, (ports, _))| (*ports, **address));
        self.reading.busiest =
            busiest.map(|(&address, &(ports, time_wait))| Destination { address, ports, time_wait });
        self.reading
    }
}
