//! Interfaces: what went through them and how much could.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::every::Every;
use crate::file::{Kept, Reader};
use crate::roots::Roots;

/// A host of containers has one for each; more than these are not looked at.
const MOST_INTERFACES: usize = 256;
/// `ARPHRD_LOOPBACK`.
const LOOPBACK: &str = "772";
/// A link seldom changes its speed.
const LINK_EVERY: Duration = Duration::from_secs(60);

/// An interface. Counters are since it came up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interface {
    /// As the system calls it.
    pub name: String,
    /// Whether what goes out comes in again: it has no speed of its own.
    pub loopback: bool,
    /// The link's speed in bits per second; virtual ones often do not tell.
    pub speed_bits_per_second: Option<u64>,
    /// Bytes received.
    pub received_bytes: u64,
    /// Packets received.
    pub received_packets: u64,
    /// Packets that were received and dropped.
    pub received_drops: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Packets sent.
    pub sent_packets: u64,
    /// Packets that were to be sent and were dropped.
    pub sent_drops: u64,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    loopback: bool,
    speed: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Interfaces {
    counters: Kept,
    directory: PathBuf,
    links: BTreeMap<String, Link>,
    every: Every,
}

impl Interfaces {
    pub(super) fn new(roots: &Roots) -> Self {
        Self {
            counters: Kept::new(roots.proc("net/dev"), "interfaces"),
            directory: roots.sys("class/net"),
            links: BTreeMap::new(),
            every: Every::new(LINK_EVERY),
        }
    }

    pub(super) fn read(&mut self, now: Duration, reader: &mut Reader) -> Vec<Interface> {
        if self.every.due(now) {
            self.links.clear();
        }
        let mut interfaces = reader.parse(&mut self.counters, devices).unwrap_or_default();
        for interface in &mut interfaces {
            let link = match self.links.get(&interface.name) {
                Some(link) => *link,
                None => {
                    let link = self.link(&interface.name);
                    if self.links.len() < MOST_INTERFACES {
                        self.links.insert(interface.name.clone(), link);
                    }
                    link
                }
            };
            interface.loopback = link.loopback;
            interface.speed_bits_per_second = link.speed;
        }
        interfaces
    }

    fn link(&self, name: &str) -> Link {
        // The kernel allows no slash in a name; a fixture might.
        let text = |file: &str| {
            let name = (!name.contains('/') && name != "..").then_some(name)?;
            fs::read_to_string(self.directory.join(name).join(file)).ok()
        };
        let loopback = text("type").map_or(name == "lo", |kind| kind.trim() == LOOPBACK);
        let speed = text("speed").and_then(|speed| megabits(&speed)).filter(|_| !loopback);
        Link { loopback, speed }
    }
}

/// A link's speed, told in Mbit/s; -1 (or all ones) is unknown, 0 is a link that is down.
fn megabits(text: &str) -> Option<u64> {
    let megabits: u64 = text.trim().parse().ok()?;
    (1..u64::from(u32::MAX)).contains(&megabits).then_some(megabits * 1_000_000)
}

/// `/proc/net/dev`: two lines of heads, then `name: ` and sixteen numbers.
pub(crate) fn devices(text: &str) -> Option<Vec<Interface>> {
    let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.rsplit_once(':'));
    let interfaces = lines.filter_map(|(name, numbers)| device(name.trim(), numbers)).take(MOST_INTERFACES);
    Some(interfaces.collect()).filter(|interfaces: &Vec<_>| !interfaces.is_empty())
}

fn device(name: &str, text: &str) -> Option<Interface> {
    let [
        received_bytes,
        received_packets,
        _,
        received_drops,
        _,
        _,
        _,
        _,
        sent_bytes,
        sent_packets,
        _,
        sent_drops,
    ] = crate::text::numbers(text)?;
    let name = name.to_owned();
    Some(Interface {
        name,
        received_bytes,
        received_packets,
        received_drops,
        sent_bytes,
        sent_packets,
        sent_drops,
        ..Interface::default()
    })
}
