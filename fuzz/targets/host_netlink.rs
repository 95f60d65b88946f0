//! Answers of any bytes are understood or not, and come to an end.
#![no_main]

use deepwater_host::fuzzing::netlink;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    assert!(netlink(bytes) <= bytes.len() / 16);
});
