//! "Did you mean": the known name somebody most likely meant.

/// The known name nearest to `name`, if one is near enough to be worth suggesting.
///
/// Near is: equal but for case and separators (`poolSize`, `pool-size` for `pool_size`), the initials
/// (`rr` for `round_robin`), a beginning of at least three letters (`round`), or an edit distance
/// (Damerau–Levenshtein) of at most a third of the longer name.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let folded = fold(name);
    known
        .into_iter()
        .filter_map(|candidate| Some((distance(name, &folded, candidate)?, candidate)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn distance(name: &str, folded: &str, candidate: &str) -> Option<usize> {
    let target = fold(candidate);
    if folded.is_empty() || target.is_empty() {
        return None;
    }
    if folded == target {
        return Some(0);
    }
    let edits = strsim::damerau_levenshtein(folded, &target);
    let longer = folded.chars().count().max(target.chars().count());
    if edits <= longer.div_ceil(3) && edits < longer {
        return Some(edits);
    }
    let beginning = folded.len() >= 3 && target.starts_with(folded);
    // Initials are the weakest hint: only when nothing is spelt alike.
    (beginning || name == initials(candidate)).then_some(longer)
}

fn fold(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

fn initials(name: &str) -> String {
    name.split(['_', '-']).filter(|word| !word.is_empty()).filter_map(|word| word.chars().next()).collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const KNOWN: [&str; 5] = ["round_robin", "least_connections", "ip_hash", "random", "targets"];

    #[test]
    fn finds_what_was_meant() {
        for (typed, meant) in [
            ("rr", "round_robin"),
            ("roundRobin", "round_robin"),
            ("least-connections", "least_connections"),
            ("round", "round_robin"),
            ("ip_hsah", "ip_hash"),
            ("target", "targets"),
        ] {
            assert_eq!(nearest(typed, KNOWN), Some(meant), "typed `{typed}`");
        }
    }

    #[test]
    fn suggests_nothing_when_nothing_is_near() {
        for typed in ["", "_", "timeout", "zz", "x"] {
            assert_eq!(nearest(typed, KNOWN), None, "typed `{typed}`");
        }
        assert_eq!(nearest("anything", []), None);
        assert_eq!(nearest("b", ["a"]), None, "one letter replaced by another is another name");
    }
}
