//! What a server stores in place of a password.

use std::num::NonZeroU32;

use base64::Engine as _;

use super::keys::{hmac, sha256};
use super::{BASE64, DEFAULT_ITERATIONS, KEY_BYTES, Key, Keys, MAX_ITERATIONS, MAX_SALT_BYTES, SECRET_START};
use crate::auth::{BadSecret, equal};

/// What a server stores in place of a password: enough to check a proof, too little to make one.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramSecret {
    pub(super) iterations: NonZeroU32,
    pub(super) salt: Vec<u8>,
    pub(super) stored_key: Key,
    pub(super) server_key: Key,
}

impl ScramSecret {
    /// Reads `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`.
    ///
    /// # Errors
    /// When it has another form, no iterations or more than [`MAX_ITERATIONS`], no salt or one longer than
    /// [`MAX_SALT_BYTES`].
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        Self::parts(text).ok_or(BadSecret)
    }

    fn parts(text: &str) -> Option<Self> {
        let (parameters, keys) = text.strip_prefix(SECRET_START)?.split_once('$')?;
        let (iterations, salt) = parameters.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        // Checked before it is decoded: the text may be of any length.
        let fits = salt.len() <= MAX_SALT_BYTES.div_ceil(3) * 4;
        let salt = fits.then(|| BASE64.decode(salt).ok()).flatten()?;
        let iterations: u32 = super::message::number(iterations.as_bytes())?;
        Some(Self {
            iterations: NonZeroU32::new(iterations).filter(|n| n.get() <= MAX_ITERATIONS)?,
            salt: Some(salt).filter(|salt| (1..=MAX_SALT_BYTES).contains(&salt.len()))?,
            stored_key: super::message::key(stored_key.as_bytes())?,
            server_key: super::message::key(server_key.as_bytes())?,
        })
    }

    /// The secret of a password, with a salt of random bytes; takes the time the iterations are for.
    #[must_use]
    pub fn of_password(password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Self {
        let keys = Keys::derive(password, salt, iterations);
        Self {
            iterations,
            salt: keys.salt,
            stored_key: sha256(&keys.client_key),
            server_key: keys.server_key,
        }
    }

    /// A secret that no password opens, to be played to a user that does not exist: it fails at the end, as a wrong
    /// password does, and the salt of a name stays as long as the process key.
    #[must_use]
    pub fn mock(process_key: &[u8; KEY_BYTES], user: &str) -> Self {
        let derive = |what: &[u8]| hmac(process_key, &[what, user.as_bytes()].concat());
        Self {
            iterations: NonZeroU32::new(DEFAULT_ITERATIONS).unwrap_or(NonZeroU32::MIN),
            salt: derive(b"salt:")[..16].to_vec(),
            stored_key: derive(b"stored:"),
            server_key: derive(b"server:"),
        }
    }

    /// The text that [`Self::parse`] reads.
    #[must_use]
    pub fn to_text(&self) -> String {
        let [salt, stored, server] =
            [&self.salt[..], &self.stored_key, &self.server_key].map(|part| BASE64.encode(part));
        format!("{SECRET_START}{}:{salt}${stored}:{server}", self.iterations)
    }

    /// Whether it was made of this password; takes the time the iterations are for.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        let keys = Keys::derive(password, &self.salt, self.iterations);
        equal(&sha256(&keys.client_key), &self.stored_key)
    }
}

/// Only what is no secret.
impl std::fmt::Debug for ScramSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScramSecret").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}
