//! Maps from byte strings that are written by the configuration alone.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map whose keys come from the configuration. Requests only look up, so nobody can fill a bucket, and a hash
/// that is quick on short texts will do.
pub(super) type Keyed<T> = HashMap<Box<[u8]>, T, BuildHasherDefault<WordHasher>>;

/// Multiplies and folds eight bytes at a time (the mixer of wyhash).
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct WordHasher(u64);

impl WordHasher {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9E37_79B9_7F4A_7C15) * 0xD6E8_FEB8_6659_FD93;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.mix(u64::from_le_bytes(word.try_into().expect("chunks of eight")));
        }
        let rest = words.remainder();
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn write_usize(&mut self, len: usize) {
        self.mix(len as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::hash::{BuildHasher, BuildHasherDefault};

    #[test]
    fn short_texts_spread() {
        let build = BuildHasherDefault::<WordHasher>::default();
        let hashes: HashSet<u64> =
            (0..10_000).map(|n| build.hash_one(format!("segment-{n}").as_bytes())).collect();
        assert_eq!(hashes.len(), 10_000);
        let low: HashSet<u64> = hashes.iter().map(|hash| hash & 0xffff).collect();
        assert!(low.len() > 8_500, "{} different low halves", low.len());
    }
}
