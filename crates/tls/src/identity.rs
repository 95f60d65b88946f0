//! A certificate chain with its private key: what one side of a connection proves who it is with.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::sign::CertifiedKey;
#[cfg(test)]
use rustls_pki_types::CertificateDer;
use x509_cert::time::Time;

use super::pem::{Fault, Pem};
use super::x509::Parsed;
use super::{TlsProblem, provider};

/// A chain and its key, found to belong together.
#[derive(Debug)]
pub(super) struct Identity {
    pub certified: Arc<CertifiedKey>,
    /// The names (RFC 9525: those of `subjectAltName`, never the common name) and addresses it is for, in lower case.
    pub names: Vec<String>,
    not_after: Time,
    /// The certificate's file, as the configuration names it.
    pub file: String,
}

impl Identity {
    /// Reads a certificate and its key, from two files or one.
    pub(super) fn load(base: &Path, cert: &str, key: &str, index: usize) -> Result<Self, Vec<TlsProblem>> {
        let problem = |key, fault: Fault| TlsProblem { index, key, what: fault.what, fix: fault.fix };
        let (cert, key) = match (Pem::read(base, cert), Pem::read(base, key)) {
            (Ok(cert), Ok(key)) => (cert, key),
            (cert, key) => {
                let faults = [("cert", cert.err()), ("key", key.err())];
                return Err(faults.into_iter().filter_map(|(at, fault)| Some(problem(at, fault?))).collect());
            }
        };
        if cert.certificates.is_empty()
            && key.key.is_none()
            && cert.key.is_some()
            && !key.certificates.is_empty()
        {
            let what = format!("`{}` holds a private key and `{}` a certificate", cert.file, key.file);
            return Err(vec![problem("cert", Fault::new(what, "exchange the values of `cert` and `key`"))]);
        }
        let private_key = match (&key.key, cert.certificates.is_empty()) {
            (Some(private_key), false) => private_key.clone_key(),
            (private_key, no_certificate) => {
                let mut problems = Vec::new();
                if no_certificate {
                    problems.push(problem("cert", cert.no_certificate()));
                }
                if private_key.is_none() {
                    problems.push(problem("key", key.no_key()));
                }
                return Err(problems);
            }
        };
        let signing = provider().key_provider.load_private_key(private_key).map_err(|error| {
            let what = format!("the private key in `{}` cannot be used: {error}", key.file);
            vec![problem(
                "key",
                Fault::new(what, "use an RSA (2048 bits or more), ECDSA P-256/384/521 or Ed25519 key"),
            )]
        })?;
        let certified = CertifiedKey::new(cert.certificates, signing);
        let parsed =
            Parsed::of(&certified.cert[0]).ok_or_else(|| vec![problem("cert", unreadable(&cert.file))])?;
        check_match(&certified, &parsed, &cert.file, &key.file)
            .map_err(|(at, fault)| vec![problem(at, fault)])?;
        Ok(Self {
            certified: Arc::new(certified),
            names: parsed.server_names(),
            not_after: parsed.validity().not_after,
            file: cert.file,
        })
    }

    /// The last moment it is valid, RFC 3339.
    pub(super) fn not_after(&self) -> String {
        self.not_after.to_string()
    }

    pub(super) fn is_expired(&self, now: SystemTime) -> bool {
        self.not_after.to_system_time() < now
    }

    /// Its names in one line.
    pub(super) fn names_text(&self) -> String {
        if self.names.is_empty() { "no name".to_owned() } else { self.names.join(", ") }
    }
}

fn unreadable(file: &str) -> Fault {
    Fault::new(format!("the certificate in `{file}` is not valid X.509"), "have it issued anew")
}

/// The public key in the first certificate must be that of the private key.
fn check_match(
    certified: &CertifiedKey,
    first: &Parsed,
    cert: &str,
    key: &str,
) -> Result<(), (&'static str, Fault)> {
    // A key that does not tell its public half, as none of the provider's is, is taken at its word.
    let Some(public_key) = certified.key.public_key() else { return Ok(()) };
    let belongs = |certificate: &Parsed| certificate.public_key().is_some_and(|key| key == *public_key);
    if belongs(first) {
        return Ok(());
    }
    if certified.cert[1..].iter().filter_map(Parsed::of).any(|later| belongs(&later)) {
        let what = format!("the certificate of the key in `{key}` is not the first in `{cert}`");
        return Err((
            "cert",
            Fault::new(what, "put the server's own certificate first, its issuers behind it"),
        ));
    }
    let what = format!("the private key in `{key}` does not match the certificate in `{cert}`");
    Err(("key", Fault::new(what, "give the key that the certificate was requested with")))
}

/// The names in a certificate, as a client sees it.
#[cfg(test)]
pub(super) fn names_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    Parsed::of(certificate).map_or_else(Vec::new, |parsed| parsed.server_names())
}
