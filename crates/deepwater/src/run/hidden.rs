//! Which secrets a reload has changed. They are not shown, so the configuration as it is shown does not tell.

use std::path::Path;

use serde_json::Value;

/// What stands in place of a secret where the configuration is shown.
const REDACTED: &str = "<redacted>";

/// A file as it is written, with its secrets; never shown.
#[derive(Default)]
pub(super) struct Written(Value);

impl Written {
    /// Of a file that is there and right; nothing of one that is not.
    pub(super) fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        Self(toml::from_str(&text).unwrap_or_default())
    }

    /// The keys of the secrets that differ, of those that are hidden in what is shown of the later one.
    pub(super) fn differing(&self, later: &Self, shown: &Value) -> Vec<String> {
        let mut keys = Vec::new();
        walk("", shown, [Some(&self.0), Some(&later.0)], &mut keys);
        keys
    }
}

fn walk(key: &str, shown: &Value, [before, now]: [Option<&Value>; 2], keys: &mut Vec<String>) {
    match shown {
        Value::Object(members) => {
            for (name, member) in members {
                let below = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                let written = [before, now].map(|table| table.and_then(|table| table.get(name)));
                walk(&below, member, written, keys);
            }
        }
        Value::Array(list) if list.iter().any(is_hidden) && before != now => keys.push(key.to_owned()),
        _ if is_hidden(shown) && before != now => keys.push(key.to_owned()),
        _ => {}
    }
}

fn is_hidden(shown: &Value) -> bool {
    shown.as_str().is_some_and(|text| text.contains(REDACTED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_is_told_by_its_key() {
        let written = |redis: &str, replica: &str| {
            let replicas = [format!("postgres://a:{replica}@b/c")];
            Written(
                json!({ "idempotency": { "redis": redis, "timeout": "1s" }, "postgres": { "replicas": replicas } }),
            )
        };
        let shown = json!({
            "idempotency": { "redis": REDACTED, "timeout": "1s", "prefix": "x" },
            "postgres": { "replicas": ["postgres://a:<redacted>@b/c"] },
        });
        let keys = |before: &Written, now: &Written| before.differing(now, &shown);
        assert_eq!(keys(&written("a", "x"), &written("a", "x")), Vec::<String>::new());
        assert_eq!(keys(&written("a", "x"), &written("b", "x")), ["idempotency.redis"]);
        assert_eq!(keys(&written("a", "x"), &written("a", "y")), ["postgres.replicas"]);
    }
}
