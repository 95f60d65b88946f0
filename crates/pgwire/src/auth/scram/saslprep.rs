//! Normalising passwords.

use std::borrow::Cow;

/// A password as it goes into the hash: by SASLprep (RFC 4013), or as it is where that refuses it (not UTF-8, characters
/// that are forbidden or were unassigned in Unicode 3.2, nothing left), which is what PostgreSQL does.
#[must_use]
pub fn saslprep(password: &[u8]) -> Cow<'_, [u8]> {
    let prepared = std::str::from_utf8(password).ok().and_then(|text| stringprep::saslprep(text).ok());
    match prepared {
        Some(Cow::Owned(text)) if !text.is_empty() => Cow::Owned(text.into_bytes()),
        _ => Cow::Borrowed(password),
    }
}

#[cfg(test)]
mod tests;
