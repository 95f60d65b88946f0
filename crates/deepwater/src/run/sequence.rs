//! What has changed in a list whose members are told by what they are, not by where they stand.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

/// What has become of a list.
#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct Changes {
    /// Members that are as they were, in the same order.
    pub kept: usize,
    /// Where those stand that are new, are others, or stand elsewhere among the rest.
    pub at: Vec<usize>,
    /// Where those stood that have gone without another in their place.
    pub removed: Vec<usize>,
}

/// Compares two lists. A member that comes in front of others changes none of them.
pub(super) fn changes(before: &[Value], now: &[Value]) -> Changes {
    let mut places: HashMap<String, VecDeque<usize>> = HashMap::new();
    for (at, member) in before.iter().enumerate() {
        places.entry(member.to_string()).or_default().push_back(at);
    }
    let was: Vec<Option<usize>> =
        now.iter().map(|member| places.get_mut(&member.to_string())?.pop_front()).collect();
    let kept = longest_rising(&was);
    let mut changes = Changes { kept: kept.len(), ..Changes::default() };
    let mut gone: Vec<usize> = places.into_values().flatten().collect();
    gone.sort_unstable();
    // Between two that are kept, those that are new stand in the place of as many that have gone.
    let (mut old_at, mut new_at) = (0, 0);
    let ends = kept.iter().map(|at| (was[*at].unwrap_or_default(), *at));
    for (old_end, new_end) in ends.chain([(before.len(), now.len())]) {
        changes.at.extend(new_at..new_end);
        let new = was[new_at..new_end].iter().filter(|was| was.is_none()).count();
        let gone = gone.iter().copied().filter(|at| (old_at..old_end).contains(at));
        changes.removed.extend(gone.skip(new));
        (old_at, new_at) = (old_end + 1, new_end + 1);
    }
    changes
}

/// The positions of a longest run, not necessarily of neighbours, of numbers that rise.
fn longest_rising(numbers: &[Option<usize>]) -> Vec<usize> {
    // For each length the position of the smallest number that a run of this length can end with.
    let mut ends: Vec<usize> = Vec::new();
    let mut previous = vec![None; numbers.len()];
    for (at, number) in numbers.iter().enumerate().filter(|(_, number)| number.is_some()) {
        let length = ends.partition_point(|end| numbers[*end] < *number);
        previous[at] = length.checked_sub(1).map(|shorter| ends[shorter]);
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut run: Vec<usize> = std::iter::successors(ends.last().copied(), |at| previous[*at]).collect();
    run.reverse();
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(before: &str, now: &str) -> (usize, Vec<usize>, Vec<usize>) {
        let list = |text: &str| text.chars().map(|c| Value::from(c.to_string())).collect::<Vec<_>>();
        let Changes { kept, at, removed } = changes(&list(before), &list(now));
        (kept, at, removed)
    }

    #[test]
    fn members_are_told_by_what_they_are() {
        assert_eq!(of("", ""), (0, vec![], vec![]));
        assert_eq!(of("abc", "abc"), (3, vec![], vec![]));
        assert_eq!(of("abc", "xabc"), (3, vec![0], vec![]));
        assert_eq!(of("abc", "abcx"), (3, vec![3], vec![]));
        assert_eq!(of("abc", "xbc"), (2, vec![0], vec![]));
        assert_eq!(of("abc", "xyc"), (1, vec![0, 1], vec![]));
        assert_eq!(of("abc", "c"), (1, vec![], vec![0, 1]));
        assert_eq!(of("abc", ""), (0, vec![], vec![0, 1, 2]));
        assert_eq!(of("", "ab"), (0, vec![0, 1], vec![]));
        assert_eq!(of("aab", "ab"), (2, vec![], vec![1]));
        // One that moves is told once, where it stands now.
        assert_eq!(of("abcd", "bcda"), (3, vec![3], vec![]));
        assert_eq!(of("abcd", "dabc"), (3, vec![0], vec![]));
    }
}
