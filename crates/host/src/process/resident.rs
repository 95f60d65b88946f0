//! Memory a process holds, with shared pages in proportion.

use std::path::Path;
use std::time::Duration;

use crate::every::Every;
use crate::file::{Kept, Reader};
use crate::text::keyed;

/// The kernel walks the whole address space for it: milliseconds for each gibibyte.
const EVERY: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Resident {
    rollup: Kept,
    every: Every,
    last: Option<u64>,
}

impl Resident {
    pub(super) fn new(process: &Path) -> Self {
        let hint = "the resident set counts pages shared between processes in each of them";
        Self {
            rollup: Kept::with_hint(process.join("smaps_rollup"), "proportional memory", hint).reopened(),
            every: Every::new(EVERY),
            last: None,
        }
    }

    pub(super) fn proportional(&mut self, now: Duration, reader: &mut Reader) -> Option<u64> {
        if self.every.due(now) {
            self.last = reader.parse(&mut self.rollup, proportional);
        }
        self.last
    }

    pub(super) fn last(&self) -> Option<u64> {
        self.last
    }
}

/// `/proc/PID/smaps_rollup`, in KiB.
pub(crate) fn proportional(text: &str) -> Option<u64> {
    keyed(text).find(|(key, _)| *key == "Pss")?.1.checked_mul(1_024)
}
