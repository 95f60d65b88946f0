use deepwater_core::random::Random;

use super::*;
use crate::config::Limits;
use crate::facts::Facts;
use crate::store::Store;

fn found(ticks: &[(f64, f64)]) -> Result<Workers, &'static str> {
    workers(ticks, 0.1)
}

/// A closed look at eight workers of 20 ms each: what they answer, and what an answer takes.
fn ticks(offered: impl IntoIterator<Item = f64>) -> Vec<(f64, f64)> {
    let most = 8.0 / 0.02;
    let tick = |offered: f64| {
        if offered < most { (offered, 0.02 / (1.0 - (offered / most).powi(8)).max(0.2)) } else { (most, 0.2) }
    };
    offered.into_iter().map(tick).collect()
}

#[test]
fn workers_show_when_all_are_busy() {
    let known = ticks((0..60).map(|tick| f64::from(tick) * 10.0));
    let found = super::workers(&known, 0.1).ok().unwrap();
    assert!((found.workers - 8.0).abs() < 1.0, "{}", found.workers);
    assert!(found.now && (found.rate - 400.0).abs() < 20.0, "{}", found.rate);
}

#[test]
fn the_scalability_law_has_a_second_opinion_once_it_bends() {
    // X(N) = 50·N/(1 + 0.03(N - 1) + 0.0005·N(N - 1)): 680 a second at most, with 44 at once.
    let tick = |n: u32| {
        let n = f64::from(n);
        let rate = 50.0 * n / (1.0 + 0.03 * (n - 1.0) + 0.000_5 * n * (n - 1.0));
        (rate, n / rate)
    };
    let bent: Vec<_> = (1..=60).map(tick).collect();
    let found = second_opinion("app", &bent).unwrap();
    assert!((found.value - 680.0).abs() < 5.0 && found.text.contains("44 at once"), "{found:?}");
    let low: Vec<_> = (1..=8).cycle().take(60).map(tick).collect();
    assert_eq!(second_opinion("app", &low), None);
}

#[test]
fn a_tick_that_was_read_late_hides_no_plateau() {
    let mut known = ticks((0..60).map(|tick| f64::from(tick) * 10.0));
    for tick in [20, 22, 24] {
        known[tick].0 = 1_277.0;
    }
    let found = super::workers(&known, 0.1).ok().unwrap();
    assert!((found.rate - 400.0).abs() < 20.0, "{}", found.rate);
}

#[test]
fn an_application_without_a_limit_that_gets_slower_has_no_plateau() {
    // 90 a second in 10 ms, then 120 in 30: it answers all that is asked.
    let mut random = Random::from_seed(11);
    let mut tick = |rate: f64, took: f64| {
        let normal: f64 = (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
        ((rate + normal * rate.sqrt()).round(), took * (0.9 + 0.2 * random.unit()))
    };
    let mut known: Vec<_> = (0..35).map(|_| tick(90.0, 0.01)).collect();
    for seconds in 0..120 {
        known.push(tick(120.0, 0.03));
        assert!(found(&known).is_err(), "after {seconds} s");
    }
}

#[test]
fn a_load_that_has_ended_leaves_nobody_busy_and_the_same_plateau() {
    let (mut store, facts, limits) = (Store::new(1 << 24), Facts::default(), Limits::default());
    let look = |store: &Store| {
        let picture = Picture { store, facts: &facts, limits: &limits, target: 0.1, seed: 7 };
        find(&picture, picture.load().as_ref(), "app").expect("it is measured")
    };
    let tick = |store: &mut Store, rate: f64, took: f64| {
        store.put(&signal::REQUESTS, "shop", rate);
        store.put(&signal::UPSTREAM_RATE, "app", rate);
        store.put(&signal::UPSTREAM_SECONDS, "app", took);
        store.put(&signal::UPSTREAM_BUSY, "app", if rate > 0.0 { rate * took } else { 0.0 });
        store.pass(1);
    };
    for second in 0..60 {
        let offered = f64::from(second) * 2.0;
        let took = if offered < 80.0 { 0.05 } else { 0.05 + (offered - 80.0) * 0.02 };
        tick(&mut store, offered.min(80.0), took);
    }
    let over = look(&store);
    assert!(over.pressing.is_some() && matches!(over.outlook, Outlook::AtLoad(_)), "{over:?}");
    for second in 0..70 {
        // A straggler, then silence.
        tick(&mut store, if second == 0 { 1.0 } else { 0.0 }, if second == 0 { 0.8 } else { f64::NAN });
        let found = look(&store);
        assert!(second < 5 || found.pressing.is_none(), "{second} s after: {found:?}");
        let Outlook::AtLoad(range) = found.outlook else { continue };
        assert!((range.value / 80.0 - 1.0).abs() < 0.1, "{second} s after: {range:?}");
    }
    assert!(matches!(look(&store).outlook, Outlook::CannotTell(_)));
    // What the edge answers by itself says nothing of the application.
    for _ in 0..70 {
        store.put(&signal::REQUESTS, "health", 1.0);
        tick(&mut store, 0.0, f64::NAN);
    }
    let Outlook::CannotTell(why) = look(&store).outlook else { panic!() };
    assert!(why.contains("reaches it"), "{why}");
}

#[test]
fn before_that_nothing_is_said() {
    assert!(found(&ticks((0..60).map(|tick| f64::from(tick) * 4.0))).is_err());
    assert!(found(&ticks((0..10).map(|_| 500.0))).is_err());
    assert!(found(&[]).is_err());
}

#[test]
fn an_application_that_is_slow_now_and_then_at_the_same_load_has_no_plateau() {
    // A build beside it, a collection of garbage: a third of the time it takes four times as long.
    let wavering = |rate: f64| -> Vec<_> {
        (0..120).map(|tick| (rate, if tick % 30 < 10 { 0.01 } else { 0.0025 })).collect()
    };
    assert!(found(&wavering(13.0)).is_err());
    assert!(found(&wavering(2_000.0)).is_err());
    // Nor has one of which hardly anything is asked, however slow.
    let few = ticks((0..60).map(|tick| f64::from(tick) * 10.0)).into_iter();
    assert!(found(&few.map(|(rate, took)| (rate / 20.0, took)).collect::<Vec<_>>()).is_err());
}

#[test]
fn an_application_that_got_slow_at_low_load_has_no_plateau() {
    // Slow at a tenth of what it could do before.
    let mut known = ticks((0..60).map(|tick| f64::from(tick) * 6.0));
    known.extend((0..20).map(|_| (30.0, 0.5)));
    assert!(found(&known).is_err());
}
