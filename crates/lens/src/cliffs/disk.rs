//! Space on disk, which ends in time.

use deepwater_forecast::trend::{self, Sample};

use super::{Detector, Finding, Kind, Outlook, Range, evidence};
use crate::picture::{Load, Picture};
use crate::signal;
use crate::store::Span;

pub(super) struct Disk;

/// Share of the disk in use, above which it is as good as full.
const FULL: f64 = 0.97;

impl Detector for Disk {
    fn look(&self, picture: &Picture<'_>, _: Option<&Load>, _: &[Finding]) -> Vec<Finding> {
        find(picture).into_iter().collect()
    }
}

fn find(picture: &Picture<'_>) -> Option<Finding> {
    let size = picture.store.latest(&signal::DISK_SIZE, "").filter(|size| *size > 0.0)?;
    let free = picture.now(&signal::DISK_FREE, "")?;
    let used = size - free;
    let pressing = (used >= FULL * size).then(|| format!("{:.1} % of it is free", free / size * 100.0));
    let evidence = evidence(picture, &signal::DISK_FREE, "", |free| {
        format!("{:.1} GB of {:.1} GB are free", free / 1e9, size / 1e9)
    });
    Some(Finding {
        kind: Kind::Disk,
        resource: "disk".into(),
        what: "the disk is full".into(),
        used: Some(used),
        limit: Some(size),
        unit: "bytes",
        outlook: outlook(picture, size),
        pressing,
        evidence: evidence.into_iter().collect(),
    })
}

fn outlook(picture: &Picture<'_>, size: f64) -> Outlook {
    let points = picture.store.points(signal::DISK_FREE.name, "", Span::Minute, 24 * 60);
    let period = Span::Minute.seconds() as f64;
    let samples: Vec<Sample> = points
        .iter()
        .enumerate()
        .filter(|(_, free)| free.is_finite())
        .map(|(at, free)| Sample { at_s: at as f64 * period, bytes: (size - free).max(0.0) })
        .collect();
    let settings = trend::Settings {
        period_s: period,
        least_bytes_per_hour: size / 2_000.0,
        ..trend::Settings::default()
    };
    match trend::leak(&samples, size, &settings) {
        trend::Outlook::Fills(filling) => Outlook::InTime(Range {
            value: filling.in_s,
            low: filling.earliest_s,
            high: filling.latest_s,
            confidence: filling.confidence,
        }),
        trend::Outlook::Steady { .. } => Outlook::NoneInSight("it does not fill".into()),
        trend::Outlook::CannotTell(trend::Reason::TooShort { .. }) => {
            Outlook::CannotTell("it has not been watched for half an hour yet".into())
        }
        trend::Outlook::CannotTell(reason) => Outlook::CannotTell(format!("cannot be told: {reason}")),
    }
}
