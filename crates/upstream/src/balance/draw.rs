//! Drawing targets at random, in proportion to their weights.

use deepwater_core::random::Random;

use super::Query;
use crate::rotation::Rotation;

/// Cumulated weights: a draw is a binary search.
#[derive(Debug, Default)]
pub(super) struct Draw {
    ends: Vec<f64>,
}

impl Draw {
    pub(super) fn rebuild(&mut self, rotation: &Rotation) {
        let mut end = 0.0;
        self.ends.clear();
        self.ends.extend(rotation.weights.iter().map(|weight| {
            end += weight;
            end
        }));
    }

    /// One target. The rotation must not be empty.
    pub(super) fn one(&self, random: &mut Random) -> usize {
        self.at(random.unit() * self.total())
    }

    /// Two different targets, or the same twice where there is only one.
    pub(super) fn two(&self, random: &mut Random) -> (usize, usize) {
        let first = self.one(random);
        if self.ends.len() < 2 {
            return (first, first);
        }
        // As if the first were cut out of the line.
        let start = if first == 0 { 0.0 } else { self.ends[first - 1] };
        let width = self.ends[first] - start;
        let point = random.unit() * (self.total() - width);
        let second = self.at(if point < start { point } else { point + width });
        if second != first {
            return (first, second);
        }
        // Rounding at the seam.
        (first, (first + 1) % self.ends.len())
    }

    fn total(&self) -> f64 {
        self.ends.last().copied().unwrap_or(0.0)
    }

    fn at(&self, point: f64) -> usize {
        self.ends.partition_point(|end| *end <= point).min(self.ends.len() - 1)
    }
}

/// The power of two choices (Mitzenmacher, 2001): the cheaper of two drawn at random. Looking at just two
/// brings the longest queue down exponentially compared with one, and O(log targets) stays O(log targets)
/// for a thousand. With targets to avoid, the cheapest of the rest: retries are rare.
pub(super) fn better_of_two(
    draw: &Draw,
    random: &mut Random,
    rotation: &Rotation,
    query: &Query<'_>,
    cost: impl Fn(usize) -> f64,
) -> Option<usize> {
    if query.avoid.is_empty() {
        let (first, second) = draw.two(random);
        return Some(if cost(second) < cost(first) { second } else { first });
    }
    let offset = random.below(rotation.len());
    (0..rotation.len())
        .map(|step| (offset + step) % rotation.len())
        .filter(|position| query.allows(rotation, *position))
        .min_by(|a, b| cost(*a).total_cmp(&cost(*b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::rotation;

    #[test]
    fn draws_hold_the_weights_and_never_repeat() {
        let rotation = rotation(&[1.0, 2.0, 7.0]);
        let mut draw = Draw::default();
        draw.rebuild(&rotation);
        let mut random = Random::from_seed(3);
        let mut counts = [0_u32; 3];
        for _ in 0..10_000 {
            let (first, second) = draw.two(&mut random);
            assert_ne!(first, second);
            counts[first] += 1;
        }
        for (count, expected) in counts.into_iter().zip([1_000.0, 2_000.0, 7_000.0]) {
            assert!((f64::from(count) - expected).abs() < 200.0, "{counts:?}");
        }
    }
}
