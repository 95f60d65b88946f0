//! Which requests are logged when only a share of them is.

/// The golden ratio's fraction of 2^64.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Draws a share of requests along a Weyl sequence: the multiples of the golden ratio, whose fractions are spread as
/// evenly as can be. After any number of requests the share is right to within a few of them, it keeps no step with
/// traffic that repeats itself, and it needs no randomness.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// The fraction, in units of 2^-64.
    position: u64,
    /// Fractions below this are drawn; all of them if it is the largest number.
    share: u64,
}

impl Sample {
    /// A share from 0 to 1.
    pub(super) fn new(share: f64) -> Self {
        // A float beyond the integer's range becomes its largest or smallest value.
        Self { position: 0, share: (share * 2f64.powi(64)) as u64 }
    }

    /// Whether the next request is in the sample.
    pub(super) fn draw(&mut self) -> bool {
        self.position = self.position.wrapping_add(STEP);
        self.share == u64::MAX || self.position < self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(share: f64, of: usize, every: usize) -> usize {
        let mut sample = Sample::new(share);
        (0..of).filter(|n| sample.draw() && n % every == 0).count()
    }

    #[test]
    fn the_share_is_exact_to_a_few() {
        assert_eq!((drawn(0.0, 1_000, 1), drawn(1.0, 1_000, 1), drawn(7.0, 1_000, 1)), (0, 1_000, 1_000));
        for share in [0.001, 0.01, 0.1, 0.25, 0.5, 0.9] {
            for of in [100, 1_000, 100_000] {
                let expected = share * of as f64;
                assert!((drawn(share, of, 1) as f64 - expected).abs() <= 5.0, "{share} of {of}");
            }
        }
    }

    #[test]
    fn traffic_that_repeats_itself_gets_its_share() {
        for period in [2, 3, 10, 100] {
            let (of, share) = (100_000, 0.1);
            let expected = share * (of / period) as f64;
            assert!((drawn(share, of, period) as f64 - expected).abs() <= 5.0 + expected / 100.0, "{period}");
        }
    }
}
