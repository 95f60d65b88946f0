//! Half-open: a few requests find out whether a breaker may close.

use std::sync::Arc;
use std::time::Duration;

use super::{BreakerState, CircuitBreaker, FAILURES, Open, Pass, SLOW, Verdict, WHILE_PROBING};
use crate::window::nanos;

/// The probes of one half-open phase.
#[derive(Debug, Default)]
pub(super) struct Trial {
    /// Tells this trial from those before.
    number: u64,
    since: u64,
    /// Under way.
    out: u32,
    /// Ended in a verdict.
    ended: u32,
    failures: u32,
    slow: u32,
}

impl Trial {
    fn begin(&mut self, now: u64) {
        *self = Self { number: self.number + 1, since: now, ..Self::default() };
    }
}

/// Leave to send one probe. Dropped without a verdict, its place goes to another.
pub struct ProbePass {
    breaker: Arc<CircuitBreaker>,
    trial: u64,
    settled: bool,
}

impl CircuitBreaker {
    /// Takes one of the places of a half-open breaker, which an open one becomes when its time is over.
    #[cold]
    pub(super) fn try_probe(self: &Arc<Self>, now: u64) -> Result<Pass, Open> {
        let mut control = self.control();
        match self.state() {
            BreakerState::Closed => return Ok(Pass::Closed(self.phase.load(super::Relaxed))),
            BreakerState::Open => {
                let left = self.until.load(super::Relaxed).saturating_sub(now);
                if left > 0 {
                    return Err(Open { retry_after: Duration::from_nanos(left) });
                }
                control.trial.begin(now);
                self.enter(BreakerState::HalfOpen, "its time is over".into(), Duration::ZERO);
            }
            BreakerState::HalfOpen => {}
        }
        let trial = &mut control.trial;
        if trial.out + trial.ended >= self.settings.probes.max(1) {
            // Probes that never end must not keep the breaker from closing for ever.
            if now.saturating_sub(trial.since) < nanos(self.settings.max_open.get().max(WHILE_PROBING)) {
                return Err(Open { retry_after: WHILE_PROBING });
            }
            trial.begin(now);
        }
        trial.out += 1;
        Ok(Pass::Probe(ProbePass { breaker: Arc::clone(self), trial: trial.number, settled: false }))
    }
}

impl ProbePass {
    /// Counts the probe; the last one decides, or the first after which the decision is certain.
    pub(super) fn settle(mut self, now: u64, verdict: Verdict) {
        let Some(kind) = self.breaker.kind(verdict) else { return };
        self.settled = true;
        let breaker = &self.breaker;
        let mut control = breaker.control();
        let trial = &mut control.trial;
        if trial.number != self.trial || breaker.state() != BreakerState::HalfOpen {
            return;
        }
        trial.out -= 1;
        trial.ended += 1;
        trial.failures += u32::from(kind == FAILURES);
        trial.slow += u32::from(kind == SLOW);
        let probes = breaker.settings.probes.max(1);
        let (failures, slow) = (u64::from(trial.failures), u64::from(trial.slow));
        let done = trial.ended >= probes;
        if let Some(reason) = breaker.settings.too_bad(u64::from(probes), failures, slow) {
            breaker.open(&mut control, now, format!("half-open, {reason}"));
        } else if done {
            breaker.close(&mut control, now);
        }
    }
}

impl Drop for ProbePass {
    fn drop(&mut self) {
        if !self.settled {
            let mut control = self.breaker.control();
            if control.trial.number == self.trial && self.breaker.state() == BreakerState::HalfOpen {
                control.trial.out -= 1;
            }
        }
    }
}
