//! From windows as they were measured to rows that can be fitted: checked, merged where they are too short.

use super::{Law, Reason, Settings, Window};
use crate::numbers::{mean, variation};

/// More rows than these add nothing but time: the bootstrap fits them many times over.
const MOST_ROWS: usize = 300;
/// A bend takes many more fits, and no more rows to be seen.
const MOST_BENT_ROWS: usize = 100;
/// Beside one for each class, so many rows are left when windows are merged for any other reason.
const FEWEST_ROWS: usize = 20;
/// Service that begins in one window and ends in the next blurs what belongs to which. At this many service times
/// a window it is a tenth.
const SERVICES_A_ROW: f64 = 10.0;
/// A bent line through counts that are themselves noisy comes out too straight; at this many requests a row their
/// noise is a tenth.
const REQUESTS_A_ROW: f64 = 100.0;

/// Rows to fit.
pub(super) struct Prepared {
    /// By class the throughput, then 1 for the background.
    pub(super) rows: Vec<Vec<f64>>,
    pub(super) busy: Vec<f64>,
    pub(super) weights: Vec<f64>,
    pub(super) classes: usize,
    /// Rows that the bootstrap keeps together.
    pub(super) block: usize,
}

pub(super) fn prepare(windows: &[Window], law: Law, settings: &Settings) -> Result<Prepared, Reason> {
    let classes = windows.first().map_or(0, |window| window.throughput.len());
    check(windows, classes, law, settings)?;
    if windows.len() < settings.least_windows.max(classes + 2) {
        let need = settings.least_windows.max(classes + 2);
        return Err(Reason::TooFewWindows { have: windows.len(), need });
    }
    let load: Vec<f64> = windows.iter().map(|window| window.throughput.iter().sum()).collect();
    if mean(&load) <= 0.0 {
        return Err(Reason::LoadDidNotVary { variation: 0.0 });
    }
    let together = merged(windows, classes, &load, law, settings);
    let least = classes + 10;
    let have = windows.len() / together;
    if have < least {
        return Err(Reason::TooFewWindows { have: windows.len(), need: least.saturating_mul(together) });
    }
    // What is over is left out at the old end.
    let chunks: Vec<&[Window]> = windows[windows.len() % together..].chunks(together).collect();
    let rows: Vec<Vec<f64>> = chunks.iter().map(|chunk| row(chunk, classes)).collect();
    let load: Vec<f64> = rows.iter().map(|row| row[..classes].iter().sum()).collect();
    let varied = variation(&load);
    if varied < settings.least_variation || !varied.is_finite() {
        return Err(Reason::LoadDidNotVary { variation: if varied.is_finite() { varied } else { 0.0 } });
    }
    let busy = chunks.iter().map(|chunk| chunk.iter().map(|window| window.busy).sum::<f64>());
    let age = |row: usize| (chunks.len() - 1 - row) as f64 * together as f64;
    let weight = |row: usize| settings.half_life_windows.map_or(1.0, |half| (-age(row) / half).exp2());
    Ok(Prepared {
        busy: busy.map(|sum| sum / together as f64).collect(),
        weights: (0..chunks.len()).map(weight).collect(),
        rows,
        classes,
        block: settings.block_windows.div_ceil(together).clamp(2, have),
    })
}

/// How many windows become one row.
fn merged(windows: &[Window], classes: usize, load: &[f64], law: Law, settings: &Settings) -> usize {
    let most = if matches!(law, Law::Holding { .. }) { MOST_BENT_ROWS } else { MOST_ROWS };
    let fewest = windows.len().div_ceil(most);
    let busy: Vec<f64> = windows.iter().map(|window| window.busy).collect();
    let per_row = mean(load) * settings.window_s;
    let service = SERVICES_A_ROW * mean(&busy) / per_row;
    let wanted = match law {
        Law::Level => 1.0,
        Law::Utilisation => service,
        Law::Holding { .. } => service.max(REQUESTS_A_ROW / per_row),
    };
    // As far as rows are left to see a line by. The cast saturates.
    let most = windows.len() / (FEWEST_ROWS + classes);
    fewest.max((wanted.ceil() as usize).min(most)).max(1)
}

fn row(chunk: &[Window], classes: usize) -> Vec<f64> {
    let class =
        |class: usize| chunk.iter().map(|window| window.throughput[class] / chunk.len() as f64).sum::<f64>();
    (0..classes).map(class).chain([1.0]).collect()
}

/// Rates beyond this are no rates; below it, sums of squares stay finite.
const MOST: f64 = 1e100;

fn sound(value: f64) -> bool {
    (0.0..MOST).contains(&value)
}

fn check(windows: &[Window], classes: usize, law: Law, settings: &Settings) -> Result<(), Reason> {
    let even = windows.iter().all(|window| {
        window.throughput.len() == classes
            && sound(window.busy)
            && window.throughput.iter().all(|rate| sound(*rate))
    });
    let told = match law {
        Law::Holding { saturates_at: Some(at) } => sound(at) && at > 0.0,
        _ => true,
    };
    let set = sound(settings.window_s)
        && settings.window_s > 0.0
        && settings.half_life_windows.is_none_or(|half| sound(half) && half > 0.0)
        && (0.5..=0.99).contains(&settings.confidence)
        && (1.0..MOST).contains(&settings.widest_range)
        && sound(settings.model_error)
        && (10..=10_000).contains(&settings.draws);
    let limits = [settings.least_variation, settings.least_utilisation, settings.least_r_squared];
    // No window has no classes and is too few rather than wrong.
    let sensible = even && told && set && limits.into_iter().all(f64::is_finite);
    if sensible && (classes > 0 || windows.is_empty()) { Ok(()) } else { Err(Reason::Invalid) }
}

/// The mix as shares that add up to 1.
pub(super) fn shares(mix: &[f64], classes: usize) -> Option<Vec<f64>> {
    let total: f64 = mix.iter().sum();
    let sensible = mix.len() == classes && mix.iter().all(|rate| sound(*rate)) && total > 0.0;
    sensible.then(|| mix.iter().map(|rate| rate / total).collect())
}
