//! Hashing that is the same on every core, machine and version: sticky sessions and consistent hashing
//! outlive a restart only if it never changes.

/// FNV-1a over the bytes, finished with a full avalanche. Not for secrets, not against adversaries.
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let fnv = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(fnv)
}

/// The finalizer of `SplitMix64`: every input bit reaches every output bit.
#[inline]
pub(crate) const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_never_changes() {
        assert_eq!(hash_bytes(b""), 0xc381_7c01_6ba4_ff30);
        assert_eq!(hash_bytes(b"127.0.0.1:3000"), 0xe7f5_868e_6b0a_f09f);
    }
}
