//! The fit: non-linear least squares within bounds.

use super::errors::{self, Errors};
use super::start::{squares, starts};
use super::{FitError, Law, Point, check};
use crate::cholesky::Cholesky;
use crate::least_squares;

/// A law and how well it describes the points.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// The coefficients.
    pub law: Law,
    /// The deviation of a point from the law, in the unit of throughput.
    pub residual_standard_error: f64,
    /// The sum of the squared deviations.
    pub residual_squares: f64,
    /// Points less coefficients that are not at a bound.
    pub freedom: usize,
    /// What the coefficients are uncertain by.
    pub errors: Errors,
    pub(super) highest_n: f64,
}

/// Steps of one search, and the relative gain below which it ends.
const STEPS: usize = 500;
const GAIN: f64 = 1e-15;

/// Fits all three coefficients, `a` and `b` within 0 to 1: Levenberg and Marquardt's method, from the best points of
/// a grid, with coefficients at a bound left out as long as they would leave it.
///
/// # Errors
/// See [`FitError`].
pub fn fit(points: &[Point]) -> Result<Fit, FitError> {
    check(points)?;
    // In units of the highest throughput, as steps and tolerances are of about 1.
    let unit = points.iter().map(|point| point.x).fold(0.0, f64::max);
    let scaled: Vec<Point> = points.iter().map(|point| Point { n: point.n, x: point.x / unit }).collect();
    let ends = starts(&scaled).into_iter().map(|start| descend(&scaled, start));
    let best = ends.min_by(|a, b| squares(&scaled, a).total_cmp(&squares(&scaled, b)));
    let law = best.ok_or(FitError::NoSolution)?;
    let free = free(&scaled, &law);
    let freedom = points.len() - free.iter().filter(|free| **free).count();
    let residuals = squares(&scaled, &law);
    let variance = residuals / freedom as f64;
    let fit = Fit {
        law: Law { one: law.one * unit, ..law },
        residual_standard_error: variance.sqrt() * unit,
        residual_squares: residuals * unit * unit,
        freedom,
        errors: errors::of(&scaled, &law, free, variance, freedom, unit).ok_or(FitError::NoSolution)?,
        highest_n: points.iter().map(|point| point.n).fold(0.0, f64::max),
    };
    if fit.law.one > 0.0 && fit.residual_squares.is_finite() { Ok(fit) } else { Err(FitError::NoSolution) }
}

/// Gunther's own fit: with `C = X/X(1)`, `N/C - 1 = a(N - 1) + b·N(N - 1)` is linear. It takes the throughput of one
/// as exact and weighs points by how far they fall behind; for comparison with published figures.
///
/// # Errors
/// See [`FitError`]; also where no throughput is above 0 at some point, or there is no point at 1.
pub fn polynomial(points: &[Point]) -> Result<Law, FitError> {
    check(points)?;
    let one = points.iter().find(|point| point.n == 1.0).ok_or(FitError::TooFewPoints)?.x;
    if one <= 0.0 || points.iter().any(|point| point.x <= 0.0) {
        return Err(FitError::Invalid);
    }
    let rows: Vec<[f64; 2]> = points.iter().map(|p| [p.n - 1.0, p.n * (p.n - 1.0)]).collect();
    let rows: Vec<&[f64]> = rows.iter().map(<[f64; 2]>::as_slice).collect();
    let behind: Vec<f64> = points.iter().map(|point| point.n * (one / point.x) - 1.0).collect();
    let fit = least_squares::nonnegative(&rows, &behind, &least_squares::Options::default())
        .map_err(|_| FitError::NoSolution)?;
    Ok(Law { one, contention: fit.coefficients[0].min(1.0), coherency: fit.coefficients[1].min(1.0) })
}

/// The derivatives of `X(N)` by `g`, `a` and `b`.
pub(super) fn slopes(law: &Law, n: f64) -> [f64; 3] {
    let divisor = law.divisor(n);
    let by_divisor = -law.one * n / divisor / divisor;
    [n / divisor, by_divisor * (n - 1.0), by_divisor * n * (n - 1.0)]
}

/// `JᵀJ` and `Jᵀr`.
pub(super) fn normal(points: &[Point], law: &Law) -> ([[f64; 3]; 3], [f64; 3]) {
    let (mut gram, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
    for point in points {
        let slopes = slopes(law, point.n);
        let residual = point.x - law.throughput(point.n);
        for a in 0..3 {
            right[a] += slopes[a] * residual;
            for b in 0..3 {
                gram[a][b] += slopes[a] * slopes[b];
            }
        }
    }
    (gram, right)
}

/// Which coefficients are within their bounds, or would move back into them.
fn free(points: &[Point], law: &Law) -> [bool; 3] {
    let (_, right) = normal(points, law);
    let within = |value: f64, slope: f64| (value > 0.0 || slope > 0.0) && (value < 1.0 || slope < 0.0);
    [true, within(law.contention, right[1]), within(law.coherency, right[2])]
}

/// Follows the slope down from one start.
fn descend(points: &[Point], start: Law) -> Law {
    let mut law = start;
    let mut least = squares(points, &law);
    let mut damping = 1e-3;
    for _ in 0..STEPS {
        let Some(next) = step(points, &law, damping) else {
            damping *= 10.0;
            if damping > 1e12 {
                break;
            }
            continue;
        };
        let found = squares(points, &next);
        if found < least {
            let gain = (least - found) / least;
            (law, least) = (next, found);
            damping = (damping / 10.0).max(1e-15);
            if gain < GAIN {
                break;
            }
        } else {
            damping *= 10.0;
            if damping > 1e12 {
                break;
            }
        }
    }
    law
}

/// One damped step within the bounds.
fn step(points: &[Point], law: &Law, damping: f64) -> Option<Law> {
    let (gram, right) = normal(points, law);
    let free: Vec<usize> =
        free(points, law).iter().enumerate().filter(|(_, f)| **f).map(|(at, _)| at).collect();
    let entry = |a: usize, b: usize| {
        let (row, column) = (free[a], free[b]);
        // Marquardt's scaling: damped by each coefficient's own curvature.
        let scale = (gram[row][row] * gram[column][column]).sqrt();
        gram[row][column] / scale + if a == b { damping } else { 0.0 }
    };
    let factors = Cholesky::of(free.len(), 1e-15, entry).ok()?;
    let scaled: Vec<f64> = free.iter().map(|at| right[*at] / gram[*at][*at].sqrt()).collect();
    let mut moved = [law.one, law.contention, law.coherency];
    for (at, change) in free.iter().zip(factors.solve(&scaled)) {
        moved[*at] += change / gram[*at][*at].sqrt();
    }
    let [one, contention, coherency] = moved;
    let sound = one.is_finite() && one > 0.0 && contention.is_finite() && coherency.is_finite();
    sound.then(|| Law { one, contention: contention.clamp(0.0, 1.0), coherency: coherency.clamp(0.0, 1.0) })
}
