//! Small statistics that several modules need.

/// The mean; 0 of nothing. Summed in parts, so that finite numbers have a finite mean.
pub(crate) fn mean(values: &[f64]) -> f64 {
    let n = values.len().max(1) as f64;
    values.iter().map(|value| value / n).sum()
}

/// The standard deviation over the mean; 0 where the mean is not above 0.
pub(crate) fn variation(values: &[f64]) -> f64 {
    let mean = mean(values);
    if mean <= 0.0 || values.len() < 2 {
        return 0.0;
    }
    let squares: f64 = values.iter().map(|value| (value / mean - 1.0).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// The quantile `share` (0 to 1) between the two values next to it; `None` of nothing. Sorts the values.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let place = share.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let (low, high) = (values[below], values[(below + 1).min(last)]);
    // Weighted rather than by the difference, which can overflow.
    let weight = place - below as f64;
    Some(low * (1.0 - weight) + high * weight)
}

/// Where a function that rises crosses zero between `low` and `high`, to the last bits. The end nearer to it
/// where it does not cross.
pub(crate) fn root_of_rising(mut low: f64, mut high: f64, rising: impl Fn(f64) -> f64) -> f64 {
    // Enough halvings for any two numbers that are not of wildly different size.
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if rising(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    low + (high - low) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        let mut values = [4.0, 1.0, 3.0, 2.0];
        let at = [0.0, 0.5, 0.9, 1.0].map(|share| quantile(&mut values, share).unwrap());
        assert!(
            at.iter().zip([1.0, 2.5, 3.7, 4.0]).all(|(is, expected)| (is - expected).abs() < 1e-12),
            "{at:?}"
        );
        assert_eq!(quantile(&mut [], 0.5), None);
        assert_eq!(quantile(&mut [f64::MAX, -f64::MAX], 0.5), Some(0.0));
    }

    #[test]
    fn means_do_not_overflow() {
        assert_eq!(mean(&[f64::MAX, f64::MAX]), f64::MAX);
        assert_eq!(mean(&[]), 0.0);
        assert_eq!(variation(&[2.0, 2.0, 2.0]), 0.0);
        assert!((variation(&[1.0, 3.0]) - 0.5_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn roots_are_found_to_the_last_bits() {
        let root = root_of_rising(0.0, 10.0, |x| x * x - 2.0);
        assert!((root - 2.0_f64.sqrt()).abs() < 1e-15);
        assert_eq!(root_of_rising(1.0, 2.0, |_| 1.0), 1.0);
    }
}
