//! Cores: those of the machine, and the one that a thread can use. A program with a single thread is at its end at one core,
//! however many are idle.

use deepwater_forecast::demand::Law;

use super::bound::{self, Bound, Queue};
use super::{Detector, Evidence, Finding, Kind, evidence};
use crate::picture::{Load, Picture};
use crate::signal::{self, Signal};

pub(super) struct Cpu;

/// A thread that takes this share of what its process takes is the one that works.
const ALONE: f64 = 0.7;
/// Share of the cores that the load must take for a forecast: of less, what runs beside it hides how much that is.
const LEAST_USED: f64 = 0.05;
/// Of one core: a thread that uses more has no time to spare.
const FULL: f64 = 0.95;

impl Detector for Cpu {
    fn look(&self, picture: &Picture<'_>, load: Option<&Load>, _: &[Finding]) -> Vec<Finding> {
        let machine = machine(picture, load);
        let applications = picture.store.labels(&signal::APP_THREAD);
        machine
            .into_iter()
            .chain(applications.iter().filter_map(|name| thread(picture, load, name)))
            .collect()
    }
}

fn machine(picture: &Picture<'_>, load: Option<&Load>) -> Option<Finding> {
    let cores = picture.store.latest(&signal::CPU_CORES, "").filter(|cores| *cores > 0.0)?;
    let busy = picture.now(&signal::CPU_BUSY, "");
    let pressing = busy
        .filter(|busy| *busy >= FULL * cores)
        .map(|busy| format!("{busy:.1} of {cores:.1} cores are at work{}", whose(picture)));
    let evidence: [Option<Evidence>; 4] = [
        evidence(picture, &signal::CPU_BUSY, "", |busy| format!("{busy:.2} of {cores:.1} cores are at work")),
        evidence(picture, &signal::CPU_PRESSURE, "", |share| {
            format!("something waited for a core {:.0} % of the time", share * 100.0)
        }),
        evidence(picture, &signal::CPU_THROTTLED, "", |share| {
            format!("the quota held back {:.0} % of the time", share * 100.0)
        }),
        evidence(picture, &signal::CPU_STEAL, "", |cores| {
            format!("the hypervisor gave {cores:.2} cores to others")
        }),
    ];
    Some(Finding {
        kind: Kind::Cpu,
        resource: "machine".into(),
        what: "the cores of this machine are used up".into(),
        used: busy,
        limit: Some(cores),
        unit: "cores",
        outlook: outlook(picture, load, (&signal::CPU_BUSY, ""), cores),
        pressing,
        evidence: evidence.into_iter().flatten().collect(),
    })
}

/// How much of that is the applications': what others use, less load does not give back. Nothing where it is not known of all.
fn whose(picture: &Picture<'_>) -> String {
    let applications = &picture.facts.applications;
    let used: Option<f64> = applications.iter().map(|known| picture.now(&signal::APP_CPU, &known.name)).sum();
    match (used, &applications[..]) {
        (Some(used), [only]) => format!(", {used:.1} of them for `{}`", only.name),
        (Some(used), [_, _, ..]) => format!(", {used:.1} of them for the applications behind Deepwater"),
        _ => String::new(),
    }
}

fn thread(picture: &Picture<'_>, load: Option<&Load>, application: &str) -> Option<Finding> {
    let of = |signal| picture.minute(signal, application);
    let (thread, process) = (of(&signal::APP_THREAD)?, of(&signal::APP_CPU)?);
    if process <= 0.0 || thread / process < ALONE {
        return None;
    }
    let now = picture.now(&signal::APP_THREAD, application);
    let pressing =
        now.filter(|now| *now >= FULL).map(|_| "its busiest thread has no time to spare".to_owned());
    let evidence = [
        evidence(picture, &signal::APP_THREAD, application, |busy| {
            format!("its busiest thread uses {:.0} % of a core", busy * 100.0)
        }),
        evidence(picture, &signal::APP_CPU, application, |cores| format!("all of it uses {cores:.2} cores")),
        evidence(picture, &signal::APP_DELAY, application, |share| {
            format!("its threads waited for a core {:.0} % of the time", share * 100.0)
        }),
    ];
    Some(Finding {
        kind: Kind::Cpu,
        resource: application.to_owned(),
        what: format!("`{application}` has used up the one core that its busiest thread can use"),
        used: now,
        limit: Some(1.0),
        unit: "cores",
        outlook: outlook(picture, load, (&signal::APP_THREAD, application), 1.0),
        pressing,
        evidence: evidence.into_iter().flatten().collect(),
    })
}

fn outlook(
    picture: &Picture<'_>,
    load: Option<&Load>,
    (signal, label): (&Signal, &str),
    cores: f64,
) -> super::Outlook {
    let used = picture.windows(signal, label);
    // What a request takes of a core is how long one serves it.
    let queue = Queue { servers: (cores.floor() as u32).max(1), service: None, variation: None };
    let bound = Bound {
        used: &used,
        capacity: cores,
        law: Law::Utilisation,
        idle_without_load: false,
        least_used: LEAST_USED,
        together: 1,
        queue: Some(queue),
    };
    bound::outlook(picture, load, &bound)
}
