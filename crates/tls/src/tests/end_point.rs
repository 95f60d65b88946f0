//! The channel binding, beside what OpenSSL says of the same certificates (`openssl dgst`).

use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, SignatureAlgorithm};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::Fixture;
use crate::{ServerTls, end_point};

fn self_signed(algorithm: &'static SignatureAlgorithm) -> CertificateDer<'static> {
    let key = KeyPair::generate_for(algorithm).unwrap();
    CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap().into()
}

fn hash(algorithm: &'static Algorithm, certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    Some(digest(algorithm, certificate).as_ref().to_vec())
}

#[test]
fn it_is_hashed_as_the_certificate_is_signed() {
    for (signed, hashed) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, &SHA256),
        (&rcgen::PKCS_ECDSA_P384_SHA384, &SHA384),
        (&rcgen::PKCS_ECDSA_P521_SHA512, &SHA512),
        (&rcgen::PKCS_RSA_SHA256, &SHA256),
        (&rcgen::PKCS_RSA_SHA384, &SHA384),
        (&rcgen::PKCS_RSA_SHA512, &SHA512),
    ] {
        let certificate = self_signed(signed);
        assert_eq!(end_point(&certificate), hash(hashed, &certificate), "{signed:?}");
    }
}

#[test]
fn the_issuers_signature_counts_not_the_owners_key() {
    let issuer_key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let issuer =
        CertifiedIssuer::self_signed(CertificateParams::new(Vec::new()).unwrap(), issuer_key).unwrap();
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = CertificateParams::new(Vec::new()).unwrap().signed_by(&key, &issuer).unwrap().into();
    assert_eq!(end_point(&certificate), hash(&SHA384, &certificate));
}

#[test]
fn it_is_what_openssl_says() {
    for (pem, expected) in [
        (include_str!("data/md5.pem"), "77c444cf6a657b0c3f0b425cb27ddab55ac0d4c2c48d9f8b9bf4e73d6703b369"),
        (include_str!("data/sha1.pem"), "29c6853a7f62833168773ae28a17775e9febe5a037db62e104ea20f54b625c4b"),
        (include_str!("data/sha224.pem"), "eb8a0e13ba91140fcb557f4715dab7881d440bc310b2a544c9dea576"),
        (
            include_str!("data/pss-sha1.pem"),
            "3555612af466ca6addbec17ef3116a3bb4f58b8acebb7dbaa1a6039a086c7347",
        ),
        (
            include_str!("data/pss-sha384.pem"),
            "bdece050c2921acd171844e307cd219daaf03bdbc91dddfe54cf20d7b0bb364411d8ae63d13c7e9acd122c367de03af8",
        ),
    ] {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let found = end_point(&certificate).expect("it is defined");
        let hex: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected, "{pem}");
    }
}

#[test]
fn ed25519_has_none_and_neither_has_what_is_no_certificate() {
    assert_eq!(end_point(&self_signed(&rcgen::PKCS_ED25519)), None);
    assert_eq!(end_point(&CertificateDer::from(vec![0x30, 0x03, 0x02, 0x01, 0x00])), None);
    assert_eq!(end_point(&CertificateDer::from(Vec::new())), None);
}

#[test]
fn a_listener_with_several_certificates_has_none() {
    let fixture = Fixture::new();
    let (one, other) = (fixture.issue("one", &["one.example"]), fixture.issue("other", &["other.example"]));
    let served = |certificates: &[_]| -> ServerTls { fixture.load(certificates).unwrap() };
    let alone = served(std::slice::from_ref(&one)).in_force();
    assert_eq!(alone.end_point().map(<[u8]>::to_vec), end_point(alone.leaf()));
    assert_eq!(served(&[one, other]).in_force().end_point(), None, "the client's choice is not known");
}
