//! Resources that are simply counted: so many in use of so many, more with more load.

use deepwater_forecast::demand::Law;

use super::bound::{self, Bound};
use super::{Finding, Kind, Outlook, evidence};
use crate::picture::{Load, Picture};
use crate::signal::Signal;

use super::judge::thousands;

/// Share in use, below which a forecast would be made from next to nothing.
const LEAST: f64 = 0.3;
/// Share in use, above which the next one may find none.
const FULL: f64 = 0.95;

/// A counted resource.
pub(super) struct Counted<'a> {
    pub(super) kind: Kind,
    pub(super) resource: &'a str,
    pub(super) what: String,
    pub(super) used: &'static Signal,
    pub(super) limit: &'static Signal,
    pub(super) label: &'a str,
    pub(super) unit: &'static str,
}

/// What is found of it; none when it is not measured.
pub(super) fn find(picture: &Picture<'_>, load: Option<&Load>, counted: Counted<'_>) -> Option<Finding> {
    let Counted { kind, resource, what, used, limit, label, unit } = counted;
    let most = picture.store.latest(limit, label).filter(|most| *most > 0.0)?;
    let now = picture.now(used, label)?;
    let series = picture.windows(used, label);
    let bound = Bound {
        used: &series,
        capacity: most,
        law: Law::Level,
        idle_without_load: false,
        least_used: bound::LEAST_USED,
        together: 1,
        queue: None,
    };
    let in_use = |now: f64| format!("{} of {} {unit} are in use", thousands(now), thousands(most));
    let outlook = if now < LEAST * most {
        Outlook::NoneInSight(in_use(now))
    } else {
        bound::outlook_or_indifference(picture, load, &bound)
    };
    let pressing = (now >= FULL * most).then(|| in_use(now));
    let evidence = [evidence(picture, used, label, in_use)];
    Some(Finding {
        kind,
        resource: resource.to_owned(),
        what,
        used: Some(now),
        limit: Some(most),
        unit,
        outlook,
        pressing,
        evidence: evidence.into_iter().flatten().collect(),
    })
}
