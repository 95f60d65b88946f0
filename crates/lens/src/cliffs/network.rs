//! The link: full when as many bytes pass as it is good for.

use deepwater_forecast::demand::Law;

use super::bound::{self, Bound};
use super::{Detector, Finding, Kind, Outlook, evidence};
use crate::picture::{Load, Picture};
use crate::signal;

pub(super) struct Network;

/// Share of segments sent again, above which the network loses more than by chance.
const LOSSY: f64 = 0.02;
/// Share of the link in use, above which it is full.
const FULL: f64 = 0.95;

impl Detector for Network {
    fn look(&self, picture: &Picture<'_>, load: Option<&Load>) -> Vec<Finding> {
        find(picture, load).into_iter().collect()
    }
}

fn find(picture: &Picture<'_>, load: Option<&Load>) -> Option<Finding> {
    // What the edge sends is known even where clients come over the loopback interface; what else passes counts, too.
    let interfaces = picture.windows(&signal::NET_SENT, "");
    let bodies = picture.windows(&signal::SENT, "");
    let used: Vec<f64> = interfaces.iter().zip(&bodies).map(|(all, own)| all.max(*own)).collect();
    let now = crate::picture::mean_of_last(&used);
    let speed = picture.store.latest(&signal::NET_SPEED, "");
    let outlook = match speed {
        Some(speed) => {
            let law = Law::Utilisation;
            let bound = Bound {
                used: &used,
                capacity: speed,
                law,
                idle_without_load: true,
                together: 1,
                queue: None,
            };
            bound::outlook(picture, load, &bound)
        }
        None => Outlook::CannotTell(
            "the interface does not say how fast the link is: set `network` in [lens.limits]".into(),
        ),
    };
    let full =
        speed.zip(now).filter(|(speed, now)| now >= &(FULL * speed)).map(|_| "the link is full".to_owned());
    let lossy = picture.minute(&signal::RETRANSMITS, "").filter(|share| *share >= LOSSY);
    let pressing =
        full.or_else(|| lossy.map(|share| format!("{:.1} % of segments are sent again", share * 100.0)));
    let evidence = [
        evidence(picture, &signal::SENT, "", |rate| format!("the edge sends {} of bodies", speed_text(rate))),
        evidence(picture, &signal::NET_SENT, "", |rate| format!("the interfaces send {}", speed_text(rate))),
        evidence(picture, &signal::RETRANSMITS, "", |share| {
            format!("{:.2} % of segments are sent again", share * 100.0)
        }),
        evidence(picture, &signal::ACCEPT_OVERFLOWS, "", |rate| {
            format!("{rate:.1} connections a second find a full accept queue")
        }),
    ];
    now?;
    Some(Finding {
        kind: Kind::Network,
        resource: "link".into(),
        what: "the network link is full".into(),
        used: now,
        limit: speed,
        unit: "bytes per second",
        outlook,
        pressing,
        evidence: evidence.into_iter().flatten().collect(),
    })
}

fn speed_text(bytes: f64) -> String {
    format!("{:.1} Mbit/s", bytes * 8.0 / 1e6)
}
