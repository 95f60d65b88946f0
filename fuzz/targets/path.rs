//! A normalised path is normal, and stays below the root.
#![no_main]

use deepwater_edge::route::{is_normal, normalise};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if bytes.first() != Some(&b'/') {
        return;
    }
    let mut normal = Vec::new();
    if normalise(bytes, &mut normal).is_ok() {
        assert_eq!(normal.first(), Some(&b'/'));
        let mut again = Vec::new();
        normalise(&normal, &mut again).expect("normal paths are accepted");
        assert_eq!(normal, again);
        let _ = is_normal(&normal);
    }
});
