//! Verifying servers as libpq does ("Client Verification of Server Certificates").
//!
//! It differs from the web's rules where PostgreSQL's servers do: they sign their own certificates, which are those
//! of an authority by OpenSSL's defaults and are handed to clients as the authority to trust; they have their name as
//! the common name alone; they are of X.509 version 1.

use std::net::IpAddr;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};

use super::authorities::Anchors;
use super::provider;
use super::x509::Parsed;

/// Verifies servers by libpq's rules; that one holds its certificate's private key, always.
#[derive(Debug)]
pub(crate) struct LibpqVerifier {
    /// Without them any certificate will do.
    anchors: Option<Anchors>,
    check_name: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl LibpqVerifier {
    /// Takes any certificate: `sslmode=require`.
    pub(crate) fn credulous() -> Self {
        Self::new(None, false)
    }

    /// Takes those that the authorities issued, for the server's name or for any.
    pub(crate) fn of(anchors: Anchors, check_name: bool) -> Self {
        Self::new(Some(anchors), check_name)
    }

    fn new(anchors: Option<Anchors>, check_name: bool) -> Self {
        Self { anchors, check_name, algorithms: provider().signature_verification_algorithms }
    }
}

impl ServerCertVerifier for LibpqVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(anchors) = &self.anchors else { return Ok(ServerCertVerified::assertion()) };
        if anchors.certificates.contains(end_entity) {
            verify_validity(&parsed(end_entity)?, now)?;
        } else {
            verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(end_entity)?,
                &anchors.roots,
                intermediates,
                now,
                self.algorithms.all,
            )?;
        }
        if self.check_name {
            verify_name(end_entity, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let (_, candidates) = self
            .algorithms
            .mapping
            .iter()
            .find(|(scheme, _)| *scheme == dss.scheme)
            .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        let key = parsed(cert)?.public_key_parts().ok_or(CertificateError::BadEncoding)?;
        // A scheme of TLS 1.2 leaves the curve open.
        let algorithm = candidates
            .iter()
            .find(|algorithm| algorithm.public_key_alg_id().as_ref() == key.algorithm)
            .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        algorithm
            .verify_signature(&key.bits, message, dss.signature())
            .map_err(|_| CertificateError::BadSignature)?;
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = parsed(cert)?.public_key().ok_or(CertificateError::BadEncoding)?;
        verify_tls13_signature_with_raw_key(
            message,
            &SubjectPublicKeyInfoDer::from(key),
            dss,
            &self.algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn parsed(certificate: &CertificateDer<'_>) -> Result<Parsed, Error> {
    Parsed::of(certificate).ok_or_else(|| CertificateError::BadEncoding.into())
}

fn verify_validity(certificate: &Parsed, now: UnixTime) -> Result<(), Error> {
    let validity = certificate.validity();
    if now.as_secs() < validity.not_before.to_unix_duration().as_secs() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now.as_secs() > validity.not_after.to_unix_duration().as_secs() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

fn verify_name(end_entity: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Error> {
    let certificate = parsed(end_entity)?;
    if !certificate.server_names().is_empty() {
        return verify_server_name(&ParsedCertificate::try_from(end_entity)?, name);
    }
    match certificate.common_name() {
        Some(common) if is_name_of(&common, name) => Ok(()),
        _ => Err(CertificateError::NotValidForName.into()),
    }
}

/// A wildcard stands for the whole first label, and for no more.
fn is_name_of(common: &str, name: &ServerName<'_>) -> bool {
    match name {
        ServerName::DnsName(name) => {
            let name = name.as_ref();
            let parent = || Some((common.strip_prefix("*.")?, name.split_once('.')?.1));
            common.eq_ignore_ascii_case(name)
                || parent().is_some_and(|(common, parent)| common.eq_ignore_ascii_case(parent))
        }
        ServerName::IpAddress(address) => common.parse() == Ok(IpAddr::from(*address)),
        _ => false,
    }
}
