//! Circuit breaking: after too many failures nothing is sent for a time, then a few probes decide (the
//! rules of resilience4j, with an open time that grows).

use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use deepwater_core::random::Random;

use crate::window::{Window, nanos};

mod settings;
mod trial;

#[cfg(test)]
mod tests;

pub use settings::Breaker;
pub use trial::ProbePass;
use trial::Trial;

/// What an end means to a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Answered; slow or not is for the breaker's settings to say.
    Success {
        /// From being sent to the first byte of the answer.
        latency: Duration,
    },
    /// Failed through no fault of the client.
    Failure,
    /// Nobody is to blame; counts for nothing.
    Cancelled,
}

/// Leave to send a request. Give it back to [`CircuitBreaker::record`] with the verdict; dropped, the
/// request counts as cancelled.
#[must_use = "a pass that is dropped counts as a cancelled request"]
pub enum Pass {
    /// The breaker is closed. The number tells the spell it was closed in.
    Closed(u64),
    /// One of the few that find out whether the breaker may close.
    Probe(ProbePass),
}

/// Nothing may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Until it is worth asking again.
    pub retry_after: Duration,
}

/// Which of its states a breaker is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Everything passes.
    Closed,
    /// Nothing passes.
    Open,
    /// A few probes pass.
    HalfOpen,
}

impl BreakerState {
    /// The word used in reasons and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }

    const fn bits(self) -> u64 {
        self as u64
    }

    const fn of(phase: u64) -> Self {
        match phase & PHASE_STATE {
            0 => Self::Closed,
            1 => Self::Open,
            _ => Self::HalfOpen,
        }
    }
}

/// A breaker is in another state than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The new state.
    pub state: BreakerState,
    /// Why.
    pub reason: String,
    /// How long it stays open at least; zero for the other states.
    pub open_for: Duration,
}

/// What a breaker calls when its state changes.
pub type OnChange = Box<dyn Fn(&Change) + Send + Sync>;

/// The bits of a phase that hold the state; the others count the phases.
const PHASE_STATE: u64 = 3;
const PHASE_STEP: u64 = 4;
/// How much longer than due it may stay open, so that many do not probe together.
const JITTER: f64 = 0.1;
/// What those are told who come while the probes are under way: they decide soon.
const WHILE_PROBING: Duration = Duration::from_secs(1);

/// Kinds of things counted.
const REQUESTS: usize = 0;
const FAILURES: usize = 1;
const SLOW: usize = 2;

/// The breaker of one target or one pool, shared by every core. Passing it while closed is one atomic load,
/// recording a success one atomic addition.
///
/// Times are nanoseconds since any epoch, the same in every call.
pub struct CircuitBreaker {
    settings: Breaker,
    /// State and number of the phase. Written under the lock, read without.
    phase: AtomicU64,
    /// When an open breaker may probe. Written before the phase is.
    until: AtomicU64,
    opened: AtomicU64,
    window: Window<3>,
    control: Mutex<Control>,
    on_change: OnChange,
}

/// What only state changes need.
struct Control {
    trial: Trial,
    /// Times it opened in a row, without a good spell between.
    in_a_row: u32,
    closed_at: u64,
    random: Random,
}

impl CircuitBreaker {
    /// A closed breaker. `on_change` is called in the order of the changes, under the breaker's lock: it
    /// must be quick and must not use the breaker.
    pub fn new(settings: Breaker, seed: u64, on_change: OnChange) -> Arc<Self> {
        Arc::new(Self {
            phase: AtomicU64::new(BreakerState::Closed.bits()),
            until: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            window: Window::new(settings.window.get()),
            control: Mutex::new(Control {
                trial: Trial::default(),
                in_a_row: 0,
                closed_at: 0,
                random: Random::from_seed(seed),
            }),
            settings,
            on_change,
        })
    }

    /// The state as of the last call. An open breaker becomes half-open when somebody asks after its time.
    pub fn state(&self) -> BreakerState {
        BreakerState::of(self.phase.load(Relaxed))
    }

    /// How often it opened.
    pub fn opened(&self) -> u64 {
        self.opened.load(Relaxed)
    }

    /// Whether [`Self::try_pass`] would refuse for sure; takes no place of a probe. For choosing among
    /// targets.
    #[inline]
    pub fn is_open(&self, now: u64) -> bool {
        let phase = self.phase.load(Acquire);
        BreakerState::of(phase) == BreakerState::Open && now < self.until.load(Relaxed)
    }

    /// Asks to send a request.
    ///
    /// # Errors
    /// When the breaker is open, or half-open and all probes are taken.
    #[inline]
    pub fn try_pass(self: &Arc<Self>, now: u64) -> Result<Pass, Open> {
        let phase = self.phase.load(Acquire);
        match BreakerState::of(phase) {
            BreakerState::Closed => Ok(Pass::Closed(phase)),
            BreakerState::Open => {
                let left = self.until.load(Relaxed).saturating_sub(now);
                if left > 0 {
                    return Err(Open { retry_after: Duration::from_nanos(left) });
                }
                self.try_probe(now)
            }
            BreakerState::HalfOpen => self.try_probe(now),
        }
    }

    /// Tells how a request ended. Only a bad end opens the breaker.
    #[inline]
    pub fn record(&self, pass: Pass, now: u64, verdict: Verdict) {
        match pass {
            Pass::Probe(probe) => probe.settle(now, verdict),
            // It was sent before the breaker opened, and says nothing about what came after.
            Pass::Closed(phase) if phase != self.phase.load(Relaxed) => {}
            Pass::Closed(_) => match self.kind(verdict) {
                Some(REQUESTS) => self.window.add(now, REQUESTS),
                Some(bad) => {
                    self.window.add(now, REQUESTS);
                    self.window.add(now, bad);
                    self.judge(now);
                }
                None => {}
            },
        }
    }

    fn kind(&self, verdict: Verdict) -> Option<usize> {
        let slow_after = self.settings.slow_after.get();
        match verdict {
            Verdict::Cancelled => None,
            Verdict::Failure => Some(FAILURES),
            Verdict::Success { latency } if !slow_after.is_zero() && latency >= slow_after => Some(SLOW),
            Verdict::Success { .. } => Some(REQUESTS),
        }
    }

    fn judge(&self, now: u64) {
        let [requests, failures, slow] = self.window.sums(now);
        if requests < u64::from(self.settings.min_requests) {
            return;
        }
        if let Some(reason) = self.settings.too_bad(requests, failures, slow) {
            let mut control = self.control();
            if self.state() == BreakerState::Closed {
                let good_spell = nanos(self.settings.window.get());
                if now.saturating_sub(control.closed_at) >= good_spell {
                    control.in_a_row = 0;
                }
                self.open(&mut control, now, reason);
            }
        }
    }

    /// Opens: the first time for `open_for`, twice as long each time it does so again.
    fn open(&self, control: &mut Control, now: u64, reason: String) {
        let factor = 2_u32.saturating_pow(control.in_a_row);
        control.in_a_row = control.in_a_row.saturating_add(1);
        let longest = self.settings.max_open.get();
        let due = self.settings.open_for.get().saturating_mul(factor).min(longest);
        let lasts = Duration::from_nanos(nanos(due)).mul_f64(1.0 + JITTER * control.random.unit());
        self.opened.fetch_add(1, Relaxed);
        self.until.store(now.saturating_add(nanos(lasts)), Relaxed);
        self.enter(BreakerState::Open, reason, lasts);
    }

    fn close(&self, control: &mut Control, now: u64) {
        control.closed_at = now;
        self.window.clear();
        self.enter(BreakerState::Closed, "its probes succeeded".into(), Duration::ZERO);
    }

    /// Must be called under the lock.
    fn enter(&self, state: BreakerState, reason: String, open_for: Duration) {
        let number = (self.phase.load(Relaxed) & !PHASE_STATE).wrapping_add(PHASE_STEP);
        self.phase.store(number | state.bits(), Release);
        (self.on_change)(&Change { state, reason, open_for });
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().expect("no panic while a breaker changes")
    }
}
