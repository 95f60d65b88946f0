//! Whole tokens against whole key sets.

mod refused;
mod remembered;
mod vectors;
mod wycheproof;

use proptest::prelude::*;
use serde_json::json;

use crate::testing::{NOW, Signer, good_claims, plain_policy};
use crate::{Algorithm, Refusal};

#[test]
fn what_an_issuer_signs_is_accepted_with_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let signer = Signer::of(algorithm);
        let token = signer.token(algorithm, &good_claims());
        let claims = plain_policy().verify(&signer.set(), token.as_bytes(), NOW).unwrap();
        assert_eq!(claims.members(), good_claims().as_object().unwrap(), "{algorithm:?}");
        assert_eq!(claims.expires(), Some(NOW + 600));
        let stranger = match algorithm {
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => Signer::Secret(vec![9; 64]),
            _ => Signer::of(algorithm),
        };
        let refused = plain_policy().verify(&stranger.set(), token.as_bytes(), NOW);
        assert_eq!(refused, Err(Refusal::BadSignature), "{algorithm:?}");
    }
}

/// A token is refused whatever bit of it is another, with every kind of key.
#[test]
fn no_bit_can_be_flipped() {
    for algorithm in
        [Algorithm::Hs256, Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa]
    {
        let signer = Signer::of(algorithm);
        let keys = signer.set();
        let mut token = signer.token(algorithm, &json!({ "exp": NOW + 1, "sub": "a" })).into_bytes();
        for bit in 0..token.len() * 8 {
            token[bit / 8] ^= 1 << (bit % 8);
            assert!(plain_policy().verify(&keys, &token, NOW).is_err(), "{algorithm:?} bit {bit}");
            token[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(plain_policy().verify(&keys, &token, NOW).is_ok(), "{algorithm:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_a_panic(bytes in prop_oneof![any::<Vec<u8>>(), "[A-Za-z0-9_.=-]{0,200}".prop_map(String::into_bytes)]) {
        let keys = Signer::Secret(vec![1; 32]).set();
        prop_assert!(plain_policy().verify(&keys, &bytes, NOW).is_err());
    }

    #[test]
    fn whatever_is_signed_comes_back(sub in any::<String>(), number in any::<i64>(), names in proptest::collection::vec(any::<String>(), 0..4)) {
        let signer = Signer::Secret(vec![1; 32]);
        let claims = json!({ "exp": NOW + 1, "sub": sub, "n": number, "list": names });
        let token = signer.token(Algorithm::Hs256, &claims);
        let verified = plain_policy().verify(&signer.set(), token.as_bytes(), NOW).unwrap();
        prop_assert_eq!(verified.members(), claims.as_object().unwrap());
    }
}
