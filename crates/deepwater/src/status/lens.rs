//! The lens's part of the page: which cliff is next, and what to do about it.

use crate::seen::{Advised, Cliffs, clean};
use crate::table::{Align, Table};

/// The whole in a sentence, the cliffs that are worth a look, and the first advice.
pub(super) fn lines(cliffs: &Cliffs, advised: Option<&Advised>) -> Vec<String> {
    let mut lines = vec![cliffs.verdict()];
    let mut table = Table::new(&[
        ("cliff", Align::Left),
        ("resource", Align::Left),
        ("level", Align::Left),
        ("in use", Align::Left),
        ("reached at", Align::Left),
    ]);
    let mut near = cliffs.cliffs.iter().filter(|cliff| cliff.level.is_worth_a_look()).peekable();
    if near.peek().is_some() {
        for cliff in near {
            let level = cliff.level.as_str().to_owned();
            table.row([cliff.kind(), clean(&cliff.resource), level, cliff.in_use(), cliff.reached()]);
        }
        lines.extend(table.lines(2));
    }
    lines.extend(advised.into_iter().flat_map(Advised::lines));
    lines
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::seen::tests::{advice, cliffs};

    #[test]
    fn only_what_is_worth_a_look_is_told() {
        let cliffs = Cliffs::deserialize(cliffs()).unwrap();
        let advised = Advised::deserialize(advice()).unwrap();
        let expected = "\
The pool of `shop` is exhausted at 410 req/s (360–470); you are at 250 req/s.
  cliff            resource  level  in use                reached at
  connection pool  shop/web  watch  2.5 of 4 connections  410/s (360–470)
  memory           app       near   1.7 GiB of 3.7 GiB    in 3 d 0 h (2 d 7 h – 4 d 15 h)
Do next: 12 connections for `shop`";
        let lines = lines(&cliffs, Some(&advised));
        assert_eq!(lines[..5].join("\n"), expected);

        let calm = Cliffs { summary: "no cliff is in sight".into(), ..Cliffs::default() };
        assert_eq!(super::lines(&calm, None), ["No cliff is in sight."]);
    }
}
