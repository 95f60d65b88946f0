//! `pgbouncer.ini` as `deepwater.toml`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use deepwater_core::config::{Secret, to_toml};
use serde_json::{Map, Value, json};

use super::{Loaded, Process};
use crate::config::Config;

pub(super) fn document(loaded: &Loaded) -> String {
    let mut text = format!("# {}, as Deepwater reads it.\n", loaded.process.conffile.display());
    let mut config = loaded.config.clone();
    for line in hide_passwords(&mut config).into_iter().chain(process(&loaded.process)) {
        comment(&mut text, &line);
    }
    for note in &loaded.notes {
        comment(&mut text, &note.to_string());
    }
    let settings = json!({ "postgres": difference(&config) });
    // A value of strings, numbers, lists and tables is always a document.
    let _ = write!(text, "\n{}", to_toml(&settings).unwrap_or_default());
    text
}

/// A comment holds one line, whatever a path or a name holds.
fn comment(text: &mut String, line: &str) {
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let _ = writeln!(text, "# {line}");
}

/// Replaces passwords by variables of the environment.
fn hide_passwords(config: &mut Config) -> Vec<String> {
    let mut comments = Vec::new();
    let mut taken = BTreeSet::new();
    for (name, database) in &mut config.databases {
        if database.primary.password.take().is_none() {
            continue;
        }
        let variable = variable(name, &mut taken);
        database.password = format!("env:{variable}").parse::<Secret>().ok();
        comments.push(format!(
            "Set the environment variable {variable} to the password of the database {name:?}: it is not printed."
        ));
    }
    comments
}

fn variable(database: &str, taken: &mut BTreeSet<String>) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let base = format!("PASSWORD_{}", database.chars().map(upper).collect::<String>());
    let mut variable = base.clone();
    let mut number = 2;
    while !taken.insert(variable.clone()) {
        variable = format!("{base}_{number}");
        number += 1;
    }
    variable
}

/// What is not the pooler's to do when it runs among other planes.
fn process(process: &Process) -> Vec<String> {
    let mut comments = Vec::new();
    if let Some(file) = &process.logfile {
        comments
            .push(format!("logfile {}: the log goes to standard error; redirect it there.", file.display()));
    }
    if let Some(syslog) = &process.syslog {
        comments
            .push(format!("syslog {}: the log goes to standard error; pipe it to logger.", syslog.facility));
    }
    if let Some(file) = &process.pidfile {
        comments.push(format!("pidfile {}: the service manager knows its processes.", file.display()));
    }
    if let Some(user) = &process.user {
        comments.push(format!("user {user}: let the service manager start it as this user."));
    }
    comments
}

/// The keys that differ from their defaults.
fn difference(config: &Config) -> Value {
    let (value, default) = (json!(config), json!(Config::default()));
    let mut found = subtract(&value, &default).unwrap_or_else(|| json!({}));
    let plain = json!(crate::config::LoadBalanceHosts::default());
    if let Some(Value::Object(databases)) = found.get_mut("databases") {
        for database in databases.values_mut().filter_map(Value::as_object_mut) {
            database.retain(|key, value| key != "load_balance_hosts" || *value != plain);
        }
    }
    found
}

fn subtract(value: &Value, default: &Value) -> Option<Value> {
    match (value, default) {
        (value, default) if value == default => None,
        (Value::Object(value), Value::Object(default)) => {
            let differs = value.iter().filter_map(|(key, value)| {
                let left = match default.get(key) {
                    Some(default) => subtract(value, default)?,
                    None => value.clone(),
                };
                Some((key.clone(), left))
            });
            Some(Value::Object(differs.collect::<Map<_, _>>()))
        }
        (value, _) => Some(value.clone()),
    }
}
