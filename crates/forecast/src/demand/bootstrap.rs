//! How far the knee moves when other windows are drawn from the same time.

use super::composite;
use super::prepare::Prepared;
use super::{Law, Reason, Settings};
use crate::numbers::quantile;
use crate::random::Random;

/// Quantiles of the knees that the draws gave.
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
}

/// The moving-block bootstrap (Künsch, 1989): as many rows as there are, in blocks of neighbours that may overlap.
/// The range spans `confidence` of the draws; a draw in which the demand is none counts as a knee without end.
pub(super) fn range(
    prepared: &Prepared,
    shares: &[f64],
    capacity: f64,
    law: Law,
    settings: &Settings,
) -> Result<Range, Reason> {
    let mut random = Random::from_seed(settings.seed);
    let mut knees: Vec<f64> = (0..settings.draws)
        .map(|_| {
            let rows = draw(prepared.rows.len(), prepared.block, &mut random);
            composite::knee(prepared, &rows, shares, capacity, law).map_or(f64::MAX, |found| found.at)
        })
        .collect();
    let tail = (1.0 - settings.confidence) / 2.0;
    let low = quantile(&mut knees, tail).unwrap_or(0.0);
    let high = quantile(&mut knees, 1.0 - tail).unwrap_or(f64::MAX);
    // Far beyond any knee: some of the draws that decide had no demand.
    if high >= f64::MAX / 1e6 { Err(Reason::DemandIndistinct) } else { Ok(Range { low, high }) }
}

fn draw(rows: usize, block: usize, random: &mut Random) -> Vec<usize> {
    let mut drawn = Vec::with_capacity(rows + block);
    while drawn.len() < rows {
        let first = random.below(rows - block + 1);
        drawn.extend(first..first + block);
    }
    drawn.truncate(rows);
    drawn
}
