//! Messages: a tag of one byte, a length that counts itself, a payload.
//!
//! Nothing here owns or holds a message: a [`header`] says how many bytes to pass on, and only what must be understood
//! is read, in place. Writers append to a buffer of the caller's, so that many messages leave in one write.

pub mod backend;
pub mod frontend;
mod read;
mod write;

pub use write::raw;

/// Bytes before a payload: the tag and the length.
pub const HEADER_BYTES: usize = 5;
/// Longest payload there can be: PostgreSQL allocates no message larger (`MaxAllocSize`, 1 GiB less one byte).
pub const MAX_PAYLOAD_BYTES: usize = 0x3fff_ffff;

/// Bytes of the length field, which it counts.
const LENGTH_BYTES: u32 = 4;

/// What precedes a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Which message it is; its meaning depends on who sent it ([`frontend`], [`backend`]).
    pub tag: u8,
    /// Bytes that follow the header, at most [`MAX_PAYLOAD_BYTES`].
    pub payload: usize,
}

impl Header {
    /// Bytes of the whole message.
    #[inline]
    #[must_use]
    pub fn total(self) -> usize {
        HEADER_BYTES + self.payload
    }
}

/// Why bytes are no message. What follows on the connection cannot be trusted when it was a length; otherwise the
/// message alone is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A length below its own size, or above what PostgreSQL could hold.
    #[error("invalid message length {0}")]
    Length(u32),
    /// The payload ends before its last field.
    #[error("insufficient data left in message")]
    Truncated,
    /// A string without the NUL that ends it.
    #[error("invalid string in message")]
    Unterminated,
    /// Bytes after the last field.
    #[error("invalid message format")]
    LeftOver,
    /// A field of a value that does not exist.
    #[error("invalid value {0} in message")]
    Value(u32),
    /// Text that must be, and is not, UTF-8.
    #[error("invalid byte sequence in message")]
    Encoding,
}

/// The header at the front of `bytes`; none when fewer than [`HEADER_BYTES`] are there.
///
/// # Errors
/// [`Malformed::Length`].
#[inline]
pub fn header(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let Some(&[tag, a, b, c, d]) = bytes.first_chunk() else { return Ok(None) };
    let length = u32::from_be_bytes([a, b, c, d]);
    // A length below 4 wraps around to one that is too large.
    let payload = length.wrapping_sub(LENGTH_BYTES) as usize;
    if payload > MAX_PAYLOAD_BYTES {
        return Err(Malformed::Length(length));
    }
    Ok(Some(Header { tag, payload }))
}

#[cfg(test)]
mod tests;
