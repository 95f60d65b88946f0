//! Everything that must be refused, each with its reason. The list is that of RFC 8725, RFC 7515, RFC 7519 and of the
//! comments in Wycheproof's sets of JSON signatures and keys.

use serde_json::{Value, json};

use crate::claims::ClaimPath;
use crate::config::{ClaimRule, Contains, OneOrMany, Scalar};
use crate::testing::{NOW, Signer, encode, good_claims, key_set, plain_policy, with};
use crate::{Algorithm, Algorithms, JsonFault, JwksFrom, KeySet, Policy, Refusal, Requirements};

const HS: Algorithm = Algorithm::Hs256;

fn signer() -> Signer {
    Signer::Secret(vec![7; 32])
}

fn judge(policy: &Policy, token: &str) -> Result<(), Refusal> {
    policy.verify(&signer().set(), token.as_bytes(), NOW).map(drop)
}

/// Of a token that is rightly signed with this header.
fn header(header: &str) -> Result<(), Refusal> {
    judge(&plain_policy(), &signer().token_of(HS, header, &good_claims().to_string()))
}

/// Of a token that is rightly signed with this payload.
fn payload(payload: &str) -> Result<(), Refusal> {
    judge(&plain_policy(), &signer().token_of(HS, r#"{"alg":"HS256"}"#, payload))
}

/// Of the good claims with some of them others.
fn claims(policy: &Policy, more: Value) -> Result<(), Refusal> {
    judge(policy, &signer().token(HS, &with(good_claims(), more)))
}

#[test]
fn the_form_of_the_token() {
    let good = signer().token(HS, &good_claims());
    let parts: Vec<&str> = good.split('.').collect();
    let (h, p, s) = (parts[0], parts[1], parts[2]);
    assert_eq!(judge(&plain_policy(), &good), Ok(()));
    for (token, reason) in [
        (String::new(), Refusal::Segments),
        (".".into(), Refusal::Segments),
        (format!("{h}.{p}"), Refusal::Segments),
        (format!("{h}.{p}."), Refusal::Segments),
        (format!("{h}..{s}"), Refusal::Segments),
        (format!(".{p}.{s}"), Refusal::Json("header", JsonFault::Malformed)),
        (format!("{h}.{p}.{s}."), Refusal::Segments),
        (format!("{h}.{p}.{s}.{s}"), Refusal::Segments),
        (format!("{h}.{p}.{s}.{s}.{s}.{s}"), Refusal::Segments),
        (format!("{h}.{p}.{s}.{s}.{s}"), Refusal::Encrypted),
        (format!("{h}.....{s}"), Refusal::Segments),
        (format!("{h}.{p}.{s}="), Refusal::Encoding("signature")),
        (format!("{h}.{p}.{s}\n"), Refusal::Encoding("signature")),
        (format!(" {h}.{p}.{s}"), Refusal::Encoding("header")),
        (format!("{h}=.{p}.{s}"), Refusal::Encoding("header")),
        (format!("{h}.{p}=.{s}"), Refusal::BadSignature),
        (format!("{h}.{p}.{}", &s[..s.len() - 2]), Refusal::Encoding("signature")),
        (format!("{h}.{p}.{}", encode([0; 31])), Refusal::BadSignature),
        (format!("{h}.{p}.{}", encode([0; 32])), Refusal::BadSignature),
        (format!(r#"{{"payload":"{p}","protected":"{h}","signature":"{s}"}}"#), Refusal::Segments),
        (format!("{h}.{p}.{}", "A".repeat(8 * 1024)), Refusal::TooLong),
    ] {
        assert_eq!(judge(&plain_policy(), &token), Err(reason), "{token}");
    }
    let tight = Policy { max_bytes: good.len(), ..plain_policy() };
    assert_eq!(judge(&tight, &good), Ok(()));
    assert_eq!(judge(&Policy { max_bytes: good.len() - 1, ..tight }, &good), Err(Refusal::TooLong));
}

#[test]
fn bits_that_stand_for_nothing() {
    // 32 bytes end in a character of which two bits are unused: three more texts decode to the same bytes elsewhere.
    let good = signer().token(HS, &good_claims());
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = good.split_at(good.len() - 1);
    let index = alphabet.iter().position(|byte| *byte == last.as_bytes()[0]).unwrap();
    for unused in 1..4 {
        let token = format!("{rest}{}", char::from(alphabet[index + unused]));
        assert_eq!(judge(&plain_policy(), &token), Err(Refusal::Encoding("signature")));
    }
    // A payload that is signed in another form of itself is refused too.
    let signed = format!("{}.{}=", encode(r#"{"alg":"HS256"}"#), encode(good_claims().to_string()));
    let token = format!("{signed}.{}", encode(signer().sign(HS, signed.as_bytes())));
    assert_eq!(judge(&plain_policy(), &token), Err(Refusal::Encoding("payload")));
}

#[test]
fn the_header() {
    for name in ["none", "None", "NONE", "nOnE"] {
        assert_eq!(header(&json!({ "alg": name }).to_string()), Err(Refusal::Unsigned), "{name}");
        let token = format!("{}.{}.", encode(json!({ "alg": name }).to_string()), encode("{}"));
        assert_eq!(judge(&plain_policy(), &token), Err(Refusal::Unsigned), "{name}");
    }
    for name in ["", "hs256", "HS256 ", "ES256K", "Ed448", "RSA-OAEP", "dir", "HS1", "ML-DSA-44"] {
        assert_eq!(header(&json!({ "alg": name }).to_string()), Err(Refusal::UnknownAlgorithm), "{name}");
    }
    for (text, reason) in [
        (r#"{}"#, Refusal::Header("alg")),
        (r#"{"alg":null}"#, Refusal::Header("alg")),
        (r#"{"alg":["HS256"]}"#, Refusal::Header("alg")),
        (r#"{"alg":"RS256"}"#, Refusal::WrongAlgorithm),
        (r#"{"alg":"ES256"}"#, Refusal::WrongAlgorithm),
        (r#"{"alg":"HS512"}"#, Refusal::WrongAlgorithm),
        (r#"{"alg":"HS256","alg":"HS256"}"#, Refusal::Json("header", JsonFault::Duplicate)),
        (r#"{"alg":"HS256","kid":1}"#, Refusal::Header("kid")),
        (r#"{"alg":"HS256","typ":1}"#, Refusal::Header("typ")),
        (r#"{"alg":"HS256","crit":["exp"],"exp":1}"#, Refusal::Critical),
        (r#"{"alg":"HS256","crit":[]}"#, Refusal::Critical),
        (r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, Refusal::Unencoded),
        (r#"{"alg":"HS256","b64":false}"#, Refusal::Unencoded),
        (r#"{"alg":"HS256","b64":true}"#, Refusal::Unencoded),
        (r#"["alg","HS256"]"#, Refusal::Json("header", JsonFault::Malformed)),
        ("{\"alg\":\"HS256\"}x", Refusal::Json("header", JsonFault::Malformed)),
    ] {
        assert_eq!(header(text), Err(reason), "{text}");
    }
}

#[test]
fn keys_that_a_token_brings_along() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa, Algorithm::Hs256] {
        let ours = if algorithm == HS { signer() } else { Signer::of(algorithm) };
        let theirs = Signer::of(algorithm);
        for more in [
            json!({ "jwk": theirs.jwk() }),
            json!({ "jku": "https://attacker.example/jwks.json" }),
            json!({ "x5u": "https://attacker.example/cert.pem" }),
            json!({ "x5c": ["MIIB"] }),
        ] {
            let header = with(json!({ "alg": algorithm.name() }), more).to_string();
            let forged = theirs.token_of(algorithm, &header, &good_claims().to_string());
            let refused = plain_policy().verify(&ours.set(), forged.as_bytes(), NOW);
            assert_eq!(refused, Err(Refusal::BadSignature), "{header}");
            // Beside a good signature they are of no account: some issuers send them.
            let good = ours.token_of(algorithm, &header, &good_claims().to_string());
            assert!(plain_policy().verify(&ours.set(), good.as_bytes(), NOW).is_ok(), "{header}");
        }
    }
}

#[test]
fn algorithms_of_other_keys() {
    // The public key's bytes as a secret, in every form an attacker has them.
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es512, Algorithm::EdDsa] {
        let victim = Signer::of(algorithm);
        let jwk = victim.jwk();
        let member = if algorithm == Algorithm::Rs256 { "n" } else { "x" };
        let raw = crate::base64url::decode(jwk[member].as_str().unwrap().as_bytes()).unwrap();
        for secret in [raw, jwk.to_string().into_bytes(), json!({ "keys": [jwk] }).to_string().into_bytes()] {
            for hs in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
                let forged = Signer::Secret(secret.clone()).token(hs, &good_claims());
                let refused = plain_policy().verify(&victim.set(), forged.as_bytes(), NOW);
                assert_eq!(refused, Err(Refusal::WrongAlgorithm), "{algorithm:?}");
            }
        }
    }
    // A key is for its own curve, its own padding if `alg` says so, and what the configuration allows.
    let rsa = Signer::of(Algorithm::Rs256);
    let pss = key_set(&[rsa.jwk_with(json!({ "alg": "PS256" }))], JwksFrom::Url);
    let token = rsa.token(Algorithm::Rs256, &good_claims());
    assert_eq!(plain_policy().verify(&pss, token.as_bytes(), NOW).map(drop), Err(Refusal::WrongAlgorithm));
    let jwks = json!({ "keys": [rsa.jwk()] }).to_string();
    let only: Algorithms = [Algorithm::Rs512].into_iter().collect();
    let narrowed = KeySet::from_jwks(jwks.as_bytes(), JwksFrom::Url, only).unwrap();
    assert_eq!(
        plain_policy().verify(&narrowed, token.as_bytes(), NOW).map(drop),
        Err(Refusal::WrongAlgorithm)
    );
    let es384 = Signer::of(Algorithm::Es384).token(Algorithm::Es384, &good_claims());
    let p256 = Signer::of(Algorithm::Es256).set();
    assert_eq!(plain_policy().verify(&p256, es384.as_bytes(), NOW).map(drop), Err(Refusal::WrongAlgorithm));
}

#[test]
fn the_payload() {
    for (text, reason) in [
        ("", Refusal::Segments),
        ("[]", Refusal::Json("payload", JsonFault::Malformed)),
        ("\"x\"", Refusal::Json("payload", JsonFault::Malformed)),
        ("{\"exp\":1800000100,\"exp\":9}", Refusal::Json("payload", JsonFault::Duplicate)),
        ("{\"exp\":1800000100,\"a\":[{\"b\":1,\"b\":2}]}", Refusal::Json("payload", JsonFault::Duplicate)),
    ] {
        assert_eq!(payload(text), Err(reason), "{text}");
    }
    let deep = format!("{{\"exp\":1800000100,\"a\":{}{}}}", "[".repeat(40), "]".repeat(40));
    assert_eq!(payload(&deep), Err(Refusal::Json("payload", JsonFault::TooDeep)));
}

#[test]
fn times() {
    let policy = plain_policy();
    for name in ["exp", "nbf", "iat"] {
        for wrong in [
            "\"1800000100\"",
            "null",
            "true",
            "[1]",
            "{}",
            "-1",
            "1.5",
            "1800000100.0",
            "1e9",
            "18446744073709551616",
            "253402300800",
            "1800000100000",
        ] {
            let mut text = good_claims();
            text.as_object_mut().unwrap().remove(name);
            let text = text.to_string();
            let text = format!("{},\"{name}\":{wrong}}}", &text[..text.len() - 1]);
            assert_eq!(payload(&text), Err(Refusal::BadClaim(name)), "{text}");
        }
    }
    assert_eq!(payload("{}"), Err(Refusal::NoExpiry));
    let lax = Policy { require_exp: false, ..plain_policy() };
    assert_eq!(judge(&lax, &signer().token(HS, &json!({}))), Ok(()));
    for (name, time, expected) in [
        ("exp", NOW - 9, Ok(())),
        ("exp", NOW - 10, Err(Refusal::Expired)),
        ("exp", 0, Err(Refusal::Expired)),
        ("exp", 253_402_300_799, Ok(())),
        ("nbf", NOW + 10, Ok(())),
        ("nbf", NOW + 11, Err(Refusal::NotYet)),
        ("nbf", 0, Ok(())),
        ("iat", NOW + 10, Ok(())),
        ("iat", NOW + 11, Err(Refusal::FromFuture)),
    ] {
        assert_eq!(claims(&policy, json!({ name: time })), expected, "{name} {time}");
    }
    let exact = Policy { leeway: 0, ..plain_policy() };
    assert_eq!(claims(&exact, json!({ "exp": NOW })), Err(Refusal::Expired));
    assert_eq!(claims(&exact, json!({ "exp": NOW + 1, "nbf": NOW, "iat": NOW })), Ok(()));
}

#[test]
fn parties() {
    let policy = Policy {
        issuers: vec!["https://issuer.example".into(), "https://other.example".into()],
        audiences: vec!["shop".into(), "admin".into()],
        ..plain_policy()
    };
    for (more, expected) in [
        (json!({}), Ok(())),
        (json!({ "iss": "https://other.example" }), Ok(())),
        (json!({ "iss": "https://issuer.example/" }), Err(Refusal::WrongIssuer)),
        (json!({ "iss": "https://ISSUER.example" }), Err(Refusal::WrongIssuer)),
        (json!({ "iss": ["https://issuer.example"] }), Err(Refusal::BadClaim("iss"))),
        (json!({ "aud": ["x", "admin"] }), Ok(())),
        (json!({ "aud": "x" }), Err(Refusal::WrongAudience)),
        (json!({ "aud": [] }), Err(Refusal::WrongAudience)),
        (json!({ "aud": "shop admin" }), Err(Refusal::WrongAudience)),
        (json!({ "aud": ["shop", 1] }), Err(Refusal::BadClaim("aud"))),
        (json!({ "aud": { "shop": 1 } }), Err(Refusal::BadClaim("aud"))),
        (json!({ "aud": null }), Err(Refusal::BadClaim("aud"))),
    ] {
        assert_eq!(claims(&policy, more.clone()), expected, "{more}");
    }
    let absent = signer().token(HS, &json!({ "exp": NOW + 1, "aud": "shop" }));
    assert_eq!(judge(&policy, &absent), Err(Refusal::WrongIssuer));
    let absent = signer().token(HS, &json!({ "exp": NOW + 1, "iss": "https://issuer.example" }));
    assert_eq!(judge(&policy, &absent), Err(Refusal::WrongAudience));
    assert_eq!(
        claims(&plain_policy(), json!({ "aud": 1 })),
        Err(Refusal::BadClaim("aud")),
        "even where it does not matter"
    );
}

#[test]
fn tokens_for_another_purpose() {
    let policy = Policy { typ: Some("at+jwt".into()), ..plain_policy() };
    for (typ, right) in [
        (json!("at+jwt"), true),
        (json!("AT+JWT"), true),
        (json!("application/at+jwt"), true),
        (json!("JWT"), false),
        (json!("at+jwt "), false),
    ] {
        let header = json!({ "alg": "HS256", "typ": typ }).to_string();
        let token = signer().token_of(HS, &header, &good_claims().to_string());
        let expected = if right { Ok(()) } else { Err(Refusal::WrongType) };
        assert_eq!(judge(&policy, &token), expected, "{typ}");
    }
    assert_eq!(judge(&policy, &signer().token(HS, &good_claims())), Err(Refusal::WrongType));
}

#[test]
fn claims_that_grant_too_little() {
    let text = |text: &str| Scalar::Text(text.into());
    let contains = |words: &[&str]| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        ClaimRule::Contains(Contains { contains: OneOrMany::Many(words) })
    };
    for (path, rule, met) in [
        ("sub", ClaimRule::Is(text("ada")), true),
        ("sub", ClaimRule::Is(text("ad")), false),
        ("org.id", ClaimRule::Is(Scalar::Number(7)), true),
        ("org.id", ClaimRule::Is(text("7")), false),
        ("org.id", ClaimRule::OneOf(vec![Scalar::Number(6), Scalar::Number(7)]), true),
        ("org.id", ClaimRule::OneOf(vec![Scalar::Number(6)]), false),
        ("absent", ClaimRule::Is(Scalar::Flag(false)), false),
        ("scope", contains(&["orders:write"]), true),
        ("scope", contains(&["orders:write", "orders:read"]), true),
        ("scope", contains(&["orders"]), false),
        ("scope", contains(&["orders:write", "orders:delete"]), false),
        ("roles", contains(&["admin"]), true),
        ("roles", contains(&["adm"]), false),
        ("roles", ClaimRule::Is(text("admin")), false),
        ("org", contains(&["id"]), false),
    ] {
        let mut requirements = Requirements::default();
        requirements.add(ClaimPath::new(path).unwrap(), &rule);
        let policy = Policy { requirements, ..plain_policy() };
        let expected = if met { Ok(()) } else { Err(Refusal::Insufficient) };
        assert_eq!(claims(&policy, json!({})), expected, "{path} {rule:?}");
    }
}

#[test]
fn signatures_of_ecdsa_in_another_form() {
    for (algorithm, half) in [(Algorithm::Es256, 32), (Algorithm::Es384, 48), (Algorithm::Es512, 66)] {
        let signer = Signer::of(algorithm);
        let good = signer.token(algorithm, &good_claims());
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let signature = crate::base64url::decode(signature.as_bytes()).unwrap();
        assert_eq!(signature.len(), 2 * half);
        let (r, s) = signature.split_at(half);
        let der = |number: &[u8]| [&[2, number.len() as u8 + 1, 0], number].concat();
        let body = [der(r), der(s)].concat();
        let zero = vec![0; half];
        for wrong in [
            [&[0x30, body.len() as u8][..], &body].concat(),
            [r, s, &[0]].concat(),
            [&[0], r, s].concat(),
            [&zero, s].concat(),
            [r, &zero].concat(),
            [&zero[..], &zero].concat(),
            vec![0xff; 2 * half],
            signature[..2 * half - 1].to_vec(),
        ] {
            let token = format!("{signed}.{}", encode(wrong));
            let refused = plain_policy().verify(&signer.set(), token.as_bytes(), NOW);
            assert_eq!(refused, Err(Refusal::BadSignature), "{algorithm:?}");
        }
    }
}
