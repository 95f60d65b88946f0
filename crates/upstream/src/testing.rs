//! Helpers for tests.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use deepwater_core::{Clock, Context, Events, ManualClock};

use crate::address::Endpoint;
use crate::balance::Balance;
use crate::lease::{FailureKind, Lease, Outcome};
use crate::picker::{Ask, Picker};
use crate::pool::{Pool, PoolSpec, TargetSpec};
use crate::rotation::Rotation;
use crate::target::Target;

/// Addresses on ports counted from 3000.
pub(crate) fn address(position: usize) -> String {
    format!("127.0.0.1:{}", 3000 + position)
}

/// Targets without a pool.
pub(crate) fn targets(count: usize) -> Vec<Arc<Target>> {
    let target = |position: usize| {
        let endpoint = Endpoint::Tcp(address(position).parse().unwrap());
        Arc::new(Target::new(&address(position), endpoint, 1, Weak::new()))
    };
    (0..count).map(target).collect()
}

/// A rotation of fresh targets with the given weights.
pub(crate) fn rotation(weights: &[f64]) -> Rotation {
    rotation_of(&targets(weights.len()), weights)
}

/// A rotation of the given targets.
pub(crate) fn rotation_of(targets: &[Arc<Target>], weights: &[f64]) -> Rotation {
    let members = targets.iter().cloned().zip(weights.iter().copied());
    Rotation::new(1, Balance::default(), false, members)
}

/// A specification of local targets with the given weights.
pub(crate) fn spec(weights: &[u32]) -> PoolSpec {
    let target = |(position, weight): (usize, &u32)| TargetSpec { name: address(position), weight: *weight };
    PoolSpec {
        targets: weights.iter().enumerate().map(target).collect(),
        ..PoolSpec::new("app", Vec::<String>::new())
    }
}

/// A pool, a picker, and a clock that moves when told to.
pub(crate) struct Bench {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) context: Context,
    pub(crate) pool: Arc<Pool>,
    pub(crate) picker: Picker,
}

impl Bench {
    pub(crate) fn new(spec: PoolSpec) -> Self {
        Self::seeded(spec, 1)
    }

    pub(crate) fn seeded(spec: PoolSpec, seed: u64) -> Self {
        let clock = Arc::new(ManualClock::at(SystemTime::UNIX_EPOCH));
        let mut context = Context::new(seed, Events::silent());
        context.clock = Arc::clone(&clock) as Arc<dyn Clock>;
        let pool = Pool::new(spec, &context);
        let picker = pool.picker(seed);
        Self { clock, context, pool, picker }
    }

    /// A lease for a request of which nothing is known.
    pub(crate) fn pick(&mut self) -> Option<Lease> {
        self.picker.pick(&Ask::at(self.clock.now()))
    }

    /// The target of a request that succeeds in no time, by position.
    pub(crate) fn serve(&mut self) -> Option<usize> {
        let lease = self.pick()?;
        let position = position(&lease);
        lease.done(Outcome::Success { latency: Duration::from_millis(1) });
        Some(position)
    }

    /// Lets a target fail so many requests in a row.
    pub(crate) fn fail(&mut self, target: usize, times: usize) {
        let id = self.pool.targets()[target].id;
        for _ in 0..times {
            let ask = Ask { sticky: Some(id), ..Ask::at(self.clock.now()) };
            let Some(lease) = self.picker.pick(&ask).filter(Lease::sticky_kept) else { return };
            lease.done(Outcome::Failure { kind: FailureKind::Connect, latency: Duration::ZERO });
        }
    }

    pub(crate) fn advance(&self, seconds: f64) {
        self.clock.advance(Duration::from_secs_f64(seconds));
    }

    /// How often an event of a kind was told.
    pub(crate) fn told(&self, event: &str) -> u64 {
        self.context.events.counts().get(event).copied().unwrap_or(0)
    }
}

/// Which of the local targets a lease is on.
pub(crate) fn position(lease: &Lease) -> usize {
    let Endpoint::Tcp(address) = &lease.target().endpoint else { unreachable!("tests use TCP") };
    usize::from(address.port()) - 3000
}
