//! Passwords: how they are stored and how they are proved.

pub mod md5;
pub mod scram;
mod stored;

pub use stored::{BadSecret, StoredPassword};

use aws_lc_rs::constant_time::verify_slices_are_equal;

/// Whether two secrets are equal, without telling by the time it takes where they differ.
fn equal(a: &[u8], b: &[u8]) -> bool {
    verify_slices_are_equal(a, b).is_ok()
}
