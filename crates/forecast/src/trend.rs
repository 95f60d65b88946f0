//! Memory that grows with time, which is a leak. What grows with load is a cliff in load: see [`demand`](crate::demand).
//!
//! The test for a leak: from the latest stretch without a fall of more than half (a restart), with at least 80 % of
//! its samples there, take a robust slope. It is a leak if the slope is surely above 0, if its last quarter still
//! rises at 0.3 of it or more (a cache that fills up levels off), and if an hour adds 5 % of the limit or 50 MB.

use std::fmt;

use crate::numbers::quantile;

mod stretch;
mod theil_sen;

pub use theil_sen::{Slope, theil_sen};

/// A measured amount of memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Seconds since any epoch.
    pub at_s: f64,
    /// Bytes in use.
    pub bytes: f64,
}

/// What counts as a leak. [`Settings::default`] is for samples of ten seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Seconds from one sample to the next, when none is missing.
    pub period_s: f64,
    /// A shorter stretch tells no trend.
    pub least_span_s: f64,
    /// The least share of its samples that must be there.
    pub least_present: f64,
    /// The slope of the last quarter, at least, as a share of that of the whole.
    pub least_tail: f64,
    /// Growth per hour that matters, as a share of the limit...
    pub least_share_per_hour: f64,
    /// ...or in bytes, whichever is less.
    pub least_bytes_per_hour: f64,
    /// Of the range, 0.5 to 0.99.
    pub confidence: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            period_s: 10.0,
            least_span_s: 1_800.0,
            least_present: 0.8,
            least_tail: 0.3,
            least_share_per_hour: 0.05,
            least_bytes_per_hour: 50e6,
            confidence: 0.9,
        }
    }
}

/// Whether memory runs out with time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outlook {
    /// It grows without an end in sight.
    Fills(Filling),
    /// It does not grow, or not so that it matters.
    Steady {
        /// Bytes per hour.
        growth_per_hour: f64,
    },
    /// The samples do not say.
    CannotTell(Reason),
}

/// When a limit is reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Filling {
    /// Bytes per hour.
    pub growth_per_hour: f64,
    /// Seconds from the last sample; 0 when it is over the limit.
    pub in_s: f64,
    /// The range: at the earliest.
    pub earliest_s: f64,
    /// The range: at the latest.
    pub latest_s: f64,
    /// Of the range.
    pub confidence: f64,
}

/// Why the samples do not say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// Samples out of order, negative or not finite; a limit or setting that makes no sense.
    Invalid,
    /// The stretch since the last restart is too short.
    TooShort {
        /// Its length, seconds.
        have_s: f64,
        /// What it takes, seconds.
        need_s: f64,
    },
    /// Too many samples are missing.
    TooManyGaps {
        /// The share that is there.
        present: f64,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid => f.write_str("the measurements make no sense"),
            Self::TooShort { have_s, need_s } => {
                write!(f, "{:.0} of {:.0} minutes without a restart are there", have_s / 60.0, need_s / 60.0)
            }
            Self::TooManyGaps { present } => {
                write!(f, "only {:.0} % of the samples are there", present * 100.0)
            }
        }
    }
}

/// Whether, and when, growth in time reaches the limit. Samples are in order of time.
pub fn leak(samples: &[Sample], limit_bytes: f64, settings: &Settings) -> Outlook {
    judge(samples, limit_bytes, settings).unwrap_or_else(Outlook::CannotTell)
}

fn judge(samples: &[Sample], limit_bytes: f64, settings: &Settings) -> Result<Outlook, Reason> {
    check(samples, limit_bytes, settings)?;
    let stretch = stretch::latest(samples);
    let have_s = stretch::span_s(stretch);
    if have_s < settings.least_span_s || stretch.len() < stretch::FEWEST {
        return Err(Reason::TooShort { have_s, need_s: settings.least_span_s });
    }
    let present = stretch.len() as f64 / (have_s / settings.period_s + 1.0);
    if present < settings.least_present {
        return Err(Reason::TooManyGaps { present });
    }
    let line = |samples: &[Sample]| {
        let points: Vec<(f64, f64)> = samples.iter().map(|sample| (sample.at_s, sample.bytes)).collect();
        theil_sen(&points, settings.confidence).ok_or(Reason::Invalid)
    };
    let whole = line(stretch)?;
    let tail = line(&stretch[stretch.len() - stretch.len().div_ceil(4)..])?;
    let growth_per_hour = whole.value * 3_600.0;
    let matters = settings.least_bytes_per_hour.min(settings.least_share_per_hour * limit_bytes);
    let lasts = tail.value >= settings.least_tail * whole.value;
    if !growth_per_hour.is_finite() {
        return Err(Reason::Invalid);
    }
    if whole.low <= 0.0 || !lasts || growth_per_hour < matters {
        return Ok(Outlook::Steady { growth_per_hour });
    }
    let room = (limit_bytes - current(stretch)).max(0.0);
    let (in_s, earliest_s, latest_s) = (room / whole.value, room / whole.high, room / whole.low);
    // A slope that may be next to nothing has no latest time within the range of numbers.
    if !latest_s.is_finite() {
        return Ok(Outlook::Steady { growth_per_hour });
    }
    Ok(Outlook::Fills(Filling {
        growth_per_hour,
        in_s,
        earliest_s,
        latest_s,
        confidence: settings.confidence,
    }))
}

/// What is in use now: the median of the last few samples, as one may be a spike.
fn current(samples: &[Sample]) -> f64 {
    let mut last: Vec<f64> = samples.iter().rev().take(5).map(|sample| sample.bytes).collect();
    quantile(&mut last, 0.5).unwrap_or(0.0)
}

/// Beyond these nothing is a time or an amount of memory.
const MOST: f64 = 1e30;

fn check(samples: &[Sample], limit_bytes: f64, settings: &Settings) -> Result<(), Reason> {
    let sound = |value: f64| (0.0..MOST).contains(&value);
    let ordered = samples.windows(2).all(|pair| pair[0].at_s < pair[1].at_s);
    let numbers = samples.iter().all(|sample| sound(sample.bytes) && sample.at_s.abs() < MOST);
    let set = [
        settings.least_present,
        settings.least_tail,
        settings.least_share_per_hour,
        settings.least_bytes_per_hour,
    ];
    let times = (1e-9..MOST).contains(&settings.period_s) && sound(settings.least_span_s);
    let sensible = set.into_iter().all(sound) && times && (0.5..=0.99).contains(&settings.confidence);
    let limit = sound(limit_bytes) && limit_bytes > 0.0;
    if ordered && numbers && sensible && limit { Ok(()) } else { Err(Reason::Invalid) }
}

#[cfg(test)]
mod tests;
