//! Fewest requests in flight per unit of weight; ties by smooth weighted round robin, as nginx's
//! `least_conn` does. All targets up to 32, beyond that the better of two drawn by weight.

use super::least::Least;
use super::{Balancer, Query};
use crate::rotation::Rotation;

#[derive(Debug)]
pub(super) struct LeastConnections {
    least: Least,
}

impl LeastConnections {
    pub(super) fn new(seed: u64) -> Self {
        Self { least: Least::new(seed) }
    }
}

impl Balancer for LeastConnections {
    fn rebuild(&mut self, rotation: &Rotation) {
        self.least.rebuild(rotation);
    }

    fn pick(&mut self, rotation: &Rotation, query: &Query<'_>) -> Option<usize> {
        self.least.pick(rotation, query, 1.0, |position| rotation.weighted_in_flight(position))
    }
}
