//! `[[edge.listen]]`.

use deepwater_tls::{Certificates, TlsVersion};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One address to accept connections on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Address and port: `0.0.0.0:8080`, `[::]:443`.
    #[schemars(example = "0.0.0.0:8080")]
    pub address: String,
    /// What is spoken: HTTP, or any bytes over TCP.
    #[serde(default)]
    pub protocol: ListenProtocol,
    /// Serve TLS with this certificate, or with several chosen by the name the client asks for (SNI). A changed
    /// file is taken up without a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Certificates>,
    /// The lowest TLS version accepted.
    #[serde(default)]
    pub tls_min: TlsVersion,
    /// Speak HTTP/2 with clients that can.
    #[serde(default = "yes")]
    pub http2: bool,
    /// Answer every request with a redirect to the same address under `https://` (308).
    #[serde(default)]
    pub redirect_https: bool,
    /// Expect the PROXY protocol (v1 or v2) before the first byte. Only for listeners that nothing but your own
    /// load balancer can reach: its word about the client's address is believed.
    #[serde(default)]
    pub proxy_protocol: bool,
    /// The pool that `protocol = "tcp"` connects to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
}

fn yes() -> bool {
    true
}

impl Listen {
    /// A cleartext HTTP listener.
    pub fn http(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            protocol: ListenProtocol::Http,
            tls: None,
            tls_min: TlsVersion::default(),
            http2: true,
            redirect_https: false,
            proxy_protocol: false,
            pool: None,
        }
    }
}

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListenProtocol {
    /// HTTP/1.1 and HTTP/2.
    #[default]
    Http,
    /// Bytes, passed to the listener's `pool`.
    Tcp,
}
