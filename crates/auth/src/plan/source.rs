//! Where the keys come from.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deepwater_core::config::Place;

use super::Freshness;
use crate::algorithm::Algorithms;
use crate::config::Auth;
use crate::keys::{JwksFrom, KeySet, KeySetFault};

/// Largest file of keys or users, bytes.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The keys, or the place to fetch them from.
#[derive(Debug)]
pub enum KeySource {
    /// Keys that stand until the configuration is read again.
    Fixed(Arc<KeySet>),
    /// Keys that are fetched.
    Url(FetchedKeys),
}

/// A key set behind a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedKeys {
    /// `https://`, or `http://` on this machine.
    pub url: String,
    /// How it is kept fresh.
    pub freshness: Freshness,
    allowed: Algorithms,
}

impl FetchedKeys {
    /// Most that is to be read of an answer, bytes; a larger one is refused.
    pub const MAX_BYTES: usize = KeySet::MAX_BYTES;

    /// Reads what was fetched.
    ///
    /// # Errors
    /// When it is no key set. The older set then stays, until it is too old. A set without a key that can be used is one:
    /// else an issuer could not withdraw its last key.
    pub fn read(&self, answer: &[u8]) -> Result<KeySet, KeySetFault> {
        KeySet::from_jwks(answer, JwksFrom::Url, self.allowed)
    }

    /// Whether the same keys are found there, however often they are fetched.
    pub fn finds_as(&self, other: &Self) -> bool {
        self.url == other.url && self.allowed == other.allowed
    }
}

/// The keys of the one key that is set; none when something was reported.
pub(super) fn build(auth: &Auth, directory: &Path, place: &Place<'_>) -> Option<KeySource> {
    let allowed = allowed(auth);
    if let Some(secret) = &auth.secret {
        let place = place.at("secret");
        let secret = match secret.resolve(directory) {
            Ok(secret) => secret,
            Err(error) => {
                place.secret_problem(&error);
                return None;
            }
        };
        let keys = KeySet::from_secret(secret.expose().as_bytes(), allowed);
        return fixed(keys, &place, "make one: openssl rand -base64 48; or see `algorithms`");
    }
    if let Some(file) = &auth.pem {
        let place = place.at("pem");
        let text = read(directory, file, &place)?;
        let fix = "give the issuer's public key (RSA, P-256, P-384, P-521 or Ed25519) or certificate in PEM; or see `algorithms`";
        return fixed(KeySet::from_pem(&text, allowed), &place, fix);
    }
    let jwks = auth.jwks.as_ref()?;
    if jwks.contains("://") {
        return fetched(jwks, auth, allowed, place);
    }
    let place = place.at("jwks");
    let text = read(directory, jwks, &place)?;
    let fix = "give a JSON Web Key Set: {\"keys\": [...]}; or see `algorithms`";
    fixed(KeySet::from_jwks(&text, JwksFrom::File, allowed), &place, fix)
}

fn allowed(auth: &Auth) -> Algorithms {
    if auth.algorithms.is_empty() { Algorithms::ALL } else { auth.algorithms.iter().copied().collect() }
}

fn fixed(keys: Result<KeySet, KeySetFault>, place: &Place<'_>, fix: &str) -> Option<KeySource> {
    match keys {
        Ok(keys) => Some(KeySource::Fixed(Arc::new(keys))),
        Err(fault) => {
            place.problem_with_fix(fault.to_string(), fix);
            None
        }
    }
}

fn fetched(url: &str, auth: &Auth, allowed: Algorithms, table: &Place<'_>) -> Option<KeySource> {
    let freshness = freshness(auth, table);
    if !is_safe(url) {
        table.at("jwks").problem_with_fix(
            "a key set must be fetched over https: whoever could change it on the way could sign tokens",
            "write an `https://` URL with a host, without user and fragment (`http://` only for this machine), or a file",
        );
        return None;
    }
    Some(KeySource::Url(FetchedKeys { url: url.to_owned(), freshness: freshness?, allowed }))
}

/// The times of a key set that is fetched, if they go together.
fn freshness(auth: &Auth, table: &Place<'_>) -> Option<Freshness> {
    let mut right = true;
    let least = [("refresh", auth.refresh, 10), ("cooldown", auth.cooldown, 1)];
    for (key, value, seconds) in least {
        if value.get() < Duration::from_secs(seconds) {
            let what = format!("`{key}` must be {seconds} s at least: the issuer must not be flooded");
            table.at(key).problem_with_fix(what, "write a longer time");
            right = false;
        }
    }
    if auth.max_stale < auth.refresh {
        let what = "keys would be too old before they are fetched anew";
        table.at("max_stale").problem_with_fix(what, "make it longer than `refresh`");
        right = false;
    }
    let (refresh, cooldown) = (auth.refresh.get(), auth.cooldown.get());
    right.then(|| Freshness { refresh, cooldown, max_stale: auth.max_stale.get() })
}

fn is_safe(url: &str) -> bool {
    let (secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return false,
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = if authority.starts_with('[') {
        authority.split_inclusive(']').next().unwrap_or_default()
    } else {
        authority.split(':').next().unwrap_or_default()
    };
    let local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let plain = url.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'\\'));
    !host.is_empty() && !authority.contains('@') && plain && (secure || local)
}

/// A file, whole.
pub(super) fn read(directory: &Path, file: &str, place: &Place<'_>) -> Option<Vec<u8>> {
    let path = directory.join(file);
    let small =
        |size: u64| if size > MAX_FILE_BYTES { Err("it is larger than 16 MiB".to_owned()) } else { Ok(()) };
    let bytes = std::fs::metadata(&path)
        .map_err(|error| error.to_string())
        .and_then(|metadata| small(metadata.len()))
        .and_then(|()| std::fs::read(&path).map_err(|error| error.to_string()));
    match bytes {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            place.problem_with_fix(
                format!("the file `{file}` cannot be read: {error}"),
                "give its path, relative to the configuration file or absolute, and let Deepwater's user read it",
            );
            None
        }
    }
}
