//! Parsers that nobody outside needs but the fuzz targets, in the form these use them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use bytes::Bytes;
use deepwater_core::random::Random;

use crate::downstream;
use crate::files::locate;
use crate::head::{Fields, Request};
use crate::http1::encode;
use crate::hygiene;
use crate::idempotency::answer::Kept;
use crate::peer::Peer;
use crate::sticky;

/// An HTTP/2 request as it was read, and as it is written to an HTTP/1.1 origin; none if it is refused.
pub fn http2_over_http1(parts: &http::request::Parts) -> Option<(Request, Vec<u8>)> {
    let mut request = Request::default();
    downstream::copy_http2_head(parts, &mut request).ok()?;
    let mut out = Vec::new();
    encode::request_line(&mut out, &request, request.authority());
    out.extend_from_slice(b"\r\n");
    Some((request, out))
}

/// The payload lengths of the HTTP/2 frames that begin in pieces of a connection.
pub fn http2_frames<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u32> {
    downstream::http2_payloads(pieces)
}

/// Does to a request's fields all that is done on the way to an origin; the client's address it comes to.
pub fn clean(request: &mut Request, random: &mut Random) -> IpAddr {
    let networks = ["10.0.0.0/8".parse().expect("a network")];
    let ends = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), 1));
    let peer = Peer::new(ends, ends, false, &networks);
    let client = peer.client_ip(&request.fields, &networks);
    let _ = hygiene::wanted_upgrade(request);
    hygiene::remove_hop_by_hop(&mut request.fields);
    hygiene::identify(&mut request.fields, random);
    peer.forward(request);
    client
}

/// The value of a cookie.
pub fn cookie<'a>(fields: &'a Fields, name: &[u8]) -> Option<&'a [u8]> {
    sticky::cookie(fields, name)
}

/// The file that the path of a URL stands for.
pub fn file_path(below: &[u8]) -> Option<PathBuf> {
    locate::decode_path(below)
}

/// An answer read from the store of idempotency keys and written again; none if it is refused.
pub fn kept_answer(bytes: &Bytes) -> Option<Vec<u8>> {
    Kept::decode(bytes).ok().map(|kept| kept.encode())
}
