//! Frames of a WebSocket end in the same places however they are cut, and ends are never before the bytes that came.
#![no_main]

use deepwater_edge::websocket::Frames;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, Vec<u8>)| {
    let (bytes, cuts) = input;
    let mut whole = Frames::default();
    let mut ends = vec![whole.is_between()];
    for byte in &bytes {
        assert_eq!(whole.rest_of_frame(&[*byte]), 1);
        whole.pass(&[*byte]);
        ends.push(whole.is_between());
    }
    let (mut cut, mut at) = (Frames::default(), 0);
    for len in cuts {
        let part = &bytes[at..bytes.len().min(at + usize::from(len))];
        let rest = cut.rest_of_frame(part);
        assert!(rest <= part.len() && (rest > 0 || part.is_empty()));
        assert!(ends[at + 1..(at + rest).max(at + 1)].iter().all(|end| !end), "no end before the end");
        cut.pass(part);
        at += part.len();
        assert_eq!(cut.is_between(), ends[at]);
    }
    cut.pass(&bytes[at..]);
    assert_eq!((cut.is_between(), cut.has_closed()), (whole.is_between(), whole.has_closed()));
});
