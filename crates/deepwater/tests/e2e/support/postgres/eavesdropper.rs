//! Somebody who sits between two ends of a connection: it is TLS to both, and in clear to him.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::super::pg_wire::say;
use super::super::tls::{Authority, Identity};

/// Passes on what both ends say, and remembers what the one that came said.
pub struct Eavesdropper {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

/// How he goes about it.
#[derive(Clone)]
struct Ways {
    target: SocketAddr,
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    strikes: bool,
}

impl Eavesdropper {
    /// Before a server that `authority` knows, with a certificate to show to those who come.
    pub async fn before(target: SocketAddr, authority: &Authority, shown: &Identity) -> Self {
        Self::sit(target, authority, shown, false).await
    }

    /// One who strikes out that logins could be bound to the connection.
    pub async fn striking(target: SocketAddr, authority: &Authority, shown: &Identity) -> Self {
        Self::sit(target, authority, shown, true).await
    }

    async fn sit(target: SocketAddr, authority: &Authority, shown: &Identity, strikes: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::default();
        let ways = Ways {
            target,
            acceptor: shown.acceptor(&[], None),
            connector: authority.client(rustls::ALL_VERSIONS, &[]),
            strikes,
        };
        let hears = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((victim, _)) = listener.accept().await {
                let (ways, hears) = (ways.clone(), Arc::clone(&hears));
                // Either end may leave, or not like the certificate.
                tokio::spawn(async move { ways.sit_between(victim, &hears).await });
            }
        });
        Self { address, heard }
    }

    /// Whether somebody who came has said this.
    pub fn has_heard(&self, words: &str) -> bool {
        self.heard.lock().unwrap().windows(words.len()).any(|part| part == words.as_bytes())
    }
}

impl Ways {
    async fn sit_between(self, mut victim: TcpStream, heard: &Mutex<Vec<u8>>) -> io::Result<()> {
        let mut asked = [0; 8];
        victim.read_exact(&mut asked).await?;
        if asked[..] != say::ssl_request() {
            return Ok(());
        }
        victim.write_all(b"S").await?;
        let victim = self.acceptor.accept(victim).await?;

        let mut server = TcpStream::connect(self.target).await?;
        server.write_all(&say::ssl_request()).await?;
        server.read_exact(&mut asked[..1]).await?;
        let name = self.target.ip().into();
        let server = self.connector.connect(rustls::pki_types::ServerName::IpAddress(name), server).await?;

        let (from_victim, to_victim) = tokio::io::split(victim);
        let (from_server, to_server) = tokio::io::split(server);
        tokio::select! {
            end = pass_and_hear(from_victim, to_server, heard) => end,
            end = pass_back(from_server, to_victim, self.strikes) => end,
        }
    }
}

async fn pass_and_hear(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    heard: &Mutex<Vec<u8>>,
) -> io::Result<()> {
    let mut said = [0; 4096];
    loop {
        let count = from.read(&mut said).await?;
        if count == 0 {
            return Ok(());
        }
        heard.lock().unwrap().extend_from_slice(&said[..count]);
        to.write_all(&said[..count]).await?;
        to.flush().await?;
    }
}

async fn pass_back(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    strikes: bool,
) -> io::Result<()> {
    if strikes {
        // The first that a server says is how it wants a proof: the mechanisms, and an empty one.
        let mut head = [0; 5];
        from.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut offer = vec![0; length as usize - 4];
        from.read_exact(&mut offer).await?;
        let struck = String::from_utf8(offer).unwrap().replace("SCRAM-SHA-256-PLUS\0", "");
        to.write_all(&say::message(head[0], struck.as_bytes())).await?;
        to.flush().await?;
    }
    tokio::io::copy(&mut from, &mut to).await?;
    to.shutdown().await
}
