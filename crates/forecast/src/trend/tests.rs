use proptest::prelude::*;

use super::*;
use crate::random::Random;
use crate::testing::{assert_near, seed};

const GB: f64 = 1e9;

/// Samples every ten seconds with noise of 5 MB.
fn samples(hours: f64, random: &mut Random, bytes: impl Fn(f64) -> f64) -> Vec<Sample> {
    let at = |n: usize| 1e6 + n as f64 * 10.0;
    let n = (hours * 360.0) as usize;
    (0..n).map(|n| Sample { at_s: at(n), bytes: bytes(n as f64 / 360.0) + 5e6 * random.normal() }).collect()
}

fn look(samples: &[Sample]) -> Outlook {
    leak(samples, 2.0 * GB, &Settings::default())
}

#[test]
fn a_leak_is_dated() {
    let mut random = Random::from_seed(seed());
    let samples = samples(3.0, &mut random, |hours| 0.5 * GB + 0.2 * GB * hours);
    let Outlook::Fills(filling) = look(&samples) else { panic!("{:?}", look(&samples)) };
    assert_near(filling.growth_per_hour, 0.2 * GB, 0.02);
    // 1.1 GB now, 0.9 GB to go.
    assert_near(filling.in_s, 4.5 * 3_600.0, 0.03);
    assert!(filling.earliest_s <= filling.in_s && filling.in_s <= filling.latest_s);
    assert!(filling.latest_s < 1.1 * filling.earliest_s, "{filling:?}");
}

#[test]
fn what_levels_off_or_does_not_matter_is_steady() {
    let mut random = Random::from_seed(seed());
    let mut steady = |bytes: fn(f64) -> f64| {
        let samples = samples(3.0, &mut random, bytes);
        assert!(matches!(look(&samples), Outlook::Steady { .. }), "{:?}", look(&samples));
    };
    steady(|_| GB);
    // A cache that fills in the first hour.
    steady(|hours| 0.2 * GB + 0.8 * GB * (1.0 - (-2.0 * hours).exp()));
    steady(|hours| GB + 0.01 * GB * hours);
    steady(|hours| GB - 0.2 * GB * hours);
    // Garbage that is collected twice an hour.
    steady(|hours| 0.5 * GB + 0.1 * GB * (2.0 * hours).fract());
}

#[test]
fn a_restart_begins_anew_and_wild_samples_do_not_matter() {
    let mut random = Random::from_seed(seed());
    let mut samples =
        samples(
            4.0,
            &mut random,
            |hours| {
                if hours < 1.0 { 1.5 * GB } else { 0.3 * GB + 0.1 * GB * (hours - 1.0) }
            },
        );
    for sample in samples.iter_mut().skip(5).step_by(20) {
        sample.bytes *= 1.9;
    }
    let Outlook::Fills(filling) = look(&samples) else { panic!("{:?}", look(&samples)) };
    assert_near(filling.growth_per_hour, 0.1 * GB, 0.05);
    assert_near(filling.in_s, 14.0 * 3_600.0, 0.1);
}

#[test]
fn what_a_process_did_says_nothing_of_its_successor() {
    let mut random = Random::from_seed(seed());
    // Five hours of a leak, then a program without one: at first it cannot be told, then it is steady.
    let all =
        samples(6.0, &mut random, |hours| if hours < 5.0 { 0.4 * GB + 0.2 * GB * hours } else { 0.4 * GB });
    let minutes = |minutes: usize| look(&all[..1_800 + 6 * minutes]);
    assert!(matches!(minutes(0), Outlook::Fills(_)), "{:?}", minutes(0));
    assert!(matches!(minutes(10), Outlook::CannotTell(Reason::TooShort { .. })), "{:?}", minutes(10));
    assert!(matches!(minutes(50), Outlook::Steady { .. }), "{:?}", minutes(50));
}

#[test]
fn a_spike_is_no_restart() {
    let mut random = Random::from_seed(seed());
    let mut samples = samples(3.0, &mut random, |hours| 0.3 * GB + 0.1 * GB * hours);
    samples[1_000].bytes *= 4.0;
    let Outlook::Fills(filling) = look(&samples) else { panic!("{:?}", look(&samples)) };
    assert_near(filling.growth_per_hour, 0.1 * GB, 0.05);
}

#[test]
fn too_little_to_tell() {
    let mut random = Random::from_seed(seed());
    let all = samples(3.0, &mut random, |hours| GB + 0.2 * GB * hours);
    assert!(matches!(look(&all[..100]), Outlook::CannotTell(Reason::TooShort { .. })));
    assert!(matches!(look(&[]), Outlook::CannotTell(Reason::TooShort { .. })));
    let gaps: Vec<Sample> = all.iter().step_by(2).copied().collect();
    assert!(matches!(look(&gaps), Outlook::CannotTell(Reason::TooManyGaps { .. })));
    let back = [all[5], all[4]];
    assert_eq!(look(&back), Outlook::CannotTell(Reason::Invalid));
    assert_eq!(leak(&all, f64::NAN, &Settings::default()), Outlook::CannotTell(Reason::Invalid));
}

#[test]
fn slopes_ignore_a_quarter_of_wild_points() {
    let mut random = Random::from_seed(seed());
    let points: Vec<(f64, f64)> = (0..1_000)
        .map(|n| (f64::from(n), 3.0 * f64::from(n) + random.normal() + if n % 4 == 0 { 1e6 } else { 0.0 }))
        .collect();
    assert_near(theil_sen(&points[..200], 0.9).unwrap().value, 3.0, 0.05);
    let straight = theil_sen(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)], 0.9).unwrap();
    assert_eq!(straight.value, 2.0);
    assert_eq!(theil_sen(&[(0.0, 1.0), (0.0, 3.0), (0.0, 5.0)], 0.9), None);
}

#[test]
fn intervals_of_slopes_hold_the_truth() {
    let mut random = Random::from_seed(seed());
    let mut held = 0;
    for _ in 0..300 {
        let points: Vec<(f64, f64)> =
            (0..60).map(|n| (f64::from(n), 0.1 * f64::from(n) + random.normal())).collect();
        let slope = theil_sen(&points, 0.9).unwrap();
        held += usize::from(slope.low <= 0.1 && 0.1 <= slope.high);
    }
    assert!((250..=290).contains(&held), "{held} of 300 intervals of 90 % hold the truth");
}

proptest! {
    #[test]
    fn any_samples_give_an_answer(
        steps in prop::collection::vec((crate::arbitrary::number(), crate::arbitrary::number()), 0..60),
        limit in crate::arbitrary::number(),
        period in crate::arbitrary::number(),
    ) {
        let mut at_s = 0.0;
        let samples: Vec<Sample> = steps
            .iter()
            .map(|(step, bytes)| {
                at_s += step.abs();
                Sample { at_s, bytes: bytes.abs() }
            })
            .collect();
        let settings = Settings { period_s: period, least_span_s: 0.0, least_present: 0.0, ..Settings::default() };
        match leak(&samples, limit, &settings) {
            Outlook::Fills(filling) => {
                let all = [filling.growth_per_hour, filling.in_s, filling.earliest_s, filling.latest_s];
                prop_assert!(all.iter().all(|value| value.is_finite() && *value >= 0.0), "{:?}", filling);
            }
            Outlook::Steady { growth_per_hour } => prop_assert!(growth_per_hour.is_finite()),
            Outlook::CannotTell(reason) => prop_assert!(!reason.to_string().is_empty()),
        }
        if let Some(slope) = theil_sen(&steps, limit) {
            prop_assert!(slope.value.is_finite() && slope.low <= slope.high);
        }
    }
}
