//! The cheapest target, for whatever cost.

use deepwater_core::random::Random;

use super::Query;
use super::draw::{Draw, better_of_two};
use super::smooth::Smooth;
use crate::rotation::Rotation;

/// Up to this many targets are all looked at; beyond, the better of two drawn at random is taken, so that
/// a choice among a thousand costs no more than one among ten.
pub(super) const SCAN: usize = 32;

/// Looks for the least cost; those that tie take turns by weight.
#[derive(Debug)]
pub(super) struct Least {
    costs: Vec<f64>,
    smooth: Smooth,
    draw: Draw,
    random: Random,
}

impl Least {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            costs: Vec::new(),
            smooth: Smooth::new(seed),
            draw: Draw::default(),
            random: Random::from_seed(seed),
        }
    }

    pub(super) fn rebuild(&mut self, rotation: &Rotation) {
        self.smooth.rebuild(rotation);
        self.draw.rebuild(rotation);
        self.costs.resize(rotation.len(), 0.0);
    }

    /// A target whose cost is at most `tolerance` times the least.
    pub(super) fn pick(
        &mut self,
        rotation: &Rotation,
        query: &Query<'_>,
        tolerance: f64,
        cost: impl Fn(usize) -> f64,
    ) -> Option<usize> {
        if rotation.len() > SCAN {
            return better_of_two(&self.draw, &mut self.random, rotation, query, cost);
        }
        // Costs change under our eyes: each is read once.
        let mut least = f64::INFINITY;
        for (position, slot) in self.costs.iter_mut().enumerate() {
            *slot = if query.allows(rotation, position) { cost(position) } else { f64::INFINITY };
            least = least.min(*slot);
        }
        if least == f64::INFINITY {
            return None;
        }
        let costs = &self.costs;
        let ties = (0..costs.len()).filter(|position| costs[*position] <= least * tolerance);
        self.smooth.next(rotation, ties)
    }

    /// Any target, by weight.
    pub(super) fn any(&mut self) -> usize {
        self.draw.one(&mut self.random)
    }
}
