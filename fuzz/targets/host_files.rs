//! No text brings a reader of the kernel's files down.
#![no_main]

use deepwater_host::fuzzing::{every_file, lines};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    lines(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        every_file(text);
    }
});
