//! Makes a whole configuration of one that shows a part: what it leaves to the reader is added, nothing is changed.

use toml::{Table, Value};

/// The whole of it.
///
/// # Errors
/// It is no TOML.
pub fn complete(text: &str) -> Result<String, String> {
    let mut config: Table = text.parse().map_err(|error| format!("{error}"))?;
    routes(&mut config);
    let (pools, auths) = (named(&config, "pool"), named(&config, "auth"));
    for name in pools {
        table(&mut config, "pools").entry(name).or_insert_with(|| Table::new().into());
    }
    for (_, pool) in table(&mut config, "pools").iter_mut() {
        add(pool, "targets", || Value::Array(vec!["127.0.0.1:3000".into()]));
    }
    for name in auths {
        let secret: Table = "secret = \"of thirty-two characters and more\"".parse().unwrap_or_default();
        table(&mut config, "auth").entry(name).or_insert(secret.into());
    }
    if config.contains_key("postgres") {
        let postgres = table(&mut config, "postgres");
        postgres.entry("listen").or_insert("127.0.0.1:6432".into());
        let databases = table(postgres, "databases");
        databases.entry("shop").or_insert_with(|| Table::new().into());
        for (_, database) in databases.iter_mut() {
            add(database, "primary", || "postgres://app@127.0.0.1:5432/shop".into());
        }
    }
    toml::to_string(&config).map_err(|error| error.to_string())
}

/// Something to listen on, and something to do for each route.
fn routes(config: &mut Table) {
    let edge = table(config, "edge");
    let (listen, route) =
        ("[[listen]]\naddress = \"0.0.0.0:8080\"", "[[route]]\nmatch = { path = \"/*\" }\npool = \"app\"");
    for (key, text) in [("listen", listen), ("route", route)] {
        let fresh: Table = text.parse().unwrap_or_default();
        edge.entry(key).or_insert(fresh[key].clone());
    }
    for route in edge["route"].as_array_mut().into_iter().flatten() {
        if !["pool", "redirect", "respond", "files"].iter().any(|key| route.get(*key).is_some()) {
            add(route, "pool", || "app".into());
        }
    }
}

/// What routes and listeners name.
fn named(config: &Table, key: &str) -> Vec<String> {
    let lists = ["listen", "route"].map(|list| config["edge"].get(list).and_then(Value::as_array));
    let values = lists.into_iter().flatten().flatten().filter_map(|entry| entry.get(key));
    values
        .filter_map(|value| value.as_str().or_else(|| value.get("name")?.as_str()))
        .map(str::to_owned)
        .collect()
}

fn table<'c>(config: &'c mut Table, key: &str) -> &'c mut Table {
    let entry = config.entry(key).or_insert_with(|| Table::new().into());
    entry.as_table_mut().unwrap_or_else(|| panic!("`{key}` is no table"))
}

fn add(place: &mut Value, key: &str, value: impl FnOnce() -> Value) {
    if let Some(table) = place.as_table_mut() {
        table.entry(key).or_insert_with(value);
    }
}
