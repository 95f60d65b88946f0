//! Which scalability cliff is next: one detector for each kind of resource, each in a file of its own.
//!
//! A detector says of each resource how much of it is used, at which load it ends ([`Outlook`]), and on what evidence. The
//! [`judge`] puts levels to that which do not flap, and says which cliff is nearest.

mod bound;
mod concurrency;
mod connections;
mod cpu;
mod descriptors;
mod disk;
mod judge;
mod level;
mod line;
mod locks;
mod memory;
mod network;
mod plateau;
mod pool;
mod replicas;
mod service;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::picture::{Load, Picture};
use crate::signal::Signal;

pub(crate) use judge::Judge;
pub use judge::{At, Change, Cliff, Cliffs, Level, LoadNow};
pub(crate) use pool::kept_longer;
pub(crate) use service::{Trouble, broken, trouble};

/// All detectors.
const DETECTORS: [&dyn Detector; 10] = [
    &cpu::Cpu,
    &locks::Locks,
    // After those whose queues are waited in while a connection is held.
    &pool::Pool,
    &memory::Memory,
    &network::Network,
    &concurrency::Concurrency,
    &connections::Connections,
    &descriptors::Descriptors,
    &disk::Disk,
    &replicas::Replicas,
];

/// What runs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Server connections of the pooler.
    ConnectionPool,
    /// Cores, or the one core of a thread.
    Cpu,
    /// Rows and tables that one transaction at a time may write to.
    Locks,
    /// Memory.
    Memory,
    /// The link, or local ports.
    Network,
    /// Workers of the application.
    Concurrency,
    /// Connections that the database's server allows.
    Connections,
    /// Open files.
    Descriptors,
    /// Space on disk.
    Disk,
    /// How far replicas are behind.
    ReplicaLag,
    /// Nothing: how the answers are, whatever a cliff says. No detector finds it, only changes of it are told.
    Service,
}

impl Kind {
    /// As it is written in JSON and in the names of cliffs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionPool => "connection_pool",
            Self::Cpu => "cpu",
            Self::Locks => "locks",
            Self::Memory => "memory",
            Self::Network => "network",
            Self::Concurrency => "concurrency",
            Self::Connections => "connections",
            Self::Descriptors => "descriptors",
            Self::Disk => "disk",
            Self::ReplicaLag => "replica_lag",
            Self::Service => "service",
        }
    }
}

/// Finds cliffs of one kind.
trait Detector: Sync {
    /// One finding for each resource there is. `load` is none when nothing is served; `found` is what the detectors before
    /// this one found.
    fn look(&self, picture: &Picture<'_>, load: Option<&Load>, found: &[Finding]) -> Vec<Finding>;
}

/// What is found of one resource.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    /// Which one: a pool, a table, a process.
    pub(crate) resource: String,
    /// The sentence without its load: "the pool of `shop` is exhausted".
    pub(crate) what: String,
    pub(crate) used: Option<f64>,
    pub(crate) limit: Option<f64>,
    pub(crate) unit: &'static str,
    pub(crate) outlook: Outlook,
    /// It happens now: something waits or fails for want of it.
    pub(crate) pressing: Option<String>,
    pub(crate) evidence: Vec<Evidence>,
}

/// When a resource ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outlook {
    /// At a load, as things are mixed now.
    AtLoad(Range),
    /// In so many seconds, whatever the load.
    InTime(Range),
    /// Not for any load or time that can be seen, and why.
    NoneInSight(String),
    /// Not known: what is missing.
    CannotTell(String),
}

/// An estimate that says how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Range {
    /// The best single guess.
    pub value: f64,
    /// As little as this ...
    pub low: f64,
    /// ... or as much as this, ...
    pub high: f64,
    /// ... with this probability, 0 to 1.
    pub confidence: f64,
}

/// One thing that was measured and speaks for a finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// Which signal.
    pub signal: &'static str,
    /// Of what.
    pub label: String,
    /// Its value.
    pub value: f64,
    /// What one is one of.
    pub unit: &'static str,
    /// The same as a clause.
    pub text: String,
}

impl Evidence {
    pub(crate) fn of(signal: &Signal, label: &str, value: f64, text: impl FnOnce(f64) -> String) -> Self {
        Self { signal: signal.name, label: label.to_owned(), value, unit: signal.unit, text: text(value) }
    }
}

/// Reads a signal as it is now, for evidence; none when it is not known.
fn evidence(
    picture: &Picture<'_>,
    signal: &'static Signal,
    label: &str,
    text: impl FnOnce(f64) -> String,
) -> Option<Evidence> {
    picture.now(signal, label).map(|value| Evidence::of(signal, label, value, text))
}

/// All that is found.
pub(crate) fn look(picture: &Picture<'_>) -> (Option<Load>, Vec<Finding>) {
    let load = picture.load();
    let mut findings = Vec::new();
    for detector in DETECTORS {
        findings.extend(detector.look(picture, load.as_ref(), &findings));
    }
    (load, findings)
}
