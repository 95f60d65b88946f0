//! A hash that is the same on every machine and in every version: fingerprints are stored and compared.

use crate::sql::words::up_to_eight;

/// The fractional parts of the square roots of 2 and 3: nobody's choice.
const FIRST: u64 = 0x6a09_e667_f3bc_c908;
const SECOND: u64 = 0xbb67_ae85_84ca_a73b;

/// Takes bytes in parts of any length; only their sequence counts.
pub(super) struct Hash {
    state: u64,
    /// Bytes not yet mixed in, the first lowest, and how many.
    word: u64,
    filled: usize,
    len: u64,
}

impl Default for Hash {
    fn default() -> Self {
        Self { state: FIRST, word: 0, filled: 0, len: 0 }
    }
}

impl Hash {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        for part in bytes.chunks(8) {
            let part_word = up_to_eight(part);
            self.word |= part_word << (8 * self.filled);
            self.filled += part.len();
            if self.filled >= 8 {
                self.mix(self.word);
                self.filled -= 8;
                // What did not fit: the last bytes of the part, none or up to seven.
                self.word = part_word.checked_shr(8 * (part.len() - self.filled) as u32).unwrap_or(0);
            }
        }
    }

    pub(super) fn finish(mut self) -> u64 {
        self.mix(self.word);
        self.mix(self.len);
        self.mix(SECOND);
        self.state
    }

    /// The halves of a product of 128 bits, folded.
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(SECOND);
        self.state = (product as u64 ^ (product >> 64) as u64).wrapping_add(FIRST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(parts: &[&[u8]]) -> u64 {
        let mut hash = Hash::default();
        for part in parts {
            hash.update(part);
        }
        hash.finish()
    }

    #[test]
    fn only_the_sequence_counts() {
        let bytes: Vec<u8> = (0..40).collect();
        let whole = hash(&[&bytes]);
        for one in 0..=bytes.len() {
            for two in one..=bytes.len() {
                assert_eq!(hash(&[&bytes[..one], &bytes[one..two], &bytes[two..]]), whole, "{one} {two}");
            }
        }
    }

    #[test]
    fn every_byte_and_the_length_count() {
        let mut seen = std::collections::HashSet::new();
        let mut bytes = vec![0; 33];
        assert!(seen.insert(hash(&[&bytes])));
        for at in 0..bytes.len() {
            assert!(seen.insert(hash(&[&bytes[..at]])), "{at}");
            bytes[at] = 1;
            assert!(seen.insert(hash(&[&bytes])), "{at}");
            bytes[at] = 0;
        }
    }

    #[test]
    fn it_is_the_same_for_ever() {
        assert_eq!(hash(&[b"select ?"]), 15_611_417_665_728_970_030);
    }
}
