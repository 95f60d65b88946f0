//! An idempotency key is read in one way only, whatever a client sends as one.
#![no_main]

use deepwater_edge::idempotency::Key;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(key) = Key::parse(bytes) {
        let text = key.as_str();
        assert!((1..=255).contains(&text.len()));
        assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        // Written as a Structured Field it is the same key; so it is bare, where it can be.
        assert_eq!(Key::parse(key.to_string().as_bytes()), Ok(key.clone()));
        if !text.contains([' ', ',', '"']) {
            assert_eq!(Key::parse(text.as_bytes()), Ok(key));
        }
    }
    // As many as there are lines: only one is a key.
    let values = bytes.split(|byte| *byte == b'\n');
    let count = values.clone().count();
    let of_values = Key::of_values(values);
    assert!(count == 1 || of_values.is_err());
});
