//! The link: full when as many bytes pass as it is good for.

use deepwater_forecast::demand::Law;

use super::bound::{self, Bound};
use super::{Detector, Evidence, Finding, Kind, Outlook, evidence, plateau};
use crate::facts::Protocol;
use crate::picture::{Load, Picture};
use crate::signal;

pub(super) struct Network;

/// Whose connections tell of the way to users.
const HTTP: &str = Protocol::Http.as_str();

/// Share of segments sent again, above which the network loses more than by chance.
const LOSSY: f64 = 0.02;
/// Share of the link in use, above which it is full.
const FULL: f64 = 0.95;
/// Share of the time with something to send in which clients do not read, above which they are slow.
const SLOW: f64 = 0.1;

impl Detector for Network {
    fn look(&self, picture: &Picture<'_>, load: Option<&Load>, _: &[Finding]) -> Vec<Finding> {
        find(picture, load).into_iter().collect()
    }
}

fn find(picture: &Picture<'_>, load: Option<&Load>) -> Option<Finding> {
    // What the edge sends is known even where clients come over the loopback interface; what else passes counts, too.
    let interfaces = picture.windows(&signal::NET_SENT, "");
    let bodies = picture.windows(&signal::SENT, "");
    let used: Vec<f64> = interfaces.iter().zip(&bodies).map(|(all, own)| all.max(*own)).collect();
    let now = crate::picture::mean_of_last(&used, crate::picture::NOW);
    let told = picture.store.latest(&signal::NET_SPEED, "");
    let speed = told.or_else(|| plateau::learned(picture));
    let outlook = match speed {
        Some(speed) => {
            let law = Law::Utilisation;
            let bound = Bound {
                used: &used,
                capacity: speed,
                law,
                idle_without_load: true,
                least_used: bound::LEAST_USED,
                together: 1,
                queue: None,
            };
            bound::outlook(picture, load, &bound)
        }
        None => Outlook::CannotTell(
            "the interface does not say how fast the link is, and it was not full yet: set `network` in [lens.limits]"
                .into(),
        ),
    };
    let full = speed
        .zip(now)
        .filter(|(speed, now)| now >= &(FULL * speed))
        .map(|(speed, now)| format!("{} of {} are sent", speed_text(now), speed_text(speed)));
    let lossy = picture.now(&signal::RETRANSMITS, "").filter(|share| *share >= LOSSY);
    let lossy = lossy.map(|share| format!("{:.1} % of segments are sent again", share * 100.0));
    // What is lost on the way may find the link as empty as can be.
    let what = if full.is_none() && lossy.is_some() {
        "the network loses what is sent"
    } else {
        "the network link is full"
    };
    let pressing = full.or(lossy);
    let evidence = [
        evidence(picture, &signal::SENT, "", |rate| format!("the edge sends {} of bodies", speed_text(rate))),
        evidence(picture, &signal::NET_SENT, "", |rate| format!("the interfaces send {}", speed_text(rate))),
        speed.filter(|_| told.is_none()).map(learned),
        evidence(picture, &signal::RETRANSMITS, "", |share| {
            format!("{:.2} % of segments are sent again", share * 100.0)
        }),
        evidence(picture, &signal::ROUND_TRIP, HTTP, |time| {
            format!("half of the HTTP clients are within a round trip of {:.1} ms", time * 1e3)
        }),
        evidence(picture, &signal::ROUND_TRIP_P95, HTTP, |time| {
            format!("95 % of them within {:.1} ms", time * 1e3)
        }),
        evidence(picture, &signal::CLIENT_LOSS, HTTP, |share| {
            format!("{:.2} % of the bytes to them are sent again", share * 100.0)
        }),
        evidence(picture, &signal::RECEIVER_LIMITED, HTTP, |share| {
            let slow =
                if share >= SLOW { ": those are slow clients, a faster link is no help to them" } else { "" };
            format!("in {:.0} % of the time with something to send they do not read{slow}", share * 100.0)
        }),
        evidence(picture, &signal::ACCEPT_OVERFLOWS, "", |rate| {
            format!("{rate:.1} connections a second find a full accept queue")
        }),
    ];
    now?;
    Some(Finding {
        kind: Kind::Network,
        resource: "link".into(),
        what: what.into(),
        used: now,
        limit: speed,
        unit: "bytes per second",
        outlook,
        pressing,
        evidence: evidence.into_iter().flatten().collect(),
    })
}

/// Where the link's speed is known from.
fn learned(speed: f64) -> Evidence {
    Evidence {
        signal: signal::NET_SENT.name,
        label: String::new(),
        value: speed,
        unit: signal::NET_SENT.unit,
        text: format!("more than {} was not sent while answers waited to be: learned", speed_text(speed)),
    }
}

fn speed_text(bytes: f64) -> String {
    format!("{:.1} Mbit/s", bytes * 8.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::facts::Facts;
    use crate::store::Store;

    #[test]
    fn how_far_clients_are_and_whether_they_read_is_evidence() {
        let texts = |unread: f64| {
            let (mut store, facts, limits) = (Store::new(1 << 20), Facts::default(), Limits::default());
            store.put(&signal::NET_SENT, "", 1_000.0);
            store.put(&signal::ROUND_TRIP, HTTP, 0.02);
            store.put(&signal::CLIENT_LOSS, HTTP, 0.03);
            store.put(&signal::RECEIVER_LIMITED, HTTP, unread);
            // The pooler's clients are not those of the link.
            store.put(&signal::ROUND_TRIP_P95, Protocol::Postgres.as_str(), 0.5);
            store.pass(1);
            let picture = Picture { store: &store, facts: &facts, limits: &limits, target: 0.1, seed: 7 };
            let found = find(&picture, None).expect("something is sent");
            found.evidence.into_iter().map(|evidence| evidence.text).collect::<Vec<_>>().join("; ")
        };
        let slow = texts(0.4);
        for part in ["20.0 ms", "3.00 %", "40 %", "slow clients"] {
            assert!(slow.contains(part), "{part}: {slow}");
        }
        assert!(!slow.contains("500"), "{slow}");
        assert!(!texts(0.05).contains("slow clients"));
    }

    #[test]
    fn a_network_that_loses_is_no_link_that_is_full() {
        let (mut store, facts, limits) = (Store::new(1 << 20), Facts::default(), Limits::default());
        let mut tick = |sent: f64, again: f64| {
            store.put(&signal::NET_SPEED, "", 1e7);
            store.put(&signal::NET_SENT, "", sent);
            store.put(&signal::RETRANSMITS, "", again);
            store.pass(10);
            let picture = Picture { store: &store, facts: &facts, limits: &limits, target: 0.1, seed: 7 };
            let found = find(&picture, None).expect("something is sent");
            (found.what, found.pressing)
        };
        assert_eq!(tick(1_000.0, 0.001), ("the network link is full".into(), None));
        let (what, pressing) = tick(1_000.0, 0.03);
        assert_eq!(what, "the network loses what is sent");
        assert!(pressing.is_some_and(|pressing| pressing.contains("3.0 %")));
        let (what, pressing) = tick(9.9e6, 0.03);
        assert_eq!(what, "the network link is full");
        assert!(pressing.is_some_and(|pressing| pressing.contains("80.0 Mbit/s")));
    }
}
