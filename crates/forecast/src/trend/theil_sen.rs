//! A slope that a few wild points do not move (Theil, 1950; Sen, 1968).

use crate::numbers::{mean, quantile};
use crate::student;

/// More points are merged to this many: the number of pairs, and so the time, grows with its square.
const MOST_POINTS: usize = 240;

/// A slope with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// The median of the slopes of all pairs.
    pub value: f64,
    /// Lower end, by the variance of Kendall's statistic (Sen, 1968).
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The slope through points `(x, y)`, `x` in order. Up to 29 % of the points may be wild. The interval takes the
/// errors of neighbours as independent (merged points nearly are). `None` for fewer than three different `x`, and
/// for slopes beyond the range of numbers.
pub fn theil_sen(points: &[(f64, f64)], confidence: f64) -> Option<Slope> {
    let points = merge(points);
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (at, (x, y)) in points.iter().enumerate() {
        let later = points[at + 1..].iter().filter(|(later, _)| later > x);
        slopes.extend(later.map(|(later, then)| (then - y) / (later - x)));
    }
    if slopes.len() < 3 || !slopes.iter().all(|slope| slope.is_finite()) {
        return None;
    }
    let n = points.len() as f64;
    let deviation = (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    // The ranks lie this share of all pairs beside the median.
    let beside = student::two_sided(confidence, usize::MAX) * deviation / slopes.len() as f64 / 2.0;
    Some(Slope {
        value: quantile(&mut slopes, 0.5)?,
        low: quantile(&mut slopes, 0.5 - beside)?,
        high: quantile(&mut slopes, 0.5 + beside)?,
    })
}

fn merge(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let together = points.len().div_ceil(MOST_POINTS).max(1);
    let of = |chunk: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| chunk.iter().map(pick).collect::<Vec<_>>();
    let middle = |chunk: &[(f64, f64)]| {
        // The median, so that a wild point does not spoil those it is merged with.
        let y = quantile(&mut of(chunk, |point| point.1), 0.5)?;
        Some((mean(&of(chunk, |point| point.0)), y))
    };
    points.chunks(together).filter_map(middle).collect()
}
