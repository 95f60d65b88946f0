//! What tests of several modules share.

use std::hash::{BuildHasher as _, RandomState};

/// Another seed every time, or the one in `DEEPWATER_SEED`. Shown with a failing test's output.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("DEEPWATER_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("DEEPWATER_SEED={seed}");
    seed
}

/// Fails unless the two differ by at most `share` of the expected.
#[track_caller]
pub(crate) fn assert_near(is: f64, expected: f64, share: f64) {
    let off = (is - expected).abs();
    assert!(off <= share * expected.abs(), "{is} is not within {share} of {expected}");
}
