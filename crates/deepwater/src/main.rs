//! Deepwater.
fn main() {}
