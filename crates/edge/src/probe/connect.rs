//! A fresh connection for one check.

use std::io;
use std::sync::Arc;

use deepwater_upstream::Endpoint;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::config::{OriginProtocol, ProxyProtocolOut};
use crate::io::Transport;
use crate::proxy_protocol;

use super::HttpProbe;
use super::exchange::ExchangeError;

/// An open connection, and what is spoken on it.
pub(super) struct Connection {
    pub(super) transport: Transport,
    pub(super) http2: bool,
}

impl HttpProbe {
    /// Connects as requests do: announced by the PROXY protocol and secured where the pool says so.
    pub(super) async fn connect(&self, name: &str, endpoint: &Endpoint) -> Result<Connection, ExchangeError> {
        let http2 = self.protocol == OriginProtocol::Http2;
        let address = match endpoint {
            Endpoint::Unix(path) => {
                let unix = UnixStream::connect(path).await.map_err(ExchangeError::Connect)?;
                return Ok(Connection { transport: Transport::Unix(unix), http2 });
            }
            Endpoint::Tcp(address) => address,
        };
        let mut tcp = TcpStream::connect(address).await.map_err(ExchangeError::Connect)?;
        self.announce(&mut tcp).await.map_err(ExchangeError::Connect)?;
        let Some(tls) = &self.tls else { return Ok(Connection { transport: Transport::Tcp(tcp), http2 }) };
        let server_name =
            (tls.server_names)(name).ok_or_else(|| ExchangeError::ServerName(name.to_owned()))?;
        let connector = TlsConnector::from(Arc::clone(&tls.config));
        let stream = connector.connect(server_name, tcp).await.map_err(ExchangeError::Tls)?;
        // A server that was offered HTTP/2 and did not take it speaks HTTP/1.1.
        let http2 = http2 && stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Connection { transport: Transport::TlsClient(Box::new(stream)), http2 })
    }

    /// A server that expects the PROXY protocol expects it of checks too: they speak for themselves.
    async fn announce(&self, tcp: &mut TcpStream) -> io::Result<()> {
        let mut header = Vec::new();
        match self.proxy_protocol {
            ProxyProtocolOut::Off => return Ok(()),
            ProxyProtocolOut::V1 => {
                proxy_protocol::write_v1(&mut header, tcp.local_addr()?, tcp.peer_addr()?);
            }
            ProxyProtocolOut::V2 => {
                proxy_protocol::write_v2(&mut header, tcp.local_addr()?, tcp.peer_addr()?);
            }
        }
        tcp.write_all(&header).await
    }
}

/// The `Host` for a target: its name, less a port that goes without saying.
pub(super) fn default_host(name: &str, tls: bool) -> &str {
    if name.starts_with("unix:") {
        return "localhost";
    }
    name.strip_suffix(if tls { ":443" } else { ":80" }).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_taken_from_names() {
        assert_eq!(default_host("app:3000", false), "app:3000");
        assert_eq!((default_host("app:80", false), default_host("app:443", true)), ("app", "app"));
        assert_eq!(default_host("app:80", true), "app:80");
        assert_eq!(default_host("unix:/run/app.sock", false), "localhost");
    }
}
