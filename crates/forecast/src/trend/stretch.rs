//! The part of the samples that one process's life covers.

use super::Sample;

/// Fewer samples than this have no slope worth naming, whatever time they span.
pub(super) const FEWEST: usize = 20;

/// The longest stretch (in time) within which no sample is below half of the one before.
pub(super) fn longest(samples: &[Sample]) -> &[Sample] {
    let mut best: &[Sample] = &[];
    let mut start = 0;
    for end in 1..=samples.len() {
        let ends = end == samples.len() || samples[end].bytes < 0.5 * samples[end - 1].bytes;
        if ends {
            // Of equals the later counts.
            if best.is_empty() || span_s(&samples[start..end]) >= span_s(best) {
                best = &samples[start..end];
            }
            start = end;
        }
    }
    best
}

/// From the first to the last sample.
pub(super) fn span_s(samples: &[Sample]) -> f64 {
    match (samples.first(), samples.last()) {
        (Some(first), Some(last)) => last.at_s - first.at_s,
        _ => 0.0,
    }
}
