//! Appending what clients send. Names and texts end at a NUL, should they hold one.

use super::super::write::{message, message_head, raw, string};
use super::Kind;

/// A simple query.
pub fn query(out: &mut Vec<u8>, text: impl AsRef<[u8]>) {
    message(out, super::QUERY, |out| string(out, text));
}

/// A statement to prepare; `types` as in [`super::Parse`].
pub fn parse(out: &mut Vec<u8>, name: impl AsRef<[u8]>, query: impl AsRef<[u8]>, types: &[u8]) {
    message(out, super::PARSE, |out| {
        string(out, name);
        string(out, query);
        out.extend_from_slice(types);
    });
}

/// The front of a Bind, as far as the names; the caller sends the `rest` bytes after them. So a Bind gets another
/// statement without being held whole.
///
/// # Panics
/// When `rest` is more than 4 GiB.
pub fn bind_head(out: &mut Vec<u8>, portal: impl AsRef<[u8]>, statement: impl AsRef<[u8]>, rest: usize) {
    message_head(out, super::BIND, rest, |out| {
        string(out, portal);
        string(out, statement);
    });
}

/// Asks what a statement or portal gives.
pub fn describe(out: &mut Vec<u8>, kind: Kind, name: impl AsRef<[u8]>) {
    target(out, super::DESCRIBE, kind, name);
}

/// Closes a statement or portal.
pub fn close(out: &mut Vec<u8>, kind: Kind, name: impl AsRef<[u8]>) {
    target(out, super::CLOSE, kind, name);
}

fn target(out: &mut Vec<u8>, tag: u8, kind: Kind, name: impl AsRef<[u8]>) {
    message(out, tag, |out| {
        out.push(kind.byte());
        string(out, name);
    });
}

/// Runs a portal; no limit of rows when `max_rows` is 0.
pub fn execute(out: &mut Vec<u8>, portal: impl AsRef<[u8]>, max_rows: i32) {
    message(out, super::EXECUTE, |out| {
        string(out, portal);
        out.extend_from_slice(&max_rows.to_be_bytes());
    });
}

/// Ends a series of extended-query messages.
pub fn sync(out: &mut Vec<u8>) {
    raw(out, super::SYNC, &[]);
}

/// Asks for what is buffered.
pub fn flush(out: &mut Vec<u8>) {
    raw(out, super::FLUSH, &[]);
}

/// Takes leave.
pub fn terminate(out: &mut Vec<u8>) {
    raw(out, super::TERMINATE, &[]);
}

/// Gives up a COPY.
pub fn copy_fail(out: &mut Vec<u8>, reason: impl AsRef<[u8]>) {
    message(out, super::COPY_FAIL, |out| string(out, reason));
}

/// A password, or the answer to an MD5 salt.
pub fn password(out: &mut Vec<u8>, password: impl AsRef<[u8]>) {
    message(out, super::PASSWORD, |out| string(out, password));
}

/// The mechanism chosen, and its first message.
pub fn sasl_initial_response(out: &mut Vec<u8>, mechanism: &str, response: impl AsRef<[u8]>) {
    let response = response.as_ref();
    message(out, super::PASSWORD, |out| {
        string(out, mechanism);
        // The length of a value counts only the value.
        let length = i32::try_from(response.len()).expect("a message of SASL is short");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(response);
    });
}

/// A further step of SASL.
pub fn sasl_response(out: &mut Vec<u8>, response: impl AsRef<[u8]>) {
    raw(out, super::PASSWORD, response.as_ref());
}
