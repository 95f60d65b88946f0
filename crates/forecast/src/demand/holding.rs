//! A holding time that grows as something else gets busy.
//!
//! A request holds its connection for `S(x) = z + d · w(x / x_c)`: a time `z` that does not depend on load, and a
//! time `d` at a resource that is full at the throughput `x_c`, stretched by the waits there,
//! `w(r) = 1 + r^(√(2(m+1)) - 1) / (m(1 - r))` for `m` servers (Sakasegawa, 1977; for one server `1/(1 - r)`, exact
//! also for processor sharing). Busy is `b + x · S(x)`, which rises without bound towards `x_c`.

use std::ops::RangeInclusive;

use crate::least_squares::{Fit, Options, nonnegative};
use crate::numbers::{mean, root_of_rising};

/// Servers of the saturating resource that are tried.
const SERVERS: [f64; 3] = [1.0, 4.0, 16.0];
/// Places of the saturation that are tried, as a multiple of the highest load: from the first to the last.
const PLACES: usize = 24;
const NEAREST: f64 = 1.05;
const FARTHEST: f64 = 30.0;
/// The part of all that the saturating resource does which is done for what is held. It cannot be more than all (a
/// little more may be found, as the number of servers is a guess), nor, where it decides how long things are held,
/// next to nothing. It is what keeps noise from being taken for a saturation close by.
const PART: RangeInclusive<f64> = 0.35..=1.25;
/// By how much the bent line must be better than the straight one (Akaike's criterion, corrected for few rows):
/// twice the usual 2, as neighbouring rows err alike and look like a bend.
const MARGIN: f64 = 4.0;

/// `busy = b + z·x + d·x·w(x/x_c)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Curve {
    background: f64,
    apart: f64,
    stretched: f64,
    servers: f64,
    saturation: f64,
}

impl Curve {
    fn busy(&self, load: f64) -> f64 {
        self.background
            + self.apart * load
            + self.stretched * load * stretch(load / self.saturation, self.servers)
    }

    /// The load at which busy reaches the capacity, below the saturation.
    pub(super) fn reaches(&self, capacity: f64) -> f64 {
        root_of_rising(0.0, self.saturation, |load| self.busy(load) - capacity)
    }
}

fn stretch(share: f64, servers: f64) -> f64 {
    1.0 + share.powf((2.0 * (servers + 1.0)).sqrt() - 1.0) / (servers * (1.0 - share))
}

/// The bent line through the rows, if they show a bend or are told of a saturation beyond them.
pub(super) fn fit(load: &[f64], busy: &[f64], weights: &[f64], saturates_at: Option<f64>) -> Option<Curve> {
    let rows = Rows { load, busy, weights };
    let highest = load.iter().copied().fold(0.0, f64::max);
    let told = saturates_at.filter(|at| *at > NEAREST * highest);
    let shown = rows.shown(highest, told);
    let Some(at) = told else {
        let (squares, curve) = shown?;
        // Background, slope and deviation; the bend adds a slope and the place of its saturation.
        let straight = straight(load, busy, weights)?.residual_squares;
        return (rows.gain(straight, 3.0, squares, 5.0) > MARGIN - 2.0).then_some(curve);
    };
    let told = SERVERS.into_iter().filter_map(|servers| rows.bent(at, servers)).reduce(better)?;
    // Something else may fill up before that of which it was told.
    let earlier = shown.filter(|(squares, _)| rows.gain(told.0, 4.0, *squares, 5.0) > MARGIN);
    let (_, curve) = earlier.unwrap_or(told);
    (curve.stretched > 0.0).then_some(curve)
}

fn better(one: (f64, Curve), other: (f64, Curve)) -> (f64, Curve) {
    if other.0 < one.0 { other } else { one }
}

/// What was measured in each window.
struct Rows<'a> {
    load: &'a [f64],
    busy: &'a [f64],
    weights: &'a [f64],
}

impl Rows<'_> {
    /// The best line that bends towards a saturation between the highest load and `limit`, and its squared residuals.
    fn shown(&self, highest: f64, limit: Option<f64>) -> Option<(f64, Curve)> {
        let growth = (FARTHEST / NEAREST).powf(1.0 / (PLACES - 1) as f64);
        let places = (0..PLACES).map(|at| highest * NEAREST * growth.powi(at as i32));
        let places = places.take_while(|at| limit.is_none_or(|limit| *at < limit));
        let most_each = 2.0 * mean(self.busy) / mean(self.load);
        let mut best = None;
        for saturation in places {
            for servers in SERVERS {
                // Cheaper than a fit that would be refused: no more can be held there than all that is held.
                if most_each * saturation / servers < *PART.start() {
                    continue;
                }
                let found = self.bent(saturation, servers);
                let found =
                    found.filter(|(_, curve)| PART.contains(&(curve.stretched * saturation / servers)));
                best = best.into_iter().chain(found).reduce(better);
            }
        }
        best
    }

    /// The line that bends towards that saturation.
    fn bent(&self, saturation: f64, servers: f64) -> Option<(f64, Curve)> {
        let fit = bent(self.load, self.busy, self.weights, saturation, servers)?;
        let [background, apart, stretched] = fit.coefficients[..] else { return None };
        Some((fit.residual_squares, Curve { background, apart, stretched, servers, saturation }))
    }

    /// By how much the second fit is better than the first (Akaike's criterion), each with so many parameters.
    fn gain(&self, first: f64, fewer: f64, second: f64, more: f64) -> f64 {
        let rows = self.load.len() as f64;
        rows * (first / second).ln() - (penalty(more, rows) - penalty(fewer, rows))
    }
}

fn penalty(parameters: f64, rows: f64) -> f64 {
    2.0 * parameters * rows / (rows - parameters - 1.0).max(1.0)
}

fn bent(load: &[f64], busy: &[f64], weights: &[f64], saturation: f64, servers: f64) -> Option<Fit> {
    let row = |load: &f64| [1.0, *load, load * stretch(load / saturation, servers)];
    let rows: Vec<[f64; 3]> = load.iter().map(row).collect();
    let rows: Vec<&[f64]> = rows.iter().map(<[f64; 3]>::as_slice).collect();
    nonnegative(&rows, busy, &Options { weights: Some(weights), ridge: None }).ok()
}

fn straight(load: &[f64], busy: &[f64], weights: &[f64]) -> Option<Fit> {
    let rows: Vec<[f64; 2]> = load.iter().map(|load| [1.0, *load]).collect();
    let rows: Vec<&[f64]> = rows.iter().map(<[f64; 2]>::as_slice).collect();
    nonnegative(&rows, busy, &Options { weights: Some(weights), ridge: None }).ok()
}
