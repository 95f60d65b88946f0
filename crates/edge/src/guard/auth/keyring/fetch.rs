//! Fetching a key set: one GET over a fresh connection. Redirects are not followed: the configuration says whom to trust.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use deepwater_auth::{FetchedKeys, KeySet, KeySetFault};
use deepwater_core::config::Place;
use deepwater_upstream::{Resolve, ResolveError, SystemResolver};
use http::{StatusCode, Uri};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::config::{OriginProtocol, OriginTls};
use crate::io::Transport;
use crate::probe::exchange::{self, BodyFault, ExchangeError, Get};
use crate::tls;

/// No fetch takes longer.
const DEADLINE: Duration = Duration::from_secs(5);
/// No connection is waited for longer: the next address may answer.
const CONNECT_DEADLINE: Duration = Duration::from_secs(2);
const USER_AGENT: &str = "deepwater/keys";

/// Where a key set is, and how it is got.
pub(super) struct Source {
    pub keys: FetchedKeys,
    /// A name, or an address without brackets.
    pub dial: String,
    pub port: u16,
    /// As `Host` has it: without a port that goes without saying.
    pub host: String,
    pub path: String,
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// Why there is no key set.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("no answer within {} s", DEADLINE.as_secs())]
    Timeout,
    #[error("the name cannot be resolved: {0}")]
    Resolve(#[from] ResolveError),
    #[error("{0}")]
    Exchange(#[from] ExchangeError),
    #[error("the answer is {0}, expected 200 (redirects are not followed)")]
    Status(u16),
    #[error("{0}")]
    Body(#[from] BodyFault),
    #[error("{0}")]
    Keys(#[from] KeySetFault),
}

impl Source {
    /// Takes the URL apart and reads the system's authorities; `None` when something was reported.
    pub fn build(keys: FetchedKeys, place: &Place<'_>) -> Option<Self> {
        let malformed = || {
            place.problem_with_fix(
                format!("`{}` is not a URL", keys.url),
                "write it like \"https://login.example/.well-known/jwks.json\"",
            );
        };
        let uri: Uri = keys.url.parse().map_err(|_| malformed()).ok()?;
        let Some(authority) = uri.authority() else {
            malformed();
            return None;
        };
        let secure = uri.scheme_str() == Some("https");
        let usual = if secure { 443 } else { 80 };
        let port = match authority.port() {
            None if authority.as_str().ends_with(authority.host()) => usual,
            Some(port) if port.as_u16() > 0 => port.as_u16(),
            _ => {
                malformed();
                return None;
            }
        };
        let name = authority.host();
        let host = if port == usual { name.to_owned() } else { format!("{name}:{port}") };
        let dial = name.trim_matches(['[', ']']).to_owned();
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let tls = if secure { Some(tls_to(&dial, place)?) } else { None };
        Some(Self { keys, dial, port, host, path, tls })
    }

    /// Fetches the keys.
    pub async fn fetch(&self) -> Result<KeySet, FetchError> {
        timeout(DEADLINE, self.get()).await.unwrap_or(Err(FetchError::Timeout))
    }

    async fn get(&self) -> Result<KeySet, FetchError> {
        let transport = self.connect().await?;
        let get = Get {
            host: &self.host,
            path: &self.path,
            user_agent: USER_AGENT,
            wants_body: true,
            max_body_bytes: FetchedKeys::MAX_BYTES,
        };
        let answer = exchange::http1(transport, get).await?;
        if answer.status != StatusCode::OK {
            return Err(FetchError::Status(answer.status.as_u16()));
        }
        let body = answer.body?.unwrap_or_default();
        Ok(self.keys.read(&body)?)
    }

    async fn connect(&self) -> Result<Transport, FetchError> {
        let tcp = self.dial().await?;
        let Some((config, name)) = &self.tls else { return Ok(Transport::Tcp(tcp)) };
        let connecting = TlsConnector::from(Arc::clone(config)).connect(name.clone(), tcp);
        let stream = connecting.await.map_err(ExchangeError::Tls)?;
        Ok(Transport::TlsClient(Box::new(stream)))
    }

    /// A connection to the first of its addresses that takes one.
    async fn dial(&self) -> Result<TcpStream, FetchError> {
        let addresses = match self.dial.parse::<IpAddr>() {
            Ok(ip) => vec![ip],
            Err(_) => SystemResolver.resolve(&self.dial).await?.addresses,
        };
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for ip in addresses {
            let connecting = TcpStream::connect(SocketAddr::new(ip, self.port));
            match timeout(CONNECT_DEADLINE, connecting).await {
                Ok(Ok(tcp)) => return Ok(tcp),
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(FetchError::Exchange(ExchangeError::Connect(last)))
    }
}

fn tls_to(host: &str, place: &Place<'_>) -> Option<(Arc<ClientConfig>, ServerName<'static>)> {
    let ours = OriginTls::default();
    // Its own files are none, so there is no directory that they could be relative to.
    let config = tls::client_config(&ours, OriginProtocol::Http1, std::path::Path::new("."));
    let name = tls::server_name(&ours, host);
    for problem in config.as_ref().err().into_iter().flatten().chain(name.as_ref().err()) {
        place.problem_with_fix(problem.what.clone(), problem.fix.clone());
    }
    Some((config.ok()?, name.ok()?))
}
