//! Secrets of clients, by which they cancel their queries.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;

/// Bytes asked of the system's generator at once: four of them cost as much as some hundred.
const BYTES: usize = 512;

/// Random bytes, each given out once. They are made in advance: for secrets that live as long as a connection, not for
/// keys.
pub(crate) struct Secrets {
    bytes: [u8; BYTES],
    left: usize,
}

impl Secrets {
    /// None made yet.
    pub(crate) fn new() -> Self {
        Self { bytes: [0; BYTES], left: 0 }
    }

    /// So many, at most [`BYTES`].
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub(crate) fn take(&mut self, length: usize) -> Result<Vec<u8>, Unspecified> {
        if length > self.left {
            rand::fill(&mut self.bytes)?;
            self.left = BYTES;
        }
        let rest = self.left.checked_sub(length).ok_or(Unspecified)?;
        let given = &mut self.bytes[rest..self.left];
        let secret = given.to_vec();
        // Nobody is to find it here later.
        given.fill(0);
        self.left = rest;
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_byte_is_given_twice() {
        let mut secrets = Secrets::new();
        // Of 32 bytes each, so that two alike would be no chance.
        let given: Vec<_> = (0..100).map(|_| secrets.take(32).unwrap()).collect();
        assert!(given.iter().all(|secret| secret.len() == 32));
        assert_eq!(given.iter().collect::<HashSet<_>>().len(), given.len());
        assert!(secrets.bytes[secrets.left..].iter().all(|byte| *byte == 0), "what was given is gone");
    }

    #[test]
    fn what_is_left_over_and_too_short_is_not_used() {
        let mut secrets = Secrets::new();
        for length in [4, 500, 32, BYTES, 0] {
            assert_eq!(secrets.take(length).unwrap().len(), length);
        }
        assert!(secrets.take(BYTES + 1).is_err());
    }
}
