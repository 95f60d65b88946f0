//! Imports run one way: core → {auth, cache, forecast, host, upstream, pgwire, tls} → {edge, pool, lens} →
//! deepwater. Planes never import planes; only the binary names two of them.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// What each package may import of ours. A package that is not here may not exist.
const ALLOWED: &[(&str, &[&str])] = &[
    ("deepwater-core", &[]),
    ("deepwater-auth", CORE),
    ("deepwater-cache", CORE),
    // Mathematics alone.
    ("deepwater-forecast", &[]),
    ("deepwater-host", CORE),
    ("deepwater-upstream", CORE),
    ("deepwater-pgwire", CORE),
    ("deepwater-tls", CORE),
    ("deepwater-edge", BELOW_PLANES),
    ("deepwater-pool", BELOW_PLANES),
    ("deepwater-lens", BELOW_PLANES),
    ("deepwater", EVERYTHING),
    // The sample shop knows nothing of Deepwater.
    ("deepwater-shop", &[]),
];

const CORE: &[&str] = &["deepwater-core"];
const BELOW_PLANES: &[&str] = &[
    "deepwater-core",
    "deepwater-auth",
    "deepwater-cache",
    "deepwater-forecast",
    "deepwater-host",
    "deepwater-upstream",
    "deepwater-pgwire",
    "deepwater-tls",
];
const EVERYTHING: &[&str] = &[
    "deepwater-core",
    "deepwater-auth",
    "deepwater-cache",
    "deepwater-forecast",
    "deepwater-host",
    "deepwater-upstream",
    "deepwater-pgwire",
    "deepwater-tls",
    "deepwater-edge",
    "deepwater-pool",
    "deepwater-lens",
    "deepwater-shop",
];

/// The packages of the workspace, each with those of ours it imports, for tests and builds too.
fn imports() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo speaks JSON");
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let ours = |package: &Value| {
        let dependencies = package["dependencies"].as_array().expect("a list");
        dependencies.iter().filter(|dependency| dependency["path"].is_string()).map(name).collect()
    };
    let packages = metadata["packages"].as_array().expect("a list");
    packages.iter().map(|package| (name(package), ours(package))).collect()
}

#[test]
fn imports_run_one_way() {
    let imports = imports();
    assert!(imports.contains_key("deepwater"), "the workspace is read: {imports:?}");
    let mut wrong = Vec::new();
    for (package, imported) in &imports {
        match ALLOWED.iter().find(|(known, _)| known == package) {
            None => wrong
                .push(format!("{package} is no part of the design: give it its place in tests/layers.rs")),
            Some((_, allowed)) => {
                let foreign = imported.iter().filter(|name| !allowed.contains(&name.as_str()));
                wrong.extend(foreign.map(|name| format!("{package} must not import {name}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
