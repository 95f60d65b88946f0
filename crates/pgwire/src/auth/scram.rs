//! SCRAM-SHA-256 (RFC 5802, RFC 7677), with and without channel binding by `tls-server-end-point` (RFC 5929).
//!
//! Both sides are small state machines: messages in, messages out. Nonces come from the caller ([`nonce`]).

mod client;
mod error;
mod keys;
mod message;
mod saslprep;
mod secret;
mod server;

pub use client::{Client, Credential};
pub use error::ScramError;
pub use keys::Keys;
pub use saslprep::saslprep;
pub use secret::ScramSecret;
pub use server::{Accepted, Server};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The mechanism without channel binding.
pub const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
/// The mechanism with channel binding.
pub const SCRAM_SHA_256_PLUS: &str = "SCRAM-SHA-256-PLUS";
/// What a stored secret begins with.
pub(super) const SECRET_START: &str = "SCRAM-SHA-256$";

/// Iterations PostgreSQL stores new passwords with.
pub const DEFAULT_ITERATIONS: u32 = 4_096;
/// Most iterations done or stored: some tenths of a second of a core. A server that asks for more would hold it up.
pub const MAX_ITERATIONS: u32 = 1_000_000;
/// Longest message read; PostgreSQL's own have some 100 bytes. It holds a nonce and a salt of their greatest length.
pub const MAX_MESSAGE_BYTES: usize = 3_072;
/// Longest nonce read, that of the client and the server's together (CVE-2026-6665).
pub const MAX_NONCE_BYTES: usize = 1_024;
/// Longest salt read or stored.
pub const MAX_SALT_BYTES: usize = 1_024;

/// Bytes of a key, a signature and a proof.
const KEY_BYTES: usize = 32;

/// A key, a signature or a proof.
type Key = [u8; KEY_BYTES];

/// The mechanisms a server offers, its favourite first; with channel binding on an encrypted connection only.
#[must_use]
pub fn mechanisms(channel_binding: bool) -> &'static [&'static str] {
    let all = &[SCRAM_SHA_256_PLUS, SCRAM_SHA_256];
    if channel_binding { all } else { &all[1..] }
}

/// A nonce of the length PostgreSQL uses, from so many random bytes.
#[must_use]
pub fn nonce(random: &[u8; 18]) -> String {
    BASE64.encode(random)
}

#[cfg(test)]
mod tests;
