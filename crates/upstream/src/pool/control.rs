//! The control half: every change of a pool, in one place and under one lock.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use deepwater_core::random::Random;
use deepwater_core::{Clock, Context, Events};

use super::member::{Member, describe};
use super::{Pool, PoolSpec, nanos};
use crate::address::{Address, Endpoint};
use crate::event::{
    DnsFailed, DnsResolved, PoolPanicEntered, PoolPanicLeft, TargetDraining, TargetEjected, TargetFailing,
    TargetHealthy, TargetRecovered, TargetReturned, TargetUndrained, TargetUnhealthy,
};
use crate::health::Verdict;
use crate::lease::FailureKind;
use crate::log_mean::Typical;
use crate::probe::Report;
use crate::ramp;
use crate::resolve::ResolveError;
use crate::rotation::Rotation;
use crate::target::{Target, TargetId};

/// How often is looked whether a target that fails answers again.
const RECOVERY_LOOK: Duration = Duration::from_secs(1);

/// What is known about the addresses of a configured name.
#[derive(Default)]
pub(super) struct Lookup {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) error: Option<String>,
}

pub(super) struct Control {
    spec: PoolSpec,
    name: String,
    pool: Weak<Pool>,
    clock: Arc<dyn Clock>,
    events: Events,
    random: Random,
    members: Vec<Member>,
    /// By configured name, for targets that are names.
    lookups: BTreeMap<String, Lookup>,
    /// Configured names whose targets drain, present and future.
    drained: BTreeSet<String>,
    panic: bool,
    next_sweep: u64,
}

impl Control {
    pub(super) fn new(spec: PoolSpec, pool: Weak<Pool>, context: &Context, seed: u64) -> Self {
        let next_sweep = spec.outlier.sweep_interval().map_or(u64::MAX, nanos);
        Self {
            name: spec.name.clone(),
            spec,
            pool,
            clock: Arc::clone(&context.clock),
            events: context.events.clone(),
            random: Random::from_seed(seed),
            members: Vec::new(),
            lookups: BTreeMap::new(),
            drained: BTreeSet::new(),
            panic: false,
            next_sweep,
        }
    }

    pub(super) fn spec(&self) -> &PoolSpec {
        &self.spec
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(super) fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.members.iter().map(|member| &member.target)
    }

    pub(super) fn lookups(&self) -> &BTreeMap<String, Lookup> {
        &self.lookups
    }

    pub(super) fn panic(&self) -> bool {
        self.panic
    }

    /// Takes another specification; [`Control::reconcile`] applies it to the targets.
    pub(super) fn respecify(&mut self, spec: PoolSpec, now: u64) {
        let interval = spec.outlier.sweep_interval().map_or(u64::MAX, nanos);
        self.next_sweep = self.next_sweep.min(now.saturating_add(interval));
        if spec.health.is_none() {
            // Nobody would ever prove them well again.
            for member in &mut self.members {
                member.series = Default::default();
                member.last_check = None;
            }
        }
        let configured = |name: &String| spec.targets.iter().any(|target| target.name == *name);
        self.lookups.retain(|name, _| configured(name));
        self.drained.retain(configured);
        self.spec = spec;
    }

    /// Makes the members those that the specification and the lookups ask for. Start, reload and a change in
    /// DNS all come through here. `established` says that new members join others that are warm.
    pub(super) fn reconcile(&mut self, now: u64, established: bool) {
        let wanted = self.wanted();
        let mut before: BTreeMap<TargetId, Member> =
            self.members.drain(..).map(|member| (member.target.id, member)).collect();
        for (id, (name, endpoint, weight)) in wanted {
            let member = before.remove(&id).unwrap_or_else(|| {
                let target = Target::new(&name, endpoint, weight, self.pool.clone());
                let mut member = Member::new(Arc::new(target), self.clock.wall());
                member.draining = self.drained.contains(&name);
                member.ramp_from = established.then_some(now);
                member
            });
            member.target.set_weight(weight);
            self.members.push(member);
        }
    }

    /// Targets asked for, in order; one that is named twice has both weights.
    fn wanted(&mut self) -> Vec<(TargetId, (String, Endpoint, u32))> {
        let mut wanted: Vec<(TargetId, (String, Endpoint, u32))> = Vec::new();
        for target in &self.spec.targets {
            let endpoints = match target.name.parse() {
                Ok(Address::Fixed(endpoint)) => vec![endpoint],
                Ok(Address::Name { .. }) => {
                    let lookup = self.lookups.entry(target.name.clone()).or_default();
                    lookup.addresses.iter().copied().map(Endpoint::Tcp).collect()
                }
                Err(error) => {
                    let lookup = self.lookups.entry(target.name.clone()).or_default();
                    lookup.error = Some(error.to_string());
                    Vec::new()
                }
            };
            for endpoint in endpoints {
                let id = TargetId::new(&target.name, &endpoint);
                let weight = target.weight.max(1);
                match wanted.iter_mut().find(|(known, _)| *known == id) {
                    Some((_, (_, _, total))) => *total = total.saturating_add(weight),
                    None => wanted.push((id, (target.name.clone(), endpoint, weight))),
                }
            }
        }
        wanted
    }

    /// Takes the result of a check; whether it changed what is thought of the target.
    pub(super) fn checked(&mut self, id: TargetId, report: Report, now: u64) -> bool {
        let Some(settings) = &self.spec.health else { return false };
        // A check may end after its target has gone.
        let Some(member) = self.members.iter_mut().find(|member| member.target.id == id) else {
            return false;
        };
        let wall = self.clock.wall();
        let before = member.series.verdict;
        let verdict = member.series.record(report.healthy, settings);
        let reason = describe(&report);
        member.last_check = Some((wall, report));
        let (pool, target, address) = names(&self.name, &member.target);
        match verdict {
            Some(Verdict::Unhealthy) => {
                member.since = wall;
                self.events.emit(TargetUnhealthy { pool, target, address, reason });
            }
            Some(_) => {
                member.since = wall;
                if before == Verdict::Unhealthy {
                    member.start_over(now);
                }
                self.events.emit(TargetHealthy { pool, target, address });
            }
            None => {}
        }
        verdict.is_some()
    }

    /// What a target that fails leads to: it is ejected, or where no other is left, told.
    pub(super) fn failed(&mut self, id: TargetId, in_a_row: u32, kind: FailureKind, ejects: bool, now: u64) {
        if !self.another_left(id) {
            self.fail(id, kind);
        } else if ejects {
            let reason = format!("{in_a_row} failures in a row, the last one: {}", kind.as_str());
            self.eject(id, reason, now);
        }
    }

    fn another_left(&self, id: TargetId) -> bool {
        self.members.iter().any(|member| member.target.id != id && member.is_available())
    }

    /// Notes that the last target left fails.
    fn fail(&mut self, id: TargetId, kind: FailureKind) {
        let told = |member: &&mut Member| {
            member.target.id == id && member.is_available() && member.failing_because.is_none()
        };
        let Some(member) = self.members.iter_mut().find(told) else { return };
        let reason = kind.in_words().to_owned();
        member.failing_because = Some(reason.clone());
        member.since = self.clock.wall();
        let (pool, target, address) = names(&self.name, &member.target);
        self.events.emit(TargetFailing { pool, target, address, reason });
    }

    /// Notes which targets that failed have answered since. Nobody tells: those who serve have better to do.
    fn note_recovered(&mut self) {
        for member in self.members.iter_mut().filter(|member| member.has_recovered()) {
            member.failing_because = None;
            member.since = self.clock.wall();
            let (pool, target, address) = names(&self.name, &member.target);
            self.events.emit(TargetRecovered { pool, target, address });
        }
    }

    /// Ejects a target, unless it is out already, too many are, or it is the last one left.
    fn eject(&mut self, id: TargetId, reason: String, now: u64) {
        let settled = |member: &&Member| !member.draining;
        let targets = self.members.iter().filter(settled).count();
        let ejected = self.members.iter().filter(settled).filter(|member| member.is_ejected()).count();
        if ejected >= self.spec.outlier.ejectable(targets) || !self.another_left(id) {
            return;
        }
        let Some(member) = self
            .members
            .iter_mut()
            .find(|member| member.target.id == id && !member.draining && !member.is_ejected())
        else {
            return;
        };
        let lasts = member.ejections.begin(now, &self.spec.outlier, self.random.unit());
        member.ejected_because.clone_from(&reason);
        member.failing_because = None;
        member.since = self.clock.wall();
        let (pool, target, address) = names(&self.name, &member.target);
        let seconds = lasts.as_secs_f64();
        self.events.emit(TargetEjected { pool, target, address, reason, seconds });
    }

    /// Does what has become due.
    pub(super) fn advance(&mut self, now: u64) {
        self.end_ejections(now);
        self.note_recovered();
        let Some(interval) = self.spec.outlier.sweep_interval() else { return };
        if now >= self.next_sweep {
            self.next_sweep = now.saturating_add(nanos(interval));
            self.eject_slow(now);
        }
    }

    fn end_ejections(&mut self, now: u64) {
        let wall = self.clock.wall();
        for member in &mut self.members {
            if member.ejections.until.is_some_and(|until| until <= now) {
                member.ejections.end(now);
                member.start_over(now);
                member.since = wall;
                // One that fails its checks meanwhile returns when it passes them.
                if member.is_available() {
                    let (pool, target, address) = names(&self.name, &member.target);
                    self.events.emit(TargetReturned { pool, target, address });
                }
            }
        }
    }

    /// A target that was only ejected, for a request that every better one has refused.
    pub(super) fn last_resort(&self, tried: &[TargetId]) -> Option<Arc<Target>> {
        let fits = |member: &&Member| {
            !member.draining
                && member.series.verdict != Verdict::Unhealthy
                && !tried.contains(&member.target.id)
        };
        self.members.iter().find(fits).map(|member| Arc::clone(&member.target))
    }

    fn eject_slow(&mut self, now: u64) {
        let windows: Vec<Option<Typical>> = self
            .members
            .iter()
            .map(|member| member.target.load.take_window().filter(|_| member.is_available()))
            .collect();
        for (position, reason) in self.spec.outlier.slow(&windows) {
            self.eject(self.members[position].target.id, reason, now);
        }
    }

    /// Drains or undrains all targets that go by a name, address or identity.
    pub(super) fn set_draining(&mut self, selector: &str, draining: bool, now: u64) -> bool {
        let mut found = self.spec.targets.iter().any(|target| target.name == selector);
        match (found, draining) {
            (true, true) => drop(self.drained.insert(selector.to_owned())),
            (true, false) => drop(self.drained.remove(selector)),
            (false, _) => {}
        }
        let wall = self.clock.wall();
        for member in &mut self.members {
            let target = &member.target;
            let matches = target.name == selector
                || target.endpoint.to_string() == selector
                || target.id.to_string() == selector;
            found |= matches;
            if !matches || member.draining == draining {
                continue;
            }
            member.draining = draining;
            member.since = wall;
            let in_flight = target.in_flight();
            let (pool, target, address) = names(&self.name, target);
            if draining {
                self.events.emit(TargetDraining { pool, target, address, in_flight });
            } else {
                member.start_over(now);
                self.events.emit(TargetUndrained { pool, target, address });
            }
        }
        found
    }

    /// Takes the addresses of a configured name.
    pub(super) fn resolved(&mut self, name: &str, addresses: &[IpAddr], now: u64) {
        let Ok(Address::Name { port, .. }) = name.parse() else { return };
        // A lookup may end after its name has gone.
        let Some(lookup) = self.lookups.get_mut(name) else { return };
        lookup.error = None;
        // Servers rotate their answers; the order says nothing.
        let addresses: BTreeSet<SocketAddr> = addresses.iter().map(|ip| (*ip, port).into()).collect();
        if lookup.addresses.iter().eq(&addresses) {
            return;
        }
        let established = !lookup.addresses.is_empty();
        lookup.addresses = addresses.into_iter().collect();
        let list: Vec<String> = lookup.addresses.iter().map(ToString::to_string).collect();
        let (pool, name) = (self.name.clone(), name.to_owned());
        self.reconcile(now, established);
        self.events.emit(DnsResolved { pool, name, addresses: list.join(", ") });
    }

    /// Notes that a lookup failed; the addresses known before stay.
    pub(super) fn resolve_failed(&mut self, name: &str, error: &ResolveError, retry: Duration) {
        let Some(lookup) = self.lookups.get_mut(name) else { return };
        lookup.error = Some(error.to_string());
        let (pool, name) = (self.name.clone(), name.to_owned());
        let retry_seconds = retry.as_secs_f64();
        self.events.emit(DnsFailed { pool, name, reason: error.to_string(), retry_seconds });
    }

    /// Who may be chosen as of now.
    pub(super) fn rotate(&mut self, version: u64, now: u64) -> Rotation {
        let settled = self.members.iter().filter(|member| !member.draining).count();
        let available = self.members.iter().filter(|member| member.is_available()).count();
        let panic = settled > 0 && (available as f64) < settled as f64 * self.spec.panic_threshold.ratio();
        self.set_panic(panic, available, settled);
        let slow_start = self.spec.slow_start.get();
        let chosen = self.members.iter_mut().filter_map(|member| {
            let available = member.is_available();
            member.target.set_available(available);
            let weight = member.effective_weight(now, slow_start);
            (available || panic && !member.draining).then(|| (Arc::clone(&member.target), weight))
        });
        Rotation::new(version, self.spec.balance, panic, chosen)
    }

    fn set_panic(&mut self, panic: bool, available: usize, targets: usize) {
        if panic == self.panic {
            return;
        }
        self.panic = panic;
        let pool = self.name.clone();
        if panic {
            self.events.emit(PoolPanicEntered { pool, available, targets });
        } else {
            self.events.emit(PoolPanicLeft { pool, available, targets });
        }
    }

    /// When [`Control::advance`] or [`Control::rotate`] will have something to do.
    pub(super) fn due(&self, now: u64) -> u64 {
        let ejections = self.members.iter().filter_map(|member| member.ejections.until);
        let sweep = self.spec.outlier.sweep_interval().map(|_| self.next_sweep);
        let ramping = self.members.iter().any(|member| member.ramp_from.is_some());
        let step = ramping.then(|| now.saturating_add(nanos(ramp::step(self.spec.slow_start.get()))));
        let failing = self.members.iter().any(|member| member.failing_because.is_some());
        let look = failing.then(|| now.saturating_add(nanos(RECOVERY_LOOK)));
        ejections.chain(sweep).chain(step).chain(look).min().unwrap_or(u64::MAX)
    }
}

/// Pool, target and address as events name them: the target with its address where that is not its name.
fn names(pool: &str, target: &Target) -> (String, String, String) {
    let address = target.endpoint.to_string();
    let name = if target.name == address { address.clone() } else { format!("{} ({address})", target.name) };
    (pool.to_owned(), name, address)
}
