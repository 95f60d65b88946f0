//! Opening a connection to a target.

use std::io;
use std::time::Duration;

use deepwater_upstream::{Endpoint, Target};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::config::{OriginProtocol, ProxyProtocolOut};
use crate::failure::Failure;
use crate::io::{Slabs, Transport};
use crate::peer::Peer;
use crate::plan::PoolPlan;
use crate::proxy_protocol;

use super::h1::Connection;
use super::h2::Sender;
use super::idle::Reused;

/// Opens a connection that speaks the pool's protocol, within this time.
///
/// # Errors
/// Names the step that failed; nothing of the request was sent.
pub(crate) async fn open(
    pool: &PoolPlan,
    target: &Target,
    peer: &Peer,
    slabs: &Slabs,
    max_head_bytes: usize,
    time: Duration,
) -> Result<Reused, Failure> {
    let opening = async {
        let transport = dial(pool, target, peer).await?;
        match pool.protocol {
            OriginProtocol::Http1 => Ok(Reused::Http1(Connection::new(transport, slabs))),
            OriginProtocol::Http2 => Sender::handshake(transport, max_head_bytes)
                .await
                .map(Reused::Http2)
                .map_err(|_| Failure::BadResponse),
        }
    };
    within(time, opening).await
}

/// Connects, announces the client where asked to, and secures the connection where the pool says so.
async fn dial(pool: &PoolPlan, target: &Target, peer: &Peer) -> Result<Transport, Failure> {
    let tcp = match &target.endpoint {
        Endpoint::Unix(path) => {
            let unix = UnixStream::connect(path).await.map_err(|error| failure_of(&error))?;
            return Ok(Transport::Unix(unix));
        }
        Endpoint::Tcp(address) => tcp(*address, pool, peer).await?,
    };
    let Some(tls) = &pool.tls else { return Ok(Transport::Tcp(tcp)) };
    let name = tls.server_name(&target.name).ok_or(Failure::TlsCertificate)?;
    match TlsConnector::from(tls.config.clone()).connect(name, tcp).await {
        Ok(stream) => Ok(Transport::TlsClient(Box::new(stream))),
        Err(error) => Err(tls_failure(&error)),
    }
}

/// Opens a connection for bytes of any protocol, within this time.
///
/// # Errors
/// Names the step that failed.
pub(crate) async fn raw(
    pool: &PoolPlan,
    target: &Target,
    peer: &Peer,
    slabs: &Slabs,
    time: Duration,
) -> Result<Connection, Failure> {
    let transport = within(time, dial(pool, target, peer)).await?;
    Ok(Connection::new(transport, slabs))
}

/// A TCP connection to a target, announced where asked to.
///
/// # Errors
/// When it is refused, or the announcement cannot be sent.
pub(crate) async fn tcp(
    address: std::net::SocketAddr,
    pool: &PoolPlan,
    peer: &Peer,
) -> Result<TcpStream, Failure> {
    let mut tcp = TcpStream::connect(address).await.map_err(|error| failure_of(&error))?;
    // Small heads must not wait for acknowledgements; failing to say so costs only speed.
    let _ = tcp.set_nodelay(true);
    let mut announcement = Vec::new();
    match pool.proxy_protocol {
        ProxyProtocolOut::Off => return Ok(tcp),
        ProxyProtocolOut::V1 => proxy_protocol::write_v1(&mut announcement, peer.address, peer.local),
        ProxyProtocolOut::V2 => proxy_protocol::write_v2(&mut announcement, peer.address, peer.local),
    }
    tcp.write_all(&announcement).await.map_err(|error| failure_of(&error))?;
    Ok(tcp)
}

/// Runs a step of connecting within a time.
///
/// # Errors
/// Those of the step, or that the time has passed.
pub(crate) async fn within<T>(
    time: Duration,
    step: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::time::timeout(time, step).await.unwrap_or(Err(Failure::ConnectTimeout))
}

fn failure_of(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::TimedOut => Failure::ConnectTimeout,
        _ => Failure::ConnectRefused,
    }
}

fn tls_failure(error: &io::Error) -> Failure {
    let rustls_error = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match rustls_error {
        Some(rustls::Error::InvalidCertificate(_)) => Failure::TlsCertificate,
        _ => Failure::TlsFailed,
    }
}
