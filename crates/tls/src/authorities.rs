//! The authorities that a peer's certificate must come from.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

use super::TlsProblem;
use super::pem::{Fault, Pem};

/// Where the certificates of trusted authorities are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorities {
    /// In the system's list.
    System,
    /// In a PEM file, relative to the base directory.
    File(String),
}

/// The authorities, read. Without any, nobody is trusted.
#[derive(Debug, Clone)]
pub(crate) struct Anchors {
    pub roots: Arc<RootCertStore>,
    /// What the file holds; nothing of the system's list.
    pub certificates: Vec<CertificateDer<'static>>,
}

impl Anchors {
    pub(crate) fn none() -> Self {
        Self { roots: Arc::new(RootCertStore::empty()), certificates: Vec::new() }
    }

    /// Reads them. With the system's list, a few hundred files. `issued` names in a plural genitive what they issue.
    pub(crate) fn read(authorities: &Authorities, base: &Path, issued: &str) -> Result<Self, TlsProblem> {
        let read = match authorities {
            Authorities::System => system(),
            Authorities::File(file) => of_file(base, file, issued),
        };
        read.map_err(|fault| TlsProblem { index: 0, key: "ca", what: fault.what, fix: fault.fix })
    }
}

fn of_file(base: &Path, file: &str, issued: &str) -> Result<Anchors, Fault> {
    let pem = Pem::read(base, file)?;
    if pem.certificates.is_empty() {
        return Err(pem.no_certificate());
    }
    let mut roots = RootCertStore::empty();
    for certificate in &pem.certificates {
        roots.add(certificate.clone()).map_err(|error| {
            let what = format!("a certificate in `{file}` is no authority that can be trusted: {error}");
            Fault::new(what, format!("give the certificate of the authority that issued the {issued}"))
        })?;
    }
    Ok(Anchors { roots: Arc::new(roots), certificates: pem.certificates })
}

fn system() -> Result<Anchors, Fault> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems ship authorities that only older software understands; the rest are as good without them.
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable > 0 {
        return Ok(Anchors { roots: Arc::new(roots), certificates: Vec::new() });
    }
    let why = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
    Err(Fault::new(
        format!("the system has no list of trusted certificate authorities{why}"),
        "install the system's package `ca-certificates`, or name the authority's PEM file as `ca`",
    ))
}
