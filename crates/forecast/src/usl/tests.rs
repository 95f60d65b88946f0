use proptest::prelude::*;

use super::*;
use crate::random::Random;
use crate::testing::{assert_near, seed};

/// Points from two columns of a file with one line of names.
fn points(csv: &str, n: usize, x: usize) -> Vec<Point> {
    let number = |line: &str, column: usize| line.split(',').nth(column).unwrap().trim().parse().unwrap();
    csv.lines().skip(1).map(|line| Point { n: number(line, n), x: number(line, x) }).collect()
}

fn specsdm91() -> Vec<Point> {
    points(include_str!("../../tests/data/specsdm91.csv"), 0, 1)
}

fn cisco() -> Vec<Point> {
    points(include_str!("../../tests/data/cisco.csv"), 0, 1)
}

fn raytracer() -> Vec<Point> {
    points(include_str!("../../tests/data/raytracer.csv"), 0, 1)
}

const EXACT: f64 = 2e-4;

/// Within 0.02 %, or half a unit of the last digit that was printed.
#[track_caller]
fn assert_printed(is: f64, expected: f64, unit: f64) {
    let allowed = (EXACT * expected).max(0.501 * unit);
    assert!((is - expected).abs() <= allowed, "{is} for {expected}");
}

#[test]
fn specsdm91_as_the_r_package_prints_it() {
    let fit = fit(&specsdm91()).unwrap();
    assert_printed(fit.law.contention, 0.02773, 1e-5);
    assert_printed(fit.law.coherency, 1.044e-4, 1e-7);
    assert_printed(fit.law.one, 90.0, 0.01);
    assert_printed(fit.residual_standard_error, 82.8, 0.1);
    let peak = fit.law.peak().unwrap();
    assert_printed(peak.n, 96.52, 0.01);
    assert_printed(peak.x, 1884.0, 1.0);
    assert_printed(fit.law.amdahl_limit().unwrap(), 3246.0, 1.0);
}

#[test]
fn cisco_as_usl4j_has_it() {
    let fit = fit(&cisco()).unwrap();
    assert_near(fit.law.contention, 0.026_715_91, EXACT);
    assert_near(fit.law.coherency, 7.690_945e-4, EXACT);
    assert_near(fit.law.one, 995.6486, EXACT);
    let peak = fit.law.peak().unwrap();
    assert_eq!(peak.n.floor(), 35.0);
    assert_near(peak.x, 12_341.0, EXACT);
    // What others turn round wrongly.
    assert_near(fit.law.concurrency(11_048.0).unwrap(), 19.92, 5e-4);
}

#[test]
fn the_first_points_of_raytracer_with_their_intervals() {
    let fit = fit(&raytracer()[..6]).unwrap();
    assert_printed(fit.law.contention, 0.02444, 1e-5);
    assert_printed(fit.law.coherency, 0.00163, 1e-5);
    assert_printed(fit.law.one, 20.856, 0.001);
    // The package takes 1.96 standard errors, however few the points; ours are Student's 3.18.
    let [one, contention, coherency] = fit.errors.standard;
    for (error, low, high) in [(one, 19.3, 22.4), (contention, 0.00754, 0.0413), (coherency, 0.0011, 0.00215)]
    {
        assert_near(2.0 * 1.96 * error, high - low, 0.03);
    }
    let ours = fit.errors.intervals(&fit.law, 0.95)[1];
    assert_near(ours.high - ours.value, 3.18245 * contention, 1e-4);
}

#[test]
fn all_points_of_raytracer_have_no_peak() {
    let points = raytracer();
    let Outlook::NoPeakInSight { fit, limit } = forecast(&points, 0.95) else {
        panic!("{:?}", forecast(&points, 0.95));
    };
    assert_eq!(fit.law.coherency, 0.0);
    assert_printed(fit.law.contention, 0.05777, 1e-5);
    assert_printed(fit.law.one, 21.85, 0.01);
    assert_printed(limit.value, 378.0, 1.0);
    assert!(limit.low < 378.0 && 378.0 < limit.high && limit.high < 500.0, "{limit:?}");
    let law = polynomial(&points).unwrap();
    assert_printed(law.contention, 0.05, 1e-4);
    assert_printed(law.coherency, 4.7e-6, 1e-7);
}

#[test]
fn the_synthetic_points() {
    let x = [1.0, 1.8868, 3.0769, 3.5294, 3.5398, 3.3557];
    let points: Vec<Point> =
        [1.0, 2.0, 4.0, 6.0, 8.0, 10.0].into_iter().zip(x).map(|(n, x)| Point { n, x }).collect();
    let law = fit(&points).unwrap().law;
    // The throughputs have five digits, of which the coefficients follow.
    assert_near(law.contention, 0.02, 1e-3);
    assert_near(law.coherency, 0.02, EXACT);
    assert_near(law.one, 1.0, EXACT);
}

#[test]
fn a_real_day_of_a_database() {
    let points = points(include_str!("../../tests/data/oracledb.csv"), 1, 6);
    assert_eq!(points.len(), 360);
    let law = fit(&points).unwrap().law;
    assert_printed(law.contention, 0.441, 1e-3);
    assert_printed(law.coherency, 0.0453, 1e-4);
    assert_printed(law.one, 3.386, 1e-3);
    assert_printed(law.peak().unwrap().n, 3.51, 0.01);
}

#[test]
fn from_low_load_alone_nothing_is_forecast() {
    for points in [cisco()[..12].to_vec(), specsdm91()[..3].to_vec()] {
        assert!(matches!(forecast(&points, 0.95), Outlook::CannotTell(_)), "{:?}", forecast(&points, 0.95));
    }
    // A machine with four cores, closed, up to half of what it can do: nearly linear.
    let points: Vec<Point> =
        (1..=20).map(|n| Point { n: f64::from(n), x: 5.0 * f64::from(n) * 0.999 }).collect();
    let Outlook::CannotTell(Doubt::LowLoadOnly { efficiency }) = forecast(&points, 0.95) else {
        panic!("{:?}", forecast(&points, 0.95));
    };
    assert!(efficiency > 0.99);
    assert!(matches!(forecast(&points[..5], 0.95), Outlook::CannotTell(Doubt::TooFewPoints { .. })));
    // With most of the bend seen, it speaks, and its interval holds the truth of the whole.
    let Outlook::Peak(top) = forecast(&cisco()[..24], 0.95) else {
        panic!("{:?}", forecast(&cisco()[..24], 0.95));
    };
    assert!(top.x.low < 12_341.0 && 12_341.0 < top.x.high, "{top:?}");
}

#[test]
fn coefficients_are_found_again_from_noisy_points() {
    let seed = seed();
    let mut random = Random::from_seed(seed);
    let mut held = 0;
    for _ in 0..200 {
        let truth = Law { one: 1_000.0, contention: 0.02, coherency: 5e-4 };
        let points: Vec<Point> = (1..=60)
            .map(f64::from)
            .map(|n| Point { n, x: truth.throughput(n) * (1.0 + 0.02 * random.normal()) })
            .collect();
        let fit = fit(&points).unwrap();
        let [_, contention, _] = fit.errors.intervals(&fit.law, 0.95);
        held += usize::from(contention.low <= 0.02 && 0.02 <= contention.high);
    }
    assert!(held >= 175, "{held} of 200 intervals of 95 % hold the truth");
}

proptest! {
    #[test]
    fn there_and_back(contention in 0.0..0.999_f64, coherency in prop_oneof![Just(0.0), 1e-9..1.0_f64], share in 1e-6..0.999_f64) {
        let law = Law { one: 123.0, contention, coherency };
        let most = law.peak().map_or_else(|| (10.0 / contention).min(1e4), |peak| peak.n);
        let x = law.throughput(share * most);
        let back = law.concurrency(x).unwrap();
        prop_assert!((law.throughput(back) - x).abs() <= 1e-9 * x, "{} {} {}", x, back, law.throughput(back));
        prop_assert!(back <= most * (1.0 + 1e-6));
        if let Some(peak) = law.peak() {
            prop_assert!(law.concurrency(peak.x * 1.001).is_none());
        }
    }

    #[test]
    fn any_points_give_an_answer(
        points in prop::collection::vec((crate::arbitrary::number(), crate::arbitrary::number()), 0..12),
        sound in prop::collection::vec((0.1..1_000.0_f64, 0.0..1_000.0_f64), 6..12),
        confidence in prop_oneof![Just(0.95), crate::arbitrary::number()],
    ) {
        for points in [points, sound] {
            let points: Vec<Point> = points.into_iter().map(|(n, x)| Point { n, x }).collect();
            if let Ok(fit) = fit(&points) {
                let law = fit.law;
                prop_assert!(law.one.is_finite() && (0.0..=1.0).contains(&law.contention), "{:?}", law);
                prop_assert!((0.0..=1.0).contains(&law.coherency) && fit.residual_standard_error.is_finite());
                prop_assert!(fit.errors.standard.iter().all(|error| error.is_finite()));
            }
            let finite = |e: &Estimate| e.value.is_finite() && e.low.is_finite() && e.high.is_finite();
            match forecast(&points, confidence) {
                Outlook::Peak(top) => prop_assert!(finite(&top.n) && finite(&top.x), "{:?}", top),
                Outlook::NoPeakInSight { limit, .. } => prop_assert!(finite(&limit)),
                Outlook::CannotTell(doubt) => prop_assert!(!doubt.to_string().is_empty()),
            }
            let _ = polynomial(&points);
        }
    }
}
