//! Smooth weighted round robin. O(1) with equal weights, otherwise O(targets) at about a nanosecond each.

use deepwater_core::random::Random;

use super::smooth::Smooth;
use super::{Balancer, Query};
use crate::rotation::Rotation;

#[derive(Debug)]
pub(super) struct RoundRobin {
    /// For equal weights: where the next turn begins, counted without end.
    next: usize,
    /// For unequal weights.
    smooth: Smooth,
}

impl RoundRobin {
    pub(super) fn new(seed: u64) -> Self {
        // Cores start at different targets.
        Self { next: Random::from_seed(seed).below(1 << 32), smooth: Smooth::new(seed) }
    }
}

impl Balancer for RoundRobin {
    fn rebuild(&mut self, rotation: &Rotation) {
        self.smooth.rebuild(rotation);
    }

    fn pick(&mut self, rotation: &Rotation, query: &Query<'_>) -> Option<usize> {
        let allowed = |position: &usize| query.allows(rotation, *position);
        if !rotation.uniform {
            return self.smooth.next(rotation, (0..rotation.len()).filter(allowed));
        }
        for _ in 0..rotation.len() {
            let position = self.next % rotation.len();
            self.next = self.next.wrapping_add(1);
            if query.allows(rotation, position) {
                return Some(position);
            }
        }
        None
    }
}
