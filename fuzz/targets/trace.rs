//! No file brings the reader of traces down, and no line is lost.
#![no_main]

use deepwater_cache::replay::Trace;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut trace = Trace::new(bytes);
    let mut accesses = 0;
    while trace.next().expect("memory can be read").is_some() {
        accesses += 1;
    }
    let lines = trace.lines();
    assert_eq!(lines.used, accesses);
    assert_eq!(lines.read, lines.used + lines.skipped + lines.bad);
});
