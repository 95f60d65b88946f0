//! What a certificate says of itself.

use std::net::IpAddr;

use rustls_pki_types::CertificateDer;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::asn1::{Any, ObjectIdentifier};
use x509_cert::der::oid::db::rfc4519::CN;
use x509_cert::der::oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME;
use x509_cert::der::{Decode as _, Encode as _, Tag, TagNumber, Tagged as _};
use x509_cert::time::Validity;

/// A certificate, taken apart. Old ones bend the profile of RFC 5280 (serial numbers, above all), and peers accept
/// them.
pub(crate) struct Parsed(CertificateInner<Raw>);

/// A public key, and what it is for.
pub(crate) struct PublicKey {
    /// The content of the `AlgorithmIdentifier`.
    pub algorithm: Vec<u8>,
    pub bits: Vec<u8>,
}

/// A `GeneralName` (RFC 5280 §4.2.1.6) of a kind that servers are told by.
enum AlternativeName {
    Dns(String),
    Address(IpAddr),
}

impl Parsed {
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        CertificateInner::<Raw>::from_der(certificate).ok().map(Self)
    }

    pub(crate) fn validity(&self) -> &Validity<Raw> {
        self.0.tbs_certificate().validity()
    }

    /// What the issuer signed it with.
    pub(crate) fn signature_algorithm(&self) -> (ObjectIdentifier, Option<&Any>) {
        let algorithm = self.0.signature_algorithm();
        (algorithm.oid, algorithm.parameters.as_ref())
    }

    /// The `SubjectPublicKeyInfo`, in DER.
    pub(crate) fn public_key(&self) -> Option<Vec<u8>> {
        self.0.tbs_certificate().subject_public_key_info().to_der().ok()
    }

    /// The same in its parts, as verifiers of signatures want them.
    pub(crate) fn public_key_parts(&self) -> Option<PublicKey> {
        let info = self.0.tbs_certificate().subject_public_key_info();
        let algorithm = Any::encode_from(&info.algorithm).ok()?;
        let bits = info.subject_public_key.as_bytes()?.to_vec();
        Some(PublicKey { algorithm: algorithm.value().to_vec(), bits })
    }

    /// The names (RFC 9525: those of `subjectAltName`, never the common name) and addresses it is for, in lower case.
    pub(crate) fn server_names(&self) -> Vec<String> {
        let name = |name| match name {
            AlternativeName::Dns(name) => name.to_ascii_lowercase(),
            AlternativeName::Address(address) => address.to_string(),
        };
        self.alternative_names().map(name).collect()
    }

    fn alternative_names(&self) -> impl Iterator<Item = AlternativeName> {
        let extensions = self.0.tbs_certificate().extensions().map_or(&[][..], Vec::as_slice);
        extensions
            .iter()
            .filter(|extension| extension.extn_id == ID_CE_SUBJECT_ALT_NAME)
            .filter_map(|extension| Vec::<Any>::from_der(extension.extn_value.as_bytes()).ok())
            .flatten()
            .filter_map(|name| AlternativeName::of(&name))
    }

    /// The subject's common name: the first where there are several, as in PostgreSQL.
    pub(crate) fn common_name(&self) -> Option<String> {
        let attribute = self.0.tbs_certificate().subject().iter().find(|attribute| attribute.oid == CN)?;
        text(&attribute.value)
    }
}

impl AlternativeName {
    fn of(name: &Any) -> Option<Self> {
        const fn context(number: u32) -> Tag {
            Tag::ContextSpecific { constructed: false, number: TagNumber(number) }
        }
        const DNS_NAME: Tag = context(2);
        const IP_ADDRESS: Tag = context(7);
        let text = || std::str::from_utf8(name.value()).ok().map(str::to_owned);
        match name.tag() {
            DNS_NAME => text().map(Self::Dns),
            IP_ADDRESS => Some(Self::Address(match name.value().len() {
                4 => <[u8; 4]>::try_from(name.value()).ok()?.into(),
                _ => <[u8; 16]>::try_from(name.value()).ok()?.into(),
            })),
            _ => None,
        }
    }
}

/// A `DirectoryString` (RFC 5280 §4.1.2.4). None when it is empty or has a NUL: what reads it as a C string would
/// see another name (CVE-2009-4034).
fn text(value: &Any) -> Option<String> {
    let text = match value.tag() {
        // Latin-1 by the letter, which issuers have never agreed on; ASCII is all that is common to the readings.
        Tag::TeletexString if !value.value().is_ascii() => return None,
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::TeletexString => {
            std::str::from_utf8(value.value()).ok()?.to_owned()
        }
        Tag::BmpString => {
            let (units, []) = value.value().as_chunks::<2>() else { return None };
            char::decode_utf16(units.iter().map(|unit| u16::from_be_bytes(*unit)))
                .collect::<Result<_, _>>()
                .ok()?
        }
        _ => return None,
    };
    (!text.is_empty() && !text.contains('\0')).then_some(text)
}

/// The common name of a peer's certificate: the first where there are several, as in PostgreSQL. None when it is empty or
/// has a NUL, and when the certificate is not valid X.509. Worth nothing unless the handshake verified it.
pub fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    Parsed::of(certificate)?.common_name()
}
