use std::time::Duration;

use super::*;
use crate::advice::testing::{Scene, cliff};
use crate::advice::{Done, Gain, Measured, Price};
use crate::cliffs::{Kind, Level};
use crate::config::Limits;
use crate::facts::Application;
use crate::signal;
use crate::store::Store;

fn advice() -> Advice {
    let price = Price { complexity: "none", staleness: "none", money: "none", operations: "none" };
    Advice {
        id: "concurrency_limit:app".into(),
        technique: "concurrency_limit",
        title: "a limit for `app`".into(),
        why: "it is near its end".into(),
        cliff: None,
        gain: Gain {
            text: "it answers in time".into(),
            from: Some(2.0),
            to: Some(0.1),
            unit: "seconds".into(),
            measured: Measured::Signal(&signal::LATENCY_P95, String::new()),
        },
        price,
        lines: None,
        elsewhere: None,
        evidence: Vec::new(),
        done: Done::Limited { application: "app".into() },
    }
}

struct Desk {
    ledger: Ledger,
    store: Store,
    facts: Facts,
    cliffs: Cliffs,
    seconds: u64,
    news: bool,
}

impl Desk {
    fn new() -> Self {
        let facts = Facts {
            applications: vec![Application { name: "app".into(), ..Application::default() }],
            ..Facts::default()
        };
        Self {
            ledger: Ledger::default(),
            store: Store::new(1 << 24),
            facts,
            cliffs: Cliffs::default(),
            seconds: 0,
            news: false,
        }
    }

    fn note(&mut self, advice: Vec<Advice>) -> Page {
        let picture = Picture {
            store: &self.store,
            facts: &self.facts,
            limits: &Limits::default(),
            target: 0.1,
            seed: 7,
        };
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(self.seconds);
        let (page, news) = self.ledger.note(advice, Vec::new(), (&picture, &self.cliffs), wall);
        self.news = news;
        page
    }
}

#[test]
fn what_is_dismissed_goes_last_with_its_reason_and_can_come_back() {
    let mut desk = Desk::new();
    let other = Advice { id: "other".into(), ..advice() };
    desk.note(vec![advice(), other.clone()]);
    let wall = SystemTime::UNIX_EPOCH;
    assert!(desk.ledger.dismiss("no such", Some("why".into()), wall).unwrap_err().contains("no such"));
    desk.ledger.dismiss("concurrency_limit:app", Some("we shed at the CDN".into()), wall).unwrap();
    let page = desk.note(vec![advice(), other.clone()]);
    assert_eq!(page.advice[0].advice.id, "other");
    assert_eq!(page.advice[1].dismissed.as_ref().unwrap().reason, "we shed at the CDN");
    desk.ledger.dismiss("concurrency_limit:app", None, wall).unwrap();
    assert!(desk.note(vec![advice(), other]).advice[0].dismissed.is_none());
}

#[test]
fn followed_advice_is_measured_against_what_was_predicted() {
    let mut desk = Desk::new();
    desk.note(vec![advice()]);
    desk.facts.applications[0].limited = true;
    desk.seconds = 10;
    let page = desk.note(Vec::new());
    assert_eq!(
        (page.applied[0].before, page.applied[0].predicted, page.applied[0].measured),
        (Some(2.0), Some(0.1), None)
    );
    assert_eq!(page.applied[0].at, "1970-01-01T00:00:10Z");

    desk.seconds = 110;
    desk.store.put(&signal::LATENCY_P95, "", 0.125);
    desk.store.pass(1);
    let page = desk.note(Vec::new());
    assert_eq!(page.applied[0].measured, Some(0.125));
    assert!(
        page.applied[0].text.contains("2.000 before, 0.100 predicted, 0.125 measured"),
        "{}",
        page.applied[0].text
    );
    assert_eq!(page.advice.len(), 0);
}

#[test]
fn what_grows_with_the_load_is_compared_at_the_same_load() {
    let mut desk = Desk::new();
    let mut given = advice();
    given.gain.measured = Measured::AtLoad(&signal::UPSTREAM_RATE, "app".into(), Some(100.0));
    desk.note(vec![given]);
    desk.facts.applications[0].limited = true;
    desk.note(Vec::new());
    desk.seconds = 100;
    // Twice the load, and as many requests reach the application as before: half as many for each.
    desk.store.put(&signal::REQUESTS, "", 200.0);
    desk.store.put(&signal::UPSTREAM_RATE, "app", 90.0);
    desk.store.pass(1);
    let page = desk.note(Vec::new());
    assert_eq!(page.applied[0].measured, Some(45.0));
    assert!(page.applied[0].text.ends_with("at the load of then)"), "{}", page.applied[0].text);
}

#[test]
fn sums_are_measured_as_sums() {
    let mut desk = Desk::new();
    let mut given = advice();
    let pools = vec!["shop/app".to_owned(), "shop/reports".to_owned(), "gone/app".to_owned()];
    given.gain.measured = Measured::Sum(&signal::POOL_SIZE, pools, 2.0);
    desk.note(vec![given]);
    desk.facts.applications[0].limited = true;
    desk.note(Vec::new());
    desk.seconds = 100;
    desk.store.put(&signal::POOL_SIZE, "shop/app", 20.0);
    desk.store.put(&signal::POOL_SIZE, "shop/reports", 5.0);
    desk.store.pass(1);
    assert_eq!(desk.note(Vec::new()).applied[0].measured, Some(50.0));
}

#[test]
fn nothing_is_an_answer() {
    assert_eq!(Desk::new().note(Vec::new()).summary, "no load is measured, so there is nothing to advise");
}

#[test]
fn the_page_shows_a_decision_at_once() {
    let mut desk = Desk::new();
    let other = Advice { id: "other".into(), title: "something else".into(), ..advice() };
    let mut page = desk.note(vec![advice(), other]);
    assert!(page.summary.starts_with("a limit for `app`"), "{}", page.summary);
    let dismissed = Dismissed { reason: "no".into(), at: String::new() };
    page.decide("concurrency_limit:app", Some(&dismissed));
    assert!(page.summary.starts_with("something else"), "{}", page.summary);
    assert_eq!(page.advice[0].advice.id, "other");
    page.decide("other", Some(&dismissed));
    assert_eq!(page.summary, "nothing to do next but what was dismissed");
    page.decide("concurrency_limit:app", None);
    assert!(page.summary.starts_with("a limit for `app`"), "{}", page.summary);
}

#[test]
fn a_forecast_is_compared_once_it_knows_nothing_of_before() {
    let mut desk = Desk::new();
    let mut given = advice();
    given.gain.measured = Measured::Knee("cpu:app".into());
    desk.note(vec![given]);
    desk.facts.applications[0].limited = true;
    desk.note(Vec::new());
    desk.cliffs = Scene::new().cliffs;
    desk.cliffs.cliffs.push(cliff(Kind::Cpu, "app", Level::Clear, Some(640.0)));
    desk.seconds = 599;
    assert_eq!(desk.note(Vec::new()).applied[0].measured, None);
    desk.seconds = 600;
    assert_eq!(desk.note(Vec::new()).applied[0].measured, Some(640.0));
}

#[test]
fn what_is_remembered_outlives_a_restart_and_goes_on() {
    let mut desk = Desk::new();
    desk.note(vec![advice(), Advice { id: "other".into(), done: Done::NotSeen, ..advice() }]);
    assert!(!desk.news);
    desk.ledger.dismiss("other", Some("why not".into()), SystemTime::UNIX_EPOCH).unwrap();
    desk.facts.applications[0].limited = true;
    desk.seconds = 10;
    desk.note(Vec::new());
    assert!(desk.news, "it was followed");

    let kept = serde_json::to_vec(desk.ledger.memory()).unwrap();
    desk.ledger = Ledger::with(serde_json::from_slice(&kept).unwrap());
    desk.seconds = 99;
    let page = desk.note(Vec::new());
    assert_eq!((page.applied.len(), page.applied[0].measured, desk.news), (1, None, false));
    assert_eq!(desk.ledger.memory().dismissed["other"].reason, "why not");
    desk.seconds = 100;
    desk.store.put(&signal::LATENCY_P95, "", 0.125);
    desk.store.pass(1);
    assert_eq!(desk.note(Vec::new()).applied[0].measured, Some(0.125));
    assert!(desk.news, "it was measured");
}

#[test]
fn nothing_is_an_answer_but_not_beside_trouble() {
    let mut desk = Desk::new();
    desk.cliffs = Scene::new().cliffs;
    assert_eq!(desk.note(Vec::new()).summary, "you need nothing now: no cliff is in sight");
    let mut over = cliff(Kind::Network, "link", Level::Over, None);
    over.text = "the link is full".into();
    desk.cliffs.cliffs.push(over);
    assert_eq!(desk.note(Vec::new()).summary, "nothing to advise, though the link is full");
}
