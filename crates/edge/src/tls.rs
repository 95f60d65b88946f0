//! The edge's use of TLS: what its listeners and its connections to origins say they speak.

use std::path::Path;
use std::sync::Arc;

use deepwater_tls::{Authorities, ClientSpec, ClientTls, ServerSpec, TlsVersion, Trust};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;

pub use deepwater_tls::{ClientAuth, ServerTls, TlsProblem};

use crate::config::{Listen, ListenProtocol, OriginProtocol, OriginTls};

const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// Reads the certificates of a listener that has some.
///
/// # Errors
/// All faults of all certificates.
pub fn server(listen: &Listen, base: &Path) -> Option<Result<ServerTls, Vec<TlsProblem>>> {
    let spec = ServerSpec {
        certificates: listen.tls.as_ref()?.as_slice().to_vec(),
        client_auth: ClientAuth::None,
        min: listen.tls_min,
        alpn: protocols(listen),
        resume: true,
    };
    Some(ServerTls::load(spec, base))
}

/// What a listener tells clients it speaks (ALPN): nothing where the bytes inside are passed on unread.
fn protocols(listen: &Listen) -> Vec<Vec<u8>> {
    match (listen.protocol, listen.http2) {
        (ListenProtocol::Http, true) => vec![H2.to_vec(), HTTP_1_1.to_vec()],
        (ListenProtocol::Http, false) => vec![HTTP_1_1.to_vec()],
        (ListenProtocol::Tcp, _) => Vec::new(),
    }
}

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
    let protocol = match protocol {
        OriginProtocol::Http1 => HTTP_1_1,
        OriginProtocol::Http2 => H2,
    };
    let spec = ClientSpec {
        trust: Trust::Web(tls.ca.clone().map_or(Authorities::System, Authorities::File)),
        cert: tls.cert.clone(),
        key: tls.key.clone(),
        min: TlsVersion::V1_2,
        alpn: vec![protocol.to_vec()],
        resume: true,
    };
    Ok(ClientTls::load(spec, base)?.config())
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
    deepwater_tls::server_name(name).ok_or_else(|| TlsProblem {
        index: 0,
        key,
        what: format!("`{name}` is neither a host name nor an IP address, so no certificate can have it"),
        fix: "give the name in the server's certificate as `server_name`".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_claims_what_it_speaks() {
        let listen = |protocol, http2| Listen { protocol, http2, ..Listen::http("[::]:443") };
        assert_eq!(protocols(&listen(ListenProtocol::Http, true)), [H2, HTTP_1_1]);
        assert_eq!(protocols(&listen(ListenProtocol::Http, false)), [HTTP_1_1]);
        assert!(protocols(&listen(ListenProtocol::Tcp, true)).is_empty(), "the bytes inside are not ours");
    }

    #[test]
    fn an_origin_is_asked_for_the_pools_protocol() {
        let folder = tempfile::tempdir().unwrap();
        let authority = rcgen::generate_simple_self_signed(Vec::new()).unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.cert.pem()).unwrap();
        let tls = OriginTls { ca: Some("ca.pem".into()), ..OriginTls::default() };
        let asked = |protocol| client_config(&tls, protocol, folder.path()).unwrap().alpn_protocols.clone();
        assert_eq!(asked(OriginProtocol::Http1), [HTTP_1_1]);
        assert_eq!(asked(OriginProtocol::Http2), [H2]);
    }

    #[test]
    fn the_name_to_verify_is_the_configured_one_or_the_targets() {
        let named = |name: &str| OriginTls { server_name: Some(name.into()), ..OriginTls::default() };
        let name = |tls: &OriginTls, host| server_name(tls, host).map(|name| name.to_str().into_owned());
        assert_eq!(name(&named("app.internal"), "10.0.0.1").unwrap(), "app.internal");
        assert_eq!(name(&OriginTls::default(), "app.internal").unwrap(), "app.internal");
        assert_eq!(name(&OriginTls::default(), "[::1]").unwrap(), "::1");
        assert_eq!(name(&OriginTls::default(), "not a name").unwrap_err().key, "targets");
        assert_eq!(name(&named("a_b c"), "shop.example").unwrap_err().key, "server_name");
    }
}
