//! No path of a URL leaves the directory it is served from.
#![no_main]

use std::path::Component;

use deepwater_edge::fuzzing::file_path;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(path) = file_path(bytes) {
        assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{path:?}");
        assert!(!path.as_os_str().as_encoded_bytes().contains(&0));
    }
});
