//! Our side of TLS to servers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use deepwater_core::Context;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::sign::SingleCertAndKey;
use rustls_pki_types::ServerName;

use super::authorities::Authorities;
use super::config::{Certificate, TlsVersion};
use super::files::Stamps;
use super::libpq::LibpqVerifier;
use super::material::{Files, Material};
use super::status::CertificateStatus;
use super::watch::{self, Holder};
use super::{TlsProblem, provider, versions};

/// How TLS is done with servers.
#[derive(Debug, Clone)]
pub struct ClientSpec {
    /// Which servers are the right ones.
    pub trust: Trust,
    /// PEM file of the certificate shown to servers that ask for one.
    pub cert: Option<String>,
    /// PEM file of its key.
    pub key: Option<String>,
    /// The lowest version accepted.
    pub min: TlsVersion,
    /// What is to be spoken inside (ALPN, RFC 7301), the preferred first.
    pub alpn: Vec<Vec<u8>>,
    /// Whether sessions are resumed. Not for what is bound to a handshake's certificate, such as SCRAM-SHA-256-PLUS.
    pub resume: bool,
}

/// Which servers are the right ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Any, whatever its certificate: libpq's `sslmode=require`. Nobody can listen in, but anybody who is in between
    /// can be the server.
    Anyone,
    /// Those with a certificate that an authority issued, for whatever name: libpq's `verify-ca`.
    Issued(Authorities),
    /// Those with a certificate that an authority issued for the server's name or address: libpq's `verify-full`.
    /// The common name counts when the certificate has no `subjectAltName` of the kinds.
    Named(Authorities),
    /// As [`Trust::Named`] by the rules of the web (RFC 9525): the common name never counts, and a certificate of an
    /// authority is not a server's.
    Web(Authorities),
}

impl Trust {
    fn authorities(&self) -> Option<Authorities> {
        match self {
            Self::Anyone => None,
            Self::Issued(authorities) | Self::Named(authorities) | Self::Web(authorities) => {
                Some(authorities.clone())
            }
        }
    }
}

/// What connects to servers, kept as its files are.
pub struct ClientTls {
    current: ArcSwap<InForce>,
    spec: ClientSpec,
    files: Files,
    /// The state of the files when they were first read.
    loaded: Stamps,
}

struct InForce {
    config: Arc<ClientConfig>,
    material: Material,
}

impl ClientTls {
    /// Reads the files; with the system's authorities, a few hundred.
    ///
    /// # Errors
    /// All faults of the files named.
    pub fn load(spec: ClientSpec, base: &Path) -> Result<Self, Vec<TlsProblem>> {
        let (certificate, unpaired) = match pair(&spec) {
            Ok(certificate) => (certificate, None),
            Err(problem) => (None, Some(problem)),
        };
        let files = Files {
            certificates: certificate.into_iter().collect(),
            authorities: spec.trust.authorities(),
            issued: "server's",
            base: base.to_owned(),
        };
        let loaded = files.stamps();
        let material = match (files.read(), unpaired) {
            (Ok(material), None) => material,
            (read, unpaired) => {
                return Err(read.err().into_iter().flatten().chain(unpaired).collect());
            }
        };
        let current = connect(&spec, material).map_err(|problem| vec![problem])?;
        Ok(Self { current: ArcSwap::from_pointee(current), spec, files, loaded })
    }

    /// How to connect, with the files in force now.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.current.load().config)
    }

    /// The certificate shown to servers that ask for one.
    pub fn status(&self) -> Option<CertificateStatus> {
        self.see(|material| material.identities.first().map(CertificateStatus::of))
    }

    /// Takes up changed files, looking every so often, until the process drains. Files are read as a unit: while any
    /// is faulty all stay as they are. What happens is told in events. The system's authorities are not watched.
    pub async fn watch(self: Arc<Self>, every: Duration, context: Context) {
        watch::watch(&*self, self.loaded.clone(), every, context).await;
    }

    /// Reads the files now, and takes them up. For an operator's word; blocks.
    ///
    /// # Errors
    /// All faults; everything stays as it is.
    pub fn reload(&self, context: &Context) -> Result<(), Vec<TlsProblem>> {
        watch::reload(self, context)
    }
}

impl Holder for ClientTls {
    fn files(&self) -> &Files {
        &self.files
    }

    fn see<T>(&self, look: impl FnOnce(&Material) -> T) -> T {
        look(&self.current.load().material)
    }

    fn put(&self, material: Material) -> Result<(), TlsProblem> {
        self.current.store(Arc::new(connect(&self.spec, material)?));
        Ok(())
    }
}

/// The name a server's certificate must have, from the host it is reached by: a name, or an IP address with or
/// without brackets. None when it is neither.
pub fn server_name(host: &str) -> Option<ServerName<'static>> {
    let bare = host.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(bare.to_owned()).ok()
}

fn connect(spec: &ClientSpec, material: Material) -> Result<InForce, TlsProblem> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions(spec.min))
        .map_err(|error| TlsProblem::of_the_build("ca", &error))?;
    let verified =
        |verifier| builder.clone().dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let builder = match &spec.trust {
        Trust::Anyone => verified(LibpqVerifier::credulous()),
        Trust::Issued(_) => verified(LibpqVerifier::of(material.anchors.clone(), false)),
        Trust::Named(_) => verified(LibpqVerifier::of(material.anchors.clone(), true)),
        Trust::Web(_) => builder.with_root_certificates(Arc::clone(&material.anchors.roots)),
    };
    let mut config = match material.identities.first() {
        Some(identity) => {
            let certified = SingleCertAndKey::from(Arc::clone(&identity.certified));
            builder.with_client_cert_resolver(Arc::new(certified))
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols.clone_from(&spec.alpn);
    if !spec.resume {
        config.resumption = Resumption::disabled();
    }
    Ok(InForce { config: Arc::new(config), material })
}

fn pair(spec: &ClientSpec) -> Result<Option<Certificate>, TlsProblem> {
    let problem = |key, what: &str, fix: &str| {
        Err(TlsProblem { index: 0, key, what: what.to_owned(), fix: fix.to_owned() })
    };
    match (&spec.cert, &spec.key) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => Ok(Some(Certificate { cert: cert.clone(), key: key.clone() })),
        (Some(_), None) => {
            problem("cert", "`cert` is given without its key", "give the file of its private key as `key`")
        }
        (None, Some(_)) => {
            problem("key", "`key` is given without its certificate", "give the certificate's file as `cert`")
        }
    }
}
