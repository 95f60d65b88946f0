//! What clients send.

pub mod write;

use super::Malformed;
use super::read::Reader;

#[cfg(test)]
mod tests;

/// Bind a statement's parameters to a portal.
pub const BIND: u8 = b'B';
/// Close a statement or portal.
pub const CLOSE: u8 = b'C';
/// A part of the data of a COPY.
pub const COPY_DATA: u8 = b'd';
/// The data of a COPY is complete.
pub const COPY_DONE: u8 = b'c';
/// The COPY cannot go on.
pub const COPY_FAIL: u8 = b'f';
/// Describe a statement or portal.
pub const DESCRIBE: u8 = b'D';
/// Run a portal.
pub const EXECUTE: u8 = b'E';
/// Send what is buffered.
pub const FLUSH: u8 = b'H';
/// Call a function by its number (the fast path).
pub const FUNCTION_CALL: u8 = b'F';
/// Prepare a statement.
pub const PARSE: u8 = b'P';
/// An answer to a question of authentication: a password, or a step of SASL or GSSAPI.
pub const PASSWORD: u8 = b'p';
/// A simple query.
pub const QUERY: u8 = b'Q';
/// The end of a series of extended-query messages.
pub const SYNC: u8 = b'S';
/// The client leaves.
pub const TERMINATE: u8 = b'X';

/// The text of a simple query.
///
/// # Errors
/// When the first NUL is not the last byte.
pub fn query_text(payload: &[u8]) -> Result<&[u8], Malformed> {
    lone_string(payload)
}

/// The password of a PasswordMessage (cleartext or MD5, not SASL).
///
/// # Errors
/// When the first NUL is not the last byte.
pub fn password(payload: &[u8]) -> Result<&[u8], Malformed> {
    lone_string(payload)
}

fn lone_string(payload: &[u8]) -> Result<&[u8], Malformed> {
    let mut reader = Reader::new(payload);
    let string = reader.string()?;
    reader.end()?;
    Ok(string)
}

/// A statement to prepare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parse<'a> {
    /// Empty for the unnamed statement.
    pub name: &'a [u8],
    /// The SQL.
    pub query: &'a [u8],
    /// The types of parameters as they were sent: a count of two bytes, then a type of four bytes each.
    pub types: &'a [u8],
}

impl<'a> Parse<'a> {
    /// Reads the payload of a [`PARSE`].
    ///
    /// # Errors
    /// When it is not laid out as one.
    pub fn read(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let (name, query) = (reader.string()?, reader.string()?);
        let types = reader.rest();
        let count = reader.u16()?;
        reader.bytes(usize::from(count) * 4)?;
        reader.end()?;
        Ok(Self { name, query, types })
    }
}

/// The names at the front of a Bind; its values may be long and are not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindNames<'a> {
    /// Empty for the unnamed portal.
    pub portal: &'a [u8],
    /// Empty for the unnamed statement.
    pub statement: &'a [u8],
    /// Where in the payload the names end.
    pub rest: usize,
}

impl<'a> BindNames<'a> {
    /// Reads the payload of a [`BIND`].
    ///
    /// # Errors
    /// When it does not hold both names.
    pub fn read(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let (portal, statement) = (reader.string()?, reader.string()?);
        Ok(Self { portal, statement, rest: payload.len() - reader.rest().len() })
    }

    /// Reads the beginning of a payload; none when it does not reach to the end of both names.
    #[must_use]
    pub fn read_prefix(prefix: &'a [u8]) -> Option<Self> {
        Self::read(prefix).ok()
    }
}

/// What can be described and closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A prepared statement.
    Statement,
    /// A portal.
    Portal,
}

impl Kind {
    /// Its letter on the wire.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Statement => b'S',
            Self::Portal => b'P',
        }
    }
}

/// What a Describe or Close means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// A statement or a portal.
    pub kind: Kind,
    /// Empty for the unnamed one.
    pub name: &'a [u8],
}

impl<'a> Target<'a> {
    /// Reads the payload of a [`DESCRIBE`] or [`CLOSE`].
    ///
    /// # Errors
    /// When it is not laid out as one.
    pub fn read(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let kind = match reader.byte()? {
            b'S' => Kind::Statement,
            b'P' => Kind::Portal,
            other => return Err(Malformed::Value(other.into())),
        };
        let name = reader.string()?;
        reader.end()?;
        Ok(Self { kind, name })
    }
}

/// A portal to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execute<'a> {
    /// Empty for the unnamed portal.
    pub portal: &'a [u8],
    /// Rows after which it is suspended; no limit when not positive.
    pub max_rows: i32,
}

impl<'a> Execute<'a> {
    /// Reads the payload of an [`EXECUTE`].
    ///
    /// # Errors
    /// When it is not laid out as one.
    pub fn read(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let (portal, max_rows) = (reader.string()?, reader.i32()?);
        reader.end()?;
        Ok(Self { portal, max_rows })
    }
}

/// The first step of SASL; the further ones are payloads without any structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaslInitialResponse<'a> {
    /// The mechanism the client chose.
    pub mechanism: &'a str,
    /// Its first message, if it sent one.
    pub response: Option<&'a [u8]>,
}

impl<'a> SaslInitialResponse<'a> {
    /// Reads the payload of the first [`PASSWORD`] after an offer of SASL.
    ///
    /// # Errors
    /// When it is not laid out as one.
    pub fn read(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let (mechanism, response) = (reader.text()?, reader.nullable()?);
        reader.end()?;
        Ok(Self { mechanism, response })
    }
}
