//! How much of one resource each class of request takes, and at what load the resource is full.
//!
//! The utilisation law, `busy = Σ x_r · D_r + b`, is the ground (Denning and Buzen, 1978): the mean number of
//! busy servers (cores, connections, workers) is what each class's throughput `x_r` takes of it, its service
//! demand `D_r`, and a background `b`. It holds exactly, whatever the queueing, while the demand of a request does
//! not depend on load. The time a pool's connection is *held* does: it contains waits for something else. For that
//! there is [`Law::Holding`].
//!
//! # How the range is made
//! Its half-width on each side is the root of the sum of two squares:
//! - what sampling leaves open: quantiles of a block bootstrap (Künsch, 1989), which keeps neighbouring windows
//!   together, as their errors are alike;
//! - what the model may miss: `model_error · (1 - load/knee) · knee`, with the load that was seen (its 95 %
//!   quantile). At half the knee and with the default 0.3 these are 15 %, at the knee 0. For the utilisation law
//!   without a background, `1 - load/knee` is `1 - u/c`.

use std::fmt;

mod bootstrap;
mod composite;
mod estimate;
mod holding;
mod prepare;

pub use estimate::Demand;

/// What was measured in one window of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Requests per second that ended in the window, by class; in all windows the same classes.
    pub throughput: Vec<f64>,
    /// The mean number of servers of the resource that were busy, in the unit of the capacity.
    pub busy: f64,
}

/// How the busy number depends on load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Law {
    /// In proportion: a request's demand is its own. For cores, disks, links, locks without waits inside.
    Utilisation,
    /// In proportion and at once, with no service time that a window could be too short for: memory that requests
    /// in flight hold, say.
    Level,
    /// Or steeper: what a request holds it holds for longer when something else gets busy. For connections of a
    /// pool, and for workers.
    Holding {
        /// The throughput of the given mix at which that something else is full, when its own forecast says so.
        /// The holding time grows without bound towards it, so the knee is not beyond it.
        saturates_at: Option<f64>,
    },
}

/// How carefully to look. [`Settings::default`] suits windows of a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Length of a window, seconds. Windows that are short beside the service times are merged.
    pub window_s: f64,
    /// Fewer windows give no forecast.
    pub least_windows: usize,
    /// Windows that the bootstrap keeps together.
    pub block_windows: usize,
    /// How often the bootstrap draws.
    pub draws: usize,
    /// What its draws follow from.
    pub seed: u64,
    /// The share of cases in which the range is to hold the truth, 0.5 to 0.99.
    pub confidence: f64,
    /// Windows after which a window counts half; `None` when all count alike.
    pub half_life_windows: Option<f64>,
    /// The least deviation of the load, as a share of its mean.
    pub least_variation: f64,
    /// The least share of the capacity that the load must have filled, and of the knee that it must have reached.
    pub least_utilisation: f64,
    /// The least share of the variance of `busy` that the load must explain.
    pub least_r_squared: f64,
    /// A range whose high end is more than this many times its low end says nothing.
    pub widest_range: f64,
    /// The relative half-width that the model's own error adds when nothing of the knee has been seen.
    pub model_error: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window_s: 1.0,
            least_windows: 30,
            block_windows: 10,
            draws: 100,
            seed: 0,
            confidence: 0.9,
            half_life_windows: None,
            least_variation: 0.1,
            least_utilisation: 0.02,
            least_r_squared: 0.3,
            widest_range: 4.0,
            model_error: 0.3,
        }
    }
}

/// A line that is straight up to this share of the capacity may be drawn out to all of it. Below, a station with
/// several servers can hide a saturation at a fifth of where the line ends.
const UNBENT: f64 = 0.25;

/// The answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Outlook {
    /// The load at which the resource is full.
    Knee(Knee),
    /// There is none to be had from these windows.
    CannotTell(Reason),
}

/// The load at which a resource is full, of the mix that was asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct Knee {
    /// Requests per second of all classes together.
    pub at: f64,
    /// The range that holds the truth in `confidence` of all cases.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// As it was set.
    pub confidence: f64,
    /// What it follows from.
    pub demand: Demand,
    /// Whether busy rises faster than load: [`Law::Holding`] saw, or was told of, a saturation.
    pub convex: bool,
}

/// Why there is no knee to name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// Numbers that are negative, not finite, or do not fit together.
    Invalid,
    /// More windows are needed.
    TooFewWindows {
        /// That were given (or were left when short ones were merged).
        have: usize,
        /// That it takes.
        need: usize,
    },
    /// Load was nearly the same in all windows: what it takes cannot be told from the background.
    LoadDidNotVary {
        /// Its deviation as a share of its mean.
        variation: f64,
    },
    /// What the load took is below the noise, or hardly any of the capacity.
    LoadTooLow {
        /// The share of the capacity that the load took at most.
        utilisation: f64,
    },
    /// Something other than the load decides how busy the resource is.
    ExplainsTooLittle {
        /// The share of the variance that load explains.
        r_squared: f64,
    },
    /// What is held may be held for longer as load grows ([`Law::Holding`]), and at this load it would not show. To
    /// be told where something else saturates would help.
    BendUnseen {
        /// The share of the capacity that the load took at most.
        utilisation: f64,
    },
    /// The demand of this mix may as well be none.
    DemandIndistinct,
    /// The background alone fills the resource.
    BackgroundFills {
        /// In the unit of the capacity.
        background: f64,
    },
    /// The range is too wide to be of use.
    RangeTooWide {
        /// Its low end, requests per second.
        low: f64,
        /// Its high end, requests per second.
        high: f64,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid => f.write_str("the measurements make no sense"),
            Self::TooFewWindows { have, need } => {
                write!(f, "{have} of the {need} windows that it takes are there")
            }
            Self::LoadDidNotVary { variation } => {
                write!(f, "load varied by only {:.0} %", variation * 100.0)
            }
            Self::LoadTooLow { utilisation } => {
                write!(f, "load took only {:.1} % of the capacity so far", utilisation * 100.0)
            }
            Self::ExplainsTooLittle { r_squared } => {
                write!(f, "load explains only {:.0} % of what was measured", r_squared.max(0.0) * 100.0)
            }
            Self::BendUnseen { utilisation } => {
                write!(f, "with {:.0} % in use it does not show yet what more load does", utilisation * 100.0)
            }
            Self::DemandIndistinct => f.write_str("the demand cannot be told from none"),
            Self::BackgroundFills { background } => write!(f, "the background alone takes {background:.2}"),
            Self::RangeTooWide { low, high } => {
                write!(f, "it may be anywhere from {low:.0} to {high:.0} a second")
            }
        }
    }
}

/// The demand of each class, without a forecast.
///
/// # Errors
/// The reasons that need no capacity: invalid, too few windows, no variation, too little explained.
pub fn estimate(windows: &[Window], law: Law, settings: &Settings) -> Result<Demand, Reason> {
    let prepared = prepare::prepare(windows, law, settings)?;
    estimate::checked(&prepared, settings)
}

/// At what throughput of the mix (rates or shares by class, in any unit) busy reaches the capacity.
pub fn forecast(windows: &[Window], mix: &[f64], capacity: f64, law: Law, settings: &Settings) -> Outlook {
    match knee(windows, mix, capacity, law, settings) {
        Ok(knee) => Outlook::Knee(knee),
        Err(reason) => Outlook::CannotTell(reason),
    }
}

fn knee(
    windows: &[Window],
    mix: &[f64],
    capacity: f64,
    law: Law,
    settings: &Settings,
) -> Result<Knee, Reason> {
    let prepared = prepare::prepare(windows, law, settings)?;
    let shares = prepare::shares(mix, prepared.classes).ok_or(Reason::Invalid)?;
    if !capacity.is_finite() || capacity <= 0.0 {
        return Err(Reason::Invalid);
    }
    let demand = estimate::checked(&prepared, settings)?;
    let seen = composite::seen(&prepared, &demand, &shares)?;
    let utilisation = seen.took / capacity;
    if utilisation < settings.least_utilisation || seen.took < demand.residual {
        return Err(Reason::LoadTooLow { utilisation });
    }
    if demand.background >= capacity {
        return Err(Reason::BackgroundFills { background: demand.background });
    }
    let rows: Vec<usize> = (0..prepared.rows.len()).collect();
    let found = composite::knee(&prepared, &rows, &shares, capacity, law).ok_or(Reason::DemandIndistinct)?;
    if let Law::Holding { saturates_at: None } = law
        && !found.convex
        && utilisation < UNBENT
    {
        return Err(Reason::BendUnseen { utilisation });
    }
    // A class that takes hardly anything of the resource has a knee beyond all experience.
    let utilisation = seen.requests / found.at;
    if utilisation < settings.least_utilisation {
        return Err(Reason::LoadTooLow { utilisation });
    }
    let range = bootstrap::range(&prepared, &shares, capacity, law, settings)?;
    let model = settings.model_error * (1.0 - seen.load / found.at).clamp(0.0, 1.0) * found.at;
    let below = (found.at - range.low.min(found.at)).hypot(model);
    let above = (range.high.max(found.at) - found.at).hypot(model);
    // A knee that is not positive is none; what has been seen to work is no proof against one, as it may be over.
    let low = (found.at - below).max(found.at / settings.widest_range / 2.0);
    let high = found.at + above;
    if !(high.is_finite() && low > 0.0) {
        return Err(Reason::DemandIndistinct);
    }
    if high > settings.widest_range * low {
        return Err(Reason::RangeTooWide { low, high });
    }
    Ok(Knee { at: found.at, low, high, confidence: settings.confidence, demand, convex: found.convex })
}

#[cfg(test)]
mod simulate;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;
