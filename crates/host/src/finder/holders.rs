//! A walk through the descriptors of all processes.

use std::fs;
use std::io;
use std::path::Path;

use foldhash::HashSet;

use super::Pid;
use crate::lineage::Lineage;

/// Descriptors that are looked at, of one process and of all. Each costs about two microseconds.
const MOST_DESCRIPTORS_OF_ONE: usize = 8_192;
const MOST_DESCRIPTORS: usize = 32_768;

/// Who holds which socket.
#[derive(Debug, Default)]
pub(super) struct Holders {
    /// Socket inode and holder, in order.
    held: Vec<(u64, Pid)>,
    /// Every process and who began it.
    pub(super) lineage: Lineage,
    /// Whether descriptors of some process could not be seen.
    pub(super) denied: bool,
    pub(super) cut_short: bool,
}

impl Holders {
    /// Who holds one of these, without repetition, in order.
    pub(super) fn of(&self, inodes: &[u64]) -> Vec<Pid> {
        let mut found = Vec::new();
        for inode in inodes {
            let from = self.held.partition_point(|(held, _)| held < inode);
            found.extend(self.held[from..].iter().take_while(|(held, _)| held == inode).map(|(_, pid)| *pid));
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// The walk.
#[derive(Default)]
pub(super) struct Scan {
    wanted: HashSet<u64>,
    holders: Holders,
    looked_at: usize,
}

impl Scan {
    /// Looks for these, too.
    pub(super) fn want(&mut self, inodes: impl Iterator<Item = u64>) {
        self.wanted.extend(inodes.filter(|inode| *inode != 0));
    }

    pub(super) fn walk(&mut self, proc: &Path) -> io::Result<()> {
        // Its own descriptors, often the most, are not asked for.
        let own = fs::read_link(proc.join("self")).ok();
        let own = own.as_deref().and_then(Path::to_str).and_then(|own| own.parse::<u32>().ok());
        let lineage = Lineage::read(proc, |pid, _| self.process(proc, pid, own == Some(pid.number)))?;
        self.holders.cut_short |= lineage.cut_short;
        self.holders.lineage = lineage;
        Ok(())
    }

    fn process(&mut self, proc: &Path, pid: Pid, own: bool) {
        if own || self.wanted.is_empty() {
            return;
        }
        match fs::read_dir(proc.join(format!("{}/fd", pid.number))) {
            Ok(descriptors) => self.descriptors(pid, descriptors),
            Err(error) => self.holders.denied |= error.kind() == io::ErrorKind::PermissionDenied,
        }
    }

    fn descriptors(&mut self, pid: Pid, descriptors: fs::ReadDir) {
        for (at, descriptor) in descriptors.enumerate() {
            if at == MOST_DESCRIPTORS_OF_ONE || self.looked_at == MOST_DESCRIPTORS {
                self.holders.cut_short = true;
                return;
            }
            self.looked_at += 1;
            let link = descriptor.and_then(|descriptor| fs::read_link(descriptor.path()));
            let inode = link.ok().and_then(|link| socket_inode(link.to_str()?));
            self.holders
                .held
                .extend(inode.filter(|inode| self.wanted.contains(inode)).map(|inode| (inode, pid)));
        }
    }

    pub(super) fn end(mut self) -> Holders {
        self.holders.held.sort_unstable();
        self.holders.held.dedup();
        self.holders
    }
}

/// A descriptor that is a socket links to `socket:[inode]`.
pub(crate) fn socket_inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}
