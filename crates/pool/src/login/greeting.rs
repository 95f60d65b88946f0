//! A client's first packets: encryption, then what it came for.

use deepwater_pgwire::startup::Startup;
use deepwater_tls::ServerTls;
use rustls_pki_types::CertificateDer;
use tokio::io::AsyncWriteExt;

use super::{Login, Refused};
use crate::config::ClientTlsMode;
use crate::connect::tls_description;
use crate::stream::{Socket, Stream};

/// Requests for encryption a client may make: for TLS and for GSSAPI, one in each order.
const MAX_REQUESTS: usize = 4;
/// What a TLS handshake begins with, and no first packet does: its length would be more than is read.
const TLS_HANDSHAKE: u8 = 0x16;

/// What a client came for.
pub(super) enum Greeting {
    Start { minor: u16, parameters: Vec<(String, String)> },
    Cancel { pid: u32, key: Vec<u8> },
}

/// A client's TLS.
pub(super) struct Tls {
    /// Version and cipher.
    pub description: String,
    /// The client's certificate, verified.
    pub certificate: Option<CertificateDer<'static>>,
    /// What SCRAM-SHA-256-PLUS is bound to.
    pub end_point: Option<Vec<u8>>,
}

/// Reads first packets until one says what the client came for; TLS is spoken from then on if it asked for it.
pub(super) async fn read(login: &mut Login<'_>) -> Result<Greeting, Refused> {
    let tls = login.plan.client_tls.clone().filter(|_| !login.peer.is_unix());
    if let Some(tls) = &tls
        && begins_with_tls(&login.talk.stream).await?
    {
        login.tls = Some(accept(login, tls).await?);
        direct(login)?;
    }
    for _ in 0..MAX_REQUESTS {
        match login.talk.startup().await? {
            Startup::Ssl => {
                in_clear_after(login, "SSL")?;
                if login.tls.is_some() {
                    return Err(Refused::protocol("TLS was asked for within TLS"));
                }
                match &tls {
                    Some(tls) => {
                        answer(login, b'S').await?;
                        login.tls = Some(accept(login, tls).await?);
                    }
                    None => answer(login, b'N').await?,
                }
            }
            Startup::GssEncryption => {
                in_clear_after(login, "GSSAPI encryption")?;
                answer(login, b'N').await?;
            }
            Startup::Cancel { pid, key } => return Ok(Greeting::Cancel { pid, key }),
            Startup::Start { minor, parameters } => {
                encrypted_enough(login)?;
                return Ok(Greeting::Start { minor, parameters });
            }
        }
    }
    Err(Refused::protocol("too many requests for encryption"))
}

/// Whether a client opens with TLS itself, without asking (PostgreSQL 17, `sslnegotiation=direct`).
async fn begins_with_tls(stream: &Stream) -> Result<bool, Refused> {
    let Socket::Tcp(tcp) = stream.socket() else { return Ok(false) };
    let mut first = [0; 1];
    Ok(tcp.peek(&mut first).await? == 1 && first[0] == TLS_HANDSHAKE)
}

/// A client that did not ask must say that it means PostgreSQL: else a browser could be made to speak to us
/// (PostgreSQL documentation, "SSL Session Encryption").
fn direct(login: &Login<'_>) -> Result<(), Refused> {
    let Stream::TlsServer(tls) = &login.talk.stream else { return Ok(()) };
    match tls.get_ref().1.alpn_protocol() {
        Some(_) => Ok(()),
        None => Err(Refused::protocol(
            "received direct SSL connection request without ALPN protocol negotiation extension",
        )),
    }
}

/// What came together with a request for encryption was not encrypted, and may be somebody else's (CVE-2021-23214).
fn in_clear_after(login: &Login<'_>, what: &str) -> Result<(), Refused> {
    if login.talk.inbox.is_empty() {
        return Ok(());
    }
    Err(Refused::protocol(format!("received unencrypted data after {what} request")))
}

async fn answer(login: &mut Login<'_>, letter: u8) -> Result<(), Refused> {
    login.talk.stream.write_all(&[letter]).await?;
    Ok(())
}

async fn accept(login: &mut Login<'_>, tls: &ServerTls) -> Result<Tls, Refused> {
    // The certificates may change while the handshake is under way.
    let served = tls.in_force();
    let socket = login.talk.take_socket();
    let stream = served.acceptor().accept(socket).await;
    let stream = Box::new(stream.map_err(|error| Refused::gone(format!("TLS failed: {error}")))?);
    let session = stream.get_ref().1;
    let certificate =
        session.peer_certificates().and_then(|chain| chain.first()).map(|leaf| leaf.clone().into_owned());
    let end_point = served.end_point().map(<[u8]>::to_vec);
    let tls = Tls { description: tls_description(session), certificate, end_point };
    login.talk.stream = Stream::TlsServer(stream);
    Ok(tls)
}

fn encrypted_enough(login: &Login<'_>) -> Result<(), Refused> {
    let wanted = matches!(login.plan.config.tls.mode, ClientTlsMode::Require | ClientTlsMode::VerifyFull);
    if wanted && login.tls.is_none() && !login.peer.is_unix() {
        let native = "connections without TLS are not accepted: use sslmode=require";
        return Err(Refused::new(login.plan.face, "28000", native, "SSL required"));
    }
    Ok(())
}
