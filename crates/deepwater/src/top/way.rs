//! The way to a cliff as a bar: from nothing to its end, with the range of the forecast.

use crate::seen::{Cliff, Cliffs, amount};

/// Room behind the last mark, as a share of the scale.
const BEYOND: f64 = 1.04;

/// Where we are and where the end is, on one scale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Way {
    now: f64,
    end: f64,
    range: Option<(f64, f64)>,
    unit: String,
}

impl Way {
    /// In load where that is forecast, else in what is used of what there is; none when neither is known.
    pub(super) fn to(cliff: &Cliff, cliffs: &Cliffs) -> Option<Self> {
        if let (Some(at), Some(load)) = (cliff.at, &cliffs.load) {
            let range = Some((at.low, at.high));
            return Self { now: load.value, end: at.load, range, unit: load.unit.clone() }.if_sane();
        }
        let (now, end) = (cliff.used?, cliff.limit?);
        Self { now, end, range: None, unit: cliff.unit.clone() }.if_sane()
    }

    fn if_sane(self) -> Option<Self> {
        (self.end > 0.0 && self.scale().is_finite()).then_some(self)
    }

    fn scale(&self) -> f64 {
        let high = self.range.map_or(0.0, |(_, high)| high);
        self.now.max(self.end).max(high) * BEYOND
    }

    /// `██████░░░░▒▒┃▒▒░`: behind us, ahead, the range, the end.
    pub(super) fn bar(&self, cells: usize) -> String {
        let cell = |value: f64| ((value / self.scale() * cells as f64) as usize).min(cells.saturating_sub(1));
        let (now, end) = (cell(self.now), cell(self.end));
        let range = self.range.map(|(low, high)| cell(low)..=cell(high));
        let mark = |at: usize| match at {
            at if at == end => '┃',
            at if at < now => '█',
            at if at == now => '▌',
            at if range.as_ref().is_some_and(|range| range.contains(&at)) => '▒',
            _ => '░',
        };
        (0..cells).map(mark).collect()
    }

    /// `250/s now, the end at 410/s (360/s–470/s): 61 % of the way`
    pub(super) fn words(&self) -> String {
        let show = |value: f64| amount(value, &self.unit);
        let range = self.range.map(|(low, high)| format!(" ({}–{})", show(low), show(high)));
        format!(
            "{} now, the end at {}{}: {:.0} % of the way",
            show(self.now),
            show(self.end),
            range.unwrap_or_default(),
            self.now / self.end * 100.0
        )
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::seen::tests::cliffs;

    #[test]
    fn the_marks_stand_where_they_belong() {
        let cliffs = Cliffs::deserialize(cliffs()).unwrap();
        let way = Way::to(&cliffs.cliffs[0], &cliffs).unwrap();
        assert_eq!(way.bar(26), "█████████████▌░░░░░▒▒┃▒▒▒▒");
        assert_eq!(way.words(), "250/s now, the end at 410/s (360/s–470/s): 61 % of the way");
        let memory = Way::to(&cliffs.cliffs[1], &cliffs).unwrap();
        assert_eq!(memory.words(), "1.7 GiB now, the end at 3.7 GiB: 45 % of the way");
        assert_eq!(Way::to(&cliffs.cliffs[3], &cliffs), None, "without a limit there is no end");
    }

    #[test]
    fn whatever_the_numbers_there_are_as_many_cells() {
        for (now, end) in [(0.0, 1.0), (5.0, 1.0), (-1.0, 1.0), (1e300, 1.0), (f64::NAN, 1.0)] {
            let way = Way { now, end, range: Some((0.5, 1.5)), unit: String::new() };
            for cells in [0, 1, 2, 40] {
                assert_eq!(way.bar(cells).chars().count(), cells, "{now} {end} {cells}");
            }
        }
        assert_eq!(Way { now: 1.0, end: 0.0, range: None, unit: String::new() }.if_sane(), None);
    }
}
