//! The lines that advice prints, read by the parser of the configuration.

use std::collections::BTreeSet;
use std::fs;

use deepwater_lens::advice::Lines;
use toml::{Table, Value};

use super::*;

/// What is in force when advice is given.
const BASE: &str = r#"
[[edge.listen]]
address = "127.0.0.1:0"

[[edge.route]]
match = { path = "/api/*" }
pool = "my app"
cache = { coalesce = false }

[[edge.route]]
match = { path = "/*" }
pool = "my app"

[pools."my app"]
targets = ["127.0.0.1:3000"]

[postgres]
listen = "127.0.0.1:0"

[postgres.databases.shop]
primary = "postgres://app@127.0.0.1:5432/shop"
mode = "session"

[postgres.databases."other.shop"]
primary = "postgres://app@127.0.0.1:5432/other"
"#;

/// Whether lines are in force.
type InForce = fn(&Facts) -> bool;

/// One of each, and what must be in force with it.
fn examples() -> Vec<(Lines, InForce)> {
    let application = || "my app".to_owned();
    vec![
        (Lines::Cache { route: "/*".into(), default_ttl_s: None }, |facts| facts.routes[1].cached),
        (Lines::Cache { route: "/*".into(), default_ttl_s: Some(60) }, |facts| facts.routes[1].cached),
        (Lines::Coalesce { route: "/api/*".into() }, |facts| facts.routes[0].coalesces),
        (Lines::CacheMemory { bytes: 536_870_912.0 }, |facts| facts.cache_bytes == 536_870_912.0),
        (Lines::PoolSize { database: "other.shop".into(), size: 42 }, |facts| {
            facts.databases[0].pool_size == 42
        }),
        (Lines::Transactions { database: "shop".into() }, |facts| facts.databases[1].mode == "transaction"),
        (Lines::AutoPrepare { database: "shop".into() }, |facts| facts.databases[1].auto_prepare),
        (Lines::Limit { application: application() }, |facts| facts.applications[0].limited),
        (Lines::FixedLimit { application: application(), most: 102 }, |facts| facts.applications[0].limited),
        (
            Lines::Targets {
                application: application(),
                targets: vec!["127.0.0.1:3000".into(), "127.0.0.1:3001".into()],
            },
            |facts| facts.applications[0].targets.len() == 2,
        ),
        (Lines::Authenticate { route: "/*".into(), known: None }, |facts| facts.routes[1].authenticated),
        (Lines::Authenticate { route: "/*".into(), known: Some("users".into()) }, |facts| {
            facts.routes[1].authenticated
        }),
    ]
}

/// Which kind it is: a new kind of lines does not compile here until it has a name, and does not pass without an example.
fn kind(lines: &Lines) -> usize {
    match lines {
        Lines::Cache { .. } => 0,
        Lines::Coalesce { .. } => 1,
        Lines::CacheMemory { .. } => 2,
        Lines::PoolSize { .. } => 3,
        Lines::Transactions { .. } => 4,
        Lines::AutoPrepare { .. } => 5,
        Lines::Limit { .. } => 6,
        Lines::FixedLimit { .. } => 7,
        Lines::Targets { .. } => 8,
        Lines::Authenticate { .. } => 9,
    }
}

/// Puts lines where their comments and table names say.
fn merge(base: &mut Table, lines: Table, route: Option<&str>) {
    for (key, value) in lines {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(lines)) => merge(base, lines, route),
            (Some(Value::Array(base)), Value::Array(lines)) if key == "route" => {
                let named = |known: &&mut Value| known["match"]["path"].as_str() == route;
                let Some(Value::Table(known)) = base.iter_mut().find(named) else {
                    panic!("no route {route:?}")
                };
                let [Value::Table(lines)] = &lines[..] else { panic!("one route: {lines:?}") };
                merge(known, lines.clone(), None);
            }
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

fn read(table: &Table) -> Settings {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("deepwater.toml");
    fs::write(&file, toml::to_string(table).unwrap()).unwrap();
    Settings::load(&file).unwrap_or_else(|problems| panic!("{problems}\n{table}"))
}

#[test]
fn every_line_that_advice_prints_is_read_and_does_what_it_says() {
    let base: Table = BASE.parse().unwrap();
    let before = of(&read(&base), Vec::new());
    let mut all = base.clone();
    for (lines, in_force) in examples() {
        assert!(!in_force(&before), "{lines} changes nothing");
        let text = lines.to_string();
        let route = text.split("the one named ").nth(1).and_then(|rest| rest.split(';').next());
        let table: Table = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
        if !matches!(lines, Lines::Authenticate { known: Some(_), .. }) {
            let mut alone = base.clone();
            merge(&mut alone, table.clone(), route);
            assert!(in_force(&of(&read(&alone), Vec::new())), "{text}");
        }
        merge(&mut all, table, route);
    }
    let together = of(&read(&all), Vec::new());
    assert!(examples().iter().all(|(_, in_force)| in_force(&together)), "{together:?}");
    let kinds: BTreeSet<usize> = examples().iter().map(|(lines, _)| kind(lines)).collect();
    assert_eq!(kinds.len(), 10, "every kind has an example");
}

#[test]
fn what_stands_for_any_database_is_none_that_could_be_asked() {
    let mut table: Table = BASE.parse().unwrap();
    let any: Table =
        "[postgres.databases.\"*\"]\nprimary = \"postgres://app@127.0.0.1:5432\"".parse().unwrap();
    merge(&mut table, any, None);
    let names: Vec<String> =
        of(&read(&table), Vec::new()).databases.into_iter().map(|database| database.name).collect();
    assert_eq!(names, ["other.shop", "shop"]);
}
