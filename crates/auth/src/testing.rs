//! An issuer of tokens, for tests.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use x509_cert::der::asn1::UintRef;
use x509_cert::der::{Decode as _, Reader as _, SliceReader};

use crate::algorithm::{Algorithm, Algorithms};
use crate::claims::Requirements;
use crate::keys::{JwksFrom, KeySet};
use crate::verify::Policy;

/// When tests happen: a time like any other.
pub(crate) const NOW: u64 = 1_800_000_000;

/// Claims that hold at [`NOW`].
pub(crate) fn good_claims() -> Value {
    json!({
        "iss": "https://issuer.example", "aud": "shop", "sub": "ada", "exp": NOW + 600, "nbf": NOW - 5, "iat": NOW - 5,
        "scope": "orders:read orders:write", "roles": ["user", "admin"], "org": { "id": 7 },
    })
}

/// What asks for a signature and a time to expire, and nothing else.
pub(crate) fn plain_policy() -> Policy {
    Policy {
        max_bytes: crate::Token::MAX_BYTES,
        typ: None,
        issuers: Vec::new(),
        audiences: Vec::new(),
        leeway: 10,
        require_exp: true,
        requirements: Requirements::default(),
    }
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Whoever signs.
pub(crate) enum Signer {
    Secret(Vec<u8>),
    Rsa(Box<RsaKeyPair>),
    Ecdsa(Box<EcdsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    /// A key that can sign with an algorithm.
    pub(crate) fn of(algorithm: Algorithm) -> Self {
        let curve = match algorithm {
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
                return Self::Secret((0..64).collect());
            }
            Algorithm::EdDsa => return Self::Ed25519(Ed25519KeyPair::generate().unwrap()),
            Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            Algorithm::Es384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
            Algorithm::Es512 => &ECDSA_P521_SHA512_FIXED_SIGNING,
            _ => return Self::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())),
        };
        Self::Ecdsa(Box::new(EcdsaKeyPair::generate(curve).unwrap()))
    }

    /// Its public half (of a secret, all of it) as a JWK.
    pub(crate) fn jwk(&self) -> Value {
        match self {
            Self::Secret(secret) => json!({ "kty": "oct", "k": encode(secret) }),
            Self::Ed25519(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key()) }),
            Self::Ecdsa(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let crv = match x.len() {
                    32 => "P-256",
                    48 => "P-384",
                    _ => "P-521",
                };
                json!({ "kty": "EC", "crv": crv, "x": encode(x), "y": encode(y) })
            }
            Self::Rsa(pair) => {
                // An `RSAPublicKey` (RFC 8017 appendix A.1.1).
                let mut reader = SliceReader::new(pair.public_key().as_ref()).unwrap();
                let numbers = reader.sequence(|inside| {
                    Ok::<_, x509_cert::der::Error>([UintRef::decode(inside)?, UintRef::decode(inside)?])
                });
                let [n, e] = numbers.unwrap().map(|number| encode(number.as_bytes()));
                json!({ "kty": "RSA", "n": n, "e": e })
            }
        }
    }

    /// The same with more members.
    pub(crate) fn jwk_with(&self, more: Value) -> Value {
        with(self.jwk(), more)
    }

    /// A set of this key alone.
    pub(crate) fn set(&self) -> KeySet {
        key_set(&[self.jwk()], JwksFrom::File)
    }

    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Secret(secret) => {
                let hash = match algorithm {
                    Algorithm::Hs384 => hmac::HMAC_SHA384,
                    Algorithm::Hs512 => hmac::HMAC_SHA512,
                    _ => hmac::HMAC_SHA256,
                };
                hmac::sign(&hmac::Key::new(hash, secret), message).as_ref().to_vec()
            }
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Ecdsa(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Rsa(pair) => {
                let padding: &'static dyn RsaEncoding = match algorithm {
                    Algorithm::Rs384 => &RSA_PKCS1_SHA384,
                    Algorithm::Rs512 => &RSA_PKCS1_SHA512,
                    Algorithm::Ps256 => &RSA_PSS_SHA256,
                    Algorithm::Ps384 => &RSA_PSS_SHA384,
                    Algorithm::Ps512 => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// A token of a header and a payload as they stand.
    pub(crate) fn token_of(&self, algorithm: Algorithm, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(payload));
        let signature = self.sign(algorithm, signed.as_bytes());
        format!("{signed}.{}", encode(signature))
    }

    pub(crate) fn token(&self, algorithm: Algorithm, claims: &Value) -> String {
        self.token_of(algorithm, &json!({ "alg": algorithm.name() }).to_string(), &claims.to_string())
    }
}

/// An object with the members of another.
pub(crate) fn with(mut object: Value, more: Value) -> Value {
    let more = more.as_object().cloned().unwrap();
    object.as_object_mut().unwrap().extend(more);
    object
}

pub(crate) fn key_set(keys: &[Value], from: JwksFrom) -> KeySet {
    KeySet::from_jwks(json!({ "keys": keys }).to_string().as_bytes(), from, Algorithms::ALL).unwrap()
}
