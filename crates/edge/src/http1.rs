//! HTTP/1.1 message syntax (RFC 9112): pure functions over bytes, no I/O, fuzzed.

pub mod chunked;
pub(crate) mod encode;
pub mod framing;
pub mod parse;
