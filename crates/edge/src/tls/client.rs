//! The edge's side of TLS to origins.

use std::path::Path;
use std::sync::Arc;

use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;

use super::identity::Identity;
use super::pem::{Fault, Pem};
use super::{H2, HTTP_1_1, TlsProblem, provider};
use crate::config::{OriginProtocol, OriginTls};

/// How to connect to a pool's `https://` targets: verified against the given authorities or the system's, with
/// sessions resumed. Reads files; with the system's authorities, a few hundred.
///
/// # Errors
/// All faults of the files named.
pub fn client_config(
    tls: &OriginTls,
    protocol: OriginProtocol,
    base: &Path,
) -> Result<Arc<ClientConfig>, Vec<TlsProblem>> {
    let (roots, identity) = match (roots(tls, base), identity(tls, base)) {
        (Ok(roots), Ok(identity)) => (roots, identity),
        (roots, identity) => {
            let problems = roots.err().into_iter().chain(identity.err().into_iter().flatten());
            return Err(problems.collect());
        }
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| {
            let fault = Fault::new(
                format!("TLS cannot be set up: {error}"),
                "this is a fault of the build: report it",
            );
            vec![problem("ca", fault)]
        })?
        .with_root_certificates(roots);
    let mut config = match identity {
        Some(identity) => {
            let certified = SingleCertAndKey::from(Arc::clone(&identity.certified));
            builder.with_client_cert_resolver(Arc::new(certified))
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = match protocol {
        OriginProtocol::Http1 => vec![HTTP_1_1.to_vec()],
        OriginProtocol::Http2 => vec![H2.to_vec()],
    };
    Ok(Arc::new(config))
}

/// The name a target's certificate must have: the configured one, else the host in the target's address (a name, or
/// an IP address with or without brackets).
///
/// # Errors
/// When it is neither a name nor an address.
pub fn server_name(tls: &OriginTls, target_host: &str) -> Result<ServerName<'static>, TlsProblem> {
    let (key, name) = match &tls.server_name {
        Some(name) => ("server_name", name.as_str()),
        None => ("targets", target_host),
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    ServerName::try_from(bare.to_owned()).map_err(|_| {
        let what =
            format!("`{name}` is neither a host name nor an IP address, so no certificate can have it");
        problem(key, Fault::new(what, "give the name in the server's certificate as `server_name`"))
    })
}

fn problem(key: &'static str, fault: Fault) -> TlsProblem {
    TlsProblem { index: 0, key, what: fault.what, fix: fault.fix }
}

/// The authorities to trust.
fn roots(tls: &OriginTls, base: &Path) -> Result<RootCertStore, TlsProblem> {
    let fault = |fault| problem("ca", fault);
    let Some(file) = &tls.ca else { return system_roots().map_err(fault) };
    let pem = Pem::read(base, file).map_err(fault)?;
    if pem.certificates.is_empty() {
        return Err(fault(pem.no_certificate()));
    }
    let mut roots = RootCertStore::empty();
    for certificate in pem.certificates {
        roots.add(certificate).map_err(|error| {
            let what = format!("a certificate in `{file}` is no authority that can be trusted: {error}");
            fault(Fault::new(what, "give the certificate of the authority that issued the server's"))
        })?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, Fault> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems ship authorities that only older software understands; the rest are as good without them.
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable > 0 {
        return Ok(roots);
    }
    let why = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
    Err(Fault::new(
        format!("the system has no list of trusted certificate authorities{why}"),
        "install the system's package `ca-certificates`, or name the authority's PEM file as `ca`",
    ))
}

/// The certificate shown to servers that ask for one.
fn identity(tls: &OriginTls, base: &Path) -> Result<Option<Identity>, Vec<TlsProblem>> {
    match (&tls.cert, &tls.key) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => Identity::load(base, cert, key, 0).map(Some),
        (Some(_), None) => {
            let fault =
                Fault::new("`cert` is given without its key", "give the file of its private key as `key`");
            Err(vec![problem("cert", fault)])
        }
        (None, Some(_)) => {
            let fault =
                Fault::new("`key` is given without its certificate", "give the certificate's file as `cert`");
            Err(vec![problem("key", fault)])
        }
    }
}
