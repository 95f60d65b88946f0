//! TLS on both sides: the certificates a listener serves, and whom the edge trusts when it connects to an origin.
//!
//! The cryptography is aws-lc-rs, named explicitly each time: no provider is installed for the whole process.

mod client;
mod event;
mod files;
mod identity;
mod names;
mod pem;
mod server;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};

pub use client::{client_config, server_name};
pub use server::{Alpn, ServerTls};

/// What is wrong with a certificate, a key or a name in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {fix}")]
pub struct TlsProblem {
    /// Which of the listener's certificates, counted from 0; 0 where there is only one.
    pub index: usize,
    /// The key beside which the fault stands: `cert`, `key`, `ca`, `server_name` or `targets`.
    pub key: &'static str,
    /// The fault.
    pub what: String,
    /// How to mend it.
    pub fix: String,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";
