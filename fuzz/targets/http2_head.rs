//! An HTTP/2 request that is accepted means the same once it is written as HTTP/1.1.
#![no_main]

use deepwater_edge::fuzzing::http2_over_http1;
use deepwater_edge::head::Request;
use deepwater_edge::http1::parse;
use http::{HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

/// A method, a target and lines of `name:value`.
fn parts(bytes: &[u8]) -> Option<http::request::Parts> {
    let mut lines = bytes.split(|b| *b == b'\n');
    let (method, target) = (lines.next()?, lines.next()?);
    let mut request = http::Request::builder().method(method).uri(target);
    for line in lines {
        let colon = line.iter().position(|b| *b == b':')?;
        let name = HeaderName::from_lowercase(&line[..colon]).ok()?;
        request = request.header(name, HeaderValue::from_bytes(&line[colon + 1..]).ok()?);
    }
    Some(request.body(()).ok()?.into_parts().0)
}

fuzz_target!(|bytes: &[u8]| {
    let Some(parts) = parts(bytes) else { return };
    let Some((request, written)) = http2_over_http1(&parts) else { return };
    if parts.method == http::Method::CONNECT || request.authority().is_empty() {
        return;
    }
    // As many fields as HTTP/1.1 can hold are the h2 crate's to count.
    if request.fields.len() >= parse::MAX_FIELDS {
        return;
    }
    let mut read = Request::default();
    let len = parse::request(&written, &mut read).expect("valid").expect("whole");
    assert_eq!(len, written.len());
    assert_eq!(read.method, request.method);
    assert_eq!(read.target(), request.target());
    assert_eq!(read.authority(), request.authority());
    assert!(read.fields.iter().eq(request.fields.iter()), "{read:?} {request:?}");
});
