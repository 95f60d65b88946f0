//! Stored passwords, as `htpasswd` files hold them: bcrypt, Argon2id, SHA-crypt.

use std::fmt;

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash as Phc;
use sha_crypt::{PasswordHash as ShaHash, ShaCrypt};

/// 2¹⁵ rounds take seconds.
const BCRYPT_MAX_COST: u32 = 15;
const SHA_MAX_ROUNDS: u32 = 1_000_000;
const ARGON2_MAX_MEMORY_KIB: u32 = 256 * 1024;
const ARGON2_MAX_PASSES: u32 = 64;
const ARGON2_MAX_LANES: u32 = 16;

/// Why a stored password is not accepted. Quotes nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashFault {
    /// Nothing that any hash looks like.
    #[error("this is not a password hash; passwords in clear are not accepted")]
    NotHashed,
    /// MD5, SHA-1 or DES: guessed in no time.
    #[error("this kind of hash is too weak (MD5, SHA-1 or DES)")]
    Weak,
    /// A kind that is not supported.
    #[error("this kind of hash is not supported: known are bcrypt ($2y$), Argon2id and SHA-crypt ($5$, $6$)")]
    Unknown,
    /// It starts as a hash and does not go on as one.
    #[error("the hash is damaged")]
    Damaged,
    /// So many rounds or so much memory that each login would take seconds.
    #[error("the cost of the hash is too high")]
    Costly,
}

/// A password, hashed. Prints as its kind.
#[derive(Clone)]
pub(super) enum StoredHash {
    Bcrypt(Box<str>),
    Argon2(Box<str>),
    Sha(Box<ShaHash>),
}

impl StoredHash {
    pub(super) fn parse(text: &str) -> Result<Self, HashFault> {
        let kind = text.strip_prefix('$').and_then(|rest| rest.split_once('$')).map(|(kind, _)| kind);
        match kind {
            Some("2a" | "2b" | "2y") => bcrypt(text),
            Some("argon2id") => argon2(text),
            Some("5" | "6") => sha(text),
            Some("apr1" | "1") => Err(HashFault::Weak),
            Some(_) => Err(HashFault::Unknown),
            None if text.starts_with("{SHA}") || text.starts_with("{SSHA}") => Err(HashFault::Weak),
            None => Err(HashFault::NotHashed),
        }
    }

    /// Whether a password is the one that was hashed. Takes milliseconds.
    pub(super) fn verify(&self, password: &[u8]) -> bool {
        match self {
            // Of longer passwords bcrypt would look at the first 72 bytes only.
            Self::Bcrypt(hash) => bcrypt::non_truncating_verify(password, hash).unwrap_or(false),
            Self::Argon2(hash) => {
                Phc::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
            }
            Self::Sha(hash) => ShaCrypt::default().verify_password(password, hash.as_ref()).is_ok(),
        }
    }

    /// As it was written.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Bcrypt(text) | Self::Argon2(text) => text,
            Self::Sha(hash) => hash.as_str(),
        }
    }
}

impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bcrypt(_) => "bcrypt",
            Self::Argon2(_) => "argon2id",
            Self::Sha(_) => "sha-crypt",
        })
    }
}

fn bcrypt(text: &str) -> Result<StoredHash, HashFault> {
    let parts: bcrypt::HashParts = text.parse().map_err(|_| HashFault::Damaged)?;
    match parts.get_cost() {
        4..=BCRYPT_MAX_COST => Ok(StoredHash::Bcrypt(text.into())),
        0..4 => Err(HashFault::Damaged),
        _ => Err(HashFault::Costly),
    }
}

fn argon2(text: &str) -> Result<StoredHash, HashFault> {
    let hash = Phc::new(text).map_err(|_| HashFault::Damaged)?;
    let params = argon2::Params::try_from(&hash).map_err(|_| HashFault::Damaged)?;
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err(HashFault::Damaged);
    }
    let costly = params.m_cost() > ARGON2_MAX_MEMORY_KIB
        || params.t_cost() > ARGON2_MAX_PASSES
        || params.p_cost() > ARGON2_MAX_LANES;
    if costly { Err(HashFault::Costly) } else { Ok(StoredHash::Argon2(text.into())) }
}

fn sha(text: &str) -> Result<StoredHash, HashFault> {
    let parts: Vec<&str> = text.split('$').skip(2).collect();
    let (rounds, salt, hash) = match parts[..] {
        [salt, hash] => (None, salt, hash),
        [rounds, salt, hash] => (Some(rounds), salt, hash),
        _ => return Err(HashFault::Damaged),
    };
    if let Some(rounds) = rounds {
        let rounds = rounds.strip_prefix("rounds=").and_then(|number| number.parse().ok());
        match rounds.ok_or(HashFault::Damaged)? {
            0..sha_crypt::Params::ROUNDS_MIN => return Err(HashFault::Damaged),
            SHA_MAX_ROUNDS.. => return Err(HashFault::Costly),
            _ => {}
        }
    }
    let length = if text.starts_with("$5") { 43 } else { 86 };
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
    if !(1..=16).contains(&salt.len()) || hash.len() != length || !hash.bytes().all(alphabet) {
        return Err(HashFault::Damaged);
    }
    let hash = ShaHash::new(text).map_err(|_| HashFault::Damaged)?;
    Ok(StoredHash::Sha(Box::new(hash)))
}
