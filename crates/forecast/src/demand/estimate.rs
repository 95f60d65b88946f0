//! The linear fit: service demands and the background.

use super::prepare::Prepared;
use super::{Reason, Settings};
use crate::least_squares::{Fit, FitError, Options, Ridge, nonnegative};
use crate::numbers::mean;

/// Classes that always come in the same proportion are told apart by this pull towards the common mean, which is
/// weak enough to move nothing that the data show.
const PULL: f64 = 1e-6;

/// What the classes of requests take of one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    /// Service demand, seconds of one server per request, by class.
    pub per_class: Vec<f64>,
    /// Its standard errors (0 where the demand is 0).
    pub standard_errors: Vec<f64>,
    /// What is busy without load.
    pub background: f64,
    /// The share of the variance of `busy` that load explains.
    pub r_squared: f64,
    /// The standard error of a row around the fit, in the unit of `busy`.
    pub residual: f64,
}

impl Demand {
    /// The demand of a request of the mix, seconds; shares add up to 1.
    pub(super) fn of(&self, shares: &[f64]) -> f64 {
        self.per_class.iter().zip(shares).map(|(demand, share)| demand * share).sum()
    }
}

/// The fit to all rows, if it explains enough.
pub(super) fn checked(prepared: &Prepared, settings: &Settings) -> Result<Demand, Reason> {
    let rows: Vec<usize> = (0..prepared.rows.len()).collect();
    let demand = fit(prepared, &rows).map_err(|error| match error {
        FitError::Invalid => Reason::Invalid,
        FitError::TooFewRows => Reason::TooFewWindows { have: rows.len(), need: prepared.classes + 2 },
        FitError::Collinear(_) | FitError::NoSolution => Reason::DemandIndistinct,
    })?;
    if demand.r_squared < settings.least_r_squared {
        return Err(Reason::ExplainsTooLittle { r_squared: demand.r_squared });
    }
    Ok(demand)
}

/// The fit to some rows, each as often as it is named. The background is let in only where it earns its place
/// (Akaike, 1974): most resources have none, and a free intercept widens every forecast.
pub(super) fn fit(prepared: &Prepared, rows: &[usize]) -> Result<Demand, FitError> {
    let busy: Vec<f64> = rows.iter().map(|row| prepared.busy[*row]).collect();
    let weights: Vec<f64> = rows.iter().map(|row| prepared.weights[*row]).collect();
    let load: Vec<f64> = prepared.rows.iter().map(|row| row[..prepared.classes].iter().sum()).collect();
    // A row's busy number per request: what a class takes as long as nothing says otherwise.
    let common = mean(&prepared.busy) / mean(&load).max(f64::MIN_POSITIVE);
    let prior = vec![common; prepared.classes + 1];
    let solve = |columns: usize| {
        let chosen: Vec<&[f64]> = rows.iter().map(|row| &prepared.rows[*row][..columns]).collect();
        let ridge =
            Ridge { strength: if prepared.classes > 1 { PULL } else { 0.0 }, prior: &prior[..columns] };
        nonnegative(&chosen, &busy, &Options { weights: Some(&weights), ridge: Some(ridge) })
    };
    let without = solve(prepared.classes)?;
    let with = solve(prepared.classes + 1);
    let chosen = match with {
        Ok(with) if earns(&without, &with, rows.len()) => with,
        _ => without,
    };
    Ok(Demand {
        per_class: chosen.coefficients[..prepared.classes].to_vec(),
        standard_errors: chosen.standard_errors[..prepared.classes].to_vec(),
        background: chosen.coefficients.get(prepared.classes).copied().unwrap_or(0.0),
        r_squared: chosen.r_squared,
        residual: chosen.residual_standard_error,
    })
}

fn earns(without: &Fit, with: &Fit, rows: usize) -> bool {
    rows as f64 * (without.residual_squares / with.residual_squares).ln() > 2.0
}
