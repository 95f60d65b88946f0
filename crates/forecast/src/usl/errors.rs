//! What the coefficients, and what follows from them, are uncertain by: the delta method, from the slopes at the
//! minimum.

use super::fit::{normal, slopes};
use super::{Law, Point};
use crate::cholesky::Cholesky;
use crate::student;

/// The uncertainty of a fit's coefficients.
#[derive(Debug, Clone, PartialEq)]
pub struct Errors {
    /// Of `g`, `a` and `b`; 0 for one at its bound.
    pub standard: [f64; 3],
    covariance: [[f64; 3]; 3],
    freedom: usize,
}

/// A figure and its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The figure itself.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// From points in units of `unit`; `None` where the points do not tell the coefficients apart.
pub(super) fn of(
    points: &[Point],
    law: &Law,
    free: [bool; 3],
    variance: f64,
    freedom: usize,
    unit: f64,
) -> Option<Errors> {
    let (gram, _) = normal(points, law);
    let free: Vec<usize> = (0..3).filter(|at| free[*at]).collect();
    let length = |at: usize| gram[free[at]][free[at]].sqrt();
    let factors =
        Cholesky::of(free.len(), 1e-14, |a, b| gram[free[a]][free[b]] / length(a) / length(b)).ok()?;
    let units = [unit, 1.0, 1.0];
    let mut covariance = [[0.0; 3]; 3];
    for (a, row) in free.iter().enumerate() {
        let inverse = factors.inverse_column(a);
        for (b, column) in free.iter().enumerate() {
            let scaled = variance * inverse[b] / length(a) / length(b);
            covariance[*row][*column] = scaled * units[*row] * units[*column];
        }
    }
    let standard = [0, 1, 2].map(|at| covariance[at][at].max(0.0).sqrt());
    standard.iter().all(|error: &f64| error.is_finite()).then_some(Errors { standard, covariance, freedom })
}

impl Errors {
    /// The factor between a standard error and half an interval.
    fn factor(&self, confidence: f64) -> f64 {
        student::two_sided(confidence, self.freedom)
    }

    /// The intervals of `g`, `a` and `b`, for a confidence between 0 and 1. Not cut at the bounds.
    pub fn intervals(&self, law: &Law, confidence: f64) -> [Estimate; 3] {
        let values = [law.one, law.contention, law.coherency];
        let factor = self.factor(confidence);
        [0, 1, 2].map(|at| {
            let half = factor * self.standard[at];
            Estimate { value: values[at], low: values[at] - half, high: values[at] + half }
        })
    }

    /// Of a function of the coefficients that is above 0, by its derivatives: even on the scale of logarithms, so
    /// that no end is below 0.
    fn positive(&self, value: f64, by: [f64; 3], confidence: f64) -> Estimate {
        let mut variance = 0.0;
        for a in 0..3 {
            for b in 0..3 {
                variance += by[a] * by[b] * self.covariance[a][b];
            }
        }
        // An exponent that a range can be made of; beyond it all is open anyway.
        let half = (self.factor(confidence) * variance.max(0.0).sqrt() / value).min(100.0);
        Estimate { value, low: value * (-half).exp(), high: value * half.exp() }
    }

    /// Of the concurrency at the peak.
    pub(super) fn peak_n(&self, law: &Law, n: f64, confidence: f64) -> Estimate {
        let by_contention = -0.5 * n / (1.0 - law.contention);
        let by_coherency = -0.5 * n / law.coherency;
        self.positive(n, [0.0, by_contention, by_coherency], confidence)
    }

    /// Of the throughput at a fixed concurrency. At the peak this is also that of the highest throughput: there the
    /// place adds nothing (the envelope theorem).
    pub(super) fn throughput(&self, law: &Law, n: f64, confidence: f64) -> Estimate {
        self.positive(law.throughput(n), slopes(law, n), confidence)
    }

    /// Of Amdahl's limit.
    pub(super) fn limit(&self, law: &Law, limit: f64, confidence: f64) -> Estimate {
        self.positive(limit, [limit / law.one, -limit / law.contention, 0.0], confidence)
    }
}
