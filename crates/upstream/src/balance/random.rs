//! The power of two choices: of two targets drawn by weight, the one with fewer requests in flight per
//! unit of weight.

use deepwater_core::random::Random as Generator;

use super::draw::{Draw, better_of_two};
use super::{Balancer, Query};
use crate::rotation::Rotation;

#[derive(Debug)]
pub(super) struct Random {
    draw: Draw,
    generator: Generator,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self { draw: Draw::default(), generator: Generator::from_seed(seed) }
    }
}

impl Balancer for Random {
    fn rebuild(&mut self, rotation: &Rotation) {
        self.draw.rebuild(rotation);
    }

    fn pick(&mut self, rotation: &Rotation, query: &Query<'_>) -> Option<usize> {
        better_of_two(&self.draw, &mut self.generator, rotation, query, |position| {
            rotation.weighted_in_flight(position)
        })
    }
}
