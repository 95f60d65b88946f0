//! The hot path: one picker per core.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::balance::{Balance, Balancer, Query};
use crate::lease::{Chosen, Lease};
use crate::pool::Pool;
use crate::rotation::Rotation;
use crate::target::{Target, TargetId};

/// What is known about the request a target is wanted for.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The time, as coarse as the caller likes.
    pub now: Instant,
    /// Who asks; the key of `ip_hash`, and of `consistent_hash` where `hash` is `None`.
    pub client: Option<IpAddr>,
    /// The key of `consistent_hash`, see [`hash_bytes`](crate::hash_bytes).
    pub hash: Option<u64>,
    /// The target this client sticks to.
    pub sticky: Option<TargetId>,
    /// Targets already tried for this request: chosen again only when there is no other.
    pub avoid: &'a [TargetId],
}

impl Ask<'_> {
    /// Any target, now.
    pub const fn at(now: Instant) -> Self {
        Self { now, client: None, hash: None, sticky: None, avoid: &[] }
    }
}

/// Chooses targets for the requests of one core.
pub struct Picker {
    pool: Arc<Pool>,
    rotation: Arc<Rotation>,
    balance: Balance,
    balancer: Box<dyn Balancer>,
    seed: u64,
}

impl Picker {
    pub(crate) fn new(pool: Arc<Pool>, seed: u64) -> Self {
        let rotation = pool.rotation();
        let balance = rotation.balance;
        let mut balancer = balance.build(seed);
        balancer.rebuild(&rotation);
        Self { pool, rotation, balance, balancer, seed }
    }

    /// Chooses a target and counts the request as in flight there.
    ///
    /// `None` when no target may be chosen: none is known yet, all are draining, or all are unavailable and
    /// the panic threshold is 0 %. Costs a version comparison, the balancer's choice and a few counters; no
    /// lock, no allocation, unless the rotation has just changed.
    pub fn pick(&mut self, ask: &Ask<'_>) -> Option<Lease> {
        let now = self.pool.since_epoch(ask.now);
        self.pool.tick_if_due(now);
        if self.pool.version() != self.rotation.version {
            self.refresh();
        }
        let (target, chosen) = self.choose(ask, now)?;
        Some(Lease::new(target, now, chosen))
    }

    /// The pool it picks from.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    #[inline]
    fn choose(&mut self, ask: &Ask<'_>, now: u64) -> Option<(Arc<Target>, Chosen)> {
        let chosen = match ask.sticky {
            None => Chosen::Balanced,
            Some(wanted) => match self.position(wanted) {
                Some(position) if !ask.avoid.contains(&wanted) => {
                    return Some((Arc::clone(&self.rotation.targets[position]), Chosen::StickyKept));
                }
                _ => Chosen::StickyMoved,
            },
        };
        if self.rotation.len() == 0 {
            return None;
        }
        let mut query = Query { now, client: ask.client, hash: ask.hash, avoid: ask.avoid };
        if let Some(position) = self.balancer.pick(&self.rotation, &query) {
            return Some((Arc::clone(&self.rotation.targets[position]), chosen));
        }
        // Everything in rotation was tried. A target that was only ejected may be slow, but alive; failing that,
        // trying again beats giving up.
        if let Some(target) = self.pool.last_resort(ask.avoid) {
            return Some((target, chosen));
        }
        query.avoid = &[];
        let position = self.balancer.pick(&self.rotation, &query)?;
        Some((Arc::clone(&self.rotation.targets[position]), chosen))
    }

    /// Where the target stands in the rotation, if it is there in its own right.
    fn position(&self, id: TargetId) -> Option<usize> {
        let position = self.rotation.ids.iter().position(|known| *known == id)?;
        (!self.rotation.panic || self.rotation.targets[position].is_available()).then_some(position)
    }

    #[cold]
    fn refresh(&mut self) {
        self.rotation = self.pool.rotation();
        if self.rotation.balance != self.balance {
            self.balance = self.rotation.balance;
            self.balancer = self.balance.build(self.seed);
        }
        self.balancer.rebuild(&self.rotation);
    }
}
