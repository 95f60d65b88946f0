//! A request head that is accepted can be written again and reads the same.
#![no_main]

use deepwater_edge::head::Request;
use deepwater_edge::http1::{framing, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut request = Request::default();
    let Ok(Some(len)) = parse::request(bytes, &mut request) else { return };
    assert!(len <= bytes.len());
    assert!(parse::valid_authority(request.authority()));
    assert!(!request.target().contains(&b'\n') && !request.target().contains(&b' '));
    for (_, name, value) in request.fields.iter() {
        assert!(!name.is_empty());
        assert!(!value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
    }
    let _ = framing::of_request(&request);
});
