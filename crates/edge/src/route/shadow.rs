//! Routes that can never be reached.

use super::Entry;
use super::pattern::{Pattern, Segment, Tail};

/// Each unreachable route with the first earlier one that, without further conditions, takes all it could match.
pub(super) fn unreachable(entries: &[Entry]) -> Vec<(usize, usize)> {
    let shadowed_by = |(later, entry): (usize, &Entry)| {
        let earlier = entries[..later].iter().position(|earlier| {
            earlier.conditions.is_empty()
                && earlier.host.covers(&entry.host)
                && covers(&earlier.pattern, &entry.pattern)
        })?;
        Some((later, earlier))
    };
    entries.iter().enumerate().filter_map(shadowed_by).collect()
}

/// Whether every path that `narrow` matches is matched by `wide`.
fn covers(wide: &Pattern, narrow: &Pattern) -> bool {
    let shared = wide.segments.len().min(narrow.segments.len());
    let prefix_covered = wide.segments.iter().zip(&narrow.segments).all(|pair| match pair {
        (Segment::Parameter, Segment::Literal(text)) => !text.is_empty(),
        (Segment::Parameter, Segment::Parameter) => true,
        (wide, narrow) => wide == narrow,
    });
    if !prefix_covered || wide.segments.len() > shared {
        return false;
    }
    let pathless = |pattern: &Pattern| pattern.segments.is_empty() && pattern.tail == Tail::Any;
    match wide.tail {
        // A tail matches paths of any length.
        Tail::None => narrow.tail == Tail::None && narrow.segments.len() == shared,
        Tail::Any => true,
        Tail::Captured => !pathless(narrow),
    }
}
