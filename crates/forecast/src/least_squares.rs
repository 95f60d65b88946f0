//! Linear least squares with coefficients that cannot be negative: demands, times and bytes never are.
//!
//! Lawson and Hanson, *Solving Least Squares Problems*, 1974, chapter 23, on the normal equations (as Bro and
//! de Jong, 1997, do): sums are taken once, after which only `columns × columns` numbers are looked at. Columns
//! are scaled to length 1 first, so that units do not matter.

use std::fmt;

mod normal;

use crate::cholesky::Cholesky;
use normal::Normal;

/// A column of which the others explain all but this share adds nothing that could be told apart: with normal
/// equations, half of an `f64`'s digits are left for it.
const COLLINEAR: f64 = 1e-9;

/// What a fit can be told beside its rows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// How much each row counts, at least 0; all alike when absent.
    pub weights: Option<&'a [f64]>,
    /// What the coefficients are drawn towards.
    pub ridge: Option<Ridge<'a>>,
}

/// Draws each coefficient `β` towards its prior, by adding `strength · Σ(x²) · (β - prior)²` to what is made
/// small: a strength of 1 counts as much as the data do, 0.001 decides only where they are silent.
#[derive(Debug, Clone, Copy)]
pub struct Ridge<'a> {
    /// At least 0.
    pub strength: f64,
    /// One for each column.
    pub prior: &'a [f64],
}

/// A fit of `y ≈ Σ coefficient · column`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// One for each column, at least 0.
    pub coefficients: Vec<f64>,
    /// The standard errors of the coefficients; 0 for one that is at its bound 0.
    pub standard_errors: Vec<f64>,
    /// The weighted sum of squared residuals.
    pub residual_squares: f64,
    /// The deviation of a row of mean weight from the fit, in units of `y`.
    pub residual_standard_error: f64,
    /// The share of the variance of `y` (around its mean) that the fit explains: 1 all, 0 or less nothing.
    pub r_squared: f64,
    /// Rows less the coefficients that are above 0.
    pub freedom: usize,
}

/// Why there is no fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FitError {
    /// A number is not finite, a weight or strength is negative, or lengths differ.
    Invalid,
    /// There are not more rows (of positive weight) than columns.
    TooFewRows,
    /// The other columns explain this one: nothing tells their coefficients apart.
    Collinear(usize),
    /// The search did not end, or numbers left the range of `f64`.
    NoSolution,
}

impl fmt::Display for FitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid => f.write_str("the rows hold a number that makes no sense, or differ in length"),
            Self::TooFewRows => f.write_str("there are not more rows than columns"),
            Self::Collinear(column) => write!(f, "column {column} follows from the others"),
            Self::NoSolution => f.write_str("no solution was found within the range of numbers"),
        }
    }
}

impl std::error::Error for FitError {}

/// Fits `y[i] ≈ Σ coefficients[j] · rows[i][j]` with coefficients ≥ 0. Time `rows · columns² / 2`, then
/// `columns⁴` at worst: 32 columns and 4,000 rows are milliseconds.
///
/// # Errors
/// See [`FitError`]. A column of zeros gets the coefficient 0 (or its prior).
pub fn nonnegative(rows: &[&[f64]], y: &[f64], options: &Options<'_>) -> Result<Fit, FitError> {
    let normal = Normal::of(rows, y, options)?;
    let solution = search(&normal)?;
    normal.finish(rows, y, options, &solution)
}

/// Where the search ended: scaled coefficients, and which of them are free of the bound.
struct Solution {
    scaled: Vec<f64>,
    free: Vec<usize>,
}

/// The active-set search: one column after another is freed from the bound 0, the steepest first.
fn search(normal: &Normal) -> Result<Solution, FitError> {
    let columns = normal.columns();
    let mut scaled = vec![0.0; columns];
    let mut free: Vec<usize> = Vec::new();
    // Columns that went back to the bound at once: rounding, which must not be tried forever.
    let mut barred = vec![false; columns];
    for _ in 0..10 * columns + 10 {
        let steepest = (0..columns)
            .filter(|column| !barred[*column] && !free.contains(column) && normal.moves(*column))
            .map(|column| (column, normal.slope(column, &scaled)))
            .filter(|(_, slope)| *slope > 1e-12)
            .max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((entering, _)) = steepest else {
            return unique(normal, &scaled, &free).map(|()| Solution { scaled, free });
        };
        free.push(entering);
        if settle(normal, &mut scaled, &mut free)? && !free.contains(&entering) {
            barred[entering] = true;
        } else {
            barred.fill(false);
        }
    }
    Err(FitError::NoSolution)
}

/// A column that would change nothing by leaving the bound, as the free ones do the same: there are other solutions
/// that are as good.
fn unique(normal: &Normal, scaled: &[f64], free: &[usize]) -> Result<(), FitError> {
    for column in (0..normal.columns()).filter(|column| !free.contains(column) && normal.moves(*column)) {
        if normal.slope(column, scaled).abs() < 1e-9 {
            let with: Vec<usize> = free.iter().copied().chain([column]).collect();
            Cholesky::of(with.len(), COLLINEAR, |a, b| normal.gram(with[a], with[b]))
                .map_err(|at| FitError::Collinear(with[at]))?;
        }
    }
    Ok(())
}

/// Solves for the free columns; those that would turn negative go back to the bound. Whether any did.
fn settle(normal: &Normal, scaled: &mut [f64], free: &mut Vec<usize>) -> Result<bool, FitError> {
    let mut bound = false;
    while !free.is_empty() {
        let factors = Cholesky::of(free.len(), COLLINEAR, |a, b| normal.gram(free[a], free[b]))
            .map_err(|at| FitError::Collinear(free[at]))?;
        let right: Vec<f64> = free.iter().map(|column| normal.right(*column)).collect();
        let wanted = factors.solve(&right);
        if wanted.iter().all(|value| *value > 0.0) {
            for (column, value) in free.iter().zip(wanted) {
                scaled[*column] = value;
            }
            return Ok(bound);
        }
        // As far as all stay at or above 0; the first to reach it is bound again. Ends, as one leaves each time.
        let step = free
            .iter()
            .zip(&wanted)
            .filter(|(_, wanted)| **wanted <= 0.0)
            .map(|(column, wanted)| scaled[*column] / (scaled[*column] - wanted).max(f64::MIN_POSITIVE))
            .fold(1.0, f64::min);
        let mut leaves: Option<(usize, f64)> = None;
        for (column, wanted) in free.iter().zip(&wanted) {
            scaled[*column] += step * (wanted - scaled[*column]);
            if *wanted <= 0.0 && leaves.is_none_or(|(_, least)| scaled[*column] < least) {
                leaves = Some((*column, scaled[*column]));
            }
        }
        // Not a number compares with nothing: then nobody leaves.
        let Some((first, _)) = leaves else { return Err(FitError::NoSolution) };
        scaled[first] = 0.0;
        free.retain(|column| scaled[*column] > 0.0);
        bound = true;
    }
    scaled.fill(0.0);
    Ok(bound)
}

#[cfg(test)]
mod tests;
