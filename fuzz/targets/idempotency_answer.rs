//! What a store holds is read back as it was written, or refused.
#![no_main]

use bytes::Bytes;
use deepwater_edge::fuzzing::kept_answer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(again) = kept_answer(&Bytes::copy_from_slice(bytes)) {
        assert_eq!(again, bytes);
    }
});
