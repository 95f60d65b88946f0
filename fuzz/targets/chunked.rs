//! Where a chunked body is cut into reads does not change what it holds.
#![no_main]

use deepwater_edge::head::Fields;
use deepwater_edge::http1::chunked::{Decoder, Step};
use libfuzzer_sys::fuzz_target;

/// The data up to the end, a fault, or the end of the bytes; the first `cut` bytes arrive first.
fn decode(bytes: &[u8], cut: usize) -> (Vec<u8>, Option<bool>) {
    let (mut decoder, mut trailers, mut data, mut at) =
        (Decoder::default(), Fields::default(), Vec::new(), 0);
    for end in [cut, bytes.len()] {
        loop {
            match decoder.step(&bytes[at..end.max(at)], &mut trailers) {
                Ok(Step::Skip(n)) => at += n,
                Ok(Step::Data(n)) => {
                    data.extend_from_slice(&bytes[at..at + n]);
                    decoder.took(n);
                    at += n;
                }
                Ok(Step::End(_)) => return (data, Some(true)),
                Ok(Step::More) => break,
                Err(_) => return (data, Some(false)),
            }
        }
    }
    (data, None)
}

fuzz_target!(|bytes: &[u8]| {
    let whole = decode(bytes, 0);
    for cut in [1, bytes.len() / 2, bytes.len().saturating_sub(1)] {
        let cut = decode(bytes, cut.min(bytes.len()));
        assert!(cut.1 == whole.1, "{cut:?} {whole:?}");
        if whole.1 == Some(true) {
            assert_eq!(cut.0, whole.0);
        }
    }
});
