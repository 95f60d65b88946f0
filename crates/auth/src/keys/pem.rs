//! Public keys and certificates in PEM. Of a certificate only the key is taken: its dates and issuer are not looked at.

use rustls_pki_types::pem::{PemObject as _, SectionKind};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::asn1::{BitStringRef, ObjectIdentifier, UintRef};
use x509_cert::der::{Decode as _, Encode as _, Reader as _, SliceReader};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::KeySetFault;
use crate::algorithm::{Algorithms, Family};
use crate::key::{Key, KeyFault, Material};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ED448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");

/// Every public key and certificate of a text. A private key in it is a fault; sections of other kinds do not count.
pub(super) fn keys(text: &[u8], allowed: Algorithms) -> Result<Vec<Result<Key, KeyFault>>, KeySetFault> {
    let mut keys = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
        let (kind, der) = section.map_err(|_| KeySetFault::DamagedPem)?;
        keys.push(match kind {
            SectionKind::PublicKey => public_key(&der, allowed),
            SectionKind::Certificate => certificate(&der, allowed),
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                return Err(KeySetFault::PrivatePem);
            }
            _ => continue,
        });
        if keys.len() > super::MAX_KEYS {
            return Err(KeySetFault::TooManyKeys);
        }
    }
    Ok(keys)
}

fn certificate(der: &[u8], allowed: Algorithms) -> Result<Key, KeyFault> {
    let certificate = CertificateInner::<Raw>::from_der(der).map_err(|_| KeyFault::Member("certificate"))?;
    let info = certificate.tbs_certificate().subject_public_key_info().to_der();
    public_key(&info.map_err(|_| KeyFault::Member("certificate"))?, allowed)
}

/// A `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7).
fn public_key(der: &[u8], allowed: Algorithms) -> Result<Key, KeyFault> {
    const FAULT: KeyFault = KeyFault::Member("public key");
    let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| FAULT)?;
    let bits: &BitStringRef<'_> = &info.subject_public_key;
    let bytes = bits.as_bytes().ok_or(FAULT)?;
    match info.algorithm.oid {
        RSA => {
            let (n, e) = rsa(bytes).ok_or(FAULT)?;
            Key::new(&Material::Rsa(n.as_bytes(), e.as_bytes()), None, allowed)
        }
        EC => {
            let curve = info.algorithm.parameters_oid().map_err(|_| FAULT)?;
            Key::new(&Material::Point(family(curve)?, bytes), None, allowed)
        }
        ED25519 => Key::new(&Material::Ed25519(bytes), None, allowed),
        ED448 => Err(KeyFault::Unsupported("Ed448")),
        RSA_PSS => Err(KeyFault::Unsupported("RSASSA-PSS (write it as a plain RSA key)")),
        _ => Err(KeyFault::Unsupported("this algorithm")),
    }
}

fn family(curve: ObjectIdentifier) -> Result<Family, KeyFault> {
    match curve {
        P256 => Ok(Family::P256),
        P384 => Ok(Family::P384),
        P521 => Ok(Family::P521),
        _ => Err(KeyFault::Unsupported("this curve")),
    }
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017 appendix A.1.1).
fn rsa(der: &[u8]) -> Option<(UintRef<'_>, UintRef<'_>)> {
    let mut reader = SliceReader::new(der).ok()?;
    let numbers = reader.sequence(|inside| {
        Ok::<_, x509_cert::der::Error>((UintRef::decode(inside)?, UintRef::decode(inside)?))
    });
    let numbers = numbers.ok()?;
    reader.is_finished().then_some(numbers)
}
