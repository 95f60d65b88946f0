//! Whatever a server sends for a key set: bounded, no secret in it, no key for more than is allowed.
#![no_main]

use deepwater_auth::{Algorithm, Algorithms, JwksFrom, KeySet};
use libfuzzer_sys::fuzz_target;

const SYMMETRIC: [Algorithm; 3] = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];

fuzz_target!(|bytes: &[u8]| {
    for from in [JwksFrom::Url, JwksFrom::File] {
        let Ok(set) = KeySet::from_jwks(bytes, from, Algorithms::ALL) else { continue };
        assert!(!set.keys().is_empty() && set.keys().len() + set.skipped().len() <= 100);
        let symmetric =
            |key: &deepwater_auth::Key| key.algorithms().any(|algorithm| SYMMETRIC.contains(&algorithm));
        let secrets = set.keys().iter().filter(|key| symmetric(key)).count();
        assert!(secrets == 0 || (from == JwksFrom::File && secrets == set.keys().len()));
        for (index, key) in set.keys().iter().enumerate().filter(|(_, key)| key.id().is_some()) {
            let twin = |other: &&deepwater_auth::Key| {
                other.id() == key.id()
                    && other.algorithms().any(|theirs| key.algorithms().any(|mine| mine == theirs))
            };
            assert_eq!(set.keys().iter().position(|other| twin(&other)), Some(index));
        }
        let again = KeySet::from_jwks(bytes, from, Algorithms::ALL).unwrap();
        assert_eq!(set.generation(), again.generation());
        let only: Algorithms = [Algorithm::Es256].into_iter().collect();
        if let Ok(narrow) = KeySet::from_jwks(bytes, from, only) {
            assert!(narrow.keys().iter().all(|key| key.algorithms().eq([Algorithm::Es256])));
        }
    }
    if let Ok(set) = KeySet::from_pem(bytes, Algorithms::ALL) {
        assert!(
            !set.keys()
                .iter()
                .flat_map(|key| key.algorithms())
                .any(|algorithm| SYMMETRIC.contains(&algorithm))
        );
    }
});
