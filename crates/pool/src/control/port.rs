//! Where the configuration comes from, as far as an administrator changes it.

use std::time::Duration;

use crate::config::Config;

/// Where the configuration comes from, when SET and RELOAD can change it.
pub trait Settings: Send + Sync {
    /// Every setting, in the order of `SHOW CONFIG`.
    fn show(&self) -> Vec<SettingRow>;

    /// Changes one setting until the next [`Settings::reload`].
    ///
    /// # Errors
    /// A sentence on why it cannot be; then nothing has changed.
    fn set(&self, key: &str, value: &str) -> Result<Config, String>;

    /// Reads everything again.
    ///
    /// # Errors
    /// A sentence on what is wrong; then nothing has changed.
    fn reload(&self) -> Result<Config, String>;

    /// Between two rounds of averages.
    fn stats_period(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// A row of `SHOW CONFIG`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingRow {
    /// The setting.
    pub key: String,
    /// Its value; `None` for NULL.
    pub value: Option<String>,
    /// Its default; `None` for NULL.
    pub default: Option<String>,
    /// Whether SET and RELOAD change it.
    pub changeable: bool,
}

impl From<crate::pgbouncer::ConfigRow> for SettingRow {
    fn from(row: crate::pgbouncer::ConfigRow) -> Self {
        let crate::pgbouncer::ConfigRow { key, value, default, changeable } = row;
        Self { key: key.to_owned(), value, default: default.map(str::to_owned), changeable }
    }
}

/// The configuration itself, for one that cannot be changed from here: its keys with dots between, their values and
/// defaults as JSON has them.
pub(super) fn native(config: &Config) -> Vec<SettingRow> {
    let mut defaults = std::collections::BTreeMap::new();
    flatten(&Config::default(), |key, value| {
        defaults.insert(key, value);
    });
    let mut rows = Vec::new();
    flatten(config, |key, value| {
        let default = defaults.get(&key).cloned().flatten();
        rows.push(SettingRow { key, value, default, changeable: false });
    });
    rows
}

fn flatten(config: &Config, mut take: impl FnMut(String, Option<String>)) {
    // Plain data: it can be written.
    let Ok(serde_json::Value::Object(root)) = serde_json::to_value(config) else { return };
    for (key, value) in root {
        // They have pages of their own.
        if key != "databases" && key != "users" {
            walk(key, value, &mut take);
        }
    }
}

fn walk(key: String, value: serde_json::Value, take: &mut impl FnMut(String, Option<String>)) {
    use serde_json::Value;
    match value {
        Value::Object(table) => {
            for (name, value) in table {
                walk(format!("{key}.{name}"), value, take);
            }
        }
        Value::Null => take(key, None),
        Value::String(text) => take(key, Some(text)),
        other => take(key, Some(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_native_configuration_is_flat_and_shows_what_differs() {
        let config = Config { pool_size: 7, ..Config::default() };
        let rows = native(&config);
        let row = |key: &str| rows.iter().find(|row| row.key == key).unwrap();
        assert_eq!(
            (row("pool_size").value.as_deref(), row("pool_size").default.as_deref()),
            (Some("7"), Some("20"))
        );
        assert_eq!(row("auth.method").value.as_deref(), Some("scram-sha-256"));
        assert!(rows.iter().all(|row| !row.changeable && !row.key.starts_with("databases")));
    }
}
