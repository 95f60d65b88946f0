//! Paths and queries of the console are decoded once, or refused.
#![no_main]

use std::fmt::Write as _;

use deepwater_lens::console::fuzzing::{parameters, value};
use libfuzzer_sys::fuzz_target;

/// Every byte escaped.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        write!(out, "%{byte:02X}").expect("memory takes it");
        out
    })
}

fuzz_target!(|text: &str| {
    let _ = parameters(text);
    let _ = value(text, "rows");
    let (first, second) = text.split_at(text.floor_char_boundary(text.len() / 2));
    let path = format!("/x/{}/y/{}", escaped(first), escaped(second));
    // Without a byte there is no segment to speak of.
    if !first.is_empty() && !second.is_empty() {
        assert_eq!(parameters(&path), Some(vec![first.to_owned(), second.to_owned()]));
    }
    assert_eq!(value(&format!("a=b&rows={}", escaped(text)), "rows").as_deref(), Some(text));
});
