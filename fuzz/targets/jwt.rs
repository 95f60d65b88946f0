//! Only what was signed is accepted, whatever stands in it; what is accepted is what it says, and safe in a header.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deepwater_auth::{Algorithms, ClaimPath, KeySet, Policy, Requirements, Token, TokenCache};
use libfuzzer_sys::fuzz_target;

const SECRET: &[u8] = &[7; 64];
const NOW: u64 = 1_800_000_000;

static KEYS: LazyLock<KeySet> = LazyLock::new(|| KeySet::from_secret(SECRET, Algorithms::ALL).unwrap());

fn policy() -> Policy {
    Policy {
        max_bytes: Token::MAX_BYTES,
        typ: None,
        issuers: Vec::new(),
        audiences: Vec::new(),
        leeway: 0,
        require_exp: false,
        requirements: Requirements::default(),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let policy = policy();
    // Nobody guesses a signature.
    assert!(policy.verify(&KEYS, bytes, NOW).is_err());

    // A header and a payload of any kind, rightly signed.
    let split = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (header, payload) = bytes.split_at(split);
    let payload = payload.strip_prefix(b"\n").unwrap_or(payload);
    let header = if header.is_empty() { br#"{"alg":"HS256"}"# } else { header };
    let mut token = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);

    let mut cache = TokenCache::new(1 << 20, 60);
    let first = cache.verify(&policy, &KEYS, token.as_bytes(), NOW);
    assert_eq!(first, cache.verify(&policy, &KEYS, token.as_bytes(), NOW));
    let Ok(claims) = first else { return };
    let read: serde_json::Value = serde_json::from_slice(payload).unwrap();
    assert_eq!(Some(claims.members()), read.as_object());
    assert!(claims.expires().is_none_or(|expires| expires > NOW));
    for name in claims.members().keys() {
        let Some(text) = ClaimPath::new(name).and_then(|path| claims.text(&path)) else { continue };
        assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{text}");
    }

    // The same with one bit another.
    let mut other = token.into_bytes();
    let bit = bytes.len() % (other.len() * 8);
    other[bit / 8] ^= 1 << (bit % 8);
    assert!(cache.verify(&policy, &KEYS, &other, NOW).is_err());
});
