//! What holds for all rules.

use super::*;
use crate::advice::testing::Scene;

/// The rule book that users read.
const BOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/advice.md");

#[test]
fn every_technique_has_a_name_of_its_own_and_a_place_in_the_book() {
    let mut names: Vec<&str> = RULES.iter().map(|rule| rule.technique()).collect();
    let book = std::fs::read_to_string(BOOK).unwrap_or_default();
    for name in &names {
        assert!(book.contains(&format!("(`{name}`)")), "docs/advice.md does not tell of {name}");
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), RULES.len());
}

#[test]
fn where_nothing_was_measured_nothing_is_advised() {
    let mut scene = Scene::new();
    scene.application("app");
    scene.route("shop", "app");
    scene.database("shop");
    for rule in RULES {
        let verdict = scene.verdict(rule);
        assert!(!matches!(verdict, Verdict::Advise(_)), "{}: {verdict:?}", rule.technique());
    }
}

#[test]
fn a_service_at_its_ease_needs_nothing() {
    let mut scene = Scene::new();
    scene.application("app");
    let route = scene.route("shop", "app");
    (route.cached, route.coalesces) = (true, true);
    scene.database("shop").cores = Some(8);
    use crate::signal::*;
    let told: [(&'static Signal, &str, f64); 16] = [
        (&REQUESTS, "", 50.0),
        (&REQUESTS, "shop", 50.0),
        (&LATENCY, "shop", 0.01),
        (&LATENCY_P95, "shop", 0.03),
        (&UPSTREAM_RATE, "app", 20.0),
        (&UPSTREAM_SECONDS, "app", 0.02),
        (&CACHE_HITS, "shop", 0.6),
        (&CPU_CORES, "", 8.0),
        (&CPU_BUSY, "", 1.0),
        (&POOL_SIZE, "shop/app", 20.0),
        (&POOL_BUSY, "shop/app", 1.0),
        (&DB_CONNECTIONS, "shop", 12.0),
        (&DB_CONNECTION_LIMIT, "shop", 97.0),
        (&DB_CPU_WAIT, "shop", 0.3),
        (&QUERIES, "shop/app", 100.0),
        (&TABLE_BYTES, "shop/public.orders", 1e9),
    ];
    told.into_iter().for_each(|(signal, label, value)| scene.all(signal, label, value));
    for rule in RULES {
        match scene.verdict(rule) {
            Verdict::NoNeed(why) => assert!(why.len() > 10, "{}: {why}", rule.technique()),
            // Of the day nothing is known after five minutes, nor is of the disk and the way to the users here.
            Verdict::CannotTell(why) => {
                let unknown = ["autoscaling", "disk_space", "edge_computing"];
                assert!(unknown.contains(&rule.technique()), "{why}");
            }
            Verdict::Advise(advice) => panic!("{advice:?}"),
        }
    }
}

#[test]
fn while_answers_are_errors_only_what_is_for_a_cliff_is_advised() {
    use crate::signal::*;
    let mut scene = Scene::new();
    scene.application("app");
    scene.route("shop", "app");
    for (signal, label, value) in [
        (&REQUESTS, "", 50.0),
        (&REQUESTS, "shop", 50.0),
        (&REPEATS, "shop", 49.0),
        (&STORABLE, "shop", 1.0),
        (&STORABLE_WITH_LIFETIME, "shop", 0.0),
        (&ERRORS, "", 0.0),
        (&UPSTREAM_SECONDS, "app", 0.05),
    ] {
        scene.all(signal, label, value);
    }
    let techniques = |scene: &Scene| {
        scene
            .look(|picture, cliffs| look(picture, cliffs).0)
            .iter()
            .map(|advice| advice.technique)
            .collect::<Vec<_>>()
    };
    assert_eq!(techniques(&scene), ["cache"]);
    scene.all(&ERRORS, "", 50.0);
    scene.all(&FAILURES, "connection_refused", 50.0);
    assert_eq!(techniques(&scene), [""; 0]);
    let (_, considered) = scene.look(look);
    let why = &considered.iter().find(|one| one.technique == "cache").expect("the cache").why;
    assert!(
        why.contains("first things first: 100 % of answers are errors (5xx): there is no connection"),
        "{why}"
    );
    let nothing = scene.look(|picture, cliffs| ease::trouble(picture, cliffs, &[])).expect("trouble");
    assert!(nothing.starts_with("nothing to advise before this is mended: 100 % of answers"), "{nothing}");
    scene.cliff(Kind::Concurrency, "app", Level::Over, Some(40.0));
    assert_eq!(techniques(&scene), ["cache", "concurrency_limit"], "what is for a cliff");
}
