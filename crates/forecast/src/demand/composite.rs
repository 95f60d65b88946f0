//! The knee of a mix, from one set of rows: all classes become one load, in requests of the mix.

use super::estimate::{self, Demand};
use super::holding;
use super::prepare::Prepared;
use super::{Law, Reason};
use crate::numbers::quantile;

/// What was seen of the load.
pub(super) struct Seen {
    /// The 95 % quantile of the load, in requests per second of the mix.
    pub(super) load: f64,
    /// What that took of the resource, without the background.
    pub(super) took: f64,
    /// The 95 % quantile of the requests per second, of whatever class.
    pub(super) requests: f64,
}

pub(super) fn seen(prepared: &Prepared, demand: &Demand, shares: &[f64]) -> Result<Seen, Reason> {
    let each = demand.of(shares);
    let mut took: Vec<f64> = prepared.rows.iter().map(|row| taken(row, demand)).collect();
    let took = quantile(&mut took, 0.95).unwrap_or(0.0);
    let mut requests: Vec<f64> =
        prepared.rows.iter().map(|row| row[..prepared.classes].iter().sum()).collect();
    let requests = quantile(&mut requests, 0.95).unwrap_or(0.0);
    let load = took / each;
    if each > 0.0 && load.is_finite() {
        Ok(Seen { load, took, requests })
    } else {
        Err(Reason::DemandIndistinct)
    }
}

fn taken(row: &[f64], demand: &Demand) -> f64 {
    row.iter().zip(&demand.per_class).map(|(rate, demand)| rate * demand).sum()
}

/// Where busy reaches the capacity.
pub(super) struct Found {
    pub(super) at: f64,
    pub(super) convex: bool,
}

/// From the named rows; `None` where no load of this mix fills the resource.
pub(super) fn knee(
    prepared: &Prepared,
    rows: &[usize],
    shares: &[f64],
    capacity: f64,
    law: Law,
) -> Option<Found> {
    let demand = estimate::fit(prepared, rows).ok()?;
    let each = demand.of(shares);
    let straight = (capacity - demand.background).max(0.0) / each;
    if each <= 0.0 || !straight.is_finite() {
        return None;
    }
    let Law::Holding { saturates_at } = law else {
        return Some(Found { at: straight, convex: false });
    };
    let load: Vec<f64> = rows.iter().map(|row| taken(&prepared.rows[*row], &demand) / each).collect();
    let busy: Vec<f64> = rows.iter().map(|row| prepared.busy[*row]).collect();
    let weights: Vec<f64> = rows.iter().map(|row| prepared.weights[*row]).collect();
    match holding::fit(&load, &busy, &weights, saturates_at) {
        Some(curve) => Some(Found { at: curve.reaches(capacity), convex: true }),
        None => {
            let limit = saturates_at.unwrap_or(f64::INFINITY);
            Some(Found { at: straight.min(limit), convex: limit < straight })
        }
    }
}
