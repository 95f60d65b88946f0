//! `/proc/PID/stat`.

use std::time::Duration;

use crate::text::ticks;

/// What is taken of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) parent: u32,
    pub(crate) major_faults: u64,
    /// User and kernel time.
    pub(crate) cpu: Duration,
    /// The same of those it started that have ended, as far as it has asked how.
    pub(crate) ended_cpu: Duration,
    pub(crate) threads: u64,
    /// Ticks from boot to its start: with its number it is one process of all there ever were.
    pub(crate) started: u64,
    pub(crate) resident_pages: u64,
}

impl Stat {
    /// Fields are counted after the name, which may hold any bytes, parentheses too (proc_pid_stat(5)). A
    /// process that has ended and that nobody has asked for yet (a zombie) is none.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let name_end = bytes.iter().rposition(|byte| *byte == b')')?;
        let text = std::str::from_utf8(&bytes[name_end + 1..]).ok()?.strip_suffix('\n')?;
        let mut fields = text.split_ascii_whitespace();
        if matches!(fields.next()?, "Z" | "X" | "x") {
            return None;
        }
        let parent = fields.next()?.parse().ok()?;
        // The fields after the parent are the 5th and on.
        let mut field = |skip: usize| fields.nth(skip)?.parse::<u64>().ok();
        let major_faults = field(7)?;
        let cpu = ticks(field(1)?) + ticks(field(0)?);
        let ended_cpu = ticks(field(0)?) + ticks(field(0)?);
        let (threads, started, resident_pages) = (field(2)?, field(1)?, field(1)?);
        Some(Self { parent, major_faults, cpu, ended_cpu, threads, started, resident_pages })
    }

    pub(crate) fn resident_bytes(&self) -> u64 {
        self.resident_pages.saturating_mul(rustix::param::page_size() as u64)
    }
}
