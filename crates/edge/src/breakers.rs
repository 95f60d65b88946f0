//! Circuit breakers of a pool: one for the pool as a whole, one for each of its targets.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use deepwater_core::Events;
use deepwater_upstream::{
    Breaker, BreakerState, Change, CircuitBreaker, OnChange, Outcome, Pass, Pool, Target, TargetId, Verdict,
};
use foldhash::fast::RandomState;
use serde_json::{Value, json};
use smallvec::SmallVec;

use crate::config;

deepwater_core::event! {
    /// Too many requests failed or were slow: none are sent for a time.
    pub struct BreakerOpened { pool: String, target: String, reason: String, seconds: f64 }
    breaker_opened: Warn, "the breaker of pool {pool} ({target}) opened for {seconds:.1} s: {reason}"
}

deepwater_core::event! {
    /// A few requests find out whether a breaker may close.
    pub struct BreakerProbing { pool: String, target: String }
    breaker_probing: Info, "the breaker of pool {pool} ({target}) lets a few requests through"
}

deepwater_core::event! {
    /// All is well again.
    pub struct BreakerClosed { pool: String, target: String }
    breaker_closed: Info, "the breaker of pool {pool} ({target}) closed"
}

/// What the pool's own breaker is called where others have the name of their target.
const WHOLE: &str = "all targets";

/// The breakers of a pool. They outlive reloads that do not change their settings.
pub(crate) struct Breakers {
    pool: String,
    events: Events,
    seed: u64,
    whole: Option<Arc<CircuitBreaker>>,
    of_targets: Option<OfTargets>,
}

struct OfTargets {
    settings: Breaker,
    known: RwLock<HashMap<TargetId, Arc<CircuitBreaker>, RandomState>>,
    /// Whether one may be open. As long as none is, no request has to look at them all.
    any_open: Arc<AtomicBool>,
}

/// Leave to send a request to a target, to be given back with how it ended.
pub(crate) struct Leave {
    whole: Option<Pass>,
    target: Option<(Arc<CircuitBreaker>, Pass)>,
}

impl Breakers {
    pub fn new(pool: &str, config: &config::Pool, events: &Events, seed: u64) -> Self {
        let (pool, events) = (pool.to_owned(), events.clone());
        let whole = config
            .breaker
            .clone()
            .map(|settings| CircuitBreaker::new(settings, seed, told(&events, &pool, WHOLE)));
        let of_targets = config.target_breaker.clone().map(OfTargets::new);
        Self { pool, events, seed, whole, of_targets }
    }

    /// Asks the pool's own breaker.
    ///
    /// # Errors
    /// For how long nothing may be sent.
    #[inline]
    pub fn pass(&self, now: u64) -> Result<Option<Pass>, Duration> {
        match &self.whole {
            None => Ok(None),
            Some(breaker) => breaker.try_pass(now).map(Some).map_err(|open| open.retry_after),
        }
    }

    /// Targets that nothing may be sent to.
    #[inline]
    pub fn avoid(&self, now: u64, avoid: &mut SmallVec<[TargetId; 4]>) {
        if let Some(of_targets) = &self.of_targets
            && of_targets.any_open.load(SeqCst)
        {
            of_targets.avoid(now, avoid);
        }
    }

    /// Asks the breaker of a target, with the leave of the pool's own.
    ///
    /// # Errors
    /// The leave, and for how long nothing may be sent there.
    #[inline]
    pub fn pass_target(
        &self,
        whole: Option<Pass>,
        targets: &Pool,
        target: &Target,
        now: u64,
    ) -> Result<Leave, (Option<Pass>, Duration)> {
        let Some(of_targets) = &self.of_targets else { return Ok(Leave { whole, target: None }) };
        let breaker = of_targets.of(target, || {
            self.forget_gone(of_targets, targets);
            let tell = told(&self.events, &self.pool, &target.name);
            let any_open = Arc::clone(&of_targets.any_open);
            let on_change: OnChange = Box::new(move |change| {
                if change.state == BreakerState::Open {
                    any_open.store(true, SeqCst);
                }
                tell(change);
            });
            CircuitBreaker::new(of_targets.settings.clone(), self.seed ^ target.id.get(), on_change)
        });
        match breaker.try_pass(now) {
            Ok(pass) => Ok(Leave { whole, target: Some((breaker, pass)) }),
            Err(open) => Err((whole, open.retry_after)),
        }
    }

    /// Tells how a request ended.
    #[inline]
    pub fn record(&self, leave: Leave, now: impl FnOnce() -> u64, outcome: &Outcome) {
        if leave.whole.is_none() && leave.target.is_none() {
            return;
        }
        let now = now();
        let verdict = match *outcome {
            Outcome::Success { latency } => Verdict::Success { latency },
            Outcome::Failure { .. } => Verdict::Failure,
            Outcome::Cancelled => Verdict::Cancelled,
        };
        if let (Some(pass), Some(whole)) = (leave.whole, &self.whole) {
            whole.record(pass, now, verdict);
        }
        if let Some((breaker, pass)) = leave.target {
            breaker.record(pass, now, verdict);
        }
    }

    /// Addresses come and go with DNS: what is kept of them must not grow for ever.
    fn forget_gone(&self, of_targets: &OfTargets, targets: &Pool) {
        let present: Vec<TargetId> = targets.targets().iter().map(|target| target.id).collect();
        let mut known = of_targets.known.write().expect("no panic while breakers are held");
        known.retain(|id, _| present.contains(id));
    }

    /// For the console: the pool's own, and those of targets by their numbers.
    pub fn status(&self) -> Value {
        let one = |breaker: &CircuitBreaker| json!({ "state": breaker.state().as_str(), "opened": breaker.opened() });
        let of_targets = self.of_targets.as_ref().map(|of_targets| {
            let known = of_targets.known.read().expect("no panic while breakers are held");
            known
                .iter()
                .map(|(id, breaker)| (id.to_string(), one(breaker)))
                .collect::<serde_json::Map<_, _>>()
        });
        json!({ "pool": self.whole.as_deref().map(one), "targets": of_targets })
    }
}

impl OfTargets {
    fn new(settings: Breaker) -> Self {
        Self { settings, known: RwLock::default(), any_open: Arc::default() }
    }

    #[cold]
    fn avoid(&self, now: u64, avoid: &mut SmallVec<[TargetId; 4]>) {
        // First: a breaker that opens from here on says so again.
        self.any_open.store(false, SeqCst);
        let known = self.known.read().expect("no panic while breakers are held");
        for (id, breaker) in &*known {
            if breaker.state() == BreakerState::Open {
                self.any_open.store(true, SeqCst);
            }
            if breaker.is_open(now) {
                avoid.push(*id);
            }
        }
    }

    fn of(&self, target: &Target, make: impl FnOnce() -> Arc<CircuitBreaker>) -> Arc<CircuitBreaker> {
        if let Some(breaker) = self.known.read().expect("no panic while breakers are held").get(&target.id) {
            return Arc::clone(breaker);
        }
        let made = make();
        let mut known = self.known.write().expect("no panic while breakers are held");
        Arc::clone(known.entry(target.id).or_insert(made))
    }
}

/// Tells of the changes of a breaker.
fn told(events: &Events, pool: &str, target: &str) -> OnChange {
    let (events, pool, target) = (events.clone(), pool.to_owned(), target.to_owned());
    Box::new(move |change: &Change| {
        let (pool, target) = (pool.clone(), target.clone());
        match change.state {
            BreakerState::Open => {
                let (reason, seconds) = (change.reason.clone(), change.open_for.as_secs_f64());
                events.emit(BreakerOpened { pool, target, reason, seconds });
            }
            BreakerState::HalfOpen => events.emit(BreakerProbing { pool, target }),
            BreakerState::Closed => events.emit(BreakerClosed { pool, target }),
        }
    })
}
