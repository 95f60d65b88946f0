//! Appending messages to a buffer.

use memchr::memchr;

use super::{HEADER_BYTES, LENGTH_BYTES};

/// Appends a message with this payload.
pub fn raw(out: &mut Vec<u8>, tag: u8, payload: &[u8]) {
    message(out, tag, |out| out.extend_from_slice(payload));
}

/// Appends a message whose payload `fill` appends.
pub(super) fn message(out: &mut Vec<u8>, tag: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    message_head(out, tag, 0, fill);
}

/// Appends the front of a message: what `fill` appends, with `rest` more bytes to come.
///
/// # Panics
/// At 4 GiB, which no message comes near.
pub(super) fn message_head(out: &mut Vec<u8>, tag: u8, rest: usize, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[tag, 0, 0, 0, 0]);
    fill(out);
    let payload = out.len() - start - HEADER_BYTES + rest;
    let length = u32::try_from(payload).ok().and_then(|payload| payload.checked_add(LENGTH_BYTES));
    let length = length.expect("a message is shorter than 4 GiB");
    out[start + 1..start + HEADER_BYTES].copy_from_slice(&length.to_be_bytes());
}

/// Appends a string and the NUL that ends it. The string ends at a NUL of its own, as its reader would see it: else
/// what follows could pass for the next field.
pub(super) fn string(out: &mut Vec<u8>, string: impl AsRef<[u8]>) {
    let string = string.as_ref();
    let end = memchr(0, string).unwrap_or(string.len());
    out.extend_from_slice(&string[..end]);
    out.push(0);
}

/// Appends a count of two bytes.
///
/// # Panics
/// At more than the protocol can count (65,535).
pub(super) fn count(out: &mut Vec<u8>, n: usize) {
    let n = u16::try_from(n).expect("a message of our own making has few fields");
    out.extend_from_slice(&n.to_be_bytes());
}
