use proptest::prelude::*;

use super::*;
use crate::random::Random;
use crate::testing::{assert_near, seed};

/// Two classes with demands of 5 and 20 ms on four cores, a background of 0.2, some noise.
fn two_classes(n: usize, random: &mut Random) -> Vec<Window> {
    (0..n)
        .map(|_| {
            let throughput = vec![20.0 + 80.0 * random.unit(), 5.0 + 40.0 * random.unit()];
            let busy = 0.2 + 0.005 * throughput[0] + 0.02 * throughput[1] + 0.01 * random.normal();
            Window { throughput, busy }
        })
        .collect()
}

fn ask(windows: &[Window]) -> Outlook {
    forecast(windows, &[3.0, 1.0], 4.0, Law::Utilisation, &Settings::default())
}

fn reason(outlook: Outlook) -> Reason {
    match outlook {
        Outlook::CannotTell(reason) => reason,
        Outlook::Knee(knee) => panic!("{knee:?}"),
    }
}

#[test]
fn demands_of_classes_are_told_apart_and_the_mix_decides() {
    let windows = two_classes(120, &mut Random::from_seed(seed()));
    let demand = estimate(&windows, Law::Utilisation, &Settings::default()).unwrap();
    assert_near(demand.per_class[0], 0.005, 0.05);
    assert_near(demand.per_class[1], 0.02, 0.05);
    assert_near(demand.background, 0.2, 0.1);
    let knee = |mix: &[f64]| match forecast(&windows, mix, 4.0, Law::Utilisation, &Settings::default()) {
        Outlook::Knee(knee) => knee,
        Outlook::CannotTell(reason) => panic!("{reason:?}"),
    };
    // Three of the light for one heavy: 8.75 ms a request.
    let mixed = knee(&[3.0, 1.0]);
    assert_near(mixed.at, 3.8 / 0.008_75, 0.03);
    assert!(mixed.low < 3.8 / 0.008_75 && 3.8 / 0.008_75 < mixed.high && !mixed.convex);
    assert_near(knee(&[0.0, 1.0]).at, 190.0, 0.05);
    assert_near(knee(&[30.0, 10.0]).at, mixed.at, 1e-9);
}

#[test]
fn the_same_seed_gives_the_same_range_and_less_capacity_a_lower_knee() {
    let windows = two_classes(120, &mut Random::from_seed(seed()));
    assert_eq!(ask(&windows), ask(&windows));
    let at =
        |capacity| match forecast(&windows, &[3.0, 1.0], capacity, Law::Utilisation, &Settings::default()) {
            Outlook::Knee(knee) => (knee.at, (knee.high - knee.low) / knee.at),
            Outlook::CannotTell(reason) => panic!("{reason:?}"),
        };
    let (near, far) = (at(2.0), at(8.0));
    assert!(near.0 < far.0 && near.1 < far.1, "what is farther away is less certain: {near:?} {far:?}");
}

#[test]
fn classes_in_equal_shares_still_have_a_common_knee() {
    let mut random = Random::from_seed(seed());
    let windows: Vec<Window> = (0..100)
        .map(|_| {
            let load = 10.0 + 50.0 * random.unit();
            Window {
                throughput: vec![load, load, 2.0 * load],
                busy: 0.04 * load + 0.02 * random.normal().abs(),
            }
        })
        .collect();
    let Outlook::Knee(knee) =
        forecast(&windows, &[1.0, 1.0, 2.0], 8.0, Law::Utilisation, &Settings::default())
    else {
        panic!("no knee");
    };
    assert_near(knee.at, 800.0, 0.05);
}

#[test]
fn old_windows_count_less() {
    let mut random = Random::from_seed(seed());
    let windows: Vec<Window> = (0..400)
        .map(|n| {
            let load = 50.0 + 50.0 * random.unit();
            // A release half way: twice as dear from then on.
            let demand = if n < 200 { 0.01 } else { 0.02 };
            Window { throughput: vec![load], busy: demand * load }
        })
        .collect();
    let settings = Settings { half_life_windows: Some(30.0), ..Settings::default() };
    let demand = estimate(&windows, Law::Utilisation, &settings).unwrap();
    assert_near(demand.per_class[0], 0.02, 0.03);
}

#[test]
fn each_reason_for_silence() {
    let mut random = Random::from_seed(seed());
    let good = two_classes(100, &mut random);
    assert_eq!(reason(ask(&good[..20])), Reason::TooFewWindows { have: 20, need: 30 });
    assert_eq!(reason(ask(&[])), Reason::TooFewWindows { have: 0, need: 30 });
    let changed = |change: &dyn Fn(usize, &mut Window)| {
        let mut windows = good.clone();
        windows.iter_mut().enumerate().for_each(|(at, window)| change(at, window));
        reason(ask(&windows))
    };
    assert_eq!(changed(&|_, w| w.busy = f64::NAN), Reason::Invalid);
    assert_eq!(changed(&|at, w| w.throughput.truncate(2 - at % 2)), Reason::Invalid);
    assert!(matches!(changed(&|_, w| w.throughput = vec![50.0, 10.0]), Reason::LoadDidNotVary { .. }));
    assert!(matches!(changed(&|_, w| w.throughput = vec![0.0, 0.0]), Reason::LoadDidNotVary { .. }));
    assert!(matches!(changed(&|_, w| w.busy /= 100.0), Reason::LoadTooLow { .. }));
    assert!(matches!(changed(&|at, w| w.busy = (at % 2) as f64), Reason::ExplainsTooLittle { .. }));
    assert!(matches!(changed(&|_, w| w.busy += 10.0), Reason::BackgroundFills { .. }));
    let asked = |mix: &[f64], capacity| {
        reason(forecast(&good, mix, capacity, Law::Utilisation, &Settings::default()))
    };
    assert_eq!(asked(&[0.0, 0.0], 4.0), Reason::Invalid);
    assert_eq!(asked(&[1.0], 4.0), Reason::Invalid);
    assert_eq!(asked(&[1.0, 1.0], 0.0), Reason::Invalid);
    // A class that takes nothing: no number of them fills the resource.
    let idle: Vec<Window> = good
        .iter()
        .map(|w| Window { throughput: w.throughput.clone(), busy: 0.02 * w.throughput[1] })
        .collect();
    let outlook = forecast(&idle, &[1.0, 0.0], 4.0, Law::Utilisation, &Settings::default());
    assert!(matches!(reason(outlook), Reason::DemandIndistinct | Reason::LoadTooLow { .. }));
}

#[test]
fn what_a_saturation_elsewhere_bends_is_seen() {
    // Connections held for 10 ms, of which 5 at one core that is full at 200/s.
    let held = |load: f64| load * (0.005 + 0.005 / (1.0 - load / 200.0));
    let windows: Vec<Window> = (0..100)
        .map(|n| 20.0 + f64::from(n))
        .map(|load| Window { throughput: vec![load], busy: held(load) })
        .collect();
    let truth = crate::numbers::root_of_rising(0.0, 200.0, |load| held(load) - 4.0);
    for saturates_at in [None, Some(200.0)] {
        let law = Law::Holding { saturates_at };
        let Outlook::Knee(knee) = forecast(&windows, &[1.0], 4.0, law, &Settings::default()) else {
            panic!("no knee with {law:?}");
        };
        assert_near(knee.at, truth, 0.05);
        assert!(knee.convex);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_windows_give_an_answer(
        wild in prop::collection::vec(prop::collection::vec(crate::arbitrary::number(), 3), 0..40),
        tame in prop::collection::vec(prop::collection::vec(0.0..100.0_f64, 3), 30..60),
        mix in prop::collection::vec(crate::arbitrary::number(), 2),
        capacity in crate::arbitrary::number(),
        hint in crate::arbitrary::number(),
        window_s in crate::arbitrary::number(),
    ) {
        let loose = Settings {
            least_r_squared: -1e9, least_utilisation: 0.0, least_windows: 0, least_variation: 0.0, draws: 10,
            ..Settings::default()
        };
        let odd = Settings { window_s, half_life_windows: Some(hint), confidence: 0.99, ..loose };
        for rows in [wild, tame] {
            let windows: Vec<Window> = rows
                .iter()
                .map(|row| Window { throughput: vec![row[0].abs(), row[1].abs()], busy: row[2].abs() })
                .collect();
            let told = Law::Holding { saturates_at: Some(hint) };
            for law in [Law::Utilisation, Law::Level, Law::Holding { saturates_at: None }, told] {
                for settings in [loose, odd] {
                    match forecast(&windows, &mix, capacity.abs(), law, &settings) {
                        Outlook::Knee(knee) => {
                            let sound = knee.low.is_finite() && knee.high.is_finite() && knee.low > 0.0;
                            prop_assert!(sound && knee.low <= knee.at && knee.at <= knee.high, "{:?}", knee);
                        }
                        Outlook::CannotTell(reason) => prop_assert!(!reason.to_string().is_empty()),
                    }
                }
            }
        }
    }
}
