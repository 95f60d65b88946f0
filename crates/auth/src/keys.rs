//! The keys that tokens of one issuer are verified with: one secret, a PEM file, or a JSON Web Key Set.

mod jwk;
mod pem;
#[cfg(test)]
mod tests;

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;

use crate::algorithm::{Algorithm, Algorithms};
use crate::json::{self, JsonFault};
use crate::jwt::Token;
use crate::key::{Key, KeyFault, Material};
use crate::refusal::Refusal;

/// Largest key set, bytes. Sets with certificates in them reach tens of kilobytes.
const MAX_SET_BYTES: usize = KeySet::MAX_BYTES;
/// Most keys of a set.
const MAX_KEYS: usize = 100;
/// Keys tried for a token that does not say which: a forged one shall not cost a hundred verifications.
const MAX_TRIES: usize = 8;

/// Where a key set comes from: what may be read by others holds no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwksFrom {
    /// Fetched. Symmetric keys in it are skipped.
    Url,
    /// A file of this machine. It may hold symmetric keys, if it holds nothing else.
    File,
}

/// Why a text is no key set at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetFault {
    /// More than 256 KiB.
    #[error("the key set is larger than {} KiB", MAX_SET_BYTES / 1024)]
    TooLarge,
    /// More than 100 keys.
    #[error("the key set has more than {MAX_KEYS} keys")]
    TooManyKeys,
    /// It cannot be read.
    #[error("the key set {0}")]
    Json(JsonFault),
    /// There is no list of objects under `keys`.
    #[error("the key set has no list `keys` of objects")]
    NoList,
    /// A section of the PEM text cannot be read.
    #[error("the PEM text is damaged")]
    DamagedPem,
    /// A key that signs where one that verifies is asked for.
    #[error(
        "the PEM text holds a private key, which is not needed to verify; write the public one: openssl pkey -pubout"
    )]
    PrivatePem,
    /// The key cannot be used.
    #[error(transparent)]
    Key(KeyFault),
    /// There are keys, and none can be used. Why the first cannot.
    #[error("no key of the set can be used; the first: {0}")]
    NoneUsable(KeyFault),
    /// There is no key.
    #[error("there is no key in it")]
    Empty,
}

/// A key of a set that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its position, counted from 0.
    pub index: usize,
    /// Its `kid`, or the beginning of a long one: for the log.
    pub id: Option<String>,
    /// Why not.
    pub fault: KeyFault,
}

/// Keys, parsed once.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: Vec<Skipped>,
    generation: u64,
}

impl KeySet {
    /// Largest text of a set, bytes.
    pub const MAX_BYTES: usize = 256 * 1024;

    /// One secret for HS256 and, if it is long enough, HS384 and HS512.
    ///
    /// # Errors
    /// When it is shorter than 256 bits or for nothing that is allowed.
    pub fn from_secret(secret: &[u8], allowed: Algorithms) -> Result<Self, KeySetFault> {
        let key = Key::new(&Material::Secret(secret), None, allowed).map_err(KeySetFault::Key)?;
        Self::of(vec![key], Vec::new())
    }

    /// The public keys and certificates of a PEM text. They have no ids: every one that fits a token is tried.
    ///
    /// # Errors
    /// When one of them cannot be used, or there is none.
    pub fn from_pem(text: &[u8], allowed: Algorithms) -> Result<Self, KeySetFault> {
        if text.len() > MAX_SET_BYTES {
            return Err(KeySetFault::TooLarge);
        }
        let keys = pem::keys(text, allowed)?.into_iter().collect::<Result<Vec<_>, _>>();
        Self::of(keys.map_err(KeySetFault::Key)?, Vec::new())
    }

    /// The keys of a JSON Web Key Set (RFC 7517 §5). What cannot be used is skipped and reported, as new kinds of keys
    /// must not lock out old ones; keys that share a `kid` and an algorithm are skipped, all of them. A set that is fetched
    /// may be left without a key: its issuer has withdrawn them all.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or is a file that has no key that can be used.
    pub fn from_jwks(text: &[u8], from: JwksFrom, allowed: Algorithms) -> Result<Self, KeySetFault> {
        if text.len() > MAX_SET_BYTES {
            return Err(KeySetFault::TooLarge);
        }
        let set = json::object(text).map_err(KeySetFault::Json)?;
        let Some(Value::Array(list)) = set.get("keys") else { return Err(KeySetFault::NoList) };
        if list.len() > MAX_KEYS {
            return Err(KeySetFault::TooManyKeys);
        }
        let jwks: Option<Vec<_>> = list.iter().map(Value::as_object).collect();
        let jwks = jwks.ok_or(KeySetFault::NoList)?;
        let mixed = jwks.iter().any(|jwk| !jwk::is_symmetric(jwk));
        let mut skipped = Vec::new();
        let mut keys: Vec<(usize, Key)> = Vec::new();
        for (index, jwk) in jwks.into_iter().enumerate() {
            let key = if mixed && jwk::is_symmetric(jwk) {
                Err(KeyFault::Symmetric)
            } else {
                jwk::key(jwk, from, allowed)
            };
            match key {
                Ok(key) => keys.push((index, key)),
                Err(fault) => {
                    let id = jwk.get("kid").and_then(Value::as_str).map(clipped);
                    skipped.push(Skipped { index, id, fault });
                }
            }
        }
        skip_ambiguous(&mut keys, &mut skipped);
        skipped.sort_by_key(|skipped| skipped.index);
        let keys = keys.into_iter().map(|(_, key)| key).collect();
        match from {
            JwksFrom::Url => Ok(Self::published(keys, skipped)),
            JwksFrom::File => Self::of(keys, skipped),
        }
    }

    fn of(keys: Vec<Key>, skipped: Vec<Skipped>) -> Result<Self, KeySetFault> {
        if keys.is_empty() {
            let first = skipped.into_iter().next();
            return Err(first.map_or(KeySetFault::Empty, |first| KeySetFault::NoneUsable(first.fault)));
        }
        Ok(Self::published(keys, skipped))
    }

    fn published(keys: Vec<Key>, skipped: Vec<Skipped>) -> Self {
        let mut context = Context::new(&SHA256);
        keys.iter().for_each(|key| context.update(key.fingerprint()));
        let mut generation = [0; 8];
        generation.copy_from_slice(&context.finish().as_ref()[..8]);
        Self { keys, skipped, generation: u64::from_be_bytes(generation) }
    }

    /// A number that is another when the keys are others: what was verified with an older set is then void. It follows
    /// from the keys, so fetching the same set again changes nothing.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The keys.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// What stands in the set and is not used: to be logged.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Whether one of the keys has signed the token. The algorithm only ever chooses among what the keys are for.
    pub(crate) fn verify(&self, token: &Token<'_>) -> Result<(), Refusal> {
        let named = |key: &&Key| token.kid().is_some() && key.id() == token.kid();
        let fits = |key: &&Key| key.fits(token.algorithm());
        let verifies = |key: &Key| key.verifies(token.algorithm(), token.signed(), token.signature());
        if self.keys.is_empty() {
            // Whoever signed it may have been published since.
            return Err(Refusal::UnknownKid);
        }
        let any_named = self.keys.iter().any(|key| named(&key));
        // Of a name there is one key for each algorithm; keys without name may have signed anything.
        let candidates = self.keys.iter().filter(fits).filter(|key| match token.kid() {
            Some(_) if any_named => named(key),
            Some(_) => key.id().is_none(),
            None => true,
        });
        let mut tried = 0;
        for key in candidates {
            if tried == MAX_TRIES {
                return Err(Refusal::KidRequired);
            }
            if verifies(key) {
                return Ok(());
            }
            tried += 1;
        }
        if token.kid().is_some() && !any_named && self.keys.iter().any(|key| key.id().is_some()) {
            return Err(Refusal::UnknownKid);
        }
        Err(if tried == 0 { Refusal::WrongAlgorithm } else { Refusal::BadSignature })
    }
}

/// What fits a line of the log.
fn clipped(id: &str) -> String {
    id.chars().take(64).collect()
}

fn skip_ambiguous(keys: &mut Vec<(usize, Key)>, skipped: &mut Vec<Skipped>) {
    let clash = |a: &Key, b: &Key| {
        let same_id = a.id().is_some() && a.id() == b.id();
        same_id && Algorithm::ALL.into_iter().any(|algorithm| a.fits(algorithm) && b.fits(algorithm))
    };
    let ambiguous: Vec<usize> = keys
        .iter()
        .filter(|(index, key)| keys.iter().any(|(other, twin)| other != index && clash(key, twin)))
        .map(|(index, _)| *index)
        .collect();
    keys.retain(|(index, key)| {
        let keep = !ambiguous.contains(index);
        if !keep {
            let id = key.id().map(clipped);
            skipped.push(Skipped { index: *index, id, fault: KeyFault::Ambiguous });
        }
        keep
    });
}
