//! What the machine says: CPU, memory, processes, network and disk as `/proc`, `/sys` and control groups
//! tell it, raw and with honest unknowns.
//!
//! A source is read once a second and gives counters and gauges *as read*, each an [`Option`]: what the
//! kernel does not tell is `None`, and why it does not is in [`Host::unknown`], once. Rates are the reader's,
//! with [`Rate`], which gives no sample where a counter went back. The crate has no clock, no thread and no
//! configuration: the time is an argument, the [`Roots`] can be those of a fixture.
//!
//! - [`Host`] holds the sources that concern the machine and this process: [`Cpu`], [`Memory`], [`Network`],
//!   [`Sockets`], [`Disk`].
//! - [`Finder`] says which processes listen on a port; [`Process`] and [`Family`] measure them;
//!   [`cpu_with_descendants`] says what one has cost with all it has started.
//! - [`Diag`] asks the kernel for `TCP_INFO` of the connections of a port.
//!
//! # What it costs
//! Files that are read every second stay open and are read with `pread` into one buffer. What is dear is
//! rare (proportional set size, socket tables, descriptors of other processes: every ten seconds at most)
//! and everything that grows with the machine is bounded: threads a tick, sockets and descriptors a scan.
//! Measured by the test `what_reading_costs`, optimised, on two virtual cores: 0.2 ms for the machine, 1.2 ms
//! for a process of 300 threads, 18 ms for finding processes every ten seconds: one third of one per cent of
//! a core in all.

mod cgroup;
mod cpu;
mod diag;
mod disk;
mod every;
mod file;
mod finder;
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod lineage;
mod memory;
mod network;
mod pressure;
mod process;
mod rate;
mod roots;
mod sockets;
mod text;
mod unknown;

#[cfg(test)]
mod cost;
#[cfg(test)]
mod testing;

pub use cgroup::{CgroupCpu, CgroupMemory};
pub use cpu::{Core, Cpu, CpuReading, CpuTimes};
pub use diag::{Connection, Connections, Diag, TcpInfo};
pub use disk::{Disk, DiskReading, Space};
pub use finder::{Finder, Pid};
pub use host::{Host, HostReading, host_name};
pub use lineage::cpu_with_descendants;
pub use memory::{Memory, MemoryReading, Reclaim};
pub use network::{Conntrack, Interface, Network, NetworkReading, TcpCounters, TcpMemory};
pub use pressure::Pressure;
pub use process::{Family, FamilyReading, Glance, Gone, HotThread, Process, ProcessReading};
pub use rate::Rate;
pub use roots::Roots;
pub use sockets::{Destination, Listener, Sockets, SocketsReading};
pub use unknown::{Unknown, Why};
