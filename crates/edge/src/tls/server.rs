//! A listener's side of TLS.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use deepwater_core::Context;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ServerSessionMemoryCache;
use rustls::version::{TLS12, TLS13};
use serde::Serialize;
use tokio_rustls::TlsAcceptor;

use super::event::{CertificateExpired, CertificateRejected, CertificateReloaded};
use super::files::Stamps;
use super::identity::Identity;
use super::names::{CurrentNames, Names};
use super::{H2, HTTP_1_1, TlsProblem, provider};
use crate::config::{Certificate, Listen, ListenProtocol, TlsVersion};

/// TLS 1.2 sessions remembered for clients that cannot keep a ticket, a few hundred bytes each.
const SESSIONS: usize = 4_096;

/// What a listener tells clients it speaks inside TLS (ALPN, RFC 7301).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpn {
    /// HTTP/2, or else HTTP/1.1.
    Http2,
    /// HTTP/1.1.
    Http1,
    /// Nothing: the bytes inside are passed on unread.
    Opaque,
}

impl Alpn {
    /// What suits a listener.
    pub fn of(listen: &Listen) -> Self {
        match (listen.protocol, listen.http2) {
            (ListenProtocol::Http, true) => Self::Http2,
            (ListenProtocol::Http, false) => Self::Http1,
            (ListenProtocol::Tcp, _) => Self::Opaque,
        }
    }

    fn protocols(self) -> Vec<Vec<u8>> {
        match self {
            Self::Http2 => vec![H2.to_vec(), HTTP_1_1.to_vec()],
            Self::Http1 => vec![HTTP_1_1.to_vec()],
            Self::Opaque => Vec::new(),
        }
    }
}

/// A certificate being served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateStatus {
    /// The names and addresses it is for.
    pub names: Vec<String>,
    /// The last moment it is valid, RFC 3339.
    pub not_after: String,
    /// Its file, as the configuration names it.
    pub file: String,
}

impl CertificateStatus {
    fn of(identity: &Identity) -> Self {
        Self { names: identity.names.clone(), not_after: identity.not_after(), file: identity.file.clone() }
    }
}

/// The certificates of one listener, and how handshakes are done with them.
pub struct ServerTls {
    config: Arc<ServerConfig>,
    current: Arc<CurrentNames>,
    source: Source,
    /// The state of the files when they were first read.
    loaded: Stamps,
}

impl ServerTls {
    /// Reads a listener's certificates. An expired one is no fault: [`ServerTls::watch`] tells of it.
    ///
    /// Sessions are resumed by tickets, whose keys are random and change every six hours, and for TLS 1.2 clients
    /// without tickets from memory. There is no early data (0-RTT): it can be replayed. The client's order of cipher
    /// suites holds, since all of rustls are strong and a client without AES instructions is better off with
    /// ChaCha20.
    ///
    /// # Errors
    /// All faults of all certificates.
    pub fn load(
        certificates: &[Certificate],
        base: &Path,
        min: TlsVersion,
        alpn: Alpn,
    ) -> Result<Self, Vec<TlsProblem>> {
        let source = Source { certificates: certificates.to_vec(), base: base.to_owned() };
        let loaded = source.stamps();
        let current = Arc::new(CurrentNames(ArcSwap::from_pointee(source.read()?)));
        let config = config(Arc::clone(&current), min, alpn).map_err(|error| {
            let what = format!("TLS cannot be set up: {error}");
            vec![TlsProblem {
                index: 0,
                key: "cert",
                what,
                fix: "this is a fault of the build: report it".into(),
            }]
        })?;
        Ok(Self { config: Arc::new(config), current, source, loaded })
    }

    /// What does handshakes. It serves the certificates in force at each of them.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// The certificates in force, in the order of the configuration.
    pub fn status(&self) -> Vec<CertificateStatus> {
        self.current.0.load().identities.iter().map(CertificateStatus::of).collect()
    }

    /// Takes up changed files, looking every so often, until the process drains. Files are read as a unit: while any
    /// is faulty all certificates stay as they are.
    ///
    /// A certificate and its key are seldom replaced in the same instant, so a fault is told
    /// ([`CertificateRejected`], once for each change) only when nothing more has changed at the next look.
    pub async fn watch(self: Arc<Self>, every: Duration, context: Context) {
        let mut draining = pin!(context.shutdown.draining());
        let mut seen = self.loaded.clone();
        let mut untold: Option<Vec<TlsProblem>> = None;
        let mut expired = Vec::new();
        loop {
            self.tell_expired(&mut expired, &context);
            tokio::select! {
                () = &mut draining => return,
                () = tokio::time::sleep(every) => {}
            }
            // A file may lie on a slow disk, and this thread may serve requests.
            let look = tokio::task::spawn_blocking({
                let (source, seen) = (self.source.clone(), seen.clone());
                move || source.read_changed(&seen)
            });
            match look.await {
                Ok(None) => {
                    if let Some(problems) = untold.take() {
                        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
                        context.events.emit(CertificateRejected { problems: problems.join("; ") });
                    }
                }
                Ok(Some((stamps, Ok(names)))) => {
                    (seen, untold) = (stamps, None);
                    expired.clear();
                    self.take_up(names, &context);
                }
                Ok(Some((stamps, Err(problems)))) => (seen, untold) = (stamps, Some(problems)),
                // The runtime is ending.
                Err(_) => return,
            }
        }
    }

    fn take_up(&self, names: Names, context: &Context) {
        let new = Arc::new(names);
        let old = self.current.0.swap(Arc::clone(&new));
        for identity in &new.identities {
            let chain = &identity.certified.cert;
            if old.identities.iter().all(|known| known.certified.cert != *chain) {
                context.events.emit(CertificateReloaded {
                    names: identity.names_text(),
                    not_after: identity.not_after(),
                    file: identity.file.clone(),
                });
            }
        }
    }

    /// Tells once of each certificate that has expired.
    fn tell_expired(&self, told: &mut Vec<usize>, context: &Context) {
        let now = context.clock.wall();
        for (position, identity) in self.current.0.load().identities.iter().enumerate() {
            if identity.is_expired(now) && !told.contains(&position) {
                told.push(position);
                context.events.emit(CertificateExpired {
                    names: identity.names_text(),
                    not_after: identity.not_after(),
                    file: identity.file.clone(),
                });
            }
        }
    }
}

fn config(current: Arc<CurrentNames>, min: TlsVersion, alpn: Alpn) -> Result<ServerConfig, rustls::Error> {
    let versions: &[_] = match min {
        TlsVersion::V1_2 => &[&TLS13, &TLS12],
        TlsVersion::V1_3 => &[&TLS13],
    };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_cert_resolver(current);
    config.alpn_protocols = alpn.protocols();
    config.ticketer = Ticketer::new()?;
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    config.max_early_data_size = 0;
    Ok(config)
}

/// Where the certificates come from.
#[derive(Clone)]
struct Source {
    certificates: Vec<Certificate>,
    base: PathBuf,
}

impl Source {
    fn read(&self) -> Result<Names, Vec<TlsProblem>> {
        let (mut identities, mut problems) = (Vec::new(), Vec::new());
        for (index, certificate) in self.certificates.iter().enumerate() {
            match Identity::load(&self.base, &certificate.cert, &certificate.key, index) {
                Ok(identity) => identities.push(identity),
                Err(more) => problems.extend(more),
            }
        }
        if self.certificates.is_empty() {
            let (what, fix) =
                ("no certificate is given".to_owned(), "give at least one, or leave `tls` out".to_owned());
            problems.push(TlsProblem { index: 0, key: "cert", what, fix });
        }
        if problems.is_empty() { Ok(Names::of(identities)) } else { Err(problems) }
    }

    /// Reads the files again if they are not as they were seen.
    fn read_changed(&self, seen: &Stamps) -> Option<(Stamps, Result<Names, Vec<TlsProblem>>)> {
        let stamps = self.stamps();
        (stamps != *seen).then(|| (stamps, self.read()))
    }

    fn stamps(&self) -> Stamps {
        let files = self.certificates.iter().flat_map(|certificate| [&certificate.cert, &certificate.key]);
        Stamps::of(&files.map(|file| self.base.join(file)).collect::<Vec<_>>())
    }
}
