//! What servers send.

mod authentication;
mod error;
mod row;
pub mod write;

pub use authentication::Authentication;
pub use error::{ErrorFields, field};
pub use row::DataRow;

use super::Malformed;
use super::read::Reader;

#[cfg(test)]
mod tests;

/// A step of authentication ([`Authentication`]).
pub const AUTHENTICATION: u8 = b'R';
/// What a cancel request must know ([`BackendKeyData`]).
pub const BACKEND_KEY_DATA: u8 = b'K';
/// A Bind succeeded.
pub const BIND_COMPLETE: u8 = b'2';
/// A Close succeeded.
pub const CLOSE_COMPLETE: u8 = b'3';
/// A command is done ([`command_tag`]).
pub const COMMAND_COMPLETE: u8 = b'C';
/// Data flow both ways from here (replication).
pub const COPY_BOTH_RESPONSE: u8 = b'W';
/// A part of the data of a COPY.
pub const COPY_DATA: u8 = b'd';
/// The data of a COPY is complete.
pub const COPY_DONE: u8 = b'c';
/// The server waits for the data of a COPY.
pub const COPY_IN_RESPONSE: u8 = b'G';
/// The data of a COPY follows.
pub const COPY_OUT_RESPONSE: u8 = b'H';
/// A row ([`DataRow`]).
pub const DATA_ROW: u8 = b'D';
/// The query was empty: in place of [`COMMAND_COMPLETE`].
pub const EMPTY_QUERY_RESPONSE: u8 = b'I';
/// An error ([`ErrorFields`]).
pub const ERROR_RESPONSE: u8 = b'E';
/// What a function called by its number gave.
pub const FUNCTION_CALL_RESPONSE: u8 = b'V';
/// The server speaks an older minor version ([`NegotiateProtocolVersion`]).
pub const NEGOTIATE_PROTOCOL_VERSION: u8 = b'v';
/// What was described gives no rows.
pub const NO_DATA: u8 = b'n';
/// A notice ([`ErrorFields`]); may come at any time.
pub const NOTICE_RESPONSE: u8 = b'N';
/// A notification ([`Notification`]); may come at any time.
pub const NOTIFICATION_RESPONSE: u8 = b'A';
/// The types of a statement's parameters.
pub const PARAMETER_DESCRIPTION: u8 = b't';
/// The value of a setting ([`ParameterStatus`]); may come at any time.
pub const PARAMETER_STATUS: u8 = b'S';
/// A Parse succeeded.
pub const PARSE_COMPLETE: u8 = b'1';
/// A portal reached the limit of rows: in place of [`COMMAND_COMPLETE`].
pub const PORTAL_SUSPENDED: u8 = b's';
/// The server waits for the next query ([`Status`]).
pub const READY_FOR_QUERY: u8 = b'Z';
/// The columns of the rows to come.
pub const ROW_DESCRIPTION: u8 = b'T';

/// What [`READY_FOR_QUERY`] says of the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Outside a transaction.
    Idle,
    /// In a transaction.
    InTransaction,
    /// In a transaction that has failed and can only be rolled back.
    Failed,
}

impl Status {
    /// Reads the payload of a [`READY_FOR_QUERY`].
    ///
    /// # Errors
    /// When it is not one letter of `I`, `T`, `E`.
    #[inline]
    pub fn read(payload: &[u8]) -> Result<Self, Malformed> {
        match *payload {
            [b'I'] => Ok(Self::Idle),
            [b'T'] => Ok(Self::InTransaction),
            [b'E'] => Ok(Self::Failed),
            [] => Err(Malformed::Truncated),
            [other] => Err(Malformed::Value(other.into())),
            [_, _, ..] => Err(Malformed::LeftOver),
        }
    }

    /// Its letter on the wire.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Idle => b'I',
            Self::InTransaction => b'T',
            Self::Failed => b'E',
        }
    }
}

/// What a command did, such as `INSERT 0 1`.
///
/// # Errors
/// When the first NUL is not the last byte.
pub fn command_tag(payload: &[u8]) -> Result<&[u8], Malformed> {
    let mut reader = Reader::new(payload);
    let tag = reader.string()?;
    reader.end()?;
    Ok(tag)
}

/// The value of a setting the server reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterStatus<'a> {
    /// The setting.
    pub name: &'a [u8],
    /// Its value from now on, in the client's encoding.
    pub value: &'a [u8],
}

impl<'a> ParameterStatus<'a> {
    /// Reads the payload of a [`PARAMETER_STATUS`].
    ///
    /// # Errors
    /// When it is not laid out as one.
    pub fn read(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let (name, value) = (reader.string()?, reader.string()?);
        reader.end()?;
        Ok(Self { name, value })
    }
}

/// Whom a cancel request means, and the secret that allows it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BackendKeyData<'a> {
    /// The server's process.
    pub pid: u32,
    /// The secret: 4 bytes in protocol 3.0, up to 256 in 3.2.
    pub key: &'a [u8],
}

impl<'a> BackendKeyData<'a> {
    /// Reads the payload of a [`BACKEND_KEY_DATA`].
    ///
    /// # Errors
    /// When the key is shorter than 4 bytes or longer than 256.
    pub fn read(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let pid = reader.u32()?;
        let key = reader.rest();
        match key.len() {
            0..crate::startup::MIN_KEY_BYTES => Err(Malformed::Truncated),
            crate::startup::MIN_KEY_BYTES..=crate::startup::MAX_KEY_BYTES => Ok(Self { pid, key }),
            _ => Err(Malformed::LeftOver),
        }
    }
}

/// Without the key: whoever knows it may cancel.
impl std::fmt::Debug for BackendKeyData<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BackendKeyData").field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// What a NOTIFY sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification<'a> {
    /// The process that notified.
    pub pid: u32,
    /// The channel.
    pub channel: &'a [u8],
    /// May be empty.
    pub payload: &'a [u8],
}

impl<'a> Notification<'a> {
    /// Reads the payload of a [`NOTIFICATION_RESPONSE`].
    ///
    /// # Errors
    /// When it is not laid out as one.
    pub fn read(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let notification = Self { pid: reader.u32()?, channel: reader.string()?, payload: reader.string()? };
        reader.end()?;
        Ok(notification)
    }
}

/// What a server understood of the version and options asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NegotiateProtocolVersion<'a> {
    /// The newest minor version the server speaks, at most the one asked for.
    pub newest_minor: u16,
    /// Protocol options (`_pq_.…`) it does not know.
    pub unrecognised: Vec<&'a str>,
}

impl<'a> NegotiateProtocolVersion<'a> {
    /// Reads the payload of a [`NEGOTIATE_PROTOCOL_VERSION`].
    ///
    /// The documentation calls the first field a minor version; servers send the major one above it. Both are read.
    ///
    /// # Errors
    /// When it is not laid out as one, or the major version is not 3.
    pub fn read(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let version = reader.u32()?;
        let (0 | 3, newest_minor) = crate::startup::version(version) else {
            return Err(Malformed::Value(version));
        };
        let count = reader.u32()?;
        let mut unrecognised = Vec::new();
        for _ in 0..count {
            unrecognised.push(reader.text()?);
        }
        reader.end()?;
        Ok(Self { newest_minor, unrecognised })
    }
}
