//! Running the application near its users: for a global audience to whom a tenth of a second sells. How far they are is
//! told by the round trips of their connections; what a tenth of a second is worth is not seen, so the advice says it must
//! be.

use super::{Advice, Done, Gain, Measured, Price, Rule, Verdict, evidence};
use crate::cliffs::Cliffs;
use crate::facts::Protocol;
use crate::picture::Picture;
use crate::signal;

pub(super) struct EdgeComputing;

/// Round trip of one user in twenty, above which they are a continent away: light in glass takes it for 10,000 km.
const FAR: f64 = 0.1;
/// Whose round trips are looked at.
const HTTP: &str = Protocol::Http.as_str();

const PRICE: Price = Price {
    complexity: "several places that must run the same version; what is written goes to one of them all the same",
    staleness: "what is read far away is as old as the copy there",
    money: "a provider's price per request, or machines in each region",
    operations: "deployments, logs and purges in every place",
};

impl Rule for EdgeComputing {
    fn technique(&self) -> &'static str {
        "edge_computing"
    }

    fn look(&self, picture: &Picture<'_>, _: &Cliffs) -> Verdict {
        let own = picture.minute(&signal::LATENCY_P95, "");
        let Some(way) = picture.minute(&signal::ROUND_TRIP_P95, HTTP) else { return unknown(own) };
        if way <= FAR {
            return Verdict::NoNeed(format!(
                "95 % of the clients that are connected are within a round trip of {:.0} ms: from {:.0} ms on one in twenty \
                 would be a continent away",
                way * 1e3,
                FAR * 1e3
            ));
        }
        if let Some(own) = own.filter(|own| *own > way) {
            return Verdict::NoNeed(format!(
                "one client in twenty has a round trip of {:.0} ms or more, but answers take longer themselves (95 % within \
                 {:.0} ms): what makes those faster comes first and is felt by all",
                way * 1e3,
                own * 1e3
            ));
        }
        Verdict::Advise(vec![advice(picture, way, own)])
    }
}

/// Too few clients are connected, or the kernel does not tell.
fn unknown(own: Option<f64>) -> Verdict {
    let own = own.map_or_else(String::new, |p95| {
        format!(" (here 95 % are answered within {:.0} ms, whatever the way to the users adds)", p95 * 1e3)
    });
    Verdict::CannotTell(format!(
        "how far users are is not known: fewer than twenty are connected, or the kernel does not tell. It would be needed if many \
         were a continent away, a tenth of a second sold more, and what they read could be old; a CDN for files and a cache for \
         pages come first and keep one copy of the data{own}"
    ))
}

fn advice(picture: &Picture<'_>, way: f64, own: Option<f64>) -> Advice {
    let half = picture
        .minute(&signal::ROUND_TRIP, HTTP)
        .map_or_else(String::new, |time| format!(" (half of them less than {:.0} ms)", time * 1e3));
    let own =
        own.map_or_else(String::new, |p95| format!(", while 95 % are answered within {:.0} ms", p95 * 1e3));
    let slow = evidence(picture, &signal::RECEIVER_LIMITED, HTTP, |share| {
        format!(
            "in {:.0} % of the time with something to send clients do not read: that stays",
            share * 100.0
        )
    });
    let seen = [
        evidence(picture, &signal::ROUND_TRIP_P95, HTTP, |time| {
            format!("one client in twenty has a round trip of {:.0} ms or more", time * 1e3)
        }),
        slow.filter(|evidence| evidence.value >= 0.1),
    ];
    Advice {
        id: "edge_computing:http".into(),
        technique: "edge_computing",
        title: "answer from a place near the users".into(),
        why: format!(
            "One client in twenty has a round trip of {:.0} ms or more{half}{own}: the way is what these users wait for. It is \
             worth it if a tenth of a second sells, and what they read may be old.",
            way * 1e3
        ),
        cliff: None,
        gain: Gain {
            text: format!(
                "up to {:.0} ms less for a request of one user in twenty, three times as much where TCP and TLS 1.3 are set up \
                 for it; how much depends on how near the other place is, so there is no figure",
                way * 1e3
            ),
            from: Some(way),
            to: None,
            unit: "seconds of round trip to 95 % of clients".into(),
            measured: Measured::Signal(&signal::ROUND_TRIP_P95, HTTP.to_owned()),
        },
        price: PRICE,
        lines: None,
        elsewhere: Some(
            "see that it is distance: `ss -tino state established` shows the least round trip of each connection (minrtt), and \
             mobile networks are slow nearby, too. Then a CDN for files and for what may be kept: it ends TCP and TLS near the \
             users and needs nothing but Cache-Control. Only then code in several places: a CDN's functions for what can be \
             answered from what may be old, or a second region with a replica to read from"
                .into(),
        ),
        evidence: seen.into_iter().flatten().collect(),
        done: Done::NotSeen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;

    #[test]
    fn where_it_is_not_known_how_far_users_are_it_says_when_it_would_be_needed() {
        let mut scene = Scene::new();
        assert!(scene.cannot_tell(&EdgeComputing).contains("continent"));
        scene.all(&signal::LATENCY_P95, "", 0.08);
        let why = scene.cannot_tell(&EdgeComputing);
        assert!(why.contains("80 ms") && why.contains("not known"), "{why}");
    }

    #[test]
    fn users_nearby_need_none() {
        let mut scene = Scene::new();
        scene.all(&signal::ROUND_TRIP_P95, HTTP, 0.06);
        // Those of the pooler are no users.
        scene.all(&signal::ROUND_TRIP_P95, Protocol::Postgres.as_str(), 0.3);
        let why = scene.no_need(&EdgeComputing);
        assert!(why.contains("round trip of 60 ms"), "{why}");
    }

    #[test]
    fn users_far_away_get_it_with_the_numbers_and_what_it_depends_on() {
        let mut scene = Scene::new();
        scene.all(&signal::ROUND_TRIP_P95, HTTP, 0.18);
        scene.all(&signal::ROUND_TRIP, HTTP, 0.02);
        scene.all(&signal::LATENCY_P95, "", 0.04);
        scene.all(&signal::RECEIVER_LIMITED, HTTP, 0.05);
        let advice = scene.advised(&EdgeComputing).remove(0);
        for part in ["180 ms", "20 ms", "40 ms", "sells"] {
            assert!(advice.why.contains(part), "{part}: {}", advice.why);
        }
        assert_eq!((advice.gain.to, advice.evidence.len()), (None, 1));
        assert!((advice.gain.from.unwrap() - 0.18).abs() < 1e-6, "{:?}", advice.gain);

        scene.all(&signal::RECEIVER_LIMITED, HTTP, 0.4);
        let advice = scene.advised(&EdgeComputing).remove(0);
        assert!(advice.evidence[1].text.contains("40 %"), "{:?}", advice.evidence);
    }

    #[test]
    fn answers_that_take_longer_than_the_way_come_first() {
        let mut scene = Scene::new();
        scene.all(&signal::ROUND_TRIP_P95, HTTP, 0.18);
        scene.all(&signal::LATENCY_P95, "", 0.9);
        let why = scene.no_need(&EdgeComputing);
        assert!(why.contains("180 ms") && why.contains("900 ms"), "{why}");
    }
}
