//! The sources that concern the machine and this process, read together.

use std::time::Duration;

use crate::cpu::{Cpu, CpuReading};
use crate::disk::{Disk, DiskReading};
use crate::finder::Finder;
use crate::memory::{Memory, MemoryReading};
use crate::network::{Network, NetworkReading};
use crate::roots::Roots;
use crate::unknown::Unknown;

/// What the machine calls itself (proc(5)); `None` where it has no name.
pub fn host_name(roots: &Roots) -> Option<String> {
    let name = std::fs::read_to_string(roots.proc("sys/kernel/hostname")).ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Everything that is read of the machine each second.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HostReading {
    /// When, on the reader's clock.
    pub at: Duration,
    /// CPU.
    pub cpu: CpuReading,
    /// Memory.
    pub memory: MemoryReading,
    /// Network.
    pub network: NetworkReading,
    /// Disks.
    pub disk: DiskReading,
}

/// The machine. Each source can also be read by itself.
#[derive(Debug)]
pub struct Host {
    /// CPU.
    pub cpu: Cpu,
    /// Memory.
    pub memory: Memory,
    /// Network.
    pub network: Network,
    /// Disks.
    pub disk: Disk,
    /// Sockets and the processes they belong to; looks around when asked to.
    pub finder: Finder,
    roots: Roots,
}

impl Host {
    /// The machine below these roots.
    pub fn new(roots: Roots) -> Self {
        Self {
            cpu: Cpu::new(&roots),
            memory: Memory::new(&roots),
            network: Network::new(&roots),
            disk: Disk::new(&roots),
            finder: Finder::new(&roots),
            roots,
        }
    }

    /// Where it is read from.
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Reads what is read each second; `now` is monotonic.
    pub fn read(&mut self, now: Duration) -> HostReading {
        HostReading {
            at: now,
            cpu: self.cpu.read(now),
            memory: self.memory.read(now),
            network: self.network.read(now),
            disk: self.disk.read(now),
        }
    }

    /// What is not known at present, and why.
    pub fn unknown(&self) -> impl Iterator<Item = &Unknown> {
        let machine = self.cpu.unknown().chain(self.memory.unknown());
        machine.chain(self.network.unknown()).chain(self.disk.unknown()).chain(self.finder.unknown())
    }
}

#[cfg(test)]
mod tests;
