//! The normal equations of a fit, in scaled units, and the way back from them.

use super::{COLLINEAR, Fit, FitError, Options, Solution};
use crate::cholesky::Cholesky;

/// `XᵀWX` and `XᵀWy` with every column of length 1. Numbers are first divided by the largest of their column, so
/// that no square leaves the range of `f64`.
pub(super) struct Normal {
    columns: usize,
    /// `columns × columns`, 1 on the diagonal (0 for a column of zeros), the ridge included.
    gram: Vec<f64>,
    right: Vec<f64>,
    /// Unscaled coefficient = scaled coefficient × this.
    unscale: Vec<f64>,
    rows: usize,
}

impl Normal {
    pub(super) fn of(rows: &[&[f64]], y: &[f64], options: &Options<'_>) -> Result<Self, FitError> {
        let columns = check(rows, y, options)?;
        let weight = weights(options);
        let counted = (0..rows.len()).filter(|row| weight(*row) > 0.0).count();
        if counted <= columns {
            return Err(FitError::TooFewRows);
        }
        let largest = largest(rows, columns);
        let largest_y = span(y);
        let mut gram = vec![0.0; columns * columns];
        let mut right = vec![0.0; columns];
        let mut scaled = vec![0.0; columns];
        for (at, (row, y)) in rows.iter().zip(y).enumerate() {
            for (column, value) in row.iter().enumerate() {
                scaled[column] = value / largest[column];
            }
            for a in 0..columns {
                let weighted = weight(at) * scaled[a];
                right[a] += weighted * (y / largest_y);
                for b in 0..=a {
                    gram[a * columns + b] += weighted * scaled[b];
                }
            }
        }
        let mut normal = Self { columns, gram, right, unscale: Vec::new(), rows: counted };
        normal.unscale = largest.iter().map(|largest| largest_y / largest).collect();
        normal.scale(options)?;
        Ok(normal)
    }

    /// Makes the diagonal 1 and adds the ridge.
    fn scale(&mut self, options: &Options<'_>) -> Result<(), FitError> {
        let columns = self.columns;
        let length: Vec<f64> = (0..columns).map(|at| self.gram[at * columns + at].sqrt()).collect();
        let inverse = |at: usize| if length[at] > 0.0 { 1.0 / length[at] } else { 0.0 };
        for a in 0..columns {
            for b in 0..=a {
                let entry = self.gram[a * columns + b] * inverse(a) * inverse(b);
                self.gram[a * columns + b] = entry;
                self.gram[b * columns + a] = entry;
            }
            self.right[a] *= inverse(a);
            self.unscale[a] *= inverse(a);
        }
        let Some(ridge) = options.ridge else { return Ok(()) };
        for (at, prior) in ridge.prior.iter().enumerate() {
            if self.unscale[at] > 0.0 {
                let prior = prior / self.unscale[at];
                if !prior.is_finite() {
                    return Err(FitError::NoSolution);
                }
                self.gram[at * columns + at] += ridge.strength;
                self.right[at] += ridge.strength * prior;
            }
        }
        Ok(())
    }

    pub(super) const fn columns(&self) -> usize {
        self.columns
    }

    /// Whether a column is anything but zeros.
    pub(super) fn moves(&self, column: usize) -> bool {
        self.gram(column, column) > 0.0
    }

    pub(super) fn gram(&self, a: usize, b: usize) -> f64 {
        self.gram[a * self.columns + b]
    }

    pub(super) fn right(&self, column: usize) -> f64 {
        self.right[column]
    }

    /// How fast the squares fall when this coefficient rises.
    pub(super) fn slope(&self, column: usize, scaled: &[f64]) -> f64 {
        let explained: f64 = scaled.iter().enumerate().map(|(b, value)| self.gram(column, b) * value).sum();
        self.right[column] - explained
    }

    /// Back to the caller's units, with what the residuals say.
    pub(super) fn finish(
        &self,
        rows: &[&[f64]],
        y: &[f64],
        options: &Options<'_>,
        solution: &Solution,
    ) -> Result<Fit, FitError> {
        let mut coefficients: Vec<f64> =
            solution.scaled.iter().zip(&self.unscale).map(|(value, unscale)| value * unscale).collect();
        if let Some(ridge) = options.ridge.filter(|ridge| ridge.strength > 0.0) {
            let silent = (0..self.columns).filter(|column| !self.moves(*column));
            silent.for_each(|column| coefficients[column] = ridge.prior[column].max(0.0));
        }
        let weight = weights(options);
        let largest_y = span(y);
        let total: f64 = (0..rows.len()).map(&weight).sum();
        let mean = (0..rows.len()).map(|row| weight(row) / total * (y[row] / largest_y)).sum::<f64>();
        let (mut residuals, mut spread) = (0.0, 0.0);
        for (at, row) in rows.iter().enumerate() {
            let fitted: f64 = row.iter().zip(&coefficients).map(|(x, c)| x * (c / largest_y)).sum();
            residuals += weight(at) * (y[at] / largest_y - fitted).powi(2);
            spread += weight(at) * (y[at] / largest_y - mean).powi(2);
        }
        let freedom = self.rows - solution.free.len();
        // Weights count by their proportion: a row of mean weight is the measure.
        let variance = residuals / (total / self.rows as f64) / freedom as f64;
        let fit = Fit {
            standard_errors: self.errors(solution, residuals / freedom as f64)?,
            residual_squares: residuals * largest_y * largest_y,
            residual_standard_error: variance.sqrt() * largest_y,
            r_squared: if spread > 0.0 { 1.0 - residuals / spread } else { 0.0 },
            coefficients,
            freedom,
        };
        let numbers = [fit.residual_squares, fit.residual_standard_error, fit.r_squared];
        let mut all = numbers.iter().chain(&fit.coefficients).chain(&fit.standard_errors);
        if all.all(|number| number.is_finite()) { Ok(fit) } else { Err(FitError::NoSolution) }
    }

    fn errors(&self, solution: &Solution, variance: f64) -> Result<Vec<f64>, FitError> {
        let free = &solution.free;
        let factors = Cholesky::of(free.len(), COLLINEAR, |a, b| self.gram(free[a], free[b]))
            .map_err(|at| FitError::Collinear(free[at]))?;
        let mut errors = vec![0.0; self.columns];
        for (at, column) in free.iter().enumerate() {
            // All in units of the largest y, which `unscale` turns back.
            let scaled = (variance * factors.inverse_column(at)[at]).sqrt();
            errors[*column] = scaled * self.unscale[*column];
        }
        Ok(errors)
    }
}

/// The number of columns of rows that can be used.
fn check(rows: &[&[f64]], y: &[f64], options: &Options<'_>) -> Result<usize, FitError> {
    let columns = rows.first().ok_or(FitError::TooFewRows)?.len();
    let finite = |values: &[f64]| values.iter().all(|value| value.is_finite());
    let weighed = options.weights.is_none_or(|weights| {
        weights.len() == rows.len() && finite(weights) && weights.iter().all(|weight| *weight >= 0.0)
    });
    let drawn = options.ridge.is_none_or(|ridge| {
        ridge.prior.len() == columns && finite(ridge.prior) && (0.0..f64::INFINITY).contains(&ridge.strength)
    });
    let even = rows.iter().all(|row| row.len() == columns && finite(row));
    if columns == 0 || rows.len() != y.len() || !finite(y) || !even || !weighed || !drawn {
        return Err(FitError::Invalid);
    }
    Ok(columns)
}

/// The weight of each row, the largest of them 1.
fn weights<'a>(options: &Options<'a>) -> impl Fn(usize) -> f64 + use<'a> {
    let given = options.weights;
    let largest = given.map_or(1.0, span);
    move |row| given.map_or(1.0, |weights| weights[row] / largest)
}

/// The largest size among the values; 1 where all are 0, as it is divided by.
fn span(values: &[f64]) -> f64 {
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    if largest > 0.0 { largest } else { 1.0 }
}

fn largest(rows: &[&[f64]], columns: usize) -> Vec<f64> {
    let column = |column: usize| rows.iter().map(move |row| row[column].abs()).fold(0.0, f64::max);
    (0..columns).map(column).map(|largest| if largest > 0.0 { largest } else { 1.0 }).collect()
}
