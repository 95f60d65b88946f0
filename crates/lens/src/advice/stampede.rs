//! Stampede protection: when a page that many want expires, one request fetches it and the others wait for that. It is on
//! wherever a route caches, so there is advice only where somebody switched it off.

use super::{Advice, Done, Gain, Lines, Measured, Price, Rule, Verdict, evidence};
use crate::cliffs::Cliffs;
use crate::facts::Route;
use crate::picture::Picture;
use crate::signal;

pub(super) struct Stampede;

/// Fetches under way at once on average, from which some are likely to be for the same thing.
const MANY: f64 = 2.0;

const PRICE: Price = Price {
    complexity: "none",
    staleness: "none",
    money: "none",
    operations: "those who wait, wait for the slowest fetch; what turns out not to be storable makes them wait in vain once",
};

impl Rule for Stampede {
    fn technique(&self) -> &'static str {
        "stampede_protection"
    }

    fn look(&self, picture: &Picture<'_>, _: &Cliffs) -> Verdict {
        let cached: Vec<&Route> = picture.facts.routes.iter().filter(|route| route.cached).collect();
        let open: Vec<&&Route> = cached.iter().filter(|route| !route.coalesces).collect();
        if open.is_empty() {
            let why = if cached.is_empty() {
                "no route caches, so nothing expires"
            } else {
                "on every route that caches, requests for the same thing share one fetch"
            };
            return Verdict::NoNeed(why.into());
        }
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for route in open {
            let application = route.application.as_deref().unwrap_or_default();
            let fetches = picture.minute(&signal::CACHE_FETCHES, &route.name);
            match fetches.zip(picture.minute(&signal::UPSTREAM_SECONDS, application)) {
                Some((rate, seconds)) if rate * seconds >= MANY => {
                    found.push(advise(picture, route, rate, rate * seconds));
                }
                Some(_) => {}
                None => missing.push(format!("what {} fetches is not known yet", route.name)),
            }
        }
        Verdict::of(found, &missing, || "fetches are hardly ever under way together".into())
    }
}

fn advise(picture: &Picture<'_>, route: &Route, rate: f64, under_way: f64) -> Advice {
    let name = &route.name;
    Advice {
        id: format!("stampede_protection:{name}"),
        technique: "stampede_protection",
        title: format!("let requests to {name} share fetches"),
        why: format!("{under_way:.1} fetches are under way at once on average, and nothing keeps them from being the same"),
        cliff: None,
        gain: Gain {
            text: "one fetch for all who ask for the same thing at once; how many do is not counted, so there is no figure"
                .into(),
            from: Some(rate),
            to: None,
            unit: "requests per second".into(),
            measured: Measured::at_load(picture, &signal::CACHE_FETCHES, name),
        },
        price: PRICE,
        lines: Some(Lines::Coalesce { route: name.clone() }.to_string()),
        elsewhere: None,
        evidence: evidence(picture, &signal::CACHE_FETCHES, name, |rate| format!("{rate:.1} fetches a second"))
            .into_iter()
            .collect(),
        done: Done::Coalesces { route: name.clone() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;

    fn scene(coalesces: bool) -> Scene {
        let mut scene = Scene::new();
        let route = scene.route("shop", "app");
        (route.cached, route.coalesces) = (true, coalesces);
        scene
    }

    #[test]
    fn it_is_on_unless_somebody_switched_it_off() {
        assert!(scene(true).no_need(&Stampede).contains("share one fetch"));
        assert!(Scene::new().no_need(&Stampede).contains("no route caches"));
    }

    #[test]
    fn switched_off_under_load_it_is_advised_without_a_figure() {
        let mut scene = scene(false);
        assert!(scene.cannot_tell(&Stampede).contains("not known"));
        scene.all(&signal::CACHE_FETCHES, "shop", 40.0);
        scene.all(&signal::UPSTREAM_SECONDS, "app", 0.2);
        let advice = scene.advised(&Stampede);
        assert_eq!(advice[0].gain.to, None);
        assert!(advice[0].why.contains("8.0 fetches"), "{}", advice[0].why);
        scene.all(&signal::UPSTREAM_SECONDS, "app", 0.001);
        assert!(scene.no_need(&Stampede).contains("hardly ever"));
    }
}
