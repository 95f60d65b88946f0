//! A pool of targets: its specification, and the two halves brought together.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use deepwater_core::config::{self, Percent};
use deepwater_core::{Clock, Context, Shutdown};
use tokio::sync::watch;

use crate::balance::Balance;
use crate::hash::hash_bytes;
use crate::health::HealthCheck;
use crate::lease::FailureKind;
use crate::outlier::Outlier;
use crate::picker::Picker;
use crate::probe::{Probe, Report};
use crate::resolve::{Resolve, ResolveError, SystemResolver};
use crate::rotation::Rotation;
use crate::status::PoolStatus;
use crate::target::{Target, TargetId};

use control::Control;

mod control;
mod member;
mod report;
mod supervise;

#[cfg(test)]
mod tests;

/// Everything a pool is told: what a start and a reload start from.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolSpec {
    /// The name in events, metrics and status.
    pub name: String,
    /// The targets, in order.
    pub targets: Vec<TargetSpec>,
    /// How to choose.
    pub balance: Balance,
    /// When to check actively; `None` for never.
    pub health: Option<HealthCheck>,
    /// When to eject for failing requests.
    pub outlier: Outlier,
    /// How long a target that returns takes to get its full share; zero for at once.
    pub slow_start: config::Duration,
    /// When a smaller share of the targets than this is available, all but the draining are used. With 0 %
    /// no target is used that is not available.
    pub panic_threshold: Percent,
}

/// One configured target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetSpec {
    /// An [`Address`](crate::Address) as text. One that is not is reported in the status and never used:
    /// check it where the configuration is.
    pub name: String,
    /// Share of the requests relative to the other targets; 0 is taken for 1.
    pub weight: u32,
}

impl PoolSpec {
    /// The default share of available targets below which all are used: so small that with fewer than ten
    /// targets it takes the last one to fail.
    pub const PANIC_THRESHOLD: Percent = Percent::new(10);

    /// Targets of equal weight, everything else as by default: round robin, no active checks, ejection on
    /// failures, no slow start.
    pub fn new<T: Into<String>>(name: impl Into<String>, targets: impl IntoIterator<Item = T>) -> Self {
        let target = |name: T| TargetSpec { name: name.into(), weight: 1 };
        Self {
            name: name.into(),
            targets: targets.into_iter().map(target).collect(),
            balance: Balance::default(),
            health: None,
            outlier: Outlier::default(),
            slow_start: config::Duration::ZERO,
            panic_threshold: Self::PANIC_THRESHOLD,
        }
    }
}

/// A set of targets and what is known about each. Shared by all cores; each picks through its own
/// [`Picker`].
pub struct Pool {
    name: String,
    /// Times are counted in nanoseconds from here.
    epoch: Instant,
    clock: Arc<dyn Clock>,
    resolver: Arc<dyn Resolve>,
    seed: u64,
    pulse: Pulse,
    rotation: ArcSwap<Rotation>,
    control: Mutex<Control>,
    /// Told whenever control has done something.
    changed: watch::Sender<()>,
}

/// What every pick reads, in a cache line that is hardly ever written.
#[derive(Debug)]
#[repr(align(64))]
struct Pulse {
    /// Of the rotation in force.
    version: AtomicU64,
    /// When control has something to do: an ejection ends, a ramp rises, latencies are compared.
    due: AtomicU64,
    /// Failures in a row that eject; 0 for never.
    consecutive_failures: AtomicU32,
}

impl Pool {
    /// A pool whose IP and Unix targets can be picked at once; names are resolved by [`Pool::run`] through
    /// the system's resolver.
    pub fn new(spec: PoolSpec, context: &Context) -> Arc<Self> {
        Self::with_resolver(spec, context, Arc::new(SystemResolver))
    }

    /// As [`Pool::new`], with another source of addresses.
    pub fn with_resolver(spec: PoolSpec, context: &Context, resolver: Arc<dyn Resolve>) -> Arc<Self> {
        let pool = Arc::new_cyclic(|pool| {
            let name = spec.name.clone();
            let seed = context.seed ^ hash_bytes(name.as_bytes());
            let rotation = Rotation::new(0, spec.balance, false, []);
            Self {
                name,
                epoch: context.clock.now(),
                clock: Arc::clone(&context.clock),
                resolver,
                seed,
                pulse: Pulse {
                    version: AtomicU64::new(0),
                    due: AtomicU64::new(u64::MAX),
                    consecutive_failures: AtomicU32::new(0),
                },
                rotation: ArcSwap::from_pointee(rotation),
                control: Mutex::new(Control::new(spec, pool.clone(), context, seed)),
                changed: watch::Sender::new(()),
            }
        });
        pool.command(|control, now| control.reconcile(now, false));
        report::register(&pool, context);
        pool
    }

    /// Looks after the pool until the shutdown has drained: checks, ends ejections, compares latencies,
    /// resolves names. Dropping the future ends all of it, too. A pool that nobody runs still ejects, and
    /// takes back, as it is picked from.
    pub async fn run(self: Arc<Self>, probe: Arc<dyn Probe>, shutdown: Shutdown) {
        supervise::supervise(&self, &probe, &shutdown).await;
    }

    /// A picker for one core. Pickers of different seeds start at different targets.
    pub fn picker(self: &Arc<Self>, seed: u64) -> Picker {
        Picker::new(Arc::clone(self), self.seed ^ seed)
    }

    /// The name in the specification.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All targets known, in the configured order, available or not.
    pub fn targets(&self) -> Vec<Arc<Target>> {
        self.control().targets().cloned().collect()
    }

    /// A target out of rotation that may still answer, when all in it were tried.
    #[cold]
    pub(crate) fn last_resort(&self, tried: &[TargetId]) -> Option<Arc<Target>> {
        self.control().last_resort(tried)
    }

    /// A snapshot.
    pub fn status(&self) -> PoolStatus {
        let now = self.now();
        report::status(&self.control(), &self.rotation(), now)
    }

    /// Stops choosing a target; what is under way there goes on. The target is named as configured (then all
    /// addresses of a name drain, those resolved later too), by its address or by its identity. Survives
    /// [`Pool::update`]. False when there is no such target.
    pub fn drain(&self, target: &str) -> bool {
        self.command(|control, now| control.set_draining(target, true, now))
    }

    /// Takes back [`Pool::drain`]. False when there is no such target.
    pub fn undrain(&self, target: &str) -> bool {
        self.command(|control, now| control.set_draining(target, false, now))
    }

    /// Changes to another specification. Targets that stay keep their state and counts, and requests under
    /// way are not disturbed, not even at targets that go. The pool's name stays.
    pub fn update(&self, spec: PoolSpec) {
        self.command(|control, now| {
            control.respecify(spec, now);
            control.reconcile(now, true);
        });
    }

    /// Resolves when anything about the pool may have changed since the call.
    pub async fn changed(&self) {
        // The sender lives in `self`, so this does not fail.
        let _ = self.changed.subscribe().changed().await;
    }

    /// A target has failed `in_a_row` times.
    pub(crate) fn failed_in_a_row(&self, target: &Target, in_a_row: u32, kind: FailureKind, now: u64) {
        let threshold = self.pulse.consecutive_failures.load(Ordering::Relaxed);
        // Where the first attempt was refused (too many are out), only every so many failures ask again.
        let ejects = threshold > 0 && in_a_row.is_multiple_of(threshold);
        // What was never reached is most likely not there, and whoever has just written its address wants to know.
        let never_reached = in_a_row == 1 && kind == FailureKind::Connect && target.load.successes() == 0;
        if ejects || never_reached {
            self.command_at(now, |control| control.failed(target.id, in_a_row, kind, ejects, now));
        }
    }

    fn checked(&self, target: TargetId, report: Report) {
        let now = self.now();
        let mut control = self.control();
        // Nearly all checks say what the one before said.
        if control.checked(target, report, now) {
            self.publish(&mut control, now);
        }
    }

    fn resolved(&self, name: &str, addresses: &[std::net::IpAddr]) {
        self.command(|control, now| control.resolved(name, addresses, now));
    }

    fn resolve_failed(&self, name: &str, error: &ResolveError, retry: Duration) {
        self.command(|control, _| control.resolve_failed(name, error, retry));
    }

    /// Does what has become due.
    fn tick(&self) {
        self.command(Control::advance);
    }

    /// Does what has become due, unless another core is at it.
    #[inline]
    pub(crate) fn tick_if_due(&self, now: u64) {
        if now >= self.pulse.due.load(Ordering::Relaxed) {
            self.tick_unless_busy(now);
        }
    }

    #[cold]
    fn tick_unless_busy(&self, now: u64) {
        let mut control = match self.control.try_lock() {
            Ok(control) => control,
            Err(TryLockError::WouldBlock) => return,
            Err(TryLockError::Poisoned(_)) => unreachable!("no panic while control is held"),
        };
        control.advance(now);
        self.publish(&mut control, now);
    }

    #[inline]
    pub(crate) fn version(&self) -> u64 {
        self.pulse.version.load(Ordering::Acquire)
    }

    pub(crate) fn rotation(&self) -> Arc<Rotation> {
        self.rotation.load_full()
    }

    /// Nanoseconds since the epoch, now.
    pub(crate) fn now(&self) -> u64 {
        self.since_epoch(self.clock.now())
    }

    /// Nanoseconds between the pool's epoch and a time: what breakers and budgets count in.
    #[inline]
    pub fn since_epoch(&self, instant: Instant) -> u64 {
        nanos(instant.saturating_duration_since(self.epoch))
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().expect("no panic while control is held")
    }

    /// The one way anything changes: under the lock, then published.
    fn command<T>(&self, change: impl FnOnce(&mut Control, u64) -> T) -> T {
        let now = self.now();
        self.command_at(now, |control| change(control, now))
    }

    fn command_at<T>(&self, now: u64, change: impl FnOnce(&mut Control) -> T) -> T {
        let mut control = self.control();
        let result = change(&mut control);
        self.publish(&mut control, now);
        result
    }

    fn publish(&self, control: &mut Control, now: u64) {
        let version = self.pulse.version.load(Ordering::Relaxed) + 1;
        let next = control.rotate(version, now);
        if !next.same_choice(&self.rotation.load()) {
            self.rotation.store(Arc::new(next));
            self.pulse.version.store(version, Ordering::Release);
        }
        self.pulse.due.store(control.due(now), Ordering::Relaxed);
        self.pulse.consecutive_failures.store(control.spec().outlier.consecutive_failures, Ordering::Relaxed);
        self.changed.send_replace(());
    }
}

/// Five centuries fit.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
