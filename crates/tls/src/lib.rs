//! TLS on both sides of every plane: the certificates a listener serves and asks for, and whom we trust when we
//! connect to a server. Reads files and takes up changed ones; opens no socket.
//!
//! The cryptography is aws-lc-rs, named explicitly each time: no provider is installed for the whole process.

mod authorities;
mod client;
mod config;
mod end_point;
mod event;
mod files;
mod identity;
mod libpq;
mod material;
mod names;
mod pem;
mod server;
mod status;
mod watch;
mod x509;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};

pub use authorities::Authorities;
pub use client::{ClientSpec, ClientTls, Trust, server_name};
pub use config::{Certificate, Certificates, TlsVersion};
pub use end_point::end_point;
pub use server::{ClientAuth, Served, ServerSpec, ServerTls};
pub use status::CertificateStatus;
pub use x509::common_name;

/// What is wrong with a certificate, a key or a name in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {fix}")]
pub struct TlsProblem {
    /// Which of the listener's certificates, counted from 0; 0 where there is only one.
    pub index: usize,
    /// The key beside which the fault stands: `cert`, `key` or `ca`; a plane may add its own.
    pub key: &'static str,
    /// The fault.
    pub what: String,
    /// How to mend it.
    pub fix: String,
}

impl TlsProblem {
    /// What no configuration can cause.
    fn of_the_build(key: &'static str, error: &dyn std::fmt::Display) -> Self {
        let what = format!("TLS cannot be set up: {error}");
        Self { index: 0, key, what, fix: "this is a fault of the build: report it".into() }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn versions(min: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    match min {
        TlsVersion::V1_2 => &BOTH,
        TlsVersion::V1_3 => &BOTH[..1],
    }
}
