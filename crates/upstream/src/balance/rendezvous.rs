//! Weighted rendezvous hashing: every target scores for a key, the highest score wins (Thaler and
//! Ravishankar 1998; weights by `-w / ln u`, Schindelhauer and Schomaker 2005).
//!
//! Movement is minimal, exactly: a target that goes gives up only its own keys, one that comes takes only
//! the keys it wins, and a weight that grows only gains. No table to build, nothing to remember, the same
//! answer on every core and machine. Choosing is O(targets), a few nanoseconds each (a thousand: some
//! microseconds); the logarithm is taken only for the few that could win.

use crate::hash::mix;
use crate::rotation::Rotation;

/// The eligible target with the highest score for the key.
pub(super) fn highest(rotation: &Rotation, key: u64, eligible: impl Fn(usize) -> bool) -> Option<usize> {
    let key = mix(key);
    let mut best = None;
    let mut best_score = 0.0;
    for (position, (id, weight)) in rotation.ids.iter().zip(&rotation.weights).enumerate() {
        let u = unit(mix(id.get() ^ key));
        // -ln u ≥ 1 - u, so the score is at most weight / (1 - u).
        if *weight <= best_score * (1.0 - u) || !eligible(position) {
            continue;
        }
        let score = weight / -u.ln();
        if score > best_score {
            best_score = score;
            best = Some(position);
        }
    }
    best
}

/// Uniform in (0, 1), ends excluded: its logarithm is finite and not zero.
#[inline]
fn unit(hash: u64) -> f64 {
    ((hash >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::rotation;

    #[test]
    fn the_extremes_have_a_score() {
        for hash in [0, u64::MAX] {
            let score = 1.0 / -unit(hash).ln();
            assert!(score.is_finite() && score > 0.0, "{score}");
        }
    }

    proptest! {
        #[test]
        fn a_target_that_goes_moves_only_its_own_keys(
            weights in prop::collection::vec(1_u8..=9, 2..12),
            gone in any::<prop::sample::Index>(),
            keys in prop::collection::vec(any::<u64>(), 200),
        ) {
            let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
            let gone = gone.index(weights.len());
            let all = rotation(&weights);
            for key in keys {
                let before = highest(&all, key, |_| true).unwrap();
                let after = highest(&all, key, |position| position != gone).unwrap();
                prop_assert!(before == gone || before == after);
                prop_assert!(after != gone);
            }
        }

        #[test]
        fn a_weight_that_grows_only_gains(
            weights in prop::collection::vec(1_u8..=9, 2..12),
            keys in prop::collection::vec(any::<u64>(), 200),
        ) {
            let mut weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
            let before = rotation(&weights);
            weights[0] += 3.0;
            let after = rotation(&weights);
            for key in keys {
                let (old, new) = (highest(&before, key, |_| true), highest(&after, key, |_| true));
                prop_assert!(old == new || new == Some(0));
            }
        }
    }
}
