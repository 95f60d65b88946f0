//! The first packets of a connection, which have no tag, and the `options` parameter within.

mod options;
pub mod write;

pub use options::{BadOption, options};

use foldhash::{HashMap, HashMapExt as _};
use memchr::memchr;

#[cfg(test)]
mod tests;

/// Longest first packet that PostgreSQL reads (`MAX_STARTUP_PACKET_LENGTH`), its length field included.
pub const MAX_BYTES: usize = 10_000;
/// Shortest key of a cancel request, and the only length before protocol 3.2.
pub const MIN_KEY_BYTES: usize = 4;
/// Longest key of a cancel request, since protocol 3.2.
pub const MAX_KEY_BYTES: usize = 256;

/// A length and a version: what every first packet begins with.
const FIXED_BYTES: usize = 8;
/// Parameters that are compared one by one; most clients send no more.
const FEW: usize = 8;
/// Above all versions that there will be, so that older servers refuse what they do not know.
const CANCEL: u32 = 1234 << 16 | 5678;
const SSL: u32 = 1234 << 16 | 5679;
const GSS_ENCRYPTION: u32 = 1234 << 16 | 5680;

/// What a client wants first.
#[derive(Clone, PartialEq, Eq)]
pub enum Startup {
    /// TLS: answered by `S` or `N`, upon which another first packet comes.
    Ssl,
    /// Encryption by GSSAPI: answered by `G` or `N`.
    GssEncryption,
    /// That another connection's query be cancelled; never answered.
    Cancel {
        /// The process of that connection, as it was told.
        pid: u32,
        /// Its secret.
        key: Vec<u8>,
    },
    /// A session.
    Start {
        /// The minor version of protocol 3.
        minor: u16,
        /// `user`, `database`, `options`, `replication`, `_pq_.…` and settings; of one given twice the last value.
        parameters: Vec<(String, String)>,
    },
}

/// Without the key: whoever knows it may cancel.
impl std::fmt::Debug for Startup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ssl => f.write_str("Ssl"),
            Self::GssEncryption => f.write_str("GssEncryption"),
            Self::Cancel { pid, .. } => f.debug_struct("Cancel").field("pid", pid).finish_non_exhaustive(),
            Self::Start { minor, parameters } => {
                f.debug_struct("Start").field("minor", minor).field("parameters", parameters).finish()
            }
        }
    }
}

/// Why a first packet was refused. Nothing else on the connection can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StartupError {
    /// Shorter than a length and a version, or longer than [`MAX_BYTES`].
    #[error("invalid length of startup packet")]
    Length,
    /// Not protocol 3.
    #[error("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.2")]
    Version {
        /// 2 before PostgreSQL 7.4.
        major: u16,
        /// Whatever it is.
        minor: u16,
    },
    /// Parameters that are not pairs of strings up to an empty name at the end.
    #[error("invalid startup packet layout: expected terminator as last byte")]
    Layout,
    /// A parameter that is not UTF-8, so that it cannot be compared with what is configured.
    #[error("invalid byte sequence for encoding \"UTF8\" in startup packet")]
    Encoding,
    /// A cancel request whose key is shorter than [`MIN_KEY_BYTES`] or longer than [`MAX_KEY_BYTES`].
    #[error("invalid length of cancel request packet")]
    Key,
}

/// Major and minor version.
pub(crate) fn version(version: u32) -> (u16, u16) {
    let [a, b, c, d] = version.to_be_bytes();
    (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
}

/// Version 3 with this minor one.
pub(crate) fn version_3(minor: u16) -> u32 {
    3 << 16 | u32::from(minor)
}

/// The first packet at the front of `bytes` and how many of them it takes; none when it is not complete. Whatever
/// follows a request for encryption was not encrypted, and must not be used (CVE-2021-23214).
///
/// # Errors
/// As soon as the bytes cannot be the beginning of one.
pub fn read(bytes: &[u8]) -> Result<Option<(Startup, usize)>, StartupError> {
    let Some(length) = bytes.first_chunk() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if !(FIXED_BYTES..=MAX_BYTES).contains(&length) {
        return Err(StartupError::Length);
    }
    let Some(&[.., a, b, c, d]) = bytes.first_chunk::<FIXED_BYTES>() else { return Ok(None) };
    let code = u32::from_be_bytes([a, b, c, d]);
    match (code, version(code)) {
        (SSL | GSS_ENCRYPTION, _) if length != FIXED_BYTES => return Err(StartupError::Length),
        (SSL | GSS_ENCRYPTION | CANCEL, _) | (_, (3, _)) => {}
        (_, (major, minor)) => return Err(StartupError::Version { major, minor }),
    }
    let Some(body) = bytes.get(FIXED_BYTES..length) else { return Ok(None) };
    let startup = match code {
        SSL => Startup::Ssl,
        GSS_ENCRYPTION => Startup::GssEncryption,
        CANCEL => cancel(body)?,
        _ => Startup::Start { minor: version(code).1, parameters: parameters(body)? },
    };
    Ok(Some((startup, length)))
}

fn cancel(body: &[u8]) -> Result<Startup, StartupError> {
    let (pid, key) = body.split_first_chunk().ok_or(StartupError::Key)?;
    if !(MIN_KEY_BYTES..=MAX_KEY_BYTES).contains(&key.len()) {
        return Err(StartupError::Key);
    }
    Ok(Startup::Cancel { pid: u32::from_be_bytes(*pid), key: key.to_vec() })
}

fn parameters(body: &[u8]) -> Result<Vec<(String, String)>, StartupError> {
    let mut rest = std::str::from_utf8(body).map_err(|_| StartupError::Encoding)?;
    let mut parameters: Vec<(String, String)> = Vec::with_capacity(FEW);
    // Only where there are many: what they take must not grow with the square of their number.
    let mut places: HashMap<&str, usize> = HashMap::new();
    loop {
        let name = string(&mut rest)?;
        if name.is_empty() {
            break;
        }
        let value = string(&mut rest)?.to_owned();
        let place = parameters.iter().take(FEW).position(|(known, _)| known == name);
        match place.or_else(|| places.get(name).copied()) {
            Some(place) => parameters[place].1 = value,
            None => {
                if parameters.len() >= FEW {
                    places.insert(name, parameters.len());
                }
                parameters.push((name.to_owned(), value));
            }
        }
    }
    if rest.is_empty() { Ok(parameters) } else { Err(StartupError::Layout) }
}

fn string<'a>(rest: &mut &'a str) -> Result<&'a str, StartupError> {
    let end = memchr(0, rest.as_bytes()).ok_or(StartupError::Layout)?;
    let string = &rest[..end];
    *rest = &rest[end + 1..];
    Ok(string)
}
