//! The name under which something secret is remembered.

use std::fmt;
use std::hash::{Hash, Hasher};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;

/// A SHA-256, or an HMAC with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    /// Of a token. Whoever reads it out of memory cannot make the token of it.
    pub(crate) fn of_token(token: &[u8]) -> Self {
        Self::from(digest(&SHA256, token).as_ref())
    }

    /// Of something that could be guessed: without the key, guesses cannot be compared with it.
    pub(crate) fn keyed(key: &hmac::Key, parts: [&[u8]; 2]) -> Self {
        let mut context = hmac::Context::with_key(key);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        Self::from(context.sign().as_ref())
    }

    /// The first bytes, as a number.
    pub(crate) fn number(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(bytes)
    }

    fn from(bytes: &[u8]) -> Self {
        let mut this = Self([0; 32]);
        this.0.copy_from_slice(bytes);
        this
    }
}

impl Hash for Digest {
    /// A part says enough: it is random already.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.number());
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<digest>")
    }
}
