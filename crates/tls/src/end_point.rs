//! The channel binding `tls-server-end-point` (RFC 5929 §4).

use aws_lc_rs::digest::{Algorithm, SHA224, SHA256, SHA384, SHA512, digest};
use rustls_pki_types::CertificateDer;
use x509_cert::der::asn1::{Any, ObjectIdentifier};
use x509_cert::der::oid::db::rfc5912::{
    DSA_WITH_SHA_1, DSA_WITH_SHA_224, DSA_WITH_SHA_256, ECDSA_WITH_SHA_224, ECDSA_WITH_SHA_256,
    ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, ID_MD_5, ID_RSASSA_PSS, ID_SHA_1, ID_SHA_224, ID_SHA_256,
    ID_SHA_384, ID_SHA_512, MD_5_WITH_RSA_ENCRYPTION, SHA_1_WITH_RSA_ENCRYPTION, SHA_224_WITH_RSA_ENCRYPTION,
    SHA_256_WITH_RSA_ENCRYPTION, SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION,
};
use x509_cert::der::{Decode as _, Tag, TagNumber, Tagged as _};

use crate::x509::Parsed;

/// What a channel to the owner of this certificate is bound by: its hash with the hash function of its signature,
/// SHA-256 in place of MD5 and SHA-1.
///
/// None where that function is not defined, as with Ed25519, which has none of its own. PostgreSQL and libpq fail
/// then; so SCRAM-SHA-256-PLUS must be neither offered with such a certificate nor asked of its owner.
pub fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let parsed = Parsed::of(certificate)?;
    let algorithm = match parsed.signature_algorithm() {
        (ID_RSASSA_PSS, parameters) => hash_of_pss(parameters)?,
        (oid, _) => oid,
    };
    let (_, algorithm) = HASHES.iter().find(|(oids, _)| oids.contains(&algorithm))?;
    Some(digest(algorithm, certificate).as_ref().to_vec())
}

/// The database has all of its kin.
const ECDSA_WITH_SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");

/// By signature algorithm, or by hash function alone.
const HASHES: &[(&[ObjectIdentifier], &Algorithm)] = &[
    (
        &[
            MD_5_WITH_RSA_ENCRYPTION,
            SHA_1_WITH_RSA_ENCRYPTION,
            DSA_WITH_SHA_1,
            ECDSA_WITH_SHA_1,
            ID_MD_5,
            ID_SHA_1,
            SHA_256_WITH_RSA_ENCRYPTION,
            DSA_WITH_SHA_256,
            ECDSA_WITH_SHA_256,
            ID_SHA_256,
        ],
        &SHA256,
    ),
    (&[SHA_224_WITH_RSA_ENCRYPTION, DSA_WITH_SHA_224, ECDSA_WITH_SHA_224, ID_SHA_224], &SHA224),
    (&[SHA_384_WITH_RSA_ENCRYPTION, ECDSA_WITH_SHA_384, ID_SHA_384], &SHA384),
    (&[SHA_512_WITH_RSA_ENCRYPTION, ECDSA_WITH_SHA_512, ID_SHA_512], &SHA512),
];

/// The `hashAlgorithm` of `RSASSA-PSS-params` (RFC 4055 §3.1): SHA-1 unless it is given.
fn hash_of_pss(parameters: Option<&Any>) -> Option<ObjectIdentifier> {
    const HASH_ALGORITHM: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
    let fields = parameters?.decode_as::<Vec<Any>>().ok()?;
    match fields.first() {
        Some(field) if field.tag() == HASH_ALGORITHM => {
            let algorithm = Vec::<Any>::from_der(field.value()).ok()?;
            algorithm.first()?.decode_as().ok()
        }
        _ => Some(ID_SHA_1),
    }
}
