//! Whose metrics they are.

use deepwater_host::{Roots, host_name};

use super::message::{KeyValue, Resource};
use crate::console::Build;

/// The process as the semantic conventions describe it. What the environment says comes first and wins.
pub(super) fn of_this_process(attributes: Vec<(String, String)>, build: Build) -> Resource {
    let mut all: Vec<KeyValue> = Vec::new();
    let mut put = |attribute: KeyValue| {
        if !all.iter().any(|known| known.key == attribute.key) {
            all.push(attribute);
        }
    };
    for (key, value) in attributes {
        put(KeyValue::text(key, value));
    }
    put(KeyValue::text("service.name", "deepwater"));
    put(KeyValue::text("service.version", build.version));
    put(KeyValue::int("process.pid", i64::from(std::process::id())));
    if let Some(host) = host_name(&Roots::default()) {
        put(KeyValue::text("host.name", host));
    }
    Resource { attributes: all }
}
