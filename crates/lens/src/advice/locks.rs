//! Hot rows: one transaction at a time holds a row, so its end is at one write for each time it is held, λ·E[hold] = 1. No
//! setting of a proxy changes that; the transaction does.

use super::{Advice, Done, Gain, Measured, Price, Rule, Verdict, unsure, worrying};
use crate::cliffs::{Cliff, Cliffs, Kind};
use crate::picture::Picture;
use crate::signal;

pub(super) struct Locks;

const PRICE: Price = Price {
    complexity: "a change of the application: the order of its statements, or rows that are added up when read",
    staleness: "none; with queued writes, seconds",
    money: "none",
    operations: "none",
};

impl Rule for Locks {
    fn technique(&self) -> &'static str {
        "shorter_locks"
    }

    fn look(&self, picture: &Picture<'_>, cliffs: &Cliffs) -> Verdict {
        let found: Vec<Advice> = worrying(cliffs, Kind::Locks).map(|cliff| advise(picture, cliff)).collect();
        Verdict::of(found, &unsure(cliffs, Kind::Locks), || "no row is waited for much".into())
    }
}

fn advise(picture: &Picture<'_>, cliff: &Cliff) -> Advice {
    let table = &cliff.resource;
    let name = table.split_once('/').map_or(table.as_str(), |(_, name)| name);
    let of = |signal| picture.minute(signal, table);
    let hold = of(&signal::LOCK_HOLD);
    let from = cliff.at.map(|at| at.load);
    let text = match hold {
        Some(hold) => format!(
            "a written row is held for {:.1} ms on average: in half of that twice the load passes, and so it does over two rows",
            hold * 1e3
        ),
        None => "held for half as long, or split over two rows, twice the load passes".to_owned(),
    };
    Advice {
        id: format!("shorter_locks:{table}"),
        technique: "shorter_locks",
        title: format!("hold the rows of `{name}` for a shorter time"),
        why: cliff.text.clone(),
        cliff: Some(cliff.id.clone()),
        gain: Gain {
            text,
            from,
            to: from.map(|from| 2.0 * from),
            unit: "per second".into(),
            measured: Measured::Knee(cliff.id.clone()),
        },
        price: PRICE,
        lines: None,
        elsewhere: Some(
            "in this order: write the hot row last, right before COMMIT; take everything else out of the transaction (calls of \
             other services above all); let one UPDATE do what SELECT … FOR UPDATE and UPDATE did; split a counter into n \
             rows, write to one by chance and add them up when read: its end moves n times as far; or let a queue write, \
             many changes in one transaction"
                .into(),
        ),
        evidence: cliff.evidence.clone(),
        done: Done::NotSeen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;
    use crate::cliffs::Level;

    #[test]
    fn a_hot_row_is_held_for_half_as_long() {
        let mut scene = Scene::new();
        scene.cliff(Kind::Locks, "shop/public.stock", Level::Near, Some(100.0));
        scene.all(&signal::LOCK_HOLD, "shop/public.stock", 0.01);
        let advice = scene.advised(&Locks);
        assert_eq!((advice[0].gain.from, advice[0].gain.to), (Some(100.0), Some(200.0)));
        assert!(advice[0].gain.text.contains("10.0 ms"), "{}", advice[0].gain.text);
        assert_eq!(advice[0].lines, None);
    }

    #[test]
    fn when_nothing_is_known_of_how_long_there_is_no_figure_of_it() {
        let mut scene = Scene::new();
        scene.cliff(Kind::Locks, "shop/public.stock", Level::Over, None);
        let advice = scene.advised(&Locks);
        assert_eq!((advice[0].gain.from, advice[0].gain.to), (None, None));
        assert!(!advice[0].gain.text.contains("ms"));
    }

    #[test]
    fn rows_that_are_not_waited_for_need_nothing() {
        let mut scene = Scene::new();
        scene.cliff(Kind::Locks, "shop/public.stock", Level::Clear, Some(100.0));
        assert!(scene.no_need(&Locks).contains("no row"));
    }
}
