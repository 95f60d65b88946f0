//! The fields of errors and notices.

use std::borrow::Cow;

use super::super::read::Reader;

/// The letters of fields (PostgreSQL documentation, "Error and Notice Message Fields").
pub mod field {
    /// The severity, translated.
    pub const SEVERITY: u8 = b'S';
    /// The severity in English, since 9.6.
    pub const SEVERITY_ENGLISH: u8 = b'V';
    /// The SQLSTATE.
    pub const CODE: u8 = b'C';
    /// One line on what is wrong.
    pub const MESSAGE: u8 = b'M';
    /// More of it.
    pub const DETAIL: u8 = b'D';
    /// What to do.
    pub const HINT: u8 = b'H';
    /// The function of the server's source that reported it.
    pub const ROUTINE: u8 = b'R';
}

/// The payload of an error or notice, read when asked. None of the fields need be there: some poolers and old servers
/// send errors without an SQLSTATE. A payload that breaks off has the fields before that.
#[derive(Debug, Clone, Copy)]
pub struct ErrorFields<'a>(&'a [u8]);

impl<'a> ErrorFields<'a> {
    /// Reads the payload of an [`super::ERROR_RESPONSE`] or [`super::NOTICE_RESPONSE`].
    #[must_use]
    pub fn new(payload: &'a [u8]) -> Self {
        Self(payload)
    }

    /// Letters and texts, in the order they came.
    pub fn iter(self) -> impl Iterator<Item = (u8, &'a [u8])> {
        let mut reader = Reader::new(self.0);
        std::iter::from_fn(move || match reader.byte() {
            Ok(0) | Err(_) => None,
            Ok(letter) => Some((letter, reader.string().ok()?)),
        })
    }

    /// The text of the first field with this letter.
    #[must_use]
    pub fn get(self, letter: u8) -> Option<&'a [u8]> {
        self.iter().find_map(|(found, text)| (found == letter).then_some(text))
    }

    /// The SQLSTATE, if there is one: five letters or digits.
    #[must_use]
    pub fn code(self) -> Option<&'a str> {
        let code = self.get(field::CODE)?;
        let fits = code.len() == 5 && code.iter().all(u8::is_ascii_alphanumeric);
        std::str::from_utf8(code).ok().filter(|_| fits)
    }

    /// What is wrong; empty when the server does not say. In the client's encoding, of which only UTF-8 is read.
    #[must_use]
    pub fn message(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.get(field::MESSAGE).unwrap_or_default())
    }

    /// The severity in English where the server gives it, else as it gives it; empty when it does not.
    #[must_use]
    pub fn severity(self) -> Cow<'a, str> {
        let severity = self.get(field::SEVERITY_ENGLISH).or_else(|| self.get(field::SEVERITY));
        String::from_utf8_lossy(severity.unwrap_or_default())
    }

    /// Whether the connection ends with it.
    #[must_use]
    pub fn is_fatal(self) -> bool {
        matches!(&*self.severity(), "FATAL" | "PANIC")
    }
}
