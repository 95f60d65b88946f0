//! What is made of a password, and what it proves.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};

use super::{KEY_BYTES, Key, saslprep};
use crate::auth::equal;

/// What a client needs in place of the password to log in where the secret has this salt and iteration count: to be
/// kept as the password itself is.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// Proves that the client knows the password.
    pub client_key: Key,
    /// Proves that the server knows its secret.
    pub server_key: Key,
    /// The salt of the secret.
    pub salt: Vec<u8>,
    /// Its iteration count.
    pub iterations: u32,
}

impl Keys {
    /// Derives them, which takes the time the iterations are for. The password is normalised ([`saslprep`]).
    #[must_use]
    pub fn derive(password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Self {
        let mut salted = [0; KEY_BYTES];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, &saslprep(password), &mut salted);
        Self {
            client_key: hmac(&salted, b"Client Key"),
            server_key: hmac(&salted, b"Server Key"),
            salt: salt.to_vec(),
            iterations: iterations.get(),
        }
    }
}

/// Only what is no secret.
impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

pub(super) fn hmac(key: &[u8], data: &[u8]) -> Key {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data);
    first_bytes(tag.as_ref())
}

pub(super) fn sha256(data: &[u8]) -> Key {
    first_bytes(digest::digest(&digest::SHA256, data).as_ref())
}

fn first_bytes(hash: &[u8]) -> Key {
    *hash.first_chunk().expect("SHA-256 gives 32 bytes")
}

fn xor(mut a: Key, b: &Key) -> Key {
    a.iter_mut().zip(b).for_each(|(a, b)| *a ^= b);
    a
}

/// The client's proof for what was said.
pub(super) fn prove(client_key: &Key, said: &[u8]) -> Key {
    xor(hmac(&sha256(client_key), said), client_key)
}

/// The client key within a proof, if the proof is right.
pub(super) fn proved(stored_key: &Key, said: &[u8], proof: &Key) -> Option<Key> {
    let client_key = xor(hmac(stored_key, said), proof);
    equal(&sha256(&client_key), stored_key).then_some(client_key)
}
