use rcgen::{
    KeyPair as CertifiedKey, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
};
use serde_json::{Value, json};

use super::*;
use crate::cache::TokenCache;
use crate::testing::{NOW, Signer, encode, good_claims, key_set, plain_policy};

fn skipped(keys: &[Value], from: JwksFrom) -> Vec<(usize, KeyFault)> {
    let good = Signer::of(Algorithm::EdDsa).jwk_with(json!({ "kid": "good" }));
    let keys = [&[good], keys].concat();
    let set = key_set(&keys, from);
    set.skipped().iter().map(|skipped| (skipped.index - 1, skipped.fault.clone())).collect()
}

/// Why a key of a fetched set is not used.
fn fault(jwk: Value) -> KeyFault {
    let found = skipped(std::slice::from_ref(&jwk), JwksFrom::Url);
    assert_eq!(found.len(), 1, "{jwk}");
    found[0].1.clone()
}

#[test]
fn keys_that_are_not_used() {
    let rsa = Signer::of(Algorithm::Rs256);
    let ec = Signer::of(Algorithm::Es256);
    let ed = Signer::of(Algorithm::EdDsa);
    let modulus = |bits: usize| encode([&[0x80][..], &vec![1; bits / 8 - 1]].concat());
    for (jwk, expected) in [
        (json!({}), KeyFault::Member("kty")),
        (json!({ "kty": 1 }), KeyFault::Member("kty")),
        (json!({ "kty": "AKP" }), KeyFault::Unsupported("this `kty`")),
        (json!({ "kty": "rsa" }), KeyFault::Unsupported("this `kty`")),
        (json!({ "kty": "OKP", "crv": "Ed448", "x": "" }), KeyFault::Unsupported("Ed448")),
        (json!({ "kty": "OKP", "crv": "X25519", "x": encode([1; 32]) }), KeyFault::Unsupported("this curve")),
        (json!({ "kty": "EC", "crv": "secp256k1" }), KeyFault::Unsupported("secp256k1")),
        (json!({ "kty": "EC", "x": "", "y": "" }), KeyFault::Member("crv")),
        (ec.jwk_with(json!({ "d": encode([1; 32]) })), KeyFault::Private),
        (rsa.jwk_with(json!({ "d": "AQ" })), KeyFault::Private),
        (rsa.jwk_with(json!({ "qi": "AQ" })), KeyFault::Private),
        (ed.jwk_with(json!({ "d": "AQ" })), KeyFault::Private),
        (json!({ "kty": "oct", "k": encode([1; 64]) }), KeyFault::Symmetric),
        (rsa.jwk_with(json!({ "use": "enc" })), KeyFault::OtherUse),
        (rsa.jwk_with(json!({ "use": 1 })), KeyFault::Member("use")),
        (rsa.jwk_with(json!({ "key_ops": ["encrypt"] })), KeyFault::OtherUse),
        (rsa.jwk_with(json!({ "key_ops": [] })), KeyFault::OtherUse),
        (rsa.jwk_with(json!({ "key_ops": "verify" })), KeyFault::Member("key_ops")),
        (rsa.jwk_with(json!({ "alg": "ES256" })), KeyFault::WrongAlgorithm),
        (rsa.jwk_with(json!({ "alg": "HS256" })), KeyFault::WrongAlgorithm),
        (rsa.jwk_with(json!({ "alg": "RSA-OAEP" })), KeyFault::WrongAlgorithm),
        (rsa.jwk_with(json!({ "alg": "none" })), KeyFault::WrongAlgorithm),
        (ec.jwk_with(json!({ "alg": "ES384" })), KeyFault::WrongAlgorithm),
        (rsa.jwk_with(json!({ "kid": 7 })), KeyFault::Member("kid")),
        (rsa.jwk_with(json!({ "n": modulus(1024) })), KeyFault::RsaSize { bits: 1024 }),
        (
            rsa.jwk_with(json!({ "n": encode([&[0x7f][..], &[1; 255]].concat()) })),
            KeyFault::RsaSize { bits: 2047 },
        ),
        (rsa.jwk_with(json!({ "n": modulus(8200) })), KeyFault::RsaSize { bits: 8200 }),
        (rsa.jwk_with(json!({ "n": format!("{}=", modulus(2048)) })), KeyFault::Member("n")),
        (rsa.jwk_with(json!({ "n": encode([&[0x80][..], &[2; 255]].concat()) })), KeyFault::RsaMalformed),
        (rsa.jwk_with(json!({ "e": "AQ" })), KeyFault::RsaMalformed),
        (rsa.jwk_with(json!({ "e": "AAAA" })), KeyFault::Member("e")),
        (rsa.jwk_with(json!({ "e": encode([1, 0, 0]) })), KeyFault::RsaMalformed),
        (rsa.jwk_with(json!({ "e": encode([1; 200]) })), KeyFault::RsaMalformed),
        (ec.jwk_with(json!({ "x": encode([0; 32]), "y": encode([1; 32]) })), KeyFault::Point),
        (ec.jwk_with(json!({ "x": encode([1; 31]) })), KeyFault::Member("x")),
        (ec.jwk_with(json!({ "y": null })), KeyFault::Member("y")),
        (ec.jwk_with(json!({ "crv": "P-384" })), KeyFault::Member("x")),
        (ed.jwk_with(json!({ "x": encode([1; 31]) })), KeyFault::Point),
    ] {
        let text = jwk.to_string();
        assert_eq!(fault(jwk), expected, "{text}");
    }
}

#[test]
fn secrets_stay_among_themselves() {
    let oct = |length: usize| json!({ "kty": "oct", "k": encode(vec![7; length]) });
    assert_eq!(skipped(&[oct(64)], JwksFrom::File), [(0, KeyFault::Symmetric)], "beside a public key");
    assert_eq!(
        key_set(&[oct(32)], JwksFrom::File).keys()[0].algorithms().collect::<Vec<_>>(),
        [Algorithm::Hs256]
    );
    let fails = |text: Value, from| {
        KeySet::from_jwks(text.to_string().as_bytes(), from, Algorithms::ALL).unwrap_err()
    };
    let short = KeyFault::ShortSecret { bits: 248 };
    assert_eq!(fails(json!({ "keys": [oct(31)] }), JwksFrom::File), KeySetFault::NoneUsable(short.clone()));
    assert_eq!(KeySet::from_secret(&[1; 31], Algorithms::ALL).unwrap_err(), KeySetFault::Key(short));
    let hs512: Algorithms = [Algorithm::Hs512].into_iter().collect();
    assert_eq!(KeySet::from_secret(&[1; 63], hs512).unwrap_err(), KeySetFault::Key(KeyFault::NotAllowed));
    assert!(KeySet::from_secret(&[1; 64], hs512).is_ok());
}

#[test]
fn texts_that_are_no_set() {
    let fails = |text: &str| KeySet::from_jwks(text.as_bytes(), JwksFrom::Url, Algorithms::ALL).unwrap_err();
    assert_eq!(fails(""), KeySetFault::Json(JsonFault::Malformed));
    assert_eq!(fails("<html>"), KeySetFault::Json(JsonFault::Malformed));
    assert_eq!(fails(r#"{"keys":[],"keys":[]}"#), KeySetFault::Json(JsonFault::Duplicate));
    assert_eq!(fails(r#"{"keys":[{"kty":"RSA","kty":"RSA"}]}"#), KeySetFault::Json(JsonFault::Duplicate));
    assert_eq!(fails("{}"), KeySetFault::NoList);
    assert_eq!(fails(r#"{"keys":{}}"#), KeySetFault::NoList);
    assert_eq!(fails(r#"{"keys":[1]}"#), KeySetFault::NoList);
    assert_eq!(fails(&format!(r#"{{"keys":[{}{{}}]}}"#, "{},".repeat(100))), KeySetFault::TooManyKeys);
    assert_eq!(fails(&" ".repeat(256 * 1024 + 1)), KeySetFault::TooLarge);
}

#[test]
fn only_an_issuer_may_have_no_key() {
    let read = |text: &str, from| KeySet::from_jwks(text.as_bytes(), from, Algorithms::ALL);
    let symmetric =
        r#"{"keys":[{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"},{"kty":"AKP"}]}"#;
    let unknown = r#"{"keys":[{"kty":"AKP"}]}"#;
    assert_eq!(read(r#"{"keys":[]}"#, JwksFrom::File).unwrap_err(), KeySetFault::Empty);
    let fault = KeySetFault::NoneUsable(KeyFault::Unsupported("this `kty`"));
    assert_eq!(read(unknown, JwksFrom::File).unwrap_err(), fault);

    let signer = Signer::of(Algorithm::EdDsa);
    let full = key_set(&[signer.jwk()], JwksFrom::Url);
    for (text, skipped) in [(r#"{"keys":[]}"#, 0), (unknown, 1), (symmetric, 2)] {
        let set = read(text, JwksFrom::Url).unwrap();
        assert_eq!((set.keys().len(), set.skipped().len()), (0, skipped), "{text}");
        assert_ne!(set.generation(), full.generation());
        let mut cache = TokenCache::new(1 << 20, 300);
        let signed = signer.token(Algorithm::EdDsa, &good_claims());
        let mut verify = |set| cache.verify(&plain_policy(), set, signed.as_bytes(), NOW).map(drop);
        assert_eq!(verify(&full), Ok(()));
        assert_eq!(verify(&set), Err(Refusal::UnknownKid), "remembered or not");
        assert!(cache.is_empty());
    }
}

#[test]
fn a_name_means_one_key() {
    let (a, b) = (Signer::of(Algorithm::Es256), Signer::of(Algorithm::Es256));
    let rsa = Signer::of(Algorithm::Rs256);
    let named = |signer: &Signer| signer.jwk_with(json!({ "kid": "1" }));
    assert_eq!(
        skipped(&[named(&a), named(&b)], JwksFrom::Url),
        [(0, KeyFault::Ambiguous), (1, KeyFault::Ambiguous)]
    );
    let different = key_set(&[named(&a), named(&rsa)], JwksFrom::Url);
    assert!(different.skipped().is_empty(), "which of the two it is, the algorithm says");
    for (signer, algorithm) in [(&a, Algorithm::Es256), (&rsa, Algorithm::Ps384)] {
        let header = json!({ "alg": algorithm.name(), "kid": "1" }).to_string();
        let token = signer.token_of(algorithm, &header, &good_claims().to_string());
        assert!(plain_policy().verify(&different, token.as_bytes(), NOW).is_ok());
    }
}

#[test]
fn which_key_a_token_is_tried_with() {
    let signers: Vec<Signer> = (0..9).map(|_| Signer::of(Algorithm::EdDsa)).collect();
    let named = |index: usize| signers[index].jwk_with(json!({ "kid": index.to_string() }));
    let judge = |set: &KeySet, signer: usize, kid: Option<&str>| {
        let header = match kid {
            Some(kid) => json!({ "alg": "EdDSA", "kid": kid }),
            None => json!({ "alg": "EdDSA" }),
        };
        let token =
            signers[signer].token_of(Algorithm::EdDsa, &header.to_string(), &good_claims().to_string());
        plain_policy().verify(set, token.as_bytes(), NOW).map(drop)
    };
    let two = key_set(&[named(0), named(1)], JwksFrom::Url);
    assert_eq!(judge(&two, 1, Some("1")), Ok(()));
    assert_eq!(judge(&two, 1, Some("0")), Err(Refusal::BadSignature));
    assert_eq!(judge(&two, 1, Some("2")), Err(Refusal::UnknownKid));
    assert_eq!(judge(&two, 1, None), Ok(()));
    assert_eq!(judge(&two, 2, None), Err(Refusal::BadSignature));
    // A key without name may have signed anything.
    let nameless = key_set(&[named(0), signers[1].jwk()], JwksFrom::Url);
    assert_eq!(judge(&nameless, 1, Some("x")), Ok(()));
    assert_eq!(judge(&nameless, 2, Some("x")), Err(Refusal::UnknownKid));
    assert_eq!(judge(&nameless, 1, Some("0")), Err(Refusal::BadSignature));
    let alone = signers[0].set();
    assert_eq!(judge(&alone, 0, Some("x")), Ok(()));
    assert_eq!(judge(&alone, 1, Some("x")), Err(Refusal::BadSignature), "no fetch would help");
    // Only so many are tried.
    let many = key_set(&(0..9).map(named).collect::<Vec<_>>(), JwksFrom::Url);
    assert_eq!(judge(&many, 7, None), Ok(()));
    assert_eq!(judge(&many, 8, None), Err(Refusal::KidRequired));
    assert_eq!(judge(&many, 8, Some("8")), Ok(()));
    // A new key of a new kind is a reason to look again, a known name with another algorithm is none.
    let token = |kid: &str| {
        let header = json!({ "alg": "HS256", "kid": kid }).to_string();
        Signer::Secret(vec![1; 32]).token_of(Algorithm::Hs256, &header, "{}")
    };
    let refusal = |kid| plain_policy().verify(&two, token(kid).as_bytes(), NOW).unwrap_err();
    assert_eq!((refusal("0"), refusal("new")), (Refusal::WrongAlgorithm, Refusal::UnknownKid));
}

#[test]
fn public_keys_and_certificates_in_pem() {
    for (kind, algorithms) in [
        (&PKCS_RSA_SHA256, 6),
        (&PKCS_ECDSA_P256_SHA256, 1),
        (&PKCS_ECDSA_P384_SHA384, 1),
        (&rcgen::PKCS_ECDSA_P521_SHA512, 1),
        (&PKCS_ED25519, 1),
    ] {
        let pair = CertifiedKey::generate_for(kind).unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["issuer.example".into()]).unwrap();
        let certificate = certificate.self_signed(&pair).unwrap().pem();
        let public = pair.public_key_pem();
        let read = |text: &str| KeySet::from_pem(text.as_bytes(), Algorithms::ALL).unwrap();
        assert_eq!(read(&public).keys()[0].algorithms().count(), algorithms, "{kind:?}");
        assert_eq!(read(&public).generation(), read(&certificate).generation(), "{kind:?}: the same key");
        assert_eq!(read(&format!("{public}\n{certificate}")).keys().len(), 2);
        let private = KeySet::from_pem(pair.serialize_pem().as_bytes(), Algorithms::ALL);
        assert_eq!(private.unwrap_err(), KeySetFault::PrivatePem);
        for text in [public, certificate] {
            let cut: String = text
                .lines()
                .filter(|line| line.starts_with("-----"))
                .map(|line| format!("{line}\n"))
                .collect();
            assert!(matches!(
                KeySet::from_pem(cut.as_bytes(), Algorithms::ALL),
                Err(KeySetFault::Key(KeyFault::Member(_)))
            ));
        }
    }
    let fails = |text: &str| KeySet::from_pem(text.as_bytes(), Algorithms::ALL).unwrap_err();
    assert_eq!(fails(""), KeySetFault::Empty);
    assert_eq!(fails("-----BEGIN PUBLIC KEY-----\nAAAA\n"), KeySetFault::DamagedPem);
    // Public keys of 1024 bits and of Ed448, made with OpenSSL.
    assert_eq!(fails(RSA_1024), KeySetFault::Key(KeyFault::RsaSize { bits: 1024 }));
    assert_eq!(fails(ED448), KeySetFault::Key(KeyFault::Unsupported("Ed448")));
}

#[test]
fn a_pem_key_verifies_what_it_signed() {
    let pair = CertifiedKey::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let der = pair.serialize_der();
    let signing = &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let signer =
        Signer::Ecdsa(Box::new(aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(signing, &der).unwrap()));
    let keys = KeySet::from_pem(pair.public_key_pem().as_bytes(), Algorithms::ALL).unwrap();
    let token = signer.token(Algorithm::Es256, &good_claims());
    assert!(plain_policy().verify(&keys, token.as_bytes(), NOW).is_ok());
    assert_eq!(keys.generation(), signer.set().generation(), "in whatever form it was read");
}

#[test]
fn a_generation_is_what_the_keys_are() {
    let (a, b) = (Signer::of(Algorithm::EdDsa), Signer::of(Algorithm::EdDsa));
    let generation = |keys: &[Value]| key_set(keys, JwksFrom::Url).generation();
    let named = |kid: &str| a.jwk_with(json!({ "kid": kid }));
    assert_eq!(generation(&[a.jwk()]), generation(&[a.jwk_with(json!({ "use": "sig", "x5t": "x" }))]));
    assert_ne!(generation(&[a.jwk()]), generation(&[b.jwk()]));
    assert_ne!(generation(&[a.jwk()]), generation(&[a.jwk(), b.jwk()]));
    assert_ne!(generation(&[named("1")]), generation(&[named("2")]));
    assert_ne!(generation(&[named("")]), generation(&[a.jwk()]));
}

const RSA_1024: &str = "\
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDD8NEWOggQP8XKI50YpdsNgTgH
acQptuDzE+OFL805wcYscHvMnEPWTfl98VbWPUVIDSv5S6L5bwzKVecJiyMrbqRu
nL+iSrM4a1BS6uuXhU7JomIGssSzsK77Nzrh6WxuxgUqLtJIsE8v/YzLu+mCEgfC
OhikcSQOxlS9PZtPxwIDAQAB
-----END PUBLIC KEY-----
";

const ED448: &str = "\
-----BEGIN PUBLIC KEY-----
MEMwBQYDK2VxAzoAbb37AkIxSt7JLdhxbaqxOgoIjWbz88TTwJ7wIUISuV+j53Cv
8gfjqc1PidoGqnXXstFkBCsV9a2A
-----END PUBLIC KEY-----
";
