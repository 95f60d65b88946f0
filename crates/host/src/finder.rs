//! Which processes a port belongs to.
//!
//! The kernel lists sockets with their inode, and a process's descriptors as links to inodes. Both are walked
//! together, at most every ten seconds and only so far.

mod holders;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use holders::{Holders, Scan};

use crate::every::Every;
use crate::roots::Roots;
use crate::sockets::{Sockets, SocketsReading};
use crate::unknown::{Unknown, Unknowns, Why};

pub(crate) use holders::socket_inode;

const EVERY: Duration = Duration::from_secs(10);
const WHAT: &str = "descriptors of other processes";
const HINT: &str = "which process a socket belongs to is told to its own user and to root only";
const CUT_SHORT: &str = "processes";

/// One process of all there ever were: numbers are used again, the time of the start is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid {
    /// The process id.
    pub number: u32,
    /// Ticks from boot to its start.
    pub started: u64,
}

/// Finds processes by their sockets.
#[derive(Debug)]
pub struct Finder {
    proc: PathBuf,
    sockets: Sockets,
    every: Every,
    holders: Holders,
    unknowns: Unknowns,
}

impl Finder {
    /// A finder that has looked at nothing.
    pub fn new(roots: &Roots) -> Self {
        Self {
            proc: roots.proc.clone(),
            sockets: Sockets::new(roots),
            every: Every::new(EVERY),
            holders: Holders::default(),
            unknowns: Unknowns::default(),
        }
    }

    /// Looks around, when the last look is ten seconds old.
    pub fn look(&mut self, now: Duration) {
        if !self.every.due(now) {
            return;
        }
        let mut scan = Scan::default();
        if let Some(reading) = self.sockets.read(now) {
            scan.want(reading.listeners.iter().map(|listener| listener.inode));
        }
        let walked = scan.walk(&self.proc);
        self.holders = scan.end();
        match walked {
            Err(error) => self.unknowns.note(CUT_SHORT, &self.proc, "", Why::from(&error)),
            Ok(()) if self.holders.cut_short => self.unknowns.note(CUT_SHORT, &self.proc, "", Why::TooMany),
            Ok(()) => self.unknowns.clear(CUT_SHORT, &self.proc),
        }
        let denied = self.proc.join("PID/fd");
        if self.holders.denied {
            self.unknowns.note(WHAT, &denied, HINT, Why::NotPermitted);
        } else {
            self.unknowns.clear(WHAT, &denied);
        }
    }

    /// The processes that serve a port, as of the last look: those that hold a socket that listens on it, and
    /// all they have started. (Workers of some servers hold it too, those of others, PostgreSQL among them,
    /// close it.) In the order of their numbers.
    ///
    /// # Errors
    /// [`Why::Missing`] when nobody listens on it here, or who does is in another container;
    /// [`Why::NotPermitted`] when it may be a process whose descriptors this user may not see.
    pub fn listeners(&self, port: u16) -> Result<Vec<Pid>, Why> {
        let listeners = self.sockets.last().map(|reading| reading.listeners.as_slice()).unwrap_or_default();
        let inodes: Vec<_> =
            listeners.iter().filter(|it| it.address.port() == port).map(|it| it.inode).collect();
        let holders = self.holders.of(&inodes);
        match holders.is_empty() {
            false => Ok(self.holders.lineage.with_descendants(holders)),
            true if self.holders.denied && !inodes.is_empty() => Err(Why::NotPermitted),
            true => Err(Why::Missing),
        }
    }

    /// The sockets as of the last look.
    pub fn sockets(&self) -> Option<&SocketsReading> {
        self.sockets.last()
    }

    /// What it does not know at present.
    pub fn unknown(&self) -> impl Iterator<Item = &Unknown> {
        self.sockets.unknown().chain(self.unknowns.iter())
    }
}
