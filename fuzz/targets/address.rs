//! An address of a target is read in one way, and is the same once it is written.
#![no_main]

use deepwater_upstream::Address;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let written = match text.parse::<Address>() {
        Ok(Address::Fixed(endpoint)) => endpoint.to_string(),
        Ok(Address::Name { host, port }) => format!("{host}:{port}"),
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(written.parse::<Address>(), text.parse::<Address>());
});
