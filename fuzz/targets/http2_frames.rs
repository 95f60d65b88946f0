//! How a connection is cut into reads does not change which HTTP/2 frames are seen on it.
#![no_main]

use deepwater_edge::fuzzing::http2_frames;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, bytes)) = bytes.split_first() else { return };
    let whole = http2_frames(std::iter::once(bytes));
    assert_eq!(whole, http2_frames(bytes.chunks(usize::from(*cut).max(1))));
    let payloads: u64 = whole.iter().rev().skip(1).map(|len| u64::from(*len)).sum();
    assert!(payloads + 9 * whole.len() as u64 <= bytes.len() as u64);
});
