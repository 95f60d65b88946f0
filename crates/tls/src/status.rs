//! What is told of a certificate in force.

use serde::Serialize;

use super::identity::Identity;

/// A certificate in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateStatus {
    /// The names and addresses it is for.
    pub names: Vec<String>,
    /// The last moment it is valid, RFC 3339.
    pub not_after: String,
    /// Its file, as the configuration names it.
    pub file: String,
}

impl CertificateStatus {
    pub(crate) fn of(identity: &Identity) -> Self {
        Self { names: identity.names.clone(), not_after: identity.not_after(), file: identity.file.clone() }
    }
}
