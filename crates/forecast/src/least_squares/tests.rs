use proptest::prelude::*;

use super::*;
use crate::random::Random;
use crate::testing::{assert_near, seed};

fn fit(rows: &[Vec<f64>], y: &[f64], options: &Options<'_>) -> Result<Fit, FitError> {
    let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
    nonnegative(&rows, y, options)
}

fn random_rows(random: &mut Random, rows: usize, columns: usize) -> Vec<Vec<f64>> {
    (0..rows).map(|_| (0..columns).map(|_| random.unit()).collect()).collect()
}

fn product(rows: &[Vec<f64>], coefficients: &[f64]) -> Vec<f64> {
    rows.iter().map(|row| row.iter().zip(coefficients).map(|(a, b)| a * b).sum()).collect()
}

#[test]
fn what_made_the_rows_is_found_again_in_any_unit() {
    let mut random = Random::from_seed(seed());
    let rows: Vec<Vec<f64>> = random_rows(&mut random, 200, 3)
        .into_iter()
        .map(|row| vec![row[0] * 1e-9, row[1] * 1e12, row[2]])
        .collect();
    let truth = [5e9, 0.0, 3.0];
    let fit = fit(&rows, &product(&rows, &truth), &Options::default()).unwrap();
    assert_near(fit.coefficients[0], truth[0], 1e-9);
    assert!(fit.coefficients[1] < 1e-20, "{fit:?}");
    assert_near(fit.coefficients[2], truth[2], 1e-9);
    assert!(fit.r_squared > 0.999_999 && fit.residual_standard_error < 1e-6);
}

/// Karush, Kuhn and Tucker: at the minimum no free coefficient has a slope, and no bound one would rise.
#[test]
fn the_solution_is_the_minimum_for_random_problems() {
    let seed = seed();
    let mut random = Random::from_seed(seed);
    for case in 0..300 {
        let columns = 1 + random.below(12);
        let more = 1 + random.below(60);
        let rows = random_rows(&mut random, columns + more, columns);
        let y: Vec<f64> = (0..rows.len()).map(|_| random.normal()).collect();
        let fit = fit(&rows, &y, &Options::default()).unwrap();
        let fitted = product(&rows, &fit.coefficients);
        for column in 0..columns {
            let slope: f64 = (0..rows.len()).map(|row| rows[row][column] * (y[row] - fitted[row])).sum();
            let at = fit.coefficients[column];
            assert!(at >= 0.0 && slope < 1e-7 && (at == 0.0 || slope > -1e-7), "case {case}: {at}, {slope}");
        }
    }
}

#[test]
fn a_full_size_problem_with_many_bounds_ends() {
    let mut random = Random::from_seed(seed());
    let rows = random_rows(&mut random, 4_000, 32);
    let truth: Vec<f64> = (0..32).map(|at| if at % 2 == 0 { 0.0 } else { f64::from(at) }).collect();
    let y: Vec<f64> = product(&rows, &truth).iter().map(|y| y + random.normal()).collect();
    let fit = fit(&rows, &y, &Options::default()).unwrap();
    for (at, (is, expected)) in fit.coefficients.iter().zip(&truth).enumerate() {
        let allowed = 6.0 * fit.standard_errors[at].max(0.06);
        assert!((is - expected).abs() < allowed, "coefficient {at}: {is} for {expected}");
    }
    assert_near(fit.residual_standard_error, 1.0, 0.1);
}

#[test]
fn standard_errors_of_a_line_are_the_textbook_ones() {
    // y = 1 + 2x with residuals ±0.1: s² = 0.04/2, var(slope) = s²/Σ(x-x̄)².
    let rows: Vec<Vec<f64>> = [0.0, 1.0, 2.0, 3.0].iter().map(|x| vec![1.0, *x]).collect();
    let y = [1.1, 2.9, 4.9, 7.1];
    let fit = fit(&rows, &y, &Options::default()).unwrap();
    assert_near(fit.coefficients[1], 2.0, 1e-12);
    assert_near(fit.coefficients[0], 1.0, 1e-12);
    assert_near(fit.residual_standard_error, 0.02_f64.sqrt(), 1e-9);
    assert_near(fit.standard_errors[1], (0.02_f64 / 5.0).sqrt(), 1e-9);
    assert_near(fit.standard_errors[0], (0.02_f64 * (0.25 + 2.25 / 5.0)).sqrt(), 1e-9);
    assert_eq!(fit.freedom, 2);
}

#[test]
fn weights_are_like_repeated_rows() {
    let rows: Vec<Vec<f64>> = [0.0, 1.0, 2.0].iter().map(|x| vec![1.0, *x]).collect();
    let weights = [1.0, 1.0, 2.0];
    let weighted = fit(&rows, &[0.5, 1.0, 3.0], &Options { weights: Some(&weights), ridge: None }).unwrap();
    let repeated = [rows.clone(), vec![rows[2].clone()]].concat();
    let repeated = fit(&repeated, &[0.5, 1.0, 3.0, 3.0], &Options::default()).unwrap();
    for (a, b) in weighted.coefficients.iter().zip(&repeated.coefficients) {
        assert!((a - b).abs() < 1e-12);
    }
}

#[test]
fn a_ridge_decides_where_the_data_are_silent() {
    // Two classes in equal shares: only their sum is known.
    let rows: Vec<Vec<f64>> = (1..20).map(|x| vec![f64::from(x), f64::from(x), 0.0]).collect();
    let y: Vec<f64> = (1..20).map(|x| 4.0 * f64::from(x)).collect();
    assert!(matches!(fit(&rows, &y, &Options::default()), Err(FitError::Collinear(0 | 1))));
    let ridge = Ridge { strength: 1e-4, prior: &[1.0, 3.0, 7.0] };
    let fit = fit(&rows, &y, &Options { weights: None, ridge: Some(ridge) }).unwrap();
    assert_near(fit.coefficients[0], 1.0, 1e-3);
    assert_near(fit.coefficients[1], 3.0, 1e-3);
    assert_eq!(fit.coefficients[2], 7.0);
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let rows = vec![vec![1.0, 0.0], vec![1.0, 1.0], vec![1.0, 2.0]];
    let y = [1.0, 2.0, 3.0];
    let none = Options::default();
    assert_eq!(fit(&[], &[], &none), Err(FitError::TooFewRows));
    assert_eq!(fit(&rows[..2], &y[..2], &none), Err(FitError::TooFewRows));
    assert_eq!(fit(&rows, &y[..2], &none), Err(FitError::Invalid));
    assert_eq!(fit(&rows, &[1.0, f64::NAN, 3.0], &none), Err(FitError::Invalid));
    let weighted = |weights| fit(&rows, &y, &Options { weights: Some(weights), ridge: None });
    assert_eq!(weighted(&[1.0, 1.0, 0.0]), Err(FitError::TooFewRows));
    assert_eq!(weighted(&[1.0, 1.0, -1.0]), Err(FitError::Invalid));
    let uneven = vec![vec![1.0], vec![1.0, 2.0]];
    assert_eq!(fit(&uneven, &y[..2], &none), Err(FitError::Invalid));
}

proptest! {
    #[test]
    fn any_numbers_give_a_fit_or_an_error(
        rows in prop::collection::vec(prop::collection::vec(crate::arbitrary::number(), 3), 0..9),
        y in prop::collection::vec(crate::arbitrary::number(), 9),
        strength in crate::arbitrary::number(),
        weights in prop::collection::vec(crate::arbitrary::number(), 9),
    ) {
        let y = &y[..rows.len()];
        let ridge = Ridge { strength: strength.abs(), prior: &[1.0, -1.0, 1e300] };
        let weights: Vec<f64> = weights[..rows.len()].iter().map(|weight| weight.abs()).collect();
        for options in [Options::default(), Options { weights: Some(&weights), ridge: Some(ridge) }] {
            if let Ok(fit) = fit(&rows, y, &options) {
                prop_assert!(fit.coefficients.iter().all(|c| c.is_finite() && *c >= 0.0), "{:?}", fit);
                prop_assert!(fit.residual_standard_error.is_finite() && fit.r_squared.is_finite());
            }
        }
    }
}
