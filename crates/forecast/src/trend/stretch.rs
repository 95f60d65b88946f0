//! The part of the samples that one process's life covers.

use super::Sample;

/// Fewer samples than this have no slope worth naming, whatever time they span.
pub(super) const FEWEST: usize = 20;

/// The latest stretch: from the last sample that is below half of the two before it, which is a restart. What is below half
/// of one is back from a spike. Whatever an earlier process did, its successor may be another program.
pub(super) fn latest(samples: &[Sample]) -> &[Sample] {
    let restart = |at: &usize| {
        let before = samples[at.saturating_sub(2)].bytes.min(samples[at - 1].bytes);
        samples[*at].bytes < 0.5 * before
    };
    let start = (1..samples.len()).rev().find(restart).unwrap_or(0);
    &samples[start..]
}

/// From the first to the last sample.
pub(super) fn span_s(samples: &[Sample]) -> f64 {
    match (samples.first(), samples.last()) {
        (Some(first), Some(last)) => last.at_s - first.at_s,
        _ => 0.0,
    }
}
