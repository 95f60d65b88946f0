//! Caching, from day one for what repeats: an answer that was given a moment ago needs no application. The edge notes on
//! routes that do not cache how much of what is asked for was asked for in the minute before, and whether a cache would
//! store it; so the gain is counted, not guessed.

use super::{Advice, Done, Evidence, Gain, Lines, Measured, Price, Rule, Verdict, evidence, uses_machine};
use crate::cliffs::{Cliff, Cliffs, Kind, Level};
use crate::facts::Route;
use crate::picture::Picture;
use crate::signal;
use crate::sources::OTHERS;

pub(super) struct Cache;

/// Seconds that must have been measured: in the first minute hardly anything has come again yet.
const LEAST_SECONDS: usize = 120;
/// Answers that were looked at in as many seconds, at least, for a share of them to mean something.
const LEAST_JUDGED: usize = 3;
/// Requests a second that need not reach the application, below which it is not worth a line.
const LEAST_SAVED: f64 = 0.5;
/// The same as a share of the route's requests.
const LEAST_SHARE: f64 = 0.1;
/// Answers without a lifetime, as a share of those that would be stored, from which one is given to them.
const SILENT: f64 = 0.2;
/// The lifetime that repeats were counted for.
const LIFETIME_S: u32 = 60;

const PRICE: Price = Price {
    complexity: "who writes data must know that pages are stored: purge them, or wait for their lifetime",
    staleness: "as old as the lifetimes that the application states",
    money: "memory: 256 MiB unless `[cache] memory` says otherwise",
    operations: "watch the hit rate; each Deepwater has a cache of its own, empty after a restart",
};
const PRICE_OF_LIFETIME: Price = Price {
    staleness: "up to 60 s for what states no lifetime: choose what your users can bear",
    complexity: "look first whether these pages are the same for all: what differs by a header must be named in Vary; 404s \
                 are stored, too",
    ..PRICE
};

impl Rule for Cache {
    fn technique(&self) -> &'static str {
        "cache"
    }

    fn look(&self, picture: &Picture<'_>, cliffs: &Cliffs) -> Verdict {
        let routes: Vec<&Route> =
            picture.facts.routes.iter().filter(|route| route.application.is_some()).collect();
        let uncached: Vec<&&Route> = routes.iter().filter(|route| !route.cached).collect();
        if uncached.is_empty() {
            let no_need =
                if routes.is_empty() { "no route passes requests on" } else { "every route caches" };
            return Verdict::NoNeed(no_need.into());
        }
        let (mut found, mut missing, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
        for route in uncached {
            match look(picture, cliffs, route) {
                Outcome::Advise(advice) => found.push(*advice),
                Outcome::NoNeed(why) => reasons.push(why),
                Outcome::CannotTell(why) => missing.push(why),
            }
        }
        found.sort_by(|a: &Advice, b| saved(b).total_cmp(&saved(a)));
        Verdict::of(found, &missing, || reasons.join("; "))
    }
}

/// What is said of a route.
enum Outcome {
    Advise(Box<Advice>),
    NoNeed(String),
    CannotTell(String),
}

fn look(picture: &Picture<'_>, cliffs: &Cliffs, route: &Route) -> Outcome {
    let name = &route.name;
    let of = |signal| picture.store.mean(signal, name, picture.store.ticks().min(600) as usize);
    let rate = of(&signal::REQUESTS).unwrap_or(0.0);
    let others = picture.store.mean(&signal::REQUESTS, OTHERS, 600).unwrap_or(0.0);
    if !picture.store.labels(&signal::REQUESTS).iter().any(|label| **label == **name) && others >= LEAST_SAVED
    {
        return Outcome::CannotTell(format!(
            "what is asked of {name} is not told apart from what is asked of other routes"
        ));
    }
    if rate < LEAST_SAVED {
        return Outcome::NoNeed(format!("{name} is hardly asked for anything"));
    }
    let measured = picture.windows(&signal::REQUESTS, name).iter().filter(|value| value.is_finite()).count();
    if measured < LEAST_SECONDS {
        let left = LEAST_SECONDS - measured;
        return Outcome::CannotTell(format!("what repeats on {name} shows in {left} more seconds of load"));
    }
    let repeats = of(&signal::REPEATS).unwrap_or(0.0).min(rate);
    if repeats < LEAST_SAVED.max(LEAST_SHARE * rate) {
        let share = repeats / rate * 100.0;
        return Outcome::NoNeed(format!(
            "{share:.0} % of what is asked of {name} comes again within a minute"
        ));
    }
    let judged = picture.windows(&signal::STORABLE, name).iter().filter(|value| value.is_finite()).count();
    if judged < LEAST_JUDGED {
        return Outcome::CannotTell(format!(
            "whether what repeats on {name} may be stored shows with more load"
        ));
    }
    let (stated, silent) =
        (of(&signal::STORABLE).unwrap_or(0.0), of(&signal::STORABLE_WITH_LIFETIME).unwrap_or(0.0));
    let gives_lifetime = silent >= SILENT * (stated + silent);
    let storable = if gives_lifetime { stated + silent } else { stated };
    let saves = repeats * storable.min(1.0);
    if saves < LEAST_SAVED.max(LEAST_SHARE * rate) {
        return Outcome::NoNeed(format!(
            "{:.0} % of {name} comes again, but what answers it is not for all or not for a minute: it is private, sets \
             cookies, says no-store or a short lifetime",
            repeats / rate * 100.0
        ));
    }
    let cliff = moved(picture, cliffs, route);
    Outcome::Advise(Box::new(advise(picture, route, cliff, (rate, repeats, saves), gives_lifetime)))
}

/// The nearest cliff that fewer requests to the application move.
fn moved(picture: &Picture<'_>, cliffs: &Cliffs, route: &Route) -> Option<String> {
    let application = route.application.as_deref().unwrap_or_default();
    let moves = |cliff: &&Cliff| match cliff.kind {
        // What is never given back fills memory however few requests there are.
        Kind::Memory => cliff.resource == application && cliff.within.is_none(),
        Kind::Cpu | Kind::Concurrency if cliff.resource == application => true,
        Kind::Cpu => cliff.resource == "machine" && uses_machine(picture, application) != Some(false),
        // Whoever asks the application asks its database through it.
        Kind::ConnectionPool => true,
        _ => false,
    };
    let near = cliffs.cliffs.iter().filter(|cliff| cliff.level >= Level::Watch);
    near.filter(moves).map(|cliff| cliff.id.clone()).next()
}

fn advise(
    picture: &Picture<'_>,
    route: &Route,
    cliff: Option<String>,
    (rate, repeats, saves): (f64, f64, f64),
    gives_lifetime: bool,
) -> Advice {
    let name = &route.name;
    let application = route.application.clone().unwrap_or_default();
    let from = picture.minute(&signal::UPSTREAM_RATE, &application);
    let evidence: [Option<Evidence>; 3] = [
        evidence(picture, &signal::REPEATS, name, |repeats| {
            format!("{repeats:.1} requests a second are for what had been asked for in the minute before")
        }),
        evidence(picture, &signal::STORABLE, name, |share| {
            format!("of their answers {:.0} % state a lifetime of a minute or more", share * 100.0)
        }),
        evidence(picture, &signal::STORABLE_WITH_LIFETIME, name, |share| {
            format!("{:.0} % state none and may be given one", share * 100.0)
        }),
    ];
    Advice {
        id: format!("cache:{name}"),
        technique: "cache",
        title: format!("cache the answers of {name}"),
        why: format!("{:.0} % of what is asked of it comes again within a minute", repeats / rate * 100.0),
        cliff,
        gain: Gain {
            text: format!("{saves:.1} of its {rate:.1} requests a second do not reach the application"),
            from,
            to: from.map(|from| (from - saves).max(0.0)),
            unit: "requests per second".into(),
            measured: Measured::at_load(picture, &signal::UPSTREAM_RATE, &application),
        },
        price: if gives_lifetime { PRICE_OF_LIFETIME } else { PRICE },
        lines: Some(
            Lines::Cache { route: name.clone(), default_ttl_s: gives_lifetime.then_some(LIFETIME_S) }.to_string(),
        ),
        elsewhere: gives_lifetime.then(|| {
            "better still, the application states lifetimes itself: Cache-Control: max-age=60; then `cache = true` is enough"
                .into()
        }),
        evidence: evidence.into_iter().flatten().collect(),
        done: Done::Cached { route: name.clone() },
    }
}

/// Requests a second that do not reach the application.
fn saved(advice: &Advice) -> f64 {
    advice.gain.from.zip(advice.gain.to).map_or(0.0, |(from, to)| from - to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::{SECONDS, Scene};

    /// 100 requests a second, 60 of them for what was asked for a moment ago.
    fn scene(stated: f64, silent: f64) -> Scene {
        let mut scene = Scene::new();
        scene.route("shop", "app");
        scene.all(&signal::REQUESTS, "shop", 100.0);
        scene.all(&signal::REPEATS, "shop", 60.0);
        scene.all(&signal::STORABLE, "shop", stated);
        scene.all(&signal::STORABLE_WITH_LIFETIME, "shop", silent);
        scene.all(&signal::UPSTREAM_RATE, "app", 150.0);
        scene
    }

    #[test]
    fn what_repeats_and_states_a_lifetime_is_worth_caching() {
        let advice = scene(0.5, 0.0).advised(&Cache);
        let gain = &advice[0].gain;
        assert!(
            (gain.from.unwrap() - 150.0).abs() < 1e-3 && (gain.to.unwrap() - 120.0).abs() < 1e-3,
            "{gain:?}"
        );
        assert!(advice[0].lines.as_ref().unwrap().contains("cache = true"), "{:?}", advice[0].lines);
    }

    #[test]
    fn it_goes_with_the_nearest_cliff_that_it_moves() {
        let mut scene = scene(0.5, 0.0);
        assert_eq!(scene.advised(&Cache)[0].cliff, None);
        let within = crate::cliffs::Range { value: 85.0, low: 80.0, high: 90.0, confidence: 0.9 };
        scene.cliff(Kind::Memory, "app", Level::Near, None).within = Some(within);
        assert_eq!(scene.advised(&Cache)[0].cliff, None, "a leak");
        scene.cliff(Kind::Disk, "disk", Level::Near, None);
        scene.cliff(Kind::Concurrency, "app", Level::Near, Some(400.0));
        assert_eq!(scene.advised(&Cache)[0].cliff.as_deref(), Some("concurrency:app"));
    }

    #[test]
    fn what_states_none_gets_one_and_the_price_says_so() {
        let advice = scene(0.0, 0.9).advised(&Cache);
        assert!(advice[0].lines.as_ref().unwrap().contains("default_ttl = \"60s\""), "{:?}", advice[0].lines);
        assert!(advice[0].price.staleness.contains("60 s"));
        assert!((advice[0].gain.to.unwrap() - 96.0).abs() < 1e-3);
    }

    #[test]
    fn what_is_personal_is_left_alone() {
        assert!(scene(0.05, 0.05).no_need(&Cache).contains("not for all"));
    }

    #[test]
    fn what_does_not_repeat_needs_no_cache() {
        let mut scene = scene(1.0, 0.0);
        scene.all(&signal::REPEATS, "shop", 5.0);
        assert!(scene.no_need(&Cache).contains("5 % of what is asked"), "{}", scene.no_need(&Cache));
        scene.facts.routes[0].cached = true;
        assert_eq!(scene.no_need(&Cache), "every route caches");
    }

    #[test]
    fn a_route_that_is_not_told_apart_cannot_be_judged() {
        let mut scene = Scene::new();
        scene.route("/hot", "app");
        assert!(scene.no_need(&Cache).contains("hardly asked"));
        scene.all(&signal::REQUESTS, OTHERS, 60.0);
        assert!(scene.cannot_tell(&Cache).contains("/hot is not told apart"));
    }

    #[test]
    fn in_the_first_minutes_it_cannot_be_told() {
        let mut young = scene(1.0, 0.0);
        young.each(&signal::REQUESTS, "shop", (0..SECONDS).map(|at| if at < 250 { f64::NAN } else { 100.0 }));
        assert!(young.cannot_tell(&Cache).contains("70 more seconds"), "{}", young.cannot_tell(&Cache));
        let mut unseen = scene(1.0, 0.0);
        unseen.each(&signal::STORABLE, "shop", []);
        assert!(unseen.cannot_tell(&Cache).contains("may be stored"));
    }
}
