//! A request's claim on a target, from being chosen to its outcome.

use std::sync::Arc;
use std::time::Duration;

use crate::target::Target;

/// How a request ended, as far as the target is to be judged by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The target answered.
    Success {
        /// From being chosen to the first byte of the answer.
        latency: Duration,
    },
    /// The target is to blame.
    Failure {
        /// In what way.
        kind: FailureKind,
        /// From being chosen to the failure.
        latency: Duration,
    },
    /// Nobody is to blame: the client left, or the request was never sent.
    Cancelled,
}

/// In what way a target failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// No connection.
    Connect,
    /// No answer in time.
    Timeout,
    /// An answer that breaks the protocol or ends early.
    Protocol,
    /// A well-formed answer that says the server failed (HTTP 5xx).
    Status5xx,
}

impl FailureKind {
    /// The word used in reasons and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Status5xx => "status_5xx",
        }
    }

    /// The same for somebody who looks for the cause.
    pub(crate) const fn in_words(self) -> &'static str {
        match self {
            Self::Connect => "no connection: does it run, and are its address and protocol right?",
            Self::Timeout => "no answer in time",
            Self::Protocol => "an answer that breaks the protocol or ends early",
            Self::Status5xx => "an answer that says the server failed (5xx)",
        }
    }
}

/// Why this target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Chosen {
    /// The balancer chose; nobody asked for a target.
    Balanced,
    /// It is the one the client sticks to.
    StickyKept,
    /// The one the client sticks to is gone or not available; the balancer chose another.
    StickyMoved,
}

/// One request in flight at a target. Ended by [`Lease::done`]; dropped without, it counts as cancelled.
#[derive(Debug)]
pub struct Lease {
    target: Arc<Target>,
    /// Nanoseconds since the pool's epoch.
    started: u64,
    chosen: Chosen,
    settled: bool,
}

impl Lease {
    #[inline]
    pub(crate) fn new(target: Arc<Target>, now: u64, chosen: Chosen) -> Self {
        target.load.begin(now);
        Self { target, started: now, chosen, settled: false }
    }

    /// The target to send the request to.
    #[inline]
    pub fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// Why this target.
    pub fn chosen(&self) -> Chosen {
        self.chosen
    }

    /// Whether the client kept the target it sticks to.
    pub fn sticky_kept(&self) -> bool {
        self.chosen == Chosen::StickyKept
    }

    /// Ends the lease. Enough failures in a row eject the target before this returns.
    pub fn done(mut self, outcome: Outcome) {
        let load = &self.target.load;
        match outcome {
            Outcome::Success { latency } => {
                load.succeed(self.after(latency), latency);
                self.settled = true;
            }
            Outcome::Failure { kind, latency } => {
                let now = self.after(latency);
                let in_a_row = load.fail(now, latency);
                self.settled = true;
                if let Some(pool) = self.target.pool.upgrade() {
                    pool.failed_in_a_row(&self.target, in_a_row, kind, now);
                }
            }
            // The drop does it.
            Outcome::Cancelled => {}
        }
    }

    /// Ends a lease on which nothing was sent because another choice was sought: it counts for nothing.
    pub fn withdraw(mut self) {
        self.settled = true;
    }

    fn after(&self, latency: Duration) -> u64 {
        self.started.saturating_add(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let load = &self.target.load;
        load.end();
        if !self.settled {
            let now = self.target.pool.upgrade().map_or(self.started, |pool| pool.now());
            load.cancel(now, Duration::from_nanos(now.saturating_sub(self.started)));
        }
    }
}
