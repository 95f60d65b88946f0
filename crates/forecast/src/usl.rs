//! The Universal Scalability Law (N. J. Gunther, *Guerrilla Capacity Planning*, 2007): throughput of `N` at once,
//!
//! `X(N) = g·N / (1 + a(N - 1) + b·N(N - 1))`,
//!
//! with the throughput `g` of one, the contention `a` (what is serial) and the coherency `b` (what each must agree
//! on with each other), both between 0 and 1. With `b` > 0 throughput has a peak at `√((1 - a)/b)`; with `b` = 0
//! (Amdahl's law) it only nears `g/a`.
//!
//! A second opinion: it sees through one number, and from low load alone it sees nothing (off by a factor of 2 to 7
//! where half of a station's capacity was used). [`forecast`] therefore has a gate.

use std::fmt;

mod errors;
mod fit;
mod law;
mod outlook;
mod start;

pub use errors::{Errors, Estimate};
pub use fit::{Fit, fit, polynomial};
pub use law::{Law, Peak};
pub use outlook::{Doubt, Outlook, Top, forecast};

/// A measured point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// How many were at work at once: users, processors, requests in flight. Above 0, whole or not.
    pub n: f64,
    /// Throughput, above or at 0, in any unit.
    pub x: f64,
}

/// Why there is no fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FitError {
    /// A number is not finite, negative, or beyond what concurrency and throughput can be.
    Invalid,
    /// The three coefficients need at least four points at three different `n`.
    TooFewPoints,
    /// The search did not come to an end.
    NoSolution,
}

impl fmt::Display for FitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "a point is out of range",
            Self::TooFewPoints => "three coefficients need four points at three different concurrencies",
            Self::NoSolution => "the search for the coefficients did not end",
        })
    }
}

impl std::error::Error for FitError {}

/// Concurrency and throughput are below this; its powers that a fit takes stay far within the range of `f64`.
const MOST: f64 = 1e12;
/// And concurrency is above this, as it is divided by.
const LEAST: f64 = 1e-6;

fn check(points: &[Point]) -> Result<(), FitError> {
    let sound = |point: &Point| (LEAST..MOST).contains(&point.n) && (0.0..MOST).contains(&point.x);
    if !points.iter().all(sound) {
        return Err(FitError::Invalid);
    }
    let mut different: Vec<f64> = points.iter().map(|point| point.n).collect();
    different.sort_unstable_by(f64::total_cmp);
    different.dedup();
    if points.len() < 4 || different.len() < 3 {
        return Err(FitError::TooFewPoints);
    }
    // Throughputs near nothing have squares that are nothing.
    if points.iter().any(|point| point.x > 1e-100) { Ok(()) } else { Err(FitError::Invalid) }
}

#[cfg(test)]
mod tests;
