//! Basic authentication (RFC 7617) against hashed passwords.
//!
//! Hashing takes milliseconds, so it is a [`Job`] that the caller runs where it delays nobody, and of which he bounds how
//! many run at once. What a job has found is remembered: a repeat costs an HMAC and a look.

mod hash;
#[cfg(test)]
mod tests;
mod users;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use hash::HashFault;
pub use users::{UserFault, Users};

use crate::digest::Digest;
use crate::place;
use crate::recent::Recent;
use crate::refusal::quoted;

/// Longest credentials in base64: SHA-crypt takes longer for longer passwords.
const MAX_BYTES: usize = 1024;
/// An entry of the cache weighs as much as any other.
const WEIGHT: usize = 1;

/// Why a name and a password are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BasicRefusal {
    /// There are none.
    #[error("a user name and a password are required")]
    Missing,
    /// The field cannot be read: there twice, not canonical base64, no colon, control characters, not UTF-8, longer than 1 KiB.
    #[error("the Authorization field is malformed")]
    Malformed,
    /// Nobody has this name and this password.
    #[error("the user name or the password is wrong")]
    Wrong,
}

impl BasicRefusal {
    /// The status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Missing | Self::Wrong => 401,
        }
    }

    /// The value of `WWW-Authenticate`.
    pub fn challenge(realm: &str) -> String {
        format!("Basic realm={}, charset=\"UTF-8\"", quoted(realm))
    }
}

/// What is known at once.
#[derive(Debug)]
pub enum Checked {
    /// The user, who has shown this password lately.
    Known(Arc<str>),
    /// The password must be hashed.
    Work(Job),
}

/// A name and a password to be checked: to be run where some milliseconds of work delay nobody.
pub struct Job {
    digest: Digest,
    generation: u64,
    user: Option<Arc<str>>,
    password: Vec<u8>,
    hash: hash::StoredHash,
}

/// What a job has found. To be handed to [`BasicCache::finish`].
#[derive(Debug)]
pub struct Outcome {
    digest: Digest,
    generation: u64,
    user: Option<Arc<str>>,
}

impl Job {
    /// Hashes the password. Takes as long for a name that nobody has.
    pub fn run(self) -> Outcome {
        let right = self.hash.verify(&self.password);
        Outcome { digest: self.digest, generation: self.generation, user: self.user.filter(|_| right) }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// Names and passwords that were right lately. One for each core.
#[derive(Debug)]
pub struct BasicCache {
    recent: Recent<Arc<str>>,
    ttl: u64,
    /// The users that all of it was checked against.
    generation: u64,
    key: hmac::Key,
}

impl BasicCache {
    /// Remembers up to `capacity` of them for `ttl` seconds. `key` is drawn from a source fit for secrets: passwords are
    /// remembered by their HMAC with it, which nobody can compare guesses with who does not have it.
    pub fn new(capacity: usize, ttl: u64, key: &[u8; 32]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        Self { recent: Recent::new(capacity.saturating_mul(2 * WEIGHT)), ttl, generation: 0, key }
    }

    /// Looks into the `Authorization` fields of a request.
    ///
    /// # Errors
    /// When there are no credentials that could be checked.
    pub fn check<'r>(
        &mut self,
        users: &Users,
        fields: impl IntoIterator<Item = &'r [u8]>,
        now: u64,
    ) -> Result<Checked, BasicRefusal> {
        self.only_of(users.generation());
        let (name, password) = credentials(fields)?;
        let digest = Digest::keyed(&self.key, [name.as_bytes(), &password]);
        if let Some(user) = self.recent.get(&digest, now) {
            return Ok(Checked::Known(Arc::clone(user)));
        }
        let chance = Digest::keyed(&self.key, [name.as_bytes(), b""]).number();
        let (user, hash) = users.find(&name, chance);
        Ok(Checked::Work(Job { digest, generation: users.generation(), user, password, hash }))
    }

    /// Takes in what a job has found, and says who the user is.
    ///
    /// # Errors
    /// [`BasicRefusal::Wrong`].
    pub fn finish(&mut self, outcome: Outcome, now: u64) -> Result<Arc<str>, BasicRefusal> {
        let user = outcome.user.ok_or(BasicRefusal::Wrong)?;
        // The users may have changed while it ran; this request is still judged by those it was checked against.
        if outcome.generation == self.generation && self.ttl > 0 {
            let until = now.saturating_add(self.ttl);
            self.recent.insert(outcome.digest, Arc::clone(&user), WEIGHT, until);
        }
        Ok(user)
    }

    fn only_of(&mut self, generation: u64) {
        if self.generation != generation {
            self.recent.clear();
            self.generation = generation;
        }
    }
}

/// Name and password (RFC 7617 §2).
fn credentials<'r>(fields: impl IntoIterator<Item = &'r [u8]>) -> Result<(String, Vec<u8>), BasicRefusal> {
    let text = place::credentials(fields, b"basic").map_err(|_| BasicRefusal::Malformed)?;
    let text = text.ok_or(BasicRefusal::Missing)?;
    if text.is_empty() || text.len() > MAX_BYTES {
        return Err(BasicRefusal::Malformed);
    }
    let bytes = STANDARD.decode(text).map_err(|_| BasicRefusal::Malformed)?;
    let text = str::from_utf8(&bytes).map_err(|_| BasicRefusal::Malformed)?;
    let (name, password) = text.split_once(':').ok_or(BasicRefusal::Malformed)?;
    if text.contains(char::is_control) {
        return Err(BasicRefusal::Malformed);
    }
    Ok((name.to_owned(), password.as_bytes().to_vec()))
}

/// Reads the credentials of a field, for the fuzzer: what is accepted encodes back to what was read.
#[doc(hidden)]
pub fn read_credentials(field: &[u8]) -> Result<(String, Vec<u8>), BasicRefusal> {
    credentials([field])
}
