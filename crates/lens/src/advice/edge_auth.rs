//! Authentication at the edge: who may not come need not reach the application. How much the application spends on tokens
//! that are good is not seen from here; how many it turns away is.

use super::{Advice, Done, Gain, Lines, Measured, Price, Rule, Verdict, evidence};
use crate::cliffs::Cliffs;
use crate::facts::Route;
use crate::picture::Picture;
use crate::signal;

pub(super) struct EdgeAuth;

/// Requests turned away as a share of the route's, and in a second, from which it is worth it.
const SHARE: f64 = 0.1;
const LEAST_RATE: f64 = 1.0;

const PRICE: Price = Price {
    complexity: "the edge must be able to verify what clients show: signed tokens (JWT), or names and passwords; not session \
                 cookies that only the application knows",
    staleness: "a token that was withdrawn is honoured until it expires",
    money: "none",
    operations: "keys and audience to keep in step with the issuer",
};

impl Rule for EdgeAuth {
    fn technique(&self) -> &'static str {
        "edge_authentication"
    }

    fn look(&self, picture: &Picture<'_>, _: &Cliffs) -> Verdict {
        let found: Vec<Advice> = picture
            .facts
            .routes
            .iter()
            .filter(|route| !route.authenticated && route.application.is_some())
            .filter_map(|route| advise(picture, route))
            .collect();
        Verdict::of(found, &[], || {
            "the application turns few away; what it spends on verifying the others is not seen from here, its own profile \
             tells: edge authentication is worth it from some ten percent"
                .into()
        })
    }
}

fn advise(picture: &Picture<'_>, route: &Route) -> Option<Advice> {
    let name = &route.name;
    let application = route.application.clone().unwrap_or_default();
    let rate = picture.minute(&signal::REQUESTS, name)?;
    let denied = picture.minute(&signal::DENIED, name)?;
    if denied < LEAST_RATE.max(SHARE * rate) {
        return None;
    }
    let share = denied / rate * 100.0;
    let from = picture.minute(&signal::UPSTREAM_RATE, &application);
    let known = picture.facts.auths.first().cloned();
    let evidence = [
        evidence(picture, &signal::DENIED, name, |denied| {
            format!("{denied:.1} requests a second are answered with 401 or 403")
        }),
        evidence(picture, &signal::REQUESTS, name, |rate| format!("of {rate:.1}")),
    ];
    Some(Advice {
        id: format!("edge_authentication:{name}"),
        technique: "edge_authentication",
        title: format!("ask for the proof of identity at the edge on {name}"),
        why: format!("the application turns away {share:.0} % of what is asked of it"),
        cliff: None,
        gain: Gain {
            text: format!(
                "up to {denied:.1} requests a second do not reach the application: those whose token is missing, wrong or \
                 expired"
            ),
            from,
            to: from.map(|from| (from - denied).max(0.0)),
            unit: "requests per second".into(),
            measured: Measured::at_load(picture, &signal::UPSTREAM_RATE, &application),
        },
        price: PRICE,
        lines: Some(Lines::Authenticate { route: name.clone(), known }.to_string()),
        elsewhere: Some(
            "docs/authentication.md has key files, shared secrets and passwords in place of a key set, and how claims reach the \
             application as header fields"
                .into(),
        ),
        evidence: evidence.into_iter().flatten().collect(),
        done: Done::Authenticated { route: name.clone() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;

    fn scene(denied: f64) -> Scene {
        let mut scene = Scene::new();
        scene.route("api", "app");
        scene.all(&signal::REQUESTS, "api", 100.0);
        scene.all(&signal::DENIED, "api", denied);
        scene.all(&signal::UPSTREAM_RATE, "app", 120.0);
        scene
    }

    #[test]
    fn an_application_that_turns_many_away_is_spared_them() {
        let mut scene = scene(30.0);
        let advice = scene.advised(&EdgeAuth);
        assert_eq!((advice[0].gain.from, advice[0].gain.to), (Some(120.0), Some(90.0)));
        assert!(advice[0].lines.as_ref().unwrap().contains("[auth.users]"));
        scene.facts.auths = vec!["staff".into()];
        let lines = scene.advised(&EdgeAuth)[0].lines.clone().unwrap();
        assert!(lines.contains("auth = \"staff\"") && !lines.contains("[auth."), "{lines}");
    }

    #[test]
    fn one_that_turns_few_away_or_asks_already_is_not() {
        assert!(scene(2.0).no_need(&EdgeAuth).contains("not seen from here"));
        let mut asks = scene(30.0);
        asks.facts.routes[0].authenticated = true;
        assert!(asks.no_need(&EdgeAuth).contains("few"));
    }
}
