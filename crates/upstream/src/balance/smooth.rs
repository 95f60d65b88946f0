//! Smooth weighted round robin, over all targets or over those that tie.

use std::collections::HashMap;

use deepwater_core::random::Random;

use crate::rotation::Rotation;
use crate::target::TargetId;

/// nginx's algorithm: every candidate gains its weight, the richest is chosen and pays what all gained.
/// With weights 5, 1, 1 that gives `a a b a c a a`, not `a a a a a b c`.
///
/// Every instance starts with other balances, so that cores do not march in step.
#[derive(Debug)]
pub(super) struct Smooth {
    ids: Box<[TargetId]>,
    balances: Vec<f64>,
    random: Random,
}

impl Smooth {
    pub(super) fn new(seed: u64) -> Self {
        Self { ids: Box::default(), balances: Vec::new(), random: Random::from_seed(seed) }
    }

    /// Targets that stay keep their place in the order.
    pub(super) fn rebuild(&mut self, rotation: &Rotation) {
        if self.ids == rotation.ids {
            return;
        }
        let before: HashMap<TargetId, f64> = self.ids.iter().copied().zip(self.balances.drain(..)).collect();
        for (id, weight) in rotation.ids.iter().zip(&rotation.weights) {
            // Within half a turn either way: the order differs from core to core, the shares do not.
            let start = weight * (self.random.unit() - 0.5);
            self.balances.push(before.get(id).copied().unwrap_or(start));
        }
        self.ids.clone_from(&rotation.ids);
    }

    /// The next of the candidates; O(candidates).
    pub(super) fn next(
        &mut self,
        rotation: &Rotation,
        candidates: impl Iterator<Item = usize>,
    ) -> Option<usize> {
        let mut best: Option<usize> = None;
        let mut gained = 0.0;
        for position in candidates {
            let weight = rotation.weights[position];
            self.balances[position] += weight;
            gained += weight;
            if best.is_none_or(|best| self.balances[position] > self.balances[best]) {
                best = Some(position);
            }
        }
        if let Some(best) = best {
            self.balances[best] -= gained;
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::rotation;

    #[test]
    fn weights_are_interleaved_as_nginx_does() {
        let rotation = rotation(&[5.0, 1.0, 1.0]);
        let mut smooth = Smooth::new(0);
        smooth.rebuild(&rotation);
        smooth.balances.fill(0.0);
        let order: Vec<usize> = (0..14).map(|_| smooth.next(&rotation, 0..3).unwrap()).collect();
        assert_eq!(order, [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
    }
}
