//! No response head brings the parser down, and none smuggles a line break.
#![no_main]

use deepwater_edge::head::Response;
use deepwater_edge::http1::{framing, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut response = Response::default();
    let Ok(Some(len)) = parse::response(bytes, &mut response) else { return };
    assert!(len <= bytes.len());
    for (_, _, value) in response.fields.iter() {
        assert!(!value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
    }
    let _ = framing::of_response(&response, &"GET".parse().unwrap());
});
