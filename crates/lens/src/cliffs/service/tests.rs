use super::*;
use crate::config::Limits;
use crate::facts::{Application, Facts, Route};
use crate::signal::{self, Signal};
use crate::store::Store;

/// A hundred good seconds, and as many as are told that are not.
struct Scene(Store);

const GOOD: [(&Signal, &str, f64); 6] = [
    (&signal::REQUESTS, "", 77.0),
    (&signal::ERRORS, "", 0.0),
    (&signal::LATENCY_P95, "", 0.02),
    (&signal::UPSTREAM_RATE, "app", 77.0),
    (&signal::UPSTREAM_SECONDS, "app", 0.01),
    (&signal::UPSTREAM_ACTIVE, "app", 1.0),
];

impl Scene {
    fn new() -> Self {
        let mut scene = Self(Store::new(1 << 20));
        scene.pass(100, &[]);
        scene
    }

    /// Seconds in which all is well but what is told.
    fn pass(&mut self, seconds: usize, bad: &[(&'static Signal, &str, f64)]) {
        for _ in 0..seconds {
            for (signal, label, value) in GOOD.iter().chain(bad) {
                self.0.put(signal, label, *value);
            }
            self.0.pass(1);
        }
    }

    fn said(&self) -> String {
        self.found(&Facts::default()).map(|trouble| trouble.text).unwrap_or_default()
    }

    fn found(&self, facts: &Facts) -> Option<Trouble> {
        let limits = Limits::default();
        let picture = Picture { store: &self.0, facts, limits: &limits, target: 0.1, seed: 7 };
        trouble(&picture)
    }
}

/// What is said after ten bad seconds.
fn said(bad: &[(&'static Signal, &str, f64)]) -> String {
    let mut scene = Scene::new();
    scene.pass(10, bad);
    scene.said()
}

#[test]
fn answers_in_time_are_no_trouble() {
    assert_eq!(said(&[(&signal::LATENCY_P95, "", 0.03)]), "");
    assert_eq!(said(&[(&signal::ERRORS, "", 0.77)]), "");
}

#[test]
fn late_answers_tell_where_the_time_goes() {
    let late = said(&[(&signal::LATENCY_P95, "", 0.7)]);
    assert_eq!(late, "95 % of answers take 700 ms, and the target is 100 ms (lens.target)");
    let grown = said(&[(&signal::LATENCY_P95, "", 0.09)]);
    assert_eq!(grown, "95 % of answers take 90 ms, and did take 20 ms a while ago");
    let application = said(&[
        (&signal::LATENCY_P95, "", 17.07),
        (&signal::UPSTREAM_SECONDS, "app", 4.72),
        (&signal::UPSTREAM_BUSY, "app", 302.0),
    ]);
    assert_eq!(
        application,
        "95 % of answers take 17 s, and the target is 100 ms (lens.target): `app` answers after 4.7 s on average, 302 \
         requests are with it"
    );
}

/// An error is soon said: that takes no measure of what comes after it.
#[test]
fn what_errors_took_is_nothing_that_answers_took_a_while_ago() {
    let mut scene = Scene::new();
    let refused = [(&signal::LATENCY_P95, "", 0.001), (&signal::ERRORS, "", 77.0)];
    scene.pass(60, &refused);
    scene.pass(20, &[(&signal::LATENCY_P95, "", 0.055)]);
    assert_eq!(scene.said(), "");
    scene.pass(20, &[(&signal::LATENCY_P95, "", 0.07)]);
    assert_eq!(scene.said(), "95 % of answers take 70 ms, and did take 20 ms a while ago");
}

#[test]
fn errors_tell_who_says_so() {
    let unreachable = [(&signal::ERRORS, "", 77.0), (&signal::FAILURES, "connection_refused", 77.0)];
    assert_eq!(
        said(&unreachable),
        "100 % of answers are errors (5xx): there is no connection to the application: it does not run, or not at that address"
    );
    let other = [(&signal::ERRORS, "", 77.0), (&signal::FAILURES, "tls_certificate_error", 70.0)];
    assert_eq!(said(&other), "100 % of answers are errors (5xx): tls certificate error");
    let own = said(&[(&signal::ERRORS, "", 38.5)]);
    assert_eq!(own, "50 % of answers are errors (5xx): the application itself answers so");
    // Answers of the edge alone, as `respond` has it.
    let fixed = said(&[(&signal::ERRORS, "", 38.5), (&signal::UPSTREAM_RATE, "app", 1.0)]);
    assert_eq!(fixed, "50 % of answers are errors (5xx)");
    let route = said(&[
        (&signal::ERRORS, "", 38.5),
        (&signal::REQUESTS, "/api/*", 40.0),
        (&signal::REQUESTS, "/*", 37.0),
        (&signal::ERRORS, "/api/*", 38.0),
        (&signal::ERRORS, "/*", 0.5),
    ]);
    assert_eq!(
        route,
        "50 % of answers are errors (5xx), nearly all on `/api/*`: the application itself answers so"
    );
}

/// For who is told of nothing else: the name stands beside the words.
#[test]
fn the_application_that_it_comes_from_is_named() {
    let application = |name: &str| Application { name: name.into(), ..Application::default() };
    let route = |name: &str, to: Option<&str>| Route {
        name: name.into(),
        application: to.map(str::to_owned),
        ..Route::default()
    };
    let facts = Facts {
        routes: vec![route("/api/*", Some("api")), route("/*", Some("app")), route("/old", None)],
        applications: vec![application("app"), application("api")],
        ..Facts::default()
    };
    let found = |bad: &[(&'static Signal, &str, f64)]| {
        let mut scene = Scene::new();
        scene.pass(10, bad);
        let found = scene.found(&facts).unwrap();
        (found.application, found.broken)
    };
    let errors = |route| found(&[(&signal::ERRORS, "", 40.0), (&signal::ERRORS, route, 40.0)]);
    assert_eq!(errors("/api/*"), (Some("api".into()), true));
    assert_eq!(errors("/*"), (Some("app".into()), true));
    assert_eq!(errors("/old"), (None, true), "the edge itself says so");
    let both =
        [(&signal::ERRORS, "", 40.0), (&signal::ERRORS, "/*", 20.0), (&signal::ERRORS, "/api/*", 20.0)];
    assert_eq!(found(&both), (None, true));
    let slow = [(&signal::LATENCY_P95, "", 0.7), (&signal::UPSTREAM_SECONDS, "app", 0.5)];
    assert_eq!(found(&slow), (Some("app".into()), false));
    let hangs = [(&signal::UPSTREAM_RATE, "app", 0.0), (&signal::UPSTREAM_ACTIVE, "app", 300.0)];
    assert_eq!(found(&hangs), (Some("app".into()), true));
}

/// Nothing is answered, so that nothing is late and nothing an error.
#[test]
fn an_application_that_hangs_is_named_within_seconds() {
    let mut scene = Scene::new();
    let hangs = [
        (&signal::REQUESTS, "", 0.0),
        (&signal::LATENCY_P95, "", f64::NAN),
        (&signal::UPSTREAM_RATE, "app", 0.0),
        (&signal::UPSTREAM_ACTIVE, "app", 300.0),
    ];
    scene.pass(4, &hangs);
    assert_eq!(scene.said(), "");
    scene.pass(1, &hangs);
    let hung = "`app` answers 0.0 requests a second, and did answer 77: 299 wait for it, it seems to hang";
    assert_eq!(scene.said(), hung);
    scene.pass(10, &[]);
    assert_eq!(scene.said(), "");
}

/// Nobody asks, and what is open stays open.
#[test]
fn silence_of_clients_is_none_of_the_application() {
    assert_eq!(said(&[(&signal::REQUESTS, "", 0.0), (&signal::UPSTREAM_RATE, "app", 0.0)]), "");
    let mut streams = Scene(Store::new(1 << 20));
    streams.pass(100, &[(&signal::UPSTREAM_ACTIVE, "app", 300.0)]);
    streams.pass(10, &[(&signal::UPSTREAM_ACTIVE, "app", 301.0), (&signal::UPSTREAM_RATE, "app", 0.0)]);
    assert_eq!(streams.said(), "");
}
