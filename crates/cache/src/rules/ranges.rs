//! Sets of byte ranges, ends exclusive, kept sorted and apart.

use std::ops::Range;

/// Adds a range; those it overlaps or touches become one with it. Empty ranges add nothing.
pub fn merge(parts: &mut Vec<Range<u64>>, range: Range<u64>) {
    if range.is_empty() {
        return;
    }
    let first = parts.partition_point(|part| part.end < range.start);
    let after = parts.partition_point(|part| part.start <= range.end);
    let joined = match parts.get(first..after) {
        Some([lowest, .., highest]) => lowest.start.min(range.start)..highest.end.max(range.end),
        Some([only]) => only.start.min(range.start)..only.end.max(range.end),
        _ => range,
    };
    parts.splice(first..after, [joined]);
}

/// Whether all of a range is there.
pub fn covers(parts: &[Range<u64>], range: &Range<u64>) -> bool {
    range.is_empty() || parts.iter().any(|part| part.start <= range.start && range.end <= part.end)
}

/// What is missing of a range, in order: what is to be fetched for it.
pub fn gaps(parts: &[Range<u64>], range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let Range { start, end } = range;
    let mut next = start;
    let inside = parts.iter().filter(move |part| part.end > start && part.start < end);
    inside.cloned().chain(std::iter::once(end..end)).filter_map(move |part| {
        let gap = next..part.start;
        next = next.max(part.end);
        (!gap.is_empty()).then_some(gap)
    })
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "sets of one range")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn merging() {
        let mut parts = Vec::new();
        for (range, expected) in [
            (10..20, vec![10..20]),
            (5..5, vec![10..20]),
            (30..40, vec![10..20, 30..40]),
            (0..5, vec![0..5, 10..20, 30..40]),
            (20..22, vec![0..5, 10..22, 30..40]),
            (12..14, vec![0..5, 10..22, 30..40]),
            (21..35, vec![0..5, 10..40]),
            (5..10, vec![0..40]),
            (0..100, vec![0..100]),
        ] {
            merge(&mut parts, range.clone());
            assert_eq!(parts, expected, "{range:?}");
        }
    }

    #[test]
    fn gaps_are_what_is_missing() {
        let all = |parts: &[Range<u64>], range| gaps(parts, range).collect::<Vec<_>>();
        assert_eq!(all(&[], 0..10), [0..10]);
        assert_eq!(all(&[0..5], 0..10), [5..10]);
        assert_eq!(all(&[2..4, 6..8], 0..10), [0..2, 4..6, 8..10]);
        assert_eq!(all(&[2..4, 6..8], 3..7), [4..6]);
        assert!(all(&[0..10], 2..5).is_empty() && all(&[0..10], 3..3).is_empty());
    }

    proptest! {
        #[test]
        fn as_sets_of_numbers(
            ranges in prop::collection::vec((0u64..60, 0u64..20), 0..12), from in 0u64..60, len in 0u64..20,
        ) {
            let mut parts = Vec::new();
            let mut set = [false; 80];
            for (start, len) in ranges {
                merge(&mut parts, start..start + len);
                set[start as usize..(start + len) as usize].fill(true);
            }
            for (at, there) in set.iter().enumerate() {
                prop_assert_eq!(parts.iter().any(|part| part.contains(&(at as u64))), *there);
            }
            prop_assert!(parts.windows(2).all(|pair| pair[0].end < pair[1].start));
            let range = from..from + len;
            let there = &set[from as usize..(from + len) as usize];
            prop_assert_eq!(covers(&parts, &range), there.iter().all(|there| *there));
            let missing: u64 = gaps(&parts, range).map(|gap| gap.end - gap.start).sum();
            prop_assert_eq!(missing, there.iter().filter(|there| !**there).count() as u64);
        }
    }
}
