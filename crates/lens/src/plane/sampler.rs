//! One sample a second: every source is read, then all is judged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::keep;
use super::{Ports, Shared, State};
use crate::advice;
use crate::cliffs::{self, Judge};
use crate::config::Config;
use crate::facts::Facts;
use crate::out::webhook;
use crate::picture::Picture;
use crate::signal;
use crate::sources::{Databases, Machine, Planes};
use crate::store::Store;

/// A tick.
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two judgements: they cost more than a measurement.
const JUDGED_EVERY: u64 = 5;
/// Ticks between two writes of what was measured.
const KEPT_EVERY: u64 = 600;

/// Measures until told to stop.
pub(super) async fn run(shared: Arc<Shared>, ports: Ports, mut stopped: watch::Receiver<bool>) {
    let mut sampler = Sampler::new(&shared, ports);
    let (wall, events) = (|| shared.context.clock.wall(), &shared.context.events);
    if let Some(keep) = &shared.keep {
        keep.read(&mut shared.write(), wall(), events);
    }
    let mut ticks = interval(TICK);
    // Late ticks are told by the clock, not made up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            _ = ticks.tick() => sampler.tick(&shared),
        }
    }
    Sampler::write(&shared);
}

struct Sampler {
    ports: Ports,
    planes: Planes,
    machine: Machine,
    databases: Databases,
    judge: Judge,
    last: Instant,
    /// CPU time of this thread at the last tick.
    spent: Duration,
}

impl Sampler {
    fn new(shared: &Shared, ports: Ports) -> Self {
        let config = shared.config.load();
        Self {
            planes: Planes::new(shared.context.metrics.clone()),
            machine: Machine::new(&config.system),
            databases: Databases::new(ports.ask.clone()),
            judge: Judge::new(shared.context.clock.now()),
            last: shared.context.clock.now(),
            spent: thread_time(),
            ports,
        }
    }

    fn tick(&mut self, shared: &Shared) {
        let now = shared.context.clock.now();
        let seconds = now.saturating_duration_since(self.last).as_secs_f64();
        self.last = now;
        let facts = (self.ports.facts)();
        self.databases.follow(&facts);
        let config = shared.config.load();

        // The first tick has nothing to compare with, a second one right after it hardly anything.
        let whole = seconds > TICK.as_secs_f64() / 2.0;
        let machine = whole.then(|| self.machine.read(&facts, &config, seconds));
        let mut state = shared.write();
        let store = &mut state.store;
        // By a clock of its own: to read the machine may have taken long.
        self.planes.read(store, &facts, shared.context.clock.now());
        if let Some(machine) = machine {
            store.put_all(&machine);
            self.databases.read(store);
            let spent = thread_time();
            store.put(&signal::LENS_COST, "", spent.saturating_sub(self.spent).as_secs_f64() / seconds);
            self.spent = spent;
            store.pass((seconds.round() as u64).max(1));
        }
        let mut unknown = self.machine.unknown();
        unknown.extend(self.databases.unknown());
        unknown.sort();
        unknown.dedup();
        state.unknown = unknown;
        state.facts = facts;
        let ticks = state.store.ticks();
        // Who has just sent the first requests looks at once what is said of them.
        let first = || {
            !self.judge.has_seen_load()
                && picture(&state.store, &state.facts, &config, shared).load().is_some()
        };
        let due = ticks.is_multiple_of(JUDGED_EVERY) || first();
        drop(state);
        if due {
            self.judge(shared, now);
        }
        if ticks.is_multiple_of(KEPT_EVERY) {
            Self::write(shared);
        }
    }

    fn write(shared: &Shared) {
        let Some(keep) = &shared.keep else { return };
        // A copy, to be written while pages are read.
        let measured = shared.read().store.to_bytes(keep::seconds(shared.context.clock.wall()));
        keep.write_measurements(&measured, &shared.context.events);
    }

    /// Looks at all that was measured. Pages can be read meanwhile.
    fn judge(&mut self, shared: &Shared, now: Instant) {
        let config = shared.config.load();
        let wall = shared.context.clock.wall();
        let state = shared.read();
        let seen = picture(&state.store, &state.facts, &config, shared);
        let (load, findings) = cliffs::look(&seen);
        let (cliffs, changes) =
            self.judge.judge(load.as_ref(), (findings, cliffs::trouble(&seen)), (now, wall));
        let (advised, considered) = advice::look(&seen, &cliffs);
        drop(state);
        let mut state = shared.write();
        let State { store, facts, ledger, .. } = &mut *state;
        let seen = picture(store, facts, &config, shared);
        let (page, news) = ledger.note(advised, considered, (&seen, &cliffs), wall);
        state.advice = page;
        state.advice.kept = shared.keep.is_some();
        shared.shown.set(cliffs.clone());
        state.cliffs = cliffs;
        drop(state);
        if news {
            shared.keep_advice();
        }
        for change in changes {
            super::events::tell(&shared.context.events, &change);
            if let Some(change) = webhook::Change::of(&change, wall) {
                shared.webhook.tell(change);
            }
        }
    }
}

fn picture<'a>(store: &'a Store, facts: &'a Facts, config: &'a Config, shared: &Shared) -> Picture<'a> {
    let target = config.target.get().as_secs_f64();
    Picture { store, facts, limits: &config.limits, target, seed: shared.context.seed }
}

/// CPU time that this thread has used.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
