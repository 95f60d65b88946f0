//! One JSON Web Key (RFC 7517, RFC 7518 §6, RFC 8037 §2).

use serde_json::{Map, Value};

use super::JwksFrom;
use crate::algorithm::{Algorithm, Algorithms, Family};
use crate::base64url;
use crate::key::{Key, KeyFault, Material, coordinate_length};

/// Members that make a key a private one (RFC 7518 §6.2.2, §6.3.2).
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// Reads a key; what it verifies follows from its type, its `alg` and what is allowed.
pub(super) fn key(jwk: &Map<String, Value>, from: JwksFrom, allowed: Algorithms) -> Result<Key, KeyFault> {
    let kty = text(jwk, "kty")?.ok_or(KeyFault::Member("kty"))?;
    if kty != "oct" && PRIVATE.iter().any(|member| jwk.contains_key(*member)) {
        return Err(KeyFault::Private);
    }
    if kty == "oct" && from == JwksFrom::Url {
        return Err(KeyFault::Symmetric);
    }
    for_verifying(jwk)?;
    let family = family(kty, text(jwk, "crv")?)?;
    let allowed = bound(jwk, family, allowed)?;
    let id = text(jwk, "kid")?;
    match family {
        Family::Hmac => Key::new(&Material::Secret(&bytes(jwk, "k")?), id, allowed),
        Family::Rsa => Key::new(&Material::Rsa(&number(jwk, "n")?, &number(jwk, "e")?), id, allowed),
        Family::Ed25519 => Key::new(&Material::Ed25519(&bytes(jwk, "x")?), id, allowed),
        Family::P256 | Family::P384 | Family::P521 => {
            let mut point = vec![4];
            for member in ["x", "y"] {
                let coordinate = bytes(jwk, member)?;
                if coordinate.len() != coordinate_length(family) {
                    return Err(KeyFault::Member(member));
                }
                point.extend(coordinate);
            }
            Key::new(&Material::Point(family, &point), id, allowed)
        }
    }
}

/// Whether a key is symmetric, as far as can be told of what may be no key at all.
pub(super) fn is_symmetric(jwk: &Map<String, Value>) -> bool {
    jwk.get("kty").and_then(Value::as_str) == Some("oct")
}

fn family(kty: &str, crv: Option<&str>) -> Result<Family, KeyFault> {
    match (kty, crv) {
        ("oct", _) => Ok(Family::Hmac),
        ("RSA", _) => Ok(Family::Rsa),
        ("EC", Some("P-256")) => Ok(Family::P256),
        ("EC", Some("P-384")) => Ok(Family::P384),
        ("EC", Some("P-521")) => Ok(Family::P521),
        ("EC", Some("secp256k1")) => Err(KeyFault::Unsupported("secp256k1")),
        ("OKP", Some("Ed25519")) => Ok(Family::Ed25519),
        ("OKP", Some("Ed448")) => Err(KeyFault::Unsupported("Ed448")),
        ("EC" | "OKP", None) => Err(KeyFault::Member("crv")),
        ("EC" | "OKP", Some(_)) => Err(KeyFault::Unsupported("this curve")),
        _ => Err(KeyFault::Unsupported("this `kty`")),
    }
}

/// What is allowed, narrowed to `alg`.
fn bound(jwk: &Map<String, Value>, family: Family, allowed: Algorithms) -> Result<Algorithms, KeyFault> {
    let Some(name) = text(jwk, "alg")? else { return Ok(allowed) };
    let algorithm = Algorithm::named(name).filter(|algorithm| algorithm.family() == family);
    let algorithm = algorithm.ok_or(KeyFault::WrongAlgorithm)?;
    Ok([algorithm].into_iter().filter(|algorithm| allowed.contains(*algorithm)).collect())
}

fn for_verifying(jwk: &Map<String, Value>) -> Result<(), KeyFault> {
    if text(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(KeyFault::OtherUse);
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().all(Value::is_string) => {
            let verify = operations.iter().any(|operation| operation == "verify");
            if verify { Ok(()) } else { Err(KeyFault::OtherUse) }
        }
        Some(_) => Err(KeyFault::Member("key_ops")),
    }
}

fn text<'j>(jwk: &'j Map<String, Value>, member: &'static str) -> Result<Option<&'j str>, KeyFault> {
    match jwk.get(member) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(KeyFault::Member(member)),
    }
}

fn bytes(jwk: &Map<String, Value>, member: &'static str) -> Result<Vec<u8>, KeyFault> {
    let text = text(jwk, member)?.ok_or(KeyFault::Member(member))?;
    base64url::decode(text.as_bytes()).ok_or(KeyFault::Member(member))
}

/// A Base64urlUInt (RFC 7518 §2). Leading zeros, which some libraries write against the rule, change no number.
fn number(jwk: &Map<String, Value>, member: &'static str) -> Result<Vec<u8>, KeyFault> {
    let mut bytes = bytes(jwk, member)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    if bytes.is_empty() { Err(KeyFault::Member(member)) } else { Ok(bytes) }
}
