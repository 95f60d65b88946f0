//! `[postgres.tls]` and `[postgres.server_tls]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// TLS with clients.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientTls {
    /// What is asked of clients.
    pub mode: ClientTlsMode,
    /// PEM file with the certificate and its chain. Relative to the configuration file; a changed file is taken up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<String>,
    /// PEM file of its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// PEM file of the authorities that clients' certificates must come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Accept TLS 1.3 alone.
    pub only_1_3: bool,
}

/// What TLS is asked of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientTlsMode {
    /// TLS is refused.
    #[default]
    Disable,
    /// TLS if the client asks for it.
    Allow,
    /// TLS, or no connection.
    Require,
    /// TLS and a certificate that `ca` signed.
    VerifyFull,
}

/// TLS with servers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerTls {
    /// What is asked of servers, as libpq's `sslmode`.
    pub mode: ServerTlsMode,
    /// PEM file of the authorities to trust in place of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// PEM file of the certificate shown to servers that ask for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<String>,
    /// PEM file of its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Accept TLS 1.3 alone.
    pub only_1_3: bool,
}

/// What TLS is asked of servers (libpq's `sslmode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum ServerTlsMode {
    /// No TLS.
    #[serde(rename = "disable")]
    Disable,
    /// TLS only if the server insists.
    #[serde(rename = "allow")]
    Allow,
    /// TLS if the server can.
    #[default]
    #[serde(rename = "prefer")]
    Prefer,
    /// TLS, whoever the server is.
    #[serde(rename = "require")]
    Require,
    /// TLS with a certificate from a trusted authority.
    #[serde(rename = "verify-ca")]
    VerifyCa,
    /// TLS with a certificate from a trusted authority for the server's name.
    #[serde(rename = "verify-full")]
    VerifyFull,
}
