//! Memory: what requests under way hold, which ends at a load, and what is never given back, which ends in time.

mod soon;

use deepwater_forecast::demand::Law;
use deepwater_forecast::trend::{self, Sample};

use super::bound::{self, Bound};
use super::line::Line;
use super::{Detector, Evidence, Finding, Kind, Outlook, Range, evidence};
use crate::picture::{Load, Picture};
use crate::signal;
use crate::store::Span;

pub(super) struct Memory;

/// Share of the memory in use, above which it is as good as full.
const FULL: f64 = 0.95;
/// Share of the time something waits for memory, from which users feel it.
const PRESSURE: f64 = 0.1;
/// Quantile of the normal distribution that peaks are taken at: one second in twenty is above.
const PEAK: f64 = 1.645;

impl Detector for Memory {
    fn look(&self, picture: &Picture<'_>, load: Option<&Load>, _: &[Finding]) -> Vec<Finding> {
        let machine = machine(picture, load);
        let applications = picture.store.labels(&signal::APP_MEMORY);
        // An application has an end of its own only where one is told.
        let limit = picture.limits.memory.map(|memory| memory.bytes() as f64);
        let application = limit.into_iter().flat_map(|limit| {
            applications.iter().filter_map(move |name| application(picture, load, name, limit))
        });
        machine.into_iter().chain(application).collect()
    }
}

fn machine(picture: &Picture<'_>, load: Option<&Load>) -> Option<Finding> {
    let limit = picture.store.latest(&signal::MEMORY_LIMIT, "")?;
    let used = picture.now(&signal::MEMORY_USED, "")?;
    let pressure = picture.now(&signal::MEMORY_PRESSURE, "").filter(|share| *share >= PRESSURE);
    let killed = picture.minute(&signal::OOM_KILLS, "").filter(|rate| *rate > 0.0);
    let full = (used >= FULL * limit).then(|| format!("{} of {} are in use", bytes(used), bytes(limit)));
    let pressing = killed
        .map(|_| "the kernel has killed a process for want of it".to_owned())
        .or_else(|| {
            pressure.map(|share| format!("something waits for it {:.0} % of the time", share * 100.0))
        })
        .or(full);
    let evidence = [
        evidence(picture, &signal::MEMORY_USED, "", |used| {
            format!("{} of {} are in use", bytes(used), bytes(limit))
        }),
        evidence(picture, &signal::MEMORY_PRESSURE, "", |share| {
            format!("something waited for memory {:.1} % of the time", share * 100.0)
        }),
        evidence(picture, &signal::REFAULTS, "", |rate| format!("{rate:.0} pages a second are read again")),
    ];
    Some(Finding {
        kind: Kind::Memory,
        resource: "machine".into(),
        what: "the memory of this machine is used up".into(),
        used: Some(used),
        limit: Some(limit),
        unit: "bytes",
        outlook: outlook(picture, load, (&signal::MEMORY_USED, ""), limit),
        pressing,
        evidence: evidence.into_iter().flatten().collect(),
    })
}

fn application(picture: &Picture<'_>, load: Option<&Load>, name: &str, limit: f64) -> Option<Finding> {
    let used = picture.now(&signal::APP_MEMORY, name)?;
    let pressing =
        (used >= FULL * limit).then(|| format!("it uses {} of the {} it may use", bytes(used), bytes(limit)));
    let evidence: [Option<Evidence>; 2] = [
        evidence(picture, &signal::APP_MEMORY, name, |used| {
            format!("it uses {} of {}", bytes(used), bytes(limit))
        }),
        evidence(picture, &signal::UPSTREAM_BUSY, name, |busy| {
            format!("{busy:.1} requests are with it on average")
        }),
    ];
    Some(Finding {
        kind: Kind::Memory,
        resource: name.to_owned(),
        what: format!("the memory of `{name}` is used up"),
        used: Some(used),
        limit: Some(limit),
        unit: "bytes",
        outlook: outlook(picture, load, (&signal::APP_MEMORY, name), limit),
        pressing,
        evidence: evidence.into_iter().flatten().collect(),
    })
}

/// In time when it leaks or fills up right now, else at a load.
fn outlook(
    picture: &Picture<'_>,
    load: Option<&Load>,
    (signal, label): (&'static signal::Signal, &str),
    limit: f64,
) -> Outlook {
    if let Some(leak) =
        leak(&picture.store.points(signal.name, label, Span::TenSeconds, Span::TenSeconds.most()), limit)
    {
        return leak;
    }
    if let Some(soon) = soon::fills(picture, load, (signal, label), limit) {
        return soon;
    }
    let used = picture.windows(signal, label);
    let bound = Bound {
        used: &used,
        capacity: limit,
        law: Law::Level,
        idle_without_load: false,
        least_used: bound::LEAST_USED,
        together: 1,
        queue: None,
    };
    match bound::outlook_or_indifference(picture, load, &bound) {
        Outlook::AtLoad(range) => Outlook::AtLoad(at_peaks(range, &used, limit, load)),
        outlook => outlook,
    }
}

/// The end of a leak; none when there is none, or it cannot be told yet.
fn leak(points: &[f64], limit: f64) -> Option<Outlook> {
    let period = Span::TenSeconds.seconds() as f64;
    let samples: Vec<Sample> = points
        .iter()
        .enumerate()
        .filter(|(_, bytes)| bytes.is_finite())
        .map(|(at, bytes)| Sample { at_s: at as f64 * period, bytes: *bytes })
        .collect();
    match trend::leak(&samples, limit, &trend::Settings::default()) {
        trend::Outlook::Fills(filling) => Some(in_time(&filling)),
        trend::Outlook::Steady { .. } | trend::Outlook::CannotTell(_) => None,
    }
}

fn in_time(filling: &trend::Filling) -> Outlook {
    Outlook::InTime(Range {
        value: filling.in_s,
        low: filling.earliest_s,
        high: filling.latest_s,
        confidence: filling.confidence,
    })
}

/// Memory runs out at a peak, not on average. Requests under way come independently of each other: when `m` bytes are held for
/// them on average, in pieces of `p`, the deviation is √(p·m). The piece is estimated by what the residuals vary.
fn at_peaks(range: Range, used: &[f64], limit: f64, load: Option<&Load>) -> Range {
    let Some(load) = load else { return range };
    let Some(line) = Line::through(load, used) else { return range };
    let held = line.slope * line.loads[1];
    let piece = line.deviation.powi(2) / held;
    let room = limit - line.base;
    if !(held > 0.0 && room > 0.0 && piece.is_finite()) {
        return range;
    }
    // m + z·√(p·m) = room, for √m.
    let z = PEAK * piece.sqrt();
    let root = ((z * z + 4.0 * room).sqrt() - z) / 2.0;
    let share = (root * root / room).clamp(0.3, 1.0);
    Range { value: range.value * share, low: range.low * share, ..range }
}

/// Bytes as a person would say them.
fn bytes(value: f64) -> String {
    const UNITS: [(f64, &str); 4] =
        [(1_099_511_627_776.0, "TiB"), (1_073_741_824.0, "GiB"), (1_048_576.0, "MiB"), (1_024.0, "KiB")];
    match UNITS.iter().find(|(unit, _)| value >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", value / unit),
        None => format!("{value:.0} bytes"),
    }
}
