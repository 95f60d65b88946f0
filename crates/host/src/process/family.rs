//! The processes of one program: a server and its workers.

use std::time::Duration;

use super::{HotThread, Process, ProcessReading, THREADS_A_TICK};
use crate::finder::Pid;
use crate::roots::Roots;
use crate::unknown::Unknown;

/// More members than these are left out.
const MOST_MEMBERS: usize = 512;
/// Members that are read in one reading; the others in turn.
const MEMBERS_A_TICK: usize = 64;
/// Threads a member has looked at, however many members there are.
const FEWEST_THREADS: usize = 12;

/// What a family's members have together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FamilyReading {
    /// Processes that live.
    pub processes: usize,
    /// CPU time of all members since each was first read. It does not go back when one ends.
    pub cpu: Duration,
    /// The same for the time their threads wanted to run and waited for a core.
    pub run_delay: Option<Duration>,
    /// Threads.
    pub threads: u64,
    /// The thread that used most CPU lately, and whose it is.
    pub hottest: Option<(Pid, HotThread)>,
    /// Memory held, shared pages counted in each member.
    pub resident_bytes: u64,
    /// Memory held, shared pages counted once; known when it is of every member.
    pub proportional_bytes: Option<u64>,
    /// Pages they had to read from disk, since each was first read.
    pub major_faults: u64,
    /// Open descriptors and their limit, of the member that is nearest to it.
    pub descriptors: Option<(u64, u64)>,
}

#[derive(Debug)]
struct Member {
    process: Process,
    last: Option<ProcessReading>,
}

/// The source for a family.
#[derive(Debug, Default)]
pub struct Family {
    members: Vec<Member>,
    next: usize,
    next_resident: usize,
    total: FamilyReading,
}

impl Family {
    /// A family without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says who belongs to it now; who belonged to it before keeps what was read.
    pub fn set(&mut self, roots: &Roots, pids: &[Pid]) {
        self.members.retain(|member| pids.contains(&member.process.pid()));
        for pid in pids {
            let known = self.members.iter().any(|member| member.process.pid() == *pid);
            if !known && self.members.len() < MOST_MEMBERS {
                self.members.push(Member { process: Process::of(roots, *pid), last: None });
            }
        }
    }

    /// Who belongs to it.
    #[cfg(test)]
    pub(crate) fn pids(&self) -> impl Iterator<Item = Pid> {
        self.members.iter().map(|member| member.process.pid())
    }

    /// Reads it all, of a large family a part. Members that have ended are gone with it.
    pub fn read(&mut self, now: Duration) -> FamilyReading {
        let turns = self.members.len().min(MEMBERS_A_TICK);
        let threads = THREADS_A_TICK.checked_div(turns).unwrap_or_default().max(FEWEST_THREADS);
        for _ in 0..turns {
            let Some(at) = self.next.checked_rem(self.members.len()) else { break };
            if self.read_member(at, now, threads) {
                self.next = at + 1;
            } else {
                self.members.remove(at);
                self.next = at;
            }
        }
        self.read_resident(now);
        self.sum()
    }

    /// Whether it lives.
    fn read_member(&mut self, at: usize, now: Duration, threads: usize) -> bool {
        let member = &mut self.members[at];
        let Ok(mut reading) = member.process.read_bounded(now, threads) else { return false };
        let Process { descriptors, reader, .. } = &mut member.process;
        reading.descriptors = descriptors.count(now, reader);
        reading.descriptor_limit = descriptors.limit(now, reader);
        // Counts from the first reading on: what a member did before is not this family's growth.
        if let Some(last) = &member.last {
            let total = &mut self.total;
            total.cpu = total.cpu.saturating_add(reading.cpu.saturating_sub(last.cpu));
            let faults = reading.major_faults.saturating_sub(last.major_faults);
            total.major_faults = total.major_faults.saturating_add(faults);
            if let Some(delay) = reading.run_delay {
                let more = delay.saturating_sub(last.run_delay.unwrap_or_default());
                total.run_delay = Some(total.run_delay.unwrap_or_default().saturating_add(more));
            }
        }
        member.last = Some(reading);
        true
    }

    /// The proportional set size is dear: one member a reading.
    fn read_resident(&mut self, now: Duration) {
        let Some(at) = self.next_resident.checked_rem(self.members.len()) else { return };
        self.next_resident = at + 1;
        let Process { resident, reader, .. } = &mut self.members[at].process;
        resident.proportional(now, reader);
    }

    fn sum(&self) -> FamilyReading {
        let mut sum = self.total.clone();
        sum.processes = self.members.len();
        let proportional = self.members.iter().map(|member| member.process.resident.last());
        sum.proportional_bytes = proportional.sum::<Option<u64>>().filter(|_| !self.members.is_empty());
        for Member { process, last } in &self.members {
            let Some(last) = last else { continue };
            sum.threads = sum.threads.saturating_add(last.threads);
            sum.resident_bytes = sum.resident_bytes.saturating_add(last.resident_bytes);
            let hottest = sum.hottest.as_ref().map_or(0.0, |(_, hottest)| hottest.cpu);
            if let Some(hot) = last.hottest.as_ref().filter(|hot| hot.cpu >= hottest) {
                sum.hottest = Some((process.pid(), hot.clone()));
            }
            if let Some(here) = last.descriptors.zip(last.descriptor_limit) {
                let share = |(open, limit): (u64, u64)| open as f64 / limit.max(1) as f64;
                if sum.descriptors.is_none_or(|most| share(most) < share(here)) {
                    sum.descriptors = Some(here);
                }
            }
        }
        sum
    }

    /// What it does not know at present, once for all members.
    pub fn unknown(&self) -> impl Iterator<Item = &Unknown> {
        self.members.iter().enumerate().flat_map(move |(at, member)| {
            let told = move |what| {
                self.members[..at]
                    .iter()
                    .any(|other| other.process.unknown().any(|unknown| unknown.what == what))
            };
            member.process.unknown().filter(move |unknown| !told(unknown.what))
        })
    }
}
