//! A listener's side of TLS.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use deepwater_core::Context;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls_pki_types::CertificateDer;
use tokio_rustls::TlsAcceptor;

use super::authorities::Authorities;
use super::config::{Certificate, TlsVersion};
use super::end_point::end_point;
use super::files::Stamps;
use super::material::{Files, Material};
use super::names::Names;
use super::status::CertificateStatus;
use super::watch::{self, Holder};
use super::{TlsProblem, provider, versions};

/// TLS 1.2 sessions remembered for clients that cannot keep a ticket, a few hundred bytes each.
const SESSIONS: usize = 4_096;

/// How a listener does TLS.
#[derive(Debug, Clone)]
pub struct ServerSpec {
    /// The certificates, chosen by the name a client asks for (SNI); the first serves clients that ask for none.
    pub certificates: Vec<Certificate>,
    /// What is asked of clients.
    pub client_auth: ClientAuth,
    /// The lowest version accepted.
    pub min: TlsVersion,
    /// What is spoken inside (ALPN, RFC 7301), the preferred first. A client that names protocols and none of these
    /// is refused, one that names nothing is not; with an empty list nothing is claimed.
    pub alpn: Vec<Vec<u8>>,
    /// Whether sessions are resumed: by tickets, whose keys are random and change every six hours, and for TLS 1.2
    /// clients without tickets from memory. Not for what is bound to a handshake's certificates, such as
    /// SCRAM-SHA-256-PLUS: after a resumption the client goes by the certificate that it saw at first. PostgreSQL
    /// resumes none.
    pub resume: bool,
}

/// Whether clients show a certificate. The files are those of the authorities that issue them, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked for one.
    None,
    /// They may; one that no authority issued is refused.
    Optional(String),
    /// They must.
    Required(String),
}

impl ClientAuth {
    fn authorities(&self) -> Option<Authorities> {
        match self {
            Self::None => None,
            Self::Optional(file) | Self::Required(file) => Some(Authorities::File(file.clone())),
        }
    }
}

/// The certificates of one listener, and how handshakes are done with them.
pub struct ServerTls {
    current: ArcSwap<Served>,
    spec: ServerSpec,
    files: Files,
    /// The state of the files when they were first read.
    loaded: Stamps,
}

/// One state of a listener's certificates. Whoever needs to know what a handshake was done with keeps it over the
/// handshake: the files may change meanwhile.
pub struct Served {
    config: Arc<ServerConfig>,
    names: Arc<Names>,
    end_point: Option<Vec<u8>>,
}

impl Served {
    /// What does handshakes with these certificates.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// The listener's own certificate: the first where there are several.
    pub fn leaf(&self) -> &CertificateDer<'static> {
        &self.names.material.identities[0].certified.cert[0]
    }

    /// The channel binding of its handshakes ([`end_point`](crate::end_point())). None where it is not defined, or
    /// not known because several certificates can be chosen from.
    pub fn end_point(&self) -> Option<&[u8]> {
        self.end_point.as_deref()
    }
}

impl ServerTls {
    /// Reads a listener's certificates. An expired one is no fault: [`ServerTls::watch`] tells of it.
    ///
    /// There is no early data (0-RTT): it can be replayed. The client's order of cipher suites holds, since all of
    /// rustls are strong and a client without AES instructions is better off with ChaCha20.
    ///
    /// # Errors
    /// All faults of all certificates.
    pub fn load(spec: ServerSpec, base: &Path) -> Result<Self, Vec<TlsProblem>> {
        if spec.certificates.is_empty() {
            let (what, fix) = ("no certificate is given", "give at least one, or leave `tls` out");
            return Err(vec![TlsProblem { index: 0, key: "cert", what: what.into(), fix: fix.into() }]);
        }
        let files = Files {
            certificates: spec.certificates.clone(),
            authorities: spec.client_auth.authorities(),
            issued: "clients'",
            base: base.to_owned(),
        };
        let loaded = files.stamps();
        let served = serve(&spec, files.read()?, None).map_err(|problem| vec![problem])?;
        Ok(Self { current: ArcSwap::from_pointee(served), spec, files, loaded })
    }

    /// The certificates in force.
    pub fn in_force(&self) -> Arc<Served> {
        self.current.load_full()
    }

    /// What does a handshake, with the certificates in force now.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.current.load().acceptor()
    }

    /// The certificates in force, in the order of the configuration.
    pub fn status(&self) -> Vec<CertificateStatus> {
        self.see(|material| material.identities.iter().map(CertificateStatus::of).collect())
    }

    /// Takes up changed files, looking every so often, until the process drains. Files are read as a unit: while any
    /// is faulty all certificates stay as they are. What happens is told in events.
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

impl Holder for ServerTls {
    fn files(&self) -> &Files {
        &self.files
    }

    fn see<T>(&self, look: impl FnOnce(&Material) -> T) -> T {
        look(&self.current.load().names.material)
    }

    fn put(&self, material: Material) -> Result<(), TlsProblem> {
        let served = serve(&self.spec, material, Some(&self.current.load().config))?;
        self.current.store(Arc::new(served));
        Ok(())
    }
}

fn serve(spec: &ServerSpec, material: Material, old: Option<&ServerConfig>) -> Result<Served, TlsProblem> {
    let verifier = client_verifier(&spec.client_auth, &material)?;
    let end_point = match material.identities.as_slice() {
        [only] => end_point(&only.certified.cert[0]),
        _ => None,
    };
    let names = Arc::new(Names::of(material));
    let fault = |error: rustls::Error| TlsProblem::of_the_build("cert", &error);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions(spec.min))
        .map_err(fault)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::clone(&names) as _);
    config.alpn_protocols.clone_from(&spec.alpn);
    config.max_early_data_size = 0;
    match old {
        _ if !spec.resume => {
            config.send_tls13_tickets = 0;
            config.session_storage = Arc::new(NoServerSessionStorage {});
        }
        // A session carries its client's certificate with it, which these authorities may not know.
        Some(old) if spec.client_auth == ClientAuth::None => {
            config.ticketer = Arc::clone(&old.ticketer);
            config.session_storage = Arc::clone(&old.session_storage);
        }
        _ => {
            config.ticketer = Ticketer::new().map_err(fault)?;
            config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        }
    }
    Ok(Served { config: Arc::new(config), names, end_point })
}

fn client_verifier(
    client_auth: &ClientAuth,
    material: &Material,
) -> Result<Arc<dyn ClientCertVerifier>, TlsProblem> {
    let roots = || Arc::clone(&material.anchors.roots);
    let builder = || WebPkiClientVerifier::builder_with_provider(roots(), provider());
    let builder = match client_auth {
        ClientAuth::None => return Ok(WebPkiClientVerifier::no_client_auth()),
        ClientAuth::Optional(_) => builder().allow_unauthenticated(),
        ClientAuth::Required(_) => builder(),
    };
    builder.build().map_err(|error| TlsProblem::of_the_build("ca", &error))
}
