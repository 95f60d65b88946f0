//! A place in flight.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Gate;

/// Leave to be in flight. Given back by [`Permit::done`], which tells the limit how it went, or by being
/// dropped, which tells it nothing.
#[must_use = "dropped, it is given back"]
pub struct Permit {
    gate: Arc<Gate>,
    admitted: u64,
    /// When it ended, if that was told.
    ended: Option<u64>,
}

impl Permit {
    #[inline]
    pub(super) fn new(gate: Arc<Gate>, admitted: u64) -> Self {
        Self { gate, admitted, ended: None }
    }

    /// When it was given: latency counts from here.
    pub fn admitted(&self) -> u64 {
        self.admitted
    }

    /// Gives it back. The latency leaves out the time in the waiting room. `dropped` says that there was no
    /// proper answer (failed, timed out, cancelled): it would have taken at least that long.
    #[inline]
    pub fn done(mut self, now: u64, latency: Duration, dropped: bool) {
        self.ended = Some(now);
        self.gate.observe(now, latency, dropped);
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        self.gate.release(self.ended);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("admitted", &self.admitted).finish_non_exhaustive()
    }
}
