//! From what a resource was used for at each load to the load at which it ends.

use deepwater_forecast::demand::{self, Law, Reason, Settings, Window};
use deepwater_forecast::queueing::Station;

use super::{Outlook, Range};
use crate::picture::{self, Load, Picture};

/// The probability that a range holds the truth, and its quantile of the normal distribution.
const CONFIDENCE: f64 = 0.9;
const Z: f64 = 1.645;
/// What extrapolation from nothing may be wrong by, as a share.
const MODEL_ERROR: f64 = 0.3;
/// Share of the capacity that must have been in use for a forecast, unless more is asked for.
pub(super) const LEAST_USED: f64 = 0.02;
/// Ticks that must have been measured.
const LEAST_TICKS: usize = 30;
/// Windows that a forecast is made from: more say hardly more, and cost.
const MOST_WINDOWS: usize = 120;
/// Requests in twenty that may wait longer than the target.
const QUANTILE: f64 = 0.95;

/// A resource of which the load takes a part.
pub(super) struct Bound<'a> {
    /// In use in each tick, in the unit of the capacity; NaN where it is not known.
    pub(super) used: &'a [f64],
    pub(super) capacity: f64,
    pub(super) law: Law,
    /// Nothing is used when nothing is served: then a steady load tells what it takes, too.
    pub(super) idle_without_load: bool,
    /// Share of the capacity that the load must have taken for a forecast.
    pub(super) least_used: f64,
    /// Ticks that are taken together: more than one for what is seen by a few samples in each.
    pub(super) together: usize,
    /// Who finds it all in use waits for his turn.
    pub(super) queue: Option<Queue>,
}

/// How those wait who find a resource in use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queue {
    /// How many are served at once.
    pub(super) servers: u32,
    /// How long one is served, in seconds; none when that is what the load takes of the resource. Whatever else uses it serves
    /// nobody who waits.
    pub(super) service: Option<f64>,
    /// How much that varies: variance over the square of the mean. None when it is not known.
    pub(super) variation: Option<f64>,
}

/// Why there is no load to name.
pub(super) struct Missing {
    /// What is missing, and what would help.
    pub(super) text: String,
    /// It was looked at under a load that varied, and that hardly decides about it.
    pub(super) indifferent: bool,
}

/// At which load the resource ends.
pub(super) fn outlook(picture: &Picture<'_>, load: Option<&Load>, bound: &Bound<'_>) -> Outlook {
    match range(picture, load, bound) {
        Ok(range) => Outlook::AtLoad(range),
        Err(missing) => Outlook::CannotTell(missing.text),
    }
}

/// The same of a resource that is in use without load, too: it may be that load hardly decides about it.
pub(super) fn outlook_or_indifference(
    picture: &Picture<'_>,
    load: Option<&Load>,
    bound: &Bound<'_>,
) -> Outlook {
    let now = picture::mean_of_last(bound.used, picture::NOW);
    match range(picture, load, bound) {
        Ok(range) => Outlook::AtLoad(range),
        Err(missing) if missing.indifferent && now.is_some_and(|now| now < bound.capacity / 2.0) => {
            Outlook::NoneInSight("load hardly decides about it".into())
        }
        Err(missing) => Outlook::CannotTell(missing.text),
    }
}

fn range(picture: &Picture<'_>, load: Option<&Load>, bound: &Bound<'_>) -> Result<Range, Missing> {
    let Some(load) = load else {
        return Err(Missing { text: "there is no load now".into(), indifferent: false });
    };
    let known = load.rows.iter().zip(bound.used).filter(|(row, used)| is_known(row, **used)).count();
    let together = bound.together.max(known / MOST_WINDOWS).max(1);
    let windows = windows(load, bound.used, together);
    let settings = Settings {
        window_s: together as f64,
        least_windows: (LEAST_TICKS / together).max(8),
        least_utilisation: bound.least_used,
        seed: picture.seed,
        confidence: CONFIDENCE,
        model_error: MODEL_ERROR,
        ..Settings::default()
    };
    let found = match demand::forecast(&windows, &load.mix, bound.capacity, bound.law, &settings) {
        demand::Outlook::Knee(knee) => Ok(End {
            at: knee.at,
            low: knee.low,
            high: knee.high,
            each: each(&knee.demand.per_class, &load.mix),
        }),
        demand::Outlook::CannotTell(reason)
            if bound.idle_without_load && known >= LEAST_TICKS && may_be_proportional(reason) =>
        {
            in_proportion(&windows, bound, reason)
        }
        demand::Outlook::CannotTell(reason) => Err(reason),
    };
    match found {
        Ok(end) => Ok(with_waits(&end, bound.queue, picture.target)),
        Err(reason) => Err(Missing { indifferent: is_indifferent(reason), text: missing(reason, together) }),
    }
}

/// Where a resource ends, and what a request takes of it, in seconds of one of it.
struct End {
    at: f64,
    low: f64,
    high: f64,
    each: f64,
}

/// What a request of the mix takes.
fn each(demands: &[f64], mix: &[f64]) -> f64 {
    demands.iter().zip(mix).map(|(demand, rate)| demand * rate).sum::<f64>() / mix.iter().sum::<f64>()
}

/// What is measured of both, so many ticks in each window.
fn windows(load: &Load, used: &[f64], together: usize) -> Vec<Window> {
    let pairs: Vec<(&Vec<f64>, f64)> =
        load.rows.iter().zip(used.iter().copied()).filter(|(row, used)| is_known(row, *used)).collect();
    // The newest ticks are in: what is left over is the oldest.
    pairs.rchunks_exact(together).rev().map(window).collect()
}

fn is_known(row: &[f64], used: f64) -> bool {
    used.is_finite() && row.iter().all(|rate| rate.is_finite())
}

/// The means of some ticks.
fn window(ticks: &[(&Vec<f64>, f64)]) -> Window {
    let n = ticks.len() as f64;
    let classes = ticks.first().map_or(0, |(row, _)| row.len());
    let mean = |class: usize| ticks.iter().map(|(row, _)| row[class]).sum::<f64>() / n;
    let busy = ticks.iter().map(|(_, used)| used).sum::<f64>() / n;
    Window { throughput: (0..classes).map(mean).collect(), busy }
}

/// Whether a line through nought may be told where a line with a background could not be.
fn may_be_proportional(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::LoadDidNotVary { .. }
            | Reason::DemandIndistinct
            | Reason::ExplainsTooLittle { .. }
            | Reason::RangeTooWide { .. }
            | Reason::TooFewWindows { .. }
    )
}

/// Windows of which a mean may be taken.
const LEAST_MEAN: usize = 6;

/// What is not used without load is used in proportion to it: all of it, over all the load. Its range is what the windows
/// deviate from that, and what the model may miss as far away as the end is.
fn in_proportion(windows: &[Window], bound: &Bound<'_>, reason: Reason) -> Result<End, Reason> {
    if windows.len() < LEAST_MEAN {
        return Err(reason);
    }
    let n = windows.len() as f64;
    let load = |window: &Window| window.throughput.iter().sum::<f64>();
    let (mean_load, used) =
        windows.iter().fold((0.0, 0.0), |sum, window| (sum.0 + load(window) / n, sum.1 + window.busy / n));
    let utilisation = used / bound.capacity;
    if utilisation.is_nan() || utilisation < bound.least_used {
        return Err(Reason::LoadTooLow { utilisation: utilisation.max(0.0) });
    }
    let each = used / mean_load;
    let deviation =
        windows.iter().map(|window| (window.busy - each * load(window)).powi(2)).sum::<f64>() / (n - 1.0);
    let sampling = Z * (deviation / n).sqrt() / used;
    let error = sampling.hypot(MODEL_ERROR * (1.0 - utilisation).max(0.0));
    let at = mean_load / utilisation;
    Ok(End { at, low: at / (1.0 + error), high: at * (1.0 + error), each })
}

/// Moves the load at which all is in use back to where one in twenty waits for longer than the target ([`Station`]). The high
/// end stays: more than all cannot be used.
fn with_waits(end: &End, queue: Option<Queue>, target: f64) -> Range {
    let range = Range { value: end.at, low: end.low, high: end.high, confidence: CONFIDENCE };
    let Some(queue) = queue else { return range };
    let service = queue.service.unwrap_or(end.each);
    // Arrivals are taken to be independent of each other. What cannot be computed moves nothing.
    let share = |variation: f64| {
        let station =
            Station::new(queue.servers, service).and_then(|station| station.with_variation(1.0, variation));
        let found = station
            .and_then(|station| Ok(station.arrivals_for_wait(QUANTILE, target)? / station.most_arrivals()));
        found.map_or(1.0, |share| share.clamp(0.0, 1.0))
    };
    // Unknown service times are taken to vary as much as independent work does, or not at all, or in between.
    let (worst, likely) = match queue.variation {
        Some(variation) => (share(variation), share(variation)),
        None => (share(1.0), share(0.5)),
    };
    Range { value: range.value * likely, low: range.low * worst, ..range }
}

/// Whether the reason is that load, which varied, hardly decides.
fn is_indifferent(reason: Reason) -> bool {
    matches!(reason, Reason::LoadTooLow { .. } | Reason::ExplainsTooLittle { .. } | Reason::DemandIndistinct)
}

/// What is missing, and what would help.
fn missing(reason: Reason, together: usize) -> String {
    match reason {
        Reason::TooFewWindows { have, need } => {
            format!("needs {} more seconds of load", need.saturating_sub(have).max(1) * together)
        }
        Reason::LoadDidNotVary { .. } => {
            "needs load that varies: what it takes cannot be told from what is always taken".into()
        }
        Reason::LoadTooLow { .. } => "needs more load: what it takes so far is too little to judge by".into(),
        Reason::ExplainsTooLittle { .. } => {
            "needs more time: something other than the load decides about it so far".into()
        }
        Reason::RangeTooWide { .. } => {
            "needs more time or more load: all that could be said is too vague".into()
        }
        Reason::BendUnseen { .. } => "needs more load: it is used for longer when there is more, and how much longer cannot be seen yet".into(),
        Reason::BackgroundFills { .. } => "it is full whatever the load".into(),
        other => format!("cannot be told: {other}"),
    }
}
