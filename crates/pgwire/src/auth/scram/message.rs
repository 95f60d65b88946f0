//! The attributes that messages are made of (RFC 5802 §7): a letter, `=`, a value, a comma to the next.

use base64::Engine as _;
use memchr::memchr;

use super::{BASE64, Key, MAX_MESSAGE_BYTES, MAX_NONCE_BYTES, MAX_SALT_BYTES, ScramError};

/// What is left of a message.
pub(super) struct Attributes<'a> {
    message: &'a [u8],
    /// Where the next attribute begins; none after the last.
    next: Option<usize>,
}

impl<'a> Attributes<'a> {
    pub(super) fn new(message: &'a [u8]) -> Result<Self, ScramError> {
        if message.len() > MAX_MESSAGE_BYTES {
            return Err(ScramError::TooLong("message"));
        }
        if message.contains(&0) {
            return Err(ScramError::Malformed("NUL in message"));
        }
        Ok(Self { message, next: Some(0) })
    }

    /// What stands before the next comma.
    pub(super) fn part(&mut self) -> Result<&'a [u8], ScramError> {
        let rest = &self.message[self.next.ok_or(ScramError::Malformed("attribute missing"))?..];
        let part = &rest[..memchr(b',', rest).unwrap_or(rest.len())];
        self.next = self.next.map(|at| at + part.len() + 1).filter(|at| *at <= self.message.len());
        Ok(part)
    }

    /// The letter and value of the next attribute.
    fn attribute(&mut self) -> Result<(u8, &'a [u8]), ScramError> {
        match self.part()? {
            [letter, b'=', value @ ..] if letter.is_ascii_alphabetic() => Ok((*letter, value)),
            _ => Err(ScramError::Malformed("attribute expected")),
        }
    }

    /// The value of the next attribute, which must have this letter.
    pub(super) fn value(&mut self, letter: u8) -> Result<&'a [u8], ScramError> {
        match self.attribute()? {
            (found, value) if found == letter => Ok(value),
            (b'm', _) => Err(ScramError::Extension),
            _ => Err(ScramError::Malformed("unexpected attribute")),
        }
    }

    /// The nonce that comes next: printable, not empty, not too long.
    pub(super) fn nonce(&mut self) -> Result<&'a str, ScramError> {
        let nonce = self.value(b'r')?;
        if nonce.len() > MAX_NONCE_BYTES {
            return Err(ScramError::TooLong("nonce"));
        }
        // A comma, the only other printable character that is forbidden, would have ended it.
        let printable = !nonce.is_empty() && nonce.iter().all(u8::is_ascii_graphic);
        std::str::from_utf8(nonce).ok().filter(|_| printable).ok_or(ScramError::Malformed("invalid nonce"))
    }

    /// The salt that comes next.
    pub(super) fn salt(&mut self) -> Result<Vec<u8>, ScramError> {
        let salt = BASE64.decode(self.value(b's')?).map_err(|_| ScramError::Malformed("invalid salt"))?;
        match salt.len() {
            0 => Err(ScramError::Malformed("empty salt")),
            1..=MAX_SALT_BYTES => Ok(salt),
            _ => Err(ScramError::TooLong("salt")),
        }
    }

    /// The extensions up to the end, all of which may be ignored but a mandatory one.
    pub(super) fn extensions(&mut self) -> Result<(), ScramError> {
        while self.next.is_some() {
            if self.attribute()?.0 == b'm' {
                return Err(ScramError::Extension);
            }
        }
        Ok(())
    }

    /// Extensions up to the proof, which is the end: the proof, and where it (with the comma before it) begins.
    pub(super) fn proof(&mut self) -> Result<(Key, usize), ScramError> {
        loop {
            let start = self.next.unwrap_or(0);
            match self.attribute()? {
                (b'p', proof) if self.next.is_none() => {
                    let proof = key(proof).ok_or(ScramError::Malformed("invalid proof"))?;
                    return Ok((proof, start.saturating_sub(1)));
                }
                (b'p', _) => return Err(ScramError::Malformed("garbage after proof")),
                (b'm', _) => return Err(ScramError::Extension),
                _ => {}
            }
        }
    }

    /// What is left, from the next attribute on.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.message[self.next.unwrap_or(self.message.len())..]
    }
}

/// A key, signature or proof in base64.
pub(super) fn key(base64: &[u8]) -> Option<Key> {
    let mut key = [0; super::KEY_BYTES + 2];
    // The estimate the decoder goes by is two bytes above the 32.
    let n = BASE64.decode_slice(base64, &mut key).ok()?;
    if n == super::KEY_BYTES { key.first_chunk().copied() } else { None }
}

/// A decimal number without sign, blanks or leading zeros.
pub(super) fn number(text: &[u8]) -> Option<u32> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let plain = digits && (text.len() == 1 || text[0] != b'0');
    std::str::from_utf8(text).ok().filter(|_| plain)?.parse().ok()
}
