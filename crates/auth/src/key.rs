//! One key: parsed once, and bound for good to the algorithms it verifies. What a token says cannot change that.

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents, VerificationAlgorithm,
};

use crate::algorithm::{Algorithm, Algorithms, Family};

const RSA_MIN_BITS: usize = 2048;
const RSA_MAX_BITS: usize = 8192;
/// Longer exponents make verification slow and serve nobody.
const EXPONENT_MAX_BITS: usize = 33;

/// Why a key is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// RFC 7518 §3.2: as long as the hash at least.
    #[error(
        "the secret has {bits} bits; the shortest hash asks for 256, and HS384 and HS512 for 384 and 512"
    )]
    ShortSecret {
        /// How many it has.
        bits: usize,
    },
    /// Too short to be safe, or too long to be quick.
    #[error("the RSA key has {bits} bits; accepted are {RSA_MIN_BITS} to {RSA_MAX_BITS}")]
    RsaSize {
        /// How many it has.
        bits: usize,
    },
    /// Even, 1 or very large; or an even modulus.
    #[error("the RSA key is malformed")]
    RsaMalformed,
    /// Not a point of its curve, or not written in full length.
    #[error("the public key is no point of its curve")]
    Point,
    /// It verifies nothing that the configuration allows.
    #[error("the key is for none of the algorithms allowed")]
    NotAllowed,
    /// A type or curve. Which one, if it is a known name.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
    /// `alg` of the JWK does not fit the key.
    #[error("`alg` names an algorithm that the key is not for")]
    WrongAlgorithm,
    /// A member is missing, or not written as it must be. Which one.
    #[error("the member `{0}` is missing or malformed")]
    Member(&'static str),
    /// `use` is not `sig`, or `key_ops` has no `verify`.
    #[error("the key is not for verifying signatures")]
    OtherUse,
    /// A private key where a public one belongs. Whoever can read it can sign.
    #[error(
        "this is a private key: whoever has read it can sign tokens, so its public half is not trusted either"
    )]
    Private,
    /// A symmetric key in a place that others can read, or beside public keys.
    #[error(
        "this is a symmetric key, which may stand neither in a key set that is fetched nor beside public keys"
    )]
    Symmetric,
    /// Two keys of this id verify the same algorithm.
    #[error("another key has the same `kid`: a token would not say which of them signed it")]
    Ambiguous,
}

/// What a key is made of.
pub(crate) enum Material<'m> {
    Secret(&'m [u8]),
    /// Modulus and exponent, big-endian.
    Rsa(&'m [u8], &'m [u8]),
    /// A curve and an uncompressed point of it.
    Point(Family, &'m [u8]),
    Ed25519(&'m [u8]),
}

/// A key that verifies signatures.
#[derive(Debug)]
pub struct Key {
    id: Option<Box<str>>,
    verifiers: Vec<(Algorithm, Verifier)>,
    fingerprint: [u8; 32],
}

#[derive(Debug)]
enum Verifier {
    Mac(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

impl Key {
    pub(crate) fn new(
        material: &Material<'_>,
        id: Option<&str>,
        allowed: Algorithms,
    ) -> Result<Self, KeyFault> {
        check(material)?;
        let mut verifiers = Vec::new();
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| material.fits(*algorithm)) {
            // Parsed even if it is not allowed, so that a broken key is called broken.
            let verifier = material.verifier(algorithm)?;
            if allowed.contains(algorithm) {
                verifiers.push((algorithm, verifier));
            }
        }
        if verifiers.is_empty() {
            return Err(KeyFault::NotAllowed);
        }
        let fingerprint = material.fingerprint(id, &verifiers);
        Ok(Self { id: id.map(Box::from), verifiers, fingerprint })
    }

    /// Its `kid`.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// What it verifies.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.verifiers.iter().map(|(algorithm, _)| *algorithm)
    }

    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithms().any(|mine| mine == algorithm)
    }

    /// Of all that decides what it verifies.
    pub(crate) const fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// Whether a signature holds; never for an algorithm that the key is not for.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let fitting = self.verifiers.iter().find(|(mine, _)| *mine == algorithm);
        fitting.is_some_and(|(_, verifier)| match verifier {
            Verifier::Mac(key) => hmac::verify(key, message, signature).is_ok(),
            Verifier::Public(key) => key.verify_sig(message, signature).is_ok(),
        })
    }
}

impl Material<'_> {
    const fn family(&self) -> Family {
        match self {
            Self::Secret(_) => Family::Hmac,
            Self::Rsa(..) => Family::Rsa,
            Self::Point(family, _) => *family,
            Self::Ed25519(_) => Family::Ed25519,
        }
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        let long_enough = match (self, algorithm) {
            (Self::Secret(secret), Algorithm::Hs384) => secret.len() >= 48,
            (Self::Secret(secret), Algorithm::Hs512) => secret.len() >= 64,
            _ => true,
        };
        algorithm.family() == self.family() && long_enough
    }

    fn verifier(&self, algorithm: Algorithm) -> Result<Verifier, KeyFault> {
        Ok(match self {
            Self::Secret(secret) => Verifier::Mac(Box::new(hmac::Key::new(hash(algorithm), secret))),
            Self::Rsa(n, e) => {
                let components = RsaPublicKeyComponents { n, e };
                let parsed = components.to_parsed_public_key(rsa(algorithm));
                Verifier::Public(parsed.map_err(|_| KeyFault::RsaMalformed)?)
            }
            Self::Point(_, bytes) | Self::Ed25519(bytes) => {
                let parsed = ParsedPublicKey::new(curve(algorithm), bytes);
                Verifier::Public(parsed.map_err(|_| KeyFault::Point)?)
            }
        })
    }

    fn fingerprint(&self, id: Option<&str>, verifiers: &[(Algorithm, Verifier)]) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        let mut part = |bytes: &[u8]| {
            context.update(&(bytes.len() as u64).to_be_bytes());
            context.update(bytes);
        };
        part(&[u8::from(id.is_some())]);
        part(id.unwrap_or_default().as_bytes());
        for (algorithm, _) in verifiers {
            part(algorithm.name().as_bytes());
        }
        match self {
            Self::Secret(bytes) | Self::Point(_, bytes) | Self::Ed25519(bytes) => part(bytes),
            Self::Rsa(n, e) => {
                part(n);
                part(e);
            }
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(context.finish().as_ref());
        fingerprint
    }
}

/// What the library checks late or not at all.
fn check(material: &Material<'_>) -> Result<(), KeyFault> {
    match material {
        Material::Secret(secret) if secret.len() < 32 => {
            Err(KeyFault::ShortSecret { bits: secret.len() * 8 })
        }
        Material::Rsa(n, e) => {
            let bits = bit_length(n);
            if !(RSA_MIN_BITS..=RSA_MAX_BITS).contains(&bits) {
                return Err(KeyFault::RsaSize { bits });
            }
            let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
            let exponent = bit_length(e);
            let right = odd(n) && odd(e) && (2..=EXPONENT_MAX_BITS).contains(&exponent);
            if right { Ok(()) } else { Err(KeyFault::RsaMalformed) }
        }
        // Compressed points are no part of JWK, and of no use in PEM.
        Material::Point(family, point) if point.len() != point_length(*family) || point[0] != 4 => {
            Err(KeyFault::Point)
        }
        Material::Ed25519(key) if key.len() != 32 => Err(KeyFault::Point),
        _ => Ok(()),
    }
}

/// Bytes of a coordinate (RFC 7518 §6.2.1.2).
pub(crate) const fn coordinate_length(family: Family) -> usize {
    match family {
        Family::P384 => 48,
        Family::P521 => 66,
        _ => 32,
    }
}

const fn point_length(family: Family) -> usize {
    1 + 2 * coordinate_length(family)
}

fn bit_length(number: &[u8]) -> usize {
    match number {
        [] => 0,
        [0, rest @ ..] => bit_length(rest),
        [first, ..] => number.len() * 8 - first.leading_zeros() as usize,
    }
}

fn hash(algorithm: Algorithm) -> hmac::Algorithm {
    match algorithm {
        Algorithm::Hs384 => hmac::HMAC_SHA384,
        Algorithm::Hs512 => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    }
}

fn rsa(algorithm: Algorithm) -> &'static RsaParameters {
    match algorithm {
        Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        _ => &RSA_PKCS1_2048_8192_SHA256,
    }
}

/// Signatures of ECDSA are r and s in full length (RFC 7518 §3.4), not DER.
fn curve(algorithm: Algorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        Algorithm::Es384 => &ECDSA_P384_SHA384_FIXED,
        Algorithm::Es512 => &ECDSA_P521_SHA512_FIXED,
        Algorithm::EdDsa => &ED25519,
        _ => &ECDSA_P256_SHA256_FIXED,
    }
}
