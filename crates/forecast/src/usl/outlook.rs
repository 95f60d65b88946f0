//! What the law may be asked to forecast, and when it must keep silent.

use std::fmt;

use super::errors::Estimate;
use super::fit::{Fit, fit};
use super::{FitError, Law, Point};

/// As long as more than this share of linear scaling is left at the highest load, the bend that everything follows
/// from is hidden in the noise. (Recorded systems: with 0.7 left the forecast was still 17 % off, with 0.5 4 %.)
const STRAIGHT: f64 = 0.6;
/// A peak beyond this multiple of the highest load seen is a guess.
const FARTHEST: f64 = 2.0;
/// An interval whose high end is more than this many times its low end says nothing.
const WIDEST: f64 = 4.0;
/// Points below which the search for three coefficients describes noise.
const FEWEST: usize = 6;

/// What the law says about the most that comes through.
#[derive(Debug, Clone, PartialEq)]
pub enum Outlook {
    /// Throughput falls beyond a peak.
    Peak(Top),
    /// Coherency is none: throughput has no peak in sight and only nears a limit.
    NoPeakInSight {
        /// What it was found with.
        fit: Fit,
        /// Amdahl's limit, in throughput.
        limit: Estimate,
    },
    /// These points carry no forecast.
    CannotTell(Doubt),
}

/// The peak with its intervals.
#[derive(Debug, Clone, PartialEq)]
pub struct Top {
    /// The concurrency at the peak.
    pub n: Estimate,
    /// The throughput there.
    pub x: Estimate,
    /// Of the intervals.
    pub confidence: f64,
    /// What it was found with.
    pub fit: Fit,
}

/// Why the law keeps silent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Doubt {
    /// There is no fit at all.
    NoFit(FitError),
    /// Fewer points than it takes.
    TooFewPoints {
        /// That there are.
        have: usize,
        /// That it takes.
        need: usize,
    },
    /// All points are from low load, where throughput is still nearly linear: nothing can be said from these alone.
    LowLoadOnly {
        /// The share of linear scaling that is left at the highest load.
        efficiency: f64,
    },
    /// The peak lies too far beyond what was seen.
    TooFarAhead {
        /// The highest concurrency that was seen.
        seen: f64,
        /// Where the peak would be.
        peak: f64,
    },
    /// The interval is too wide to be of use.
    RangeTooWide {
        /// Low end of the peak's (or limit's) throughput or concurrency.
        low: f64,
        /// High end.
        high: f64,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFit(error) => error.fmt(f),
            Self::TooFewPoints { have, need } => {
                write!(f, "{have} of the {need} points that it takes are there")
            }
            Self::LowLoadOnly { efficiency } => {
                write!(f, "throughput still grows almost with load ({:.0} %)", efficiency * 100.0)
            }
            Self::TooFarAhead { seen, peak } => {
                write!(f, "a peak at {peak:.0} is too far beyond the {seen:.0} seen")
            }
            Self::RangeTooWide { low, high } => write!(f, "it may be anywhere from {low:.0} to {high:.0}"),
        }
    }
}

/// The peak, or the limit, with intervals of the given confidence (0.5 to 0.99; 0.95 is usual).
pub fn forecast(points: &[Point], confidence: f64) -> Outlook {
    if points.len() < FEWEST {
        return Outlook::CannotTell(Doubt::TooFewPoints { have: points.len(), need: FEWEST });
    }
    if !(0.5..=0.99).contains(&confidence) {
        return Outlook::CannotTell(Doubt::NoFit(FitError::Invalid));
    }
    match fit(points) {
        Ok(fit) => judge(fit, confidence).unwrap_or_else(Outlook::CannotTell),
        Err(error) => Outlook::CannotTell(Doubt::NoFit(error)),
    }
}

fn judge(fit: Fit, confidence: f64) -> Result<Outlook, Doubt> {
    let law: Law = fit.law;
    let efficiency = law.efficiency(fit.highest_n);
    if efficiency.is_nan() || efficiency > STRAIGHT {
        return Err(Doubt::LowLoadOnly { efficiency });
    }
    let Some(peak) = law.peak() else {
        let limit = law.amdahl_limit().ok_or(Doubt::LowLoadOnly { efficiency })?;
        let limit = fit.errors.limit(&law, limit, confidence);
        narrow(&limit)?;
        return Ok(Outlook::NoPeakInSight { limit, fit });
    };
    if peak.n > FARTHEST * fit.highest_n {
        return Err(Doubt::TooFarAhead { seen: fit.highest_n, peak: peak.n });
    }
    let n = fit.errors.peak_n(&law, peak.n, confidence);
    let x = fit.errors.throughput(&law, peak.n, confidence);
    narrow(&n)?;
    narrow(&x)?;
    Ok(Outlook::Peak(Top { n, x, confidence, fit }))
}

fn narrow(estimate: &Estimate) -> Result<(), Doubt> {
    let Estimate { low, high, .. } = *estimate;
    // Written so that not-a-number is too wide.
    if high <= WIDEST * low { Ok(()) } else { Err(Doubt::RangeTooWide { low, high }) }
}
