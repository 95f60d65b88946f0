//! Memory that fills up within minutes: half an hour, which it takes to tell a leak, would be too late.

use deepwater_forecast::trend::{self, Sample};

use super::in_time;
use crate::cliffs::Outlook;
use crate::picture::{Load, Picture};
use crate::signal::{self, Signal};

/// Seconds that are looked at: the growth must be seen for half of them.
const SECONDS: usize = 120;
const LEAST_SECONDS: f64 = 60.0;
/// Share of the limit in use, below which it may be a program that begins.
const LEAST_USED: f64 = 0.5;
/// What fills later is told when it is surer.
const SOON: f64 = 900.0;
/// Share of the slope that the last quarter must have: what begins to level off is no emergency.
const LASTS: f64 = 0.6;
/// Times as much load, or requests under way, as a minute or two ago: then memory may be theirs, and grow no further.
const MORE: f64 = 1.2;
/// Ticks whose mean is compared.
const TICKS: usize = 30;

pub(super) fn fills(
    picture: &Picture<'_>,
    load: Option<&Load>,
    (signal, label): (&Signal, &str),
    limit: f64,
) -> Option<Outlook> {
    let bytes = picture.store.seconds(signal, label, SECONDS);
    let samples: Vec<Sample> = bytes
        .iter()
        .enumerate()
        .filter(|(_, bytes)| bytes.is_finite())
        .map(|(at, bytes)| Sample { at_s: at as f64, bytes: *bytes })
        .collect();
    let used = samples.last()?.bytes;
    if used < LEAST_USED * limit || follows_load(picture, load) {
        return None;
    }
    let settings = trend::Settings {
        period_s: 1.0,
        least_span_s: LEAST_SECONDS,
        least_tail: LASTS,
        ..trend::Settings::default()
    };
    match trend::leak(&samples, limit, &settings) {
        trend::Outlook::Fills(filling) if filling.in_s <= SOON => Some(in_time(&filling)),
        _ => None,
    }
}

/// Whether there is more load than before, or more requests are under way.
fn follows_load(picture: &Picture<'_>, load: Option<&Load>) -> bool {
    let rows = load.map(|load| load.rows.iter().map(|row| row.iter().sum()).collect()).unwrap_or_default();
    [rows, picture.windows(&signal::IN_FLIGHT, "")].iter().any(|series| has_grown(series))
}

fn has_grown(series: &[f64]) -> bool {
    let mean = |ticks: &[f64]| {
        let known = ticks.iter().filter(|value| value.is_finite());
        let (sum, n) = known.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
        sum / n
    };
    let last = series.len();
    let now = mean(&series[last.saturating_sub(TICKS)..]);
    let before = mean(&series[last.saturating_sub(SECONDS)..last.saturating_sub(SECONDS - TICKS)]);
    // One request more of a few is none.
    now > MORE * before + 1.0
}
