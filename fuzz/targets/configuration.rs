//! No text brings the configuration down; every problem can be printed.
#![no_main]

use deepwater_core::config::Document;
use libfuzzer_sys::fuzz_target;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Root {
    edge: deepwater_edge::Config,
    pools: deepwater_edge::Pools,
}

fuzz_target!(|text: &str| {
    match Document::parse(text, "fuzz.toml").and_then(|document| document.decode::<Root>()) {
        Ok(_) => {}
        Err(problems) => assert!(!problems.to_string().is_empty()),
    }
});
