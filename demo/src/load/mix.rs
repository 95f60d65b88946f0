//! What visitors do.

use crate::random::SplitMix64;

/// One step of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Home,
    Products,
    ProductPage,
    Deal,
    Price,
    Image,
    AddToCart,
    Checkout,
    Login,
}

/// How often each step is taken, relative to the others.
const WEIGHTS: [(Step, u32); 9] = [
    (Step::Home, 3),
    (Step::Products, 4),
    (Step::ProductPage, 5),
    (Step::Deal, 2),
    (Step::Price, 4),
    (Step::Image, 4),
    (Step::AddToCart, 1),
    (Step::Checkout, 1),
    (Step::Login, 1),
];

impl Step {
    pub(super) fn pick(random: &mut SplitMix64) -> Self {
        let mut ball = random.below(WEIGHTS.iter().map(|(_, weight)| weight).sum());
        for (step, weight) in WEIGHTS {
            if ball < weight {
                return step;
            }
            ball -= weight;
        }
        Self::Home
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn steps_are_taken_by_their_weights() {
        let mut random = SplitMix64::new(3);
        let mut taken: HashMap<Step, u32> = HashMap::new();
        for _ in 0..25_000 {
            *taken.entry(Step::pick(&mut random)).or_default() += 1;
        }
        for (step, weight) in WEIGHTS {
            let expected = weight * 1_000;
            assert!(taken[&step].abs_diff(expected) < expected / 5, "{step:?}: {}", taken[&step]);
        }
    }
}
