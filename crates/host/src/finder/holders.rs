//! A walk through the descriptors of all processes.

use std::fs;
use std::io;
use std::path::Path;

use foldhash::{HashMap, HashMapExt as _, HashSet};

use super::Pid;
use crate::file::read_once;
use crate::process::Stat;

/// Processes that are looked at.
const MOST_PROCESSES: usize = 16_384;
/// Descriptors that are looked at, of one process and of all. Each costs about two microseconds.
const MOST_DESCRIPTORS_OF_ONE: usize = 8_192;
const MOST_DESCRIPTORS: usize = 32_768;

/// Who holds which socket.
#[derive(Debug, Default)]
pub(super) struct Holders {
    /// Socket inode and holder, in order.
    held: Vec<(u64, Pid)>,
    /// Every process and its parent's number.
    processes: Vec<(Pid, u32)>,
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

    /// These and all they have started.
    pub(super) fn with_descendants(&self, mut family: Vec<Pid>) -> Vec<Pid> {
        let mut children: HashMap<u32, Vec<Pid>> = HashMap::new();
        for (pid, parent) in &self.processes {
            children.entry(*parent).or_default().push(*pid);
        }
        let mut known: HashSet<u32> = family.iter().map(|pid| pid.number).collect();
        let mut at = 0;
        while let Some(pid) = family.get(at).copied() {
            at += 1;
            let Some(children) = children.get(&pid.number) else { continue };
            // A child is not older than its parent; where it seems so, the number has been used again.
            let new =
                children.iter().filter(|child| child.started >= pid.started && known.insert(child.number));
            family.extend(new);
        }
        family.sort_unstable();
        family
    }
}

/// The walk.
#[derive(Default)]
pub(super) struct Scan {
    wanted: HashSet<u64>,
    holders: Holders,
    looked_at: usize,
    buffer: Vec<u8>,
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
        for entry in fs::read_dir(proc)? {
            let Some(number) = entry.ok().and_then(|entry| entry.file_name().to_str()?.parse().ok()) else {
                continue;
            };
            if self.holders.processes.len() == MOST_PROCESSES {
                self.holders.cut_short = true;
                break;
            }
            self.process(&proc.join(format!("{number}")), number, own == Some(number));
        }
        Ok(())
    }

    fn process(&mut self, path: &Path, number: u32, own: bool) {
        let stat = read_once(&path.join("stat"), &mut self.buffer).ok().and_then(Stat::parse);
        let Some(Stat { started, parent, .. }) = stat else { return };
        let pid = Pid { number, started };
        self.holders.processes.push((pid, parent));
        if own || self.wanted.is_empty() {
            return;
        }
        match fs::read_dir(path.join("fd")) {
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
