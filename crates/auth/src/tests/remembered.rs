//! The cache of verified tokens.

use std::rc::Rc;
use std::time::Instant;

use serde_json::json;

use crate::testing::{NOW, Signer, good_claims, plain_policy, with};
use crate::{Algorithm, Policy, Refusal, TokenCache, TokenCounts};

const HS: Algorithm = Algorithm::Hs256;

#[test]
fn a_repeat_is_answered_from_memory_until_its_time_is_over() {
    let signer = Signer::Secret(vec![1; 32]);
    let (keys, policy) = (signer.set(), plain_policy());
    let mut cache = TokenCache::new(1 << 20, 100);
    let token = signer.token(HS, &with(good_claims(), json!({ "exp": NOW + 150 })));
    let mut verify =
        |now| cache.verify(&policy, &keys, token.as_bytes(), now).map(|claims| (claims, cache.counts().hits));
    let (first, hits) = verify(NOW).unwrap();
    assert_eq!(hits, 0);
    let (again, hits) = verify(NOW + 99).unwrap();
    assert!(hits == 1 && Rc::ptr_eq(&first, &again));
    assert_eq!(verify(NOW + 100).unwrap().1, 1, "its time to live is over");
    assert_eq!(verify(NOW + 149).unwrap().1, 2);
    assert_eq!(verify(NOW + 150).unwrap().1, 2, "it has expired, but for the leeway");
    assert_eq!(verify(NOW + 159).unwrap().1, 2);
    assert_eq!(verify(NOW + 160).map(drop), Err(Refusal::Expired));
}

#[test]
fn another_key_set_empties_it() {
    let (old, new) = (Signer::Secret(vec![1; 32]), Signer::Secret(vec![2; 32]));
    let policy = plain_policy();
    let mut cache = TokenCache::new(1 << 20, 100);
    let token = old.token(HS, &good_claims());
    assert!(cache.verify(&policy, &old.set(), token.as_bytes(), NOW).is_ok());
    assert!(cache.verify(&policy, &old.set(), token.as_bytes(), NOW).is_ok());
    assert_eq!(
        cache.counts(),
        TokenCounts { hits: 1, misses: 1 },
        "the same keys, read again, are no others"
    );
    assert_eq!(
        cache.verify(&policy, &new.set(), token.as_bytes(), NOW).map(drop),
        Err(Refusal::BadSignature)
    );
    assert!(cache.is_empty());
}

#[test]
fn refusals_are_not_remembered_and_tokens_are_told_apart_by_every_byte() {
    let signer = Signer::Secret(vec![1; 32]);
    let keys = signer.set();
    let mut cache = TokenCache::new(1 << 20, 100);
    let mut token = signer.token(HS, &good_claims()).into_bytes();
    assert!(cache.verify(&plain_policy(), &keys, &token, NOW).is_ok());
    for index in 0..token.len() {
        token[index] ^= 1;
        assert!(cache.verify(&plain_policy(), &keys, &token, NOW).is_err());
        token[index] ^= 1;
    }
    assert_eq!((cache.len(), cache.counts().hits), (1, 0));
    let short = Policy { max_bytes: 10, ..plain_policy() };
    assert_eq!(cache.verify(&short, &keys, &token, NOW).map(drop), Err(Refusal::TooLong));
}

#[test]
fn its_memory_is_bounded() {
    let signer = Signer::Secret(vec![1; 32]);
    let keys = signer.set();
    let mut cache = TokenCache::new(64 * 1024, 100);
    for number in 0..1_000 {
        let token = signer.token(HS, &with(good_claims(), json!({ "sub": number.to_string() })));
        assert!(cache.verify(&plain_policy(), &keys, token.as_bytes(), NOW).is_ok());
        assert!(cache.bytes() <= 64 * 1024);
    }
    assert!(cache.len() > 10);
    let mut none = TokenCache::new(0, 100);
    let mut no_time = TokenCache::new(1 << 20, 0);
    let token = signer.token(HS, &good_claims());
    for cache in [&mut none, &mut no_time] {
        assert!(cache.verify(&plain_policy(), &keys, token.as_bytes(), NOW).is_ok());
        assert!(cache.is_empty());
    }
}

/// `cargo test --release -p deepwater-auth -- --ignored --nocapture costs`
#[test]
#[ignore = "a measurement"]
fn costs() {
    const ROUNDS: u32 = 20_000;
    for algorithm in
        [HS, Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa]
    {
        let signer = Signer::of(algorithm);
        let (keys, policy) = (signer.set(), plain_policy());
        let token = signer.token(algorithm, &good_claims());
        let mut cache = TokenCache::new(1 << 20, 100);
        let mut time = |cached: bool| {
            let start = Instant::now();
            for _ in 0..ROUNDS {
                let right = if cached {
                    cache.verify(&policy, &keys, token.as_bytes(), NOW).is_ok()
                } else {
                    policy.verify(&keys, token.as_bytes(), NOW).is_ok()
                };
                assert!(right);
            }
            start.elapsed() / ROUNDS
        };
        let (verified, remembered) = (time(false), time(true));
        println!("{algorithm:?}, {} bytes: verified {verified:?}, remembered {remembered:?}", token.len());
    }
}
