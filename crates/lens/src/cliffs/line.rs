//! How something rises with the load: a straight line through its ticks.

use deepwater_forecast::least_squares::{Options, nonnegative};

use crate::picture::Load;

/// `value = base + slope · load`, neither of them below nought.
pub(super) struct Line {
    pub(super) base: f64,
    pub(super) slope: f64,
    /// The standard error of the slope.
    pub(super) error: f64,
    /// The deviation of a tick from the line.
    pub(super) deviation: f64,
    /// The lowest load, the mean and the highest.
    pub(super) loads: [f64; 3],
}

impl Line {
    /// Through the ticks in which both are known; none when they are too few, or alike.
    pub(super) fn through(load: &Load, values: &[f64]) -> Option<Self> {
        let loads = load.rows.iter().map(|row| row.iter().sum::<f64>());
        let known = loads.zip(values).filter(|(load, value)| load.is_finite() && value.is_finite());
        let (rows, values): (Vec<[f64; 2]>, Vec<f64>) =
            known.map(|(load, value)| ([1.0, load], *value)).unzip();
        let rows: Vec<&[f64]> = rows.iter().map(<[f64; 2]>::as_slice).collect();
        let fit = nonnegative(&rows, &values, &Options::default()).ok()?;
        let loads = rows.iter().map(|row| row[1]);
        let mean = loads.clone().sum::<f64>() / rows.len() as f64;
        let loads = [loads.clone().fold(f64::INFINITY, f64::min), mean, loads.fold(0.0, f64::max)];
        Some(Self {
            base: fit.coefficients[0],
            slope: fit.coefficients[1],
            error: fit.standard_errors[1],
            deviation: fit.residual_standard_error,
            loads,
        })
    }
}
