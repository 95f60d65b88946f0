//! A password as it is stored in `pg_authid`, a user list or a configuration.

use super::scram::ScramSecret;
use super::{equal, md5};

/// A password as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub enum StoredPassword {
    /// As it is.
    Plain(String),
    /// `md5` and 32 hexadecimal digits.
    Md5(String),
    /// `SCRAM-SHA-256$…`.
    Scram(ScramSecret),
}

/// A text that begins as a SCRAM secret and is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SCRAM secret: expected SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>")]
pub struct BadSecret;

impl StoredPassword {
    /// Tells by its form how a password is stored.
    ///
    /// # Errors
    /// When it begins as a SCRAM secret and is none: as a password it could be guessed by who has seen a real one.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        if text.starts_with(super::scram::SECRET_START) {
            ScramSecret::parse(text).map(Self::Scram)
        } else if md5::is_secret(text) {
            Ok(Self::Md5(text.to_owned()))
        } else {
            Ok(Self::Plain(text.to_owned()))
        }
    }

    /// Whether this is the user's password, without telling by the time it takes where it differs. Against a SCRAM
    /// secret it costs what a login of SCRAM costs the client.
    #[must_use]
    pub fn verify(&self, user: &str, password: &[u8]) -> bool {
        match self {
            Self::Plain(stored) => equal(stored.as_bytes(), password),
            Self::Md5(secret) => equal(secret.as_bytes(), md5::secret(user, password).as_bytes()),
            Self::Scram(secret) => secret.verify(password),
        }
    }
}

/// Only how it is stored.
impl std::fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Md5(_) => "Md5",
            Self::Scram(_) => "Scram",
        })
    }
}

#[cfg(test)]
mod tests;
