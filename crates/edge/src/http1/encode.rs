//! Writing request and response heads.

use http::StatusCode;

use crate::head::{Fields, Request};

use super::framing::Framing;

/// Appends a request head for an origin, without the final empty line.
#[inline]
pub(crate) fn request_line(out: &mut Vec<u8>, request: &Request, host: &[u8]) {
    out.extend_from_slice(request.method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(request.target());
    out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    out.extend_from_slice(host);
    out.extend_from_slice(b"\r\n");
    request.fields.write_http1(out);
}

/// Appends the field that frames a request's body where its own fields do not.
pub(crate) fn request_framing(out: &mut Vec<u8>, framing: Framing) {
    if framing == Framing::Chunked {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
}

/// Appends a status line and fields, without the final empty line.
#[inline]
pub(crate) fn response(out: &mut Vec<u8>, status: StatusCode, fields: &Fields) {
    status_line(out, status);
    fields.write_http1(out);
}

/// Appends a status line.
#[inline]
pub(crate) fn status_line(out: &mut Vec<u8>, status: StatusCode) {
    if status == StatusCode::OK {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    } else {
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(status.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}
