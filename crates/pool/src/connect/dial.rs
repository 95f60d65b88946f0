//! Reaching a server: sockets and TLS.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use deepwater_pgwire::startup::write;
use deepwater_tls::ClientTls;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::ConnectError;
use crate::config::{Host, Keepalive};
use crate::keepalive;
use crate::server::ServerInfo;
use crate::stream::{Socket, Stream};

/// A server that was reached.
pub(super) struct Dialled {
    pub stream: Stream,
    /// Its address and port, or the socket's path.
    pub remote: String,
    /// Our own address and port.
    pub local: String,
}

/// Reaches a host; of a name's addresses the first that answers.
pub(super) async fn dial(
    host: &Host,
    keepalive: &Keepalive,
    limit: Option<Duration>,
) -> Result<Dialled, ConnectError> {
    match host {
        Host::Unix { directory, port } => {
            let path = socket_path(directory, *port);
            let unix =
                UnixStream::connect(&path).await.map_err(|error| ConnectError::unreachable(host, error))?;
            let remote = path.replacen('\0', "@", 1);
            Ok(Dialled { stream: Stream::Plain(Socket::Unix(unix)), remote, local: "unix".into() })
        }
        Host::Tcp { name, port } => {
            let unknown = |error| ConnectError::unreachable(host, error);
            let addresses: Vec<_> = lookup_host((name.as_str(), *port)).await.map_err(unknown)?.collect();
            let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            for (at, address) in addresses.iter().enumerate() {
                // An address that does not answer must leave time for the others.
                let share =
                    limit.map(|limit| limit / u32::try_from(addresses.len() - at + 1).unwrap_or(u32::MAX));
                match tcp(*address, keepalive, share.filter(|_| addresses.len() > 1)).await {
                    Ok(dialled) => return Ok(dialled),
                    Err(error) => failure = error,
                }
            }
            Err(ConnectError::unreachable(host, failure))
        }
    }
}

/// Reaches the very process that a connection leads to, as that connection is encrypted: for cancel requests. A name
/// may have got another address meanwhile.
pub(crate) async fn dial_again(
    server: &ServerInfo,
    tls: Option<&ClientTls>,
    keepalive: &Keepalive,
) -> Result<Stream, ConnectError> {
    let host = &server.host;
    let dialled = match (host, server.remote.parse()) {
        (Host::Tcp { .. }, Ok(address)) => {
            tcp(address, keepalive, None).await.map_err(|error| ConnectError::unreachable(host, error))?
        }
        _ => dial(host, keepalive, None).await?,
    };
    match tls {
        Some(tls) if server.tls.is_some() => match encrypt(dialled, host, tls).await? {
            Encrypted::Yes(dialled) => Ok(dialled.stream),
            Encrypted::Refused(_) => Err(ConnectError::broken("the server refuses TLS now")),
        },
        _ => Ok(dialled.stream),
    }
}

async fn tcp(address: SocketAddr, keepalive: &Keepalive, limit: Option<Duration>) -> io::Result<Dialled> {
    let connecting = TcpStream::connect(address);
    let tcp = match limit {
        Some(limit) => timeout(limit, connecting).await.map_err(|_| io::ErrorKind::TimedOut)??,
        None => connecting.await?,
    };
    tcp.set_nodelay(true)?;
    keepalive::tune(&tcp, keepalive)?;
    let (remote, local) = (tcp.peer_addr()?.to_string(), tcp.local_addr()?.to_string());
    Ok(Dialled { stream: Stream::Plain(Socket::Tcp(tcp)), remote, local })
}

/// The path of a server's socket; in Linux' abstract namespace it begins with a NUL.
fn socket_path(directory: &str, port: u16) -> String {
    match directory.strip_prefix('@') {
        Some(name) => format!("\0{name}/.s.PGSQL.{port}"),
        None => format!("{}/.s.PGSQL.{port}", directory.trim_end_matches('/')),
    }
}

/// What asking for TLS came to.
pub(super) enum Encrypted {
    Yes(Dialled),
    /// The server speaks no TLS; the connection goes on in clear.
    Refused(Dialled),
}

/// Asks for TLS, and speaks it if the server can.
pub(super) async fn encrypt(
    mut dialled: Dialled,
    host: &Host,
    tls: &ClientTls,
) -> Result<Encrypted, ConnectError> {
    let mut request = Vec::with_capacity(8);
    write::ssl_request(&mut request);
    dialled.stream.write_all(&request).await?;
    // One byte and no more: whatever else came in clear ahead of the handshake is none of TLS and makes it fail, and so
    // can never pass for something the server said within (CVE-2021-23222).
    let mut answer = [0; 1];
    dialled.stream.read_exact(&mut answer).await?;
    match answer[0] {
        b'N' => return Ok(Encrypted::Refused(dialled)),
        b'S' => {}
        _ => {
            return Err(ConnectError::broken(format!(
                "{host} does not know how to answer a request for TLS"
            )));
        }
    }
    let name = name_of(host, &dialled.remote)?;
    let Stream::Plain(socket) = dialled.stream else {
        return Err(ConnectError::broken("the connection is encrypted already"));
    };
    let connected = TlsConnector::from(tls.config()).connect(name, socket).await;
    let stream =
        connected.map_err(|error| ConnectError::unreachable(host, format!("TLS failed: {error}")))?;
    let stream = Stream::TlsClient(Box::new(stream));
    Ok(Encrypted::Yes(Dialled { stream, ..dialled }))
}

/// The name the certificate must have. A host may have one that no certificate can have; where certificates are verified
/// its address will then not do either.
fn name_of(host: &Host, remote: &str) -> Result<ServerName<'static>, ConnectError> {
    let by_name = match host {
        Host::Tcp { name, .. } => deepwater_tls::server_name(name),
        Host::Unix { .. } => None,
    };
    let by_address = || Some(ServerName::IpAddress(remote.parse::<SocketAddr>().ok()?.ip().into()));
    by_name
        .or_else(by_address)
        .ok_or_else(|| ConnectError::config(format!("no certificate can be for {host}: use its DNS name")))
}

/// Version and cipher of a TLS connection, as OpenSSL calls them.
pub(crate) fn tls_description(common: &rustls::CommonState) -> String {
    let version = match common.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "TLS",
    };
    let suite = common.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()));
    let suite = suite.unwrap_or_default().replacen("TLS13_", "TLS_", 1);
    format!("{version}/{suite}")
}

/// The hash of the server's certificate that a SCRAM login can be bound to.
pub(super) fn end_point(stream: &Stream) -> Option<Vec<u8>> {
    let Stream::TlsClient(tls) = stream else { return None };
    deepwater_tls::end_point(tls.get_ref().1.peer_certificates()?.first()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_where_postgres_puts_them() {
        assert_eq!(socket_path("/run/postgresql/", 5432), "/run/postgresql/.s.PGSQL.5432");
        assert_eq!(socket_path("@pg", 6000), "\0pg/.s.PGSQL.6000");
    }

    #[test]
    fn a_host_without_a_usable_name_goes_by_its_address() {
        let host = Host::new("not a name", 5432);
        assert_eq!(name_of(&host, "192.0.2.1:5432").unwrap().to_str(), "192.0.2.1");
        assert_eq!(name_of(&Host::new("db.example", 5432), "192.0.2.1:5432").unwrap().to_str(), "db.example");
        assert!(name_of(&host, "").is_err());
    }
}
