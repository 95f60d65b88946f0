//! What a user writes of certificates. The same in every plane.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A TLS version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum TlsVersion {
    /// TLS 1.2 and 1.3.
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3 alone.
    #[serde(rename = "1.3")]
    V1_3,
}

/// A certificate chain and its key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// PEM file with the certificate and the chain behind it. Relative to the configuration file.
    pub cert: String,
    /// PEM file with the private key. Relative to the configuration file.
    pub key: String,
}

/// One certificate or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Certificates {
    /// One for every name.
    One(Certificate),
    /// Chosen by the server name the client sends; the first serves clients that send none.
    Many(Vec<Certificate>),
}

impl Certificates {
    /// All of them.
    pub fn as_slice(&self) -> &[Certificate] {
        match self {
            Self::One(certificate) => std::slice::from_ref(certificate),
            Self::Many(certificates) => certificates,
        }
    }
}
