//! What differs between the configuration in force and the one that was read.

use serde::Serialize;
use serde_json::{Map, Value};

use super::sequence::changes;

/// What only a restart changes: addresses and threads of planes that keep them, and what memory was laid out by.
const FIXED: [&str; 15] = [
    "edge.workers",
    "edge.max_connections",
    "cache.memory",
    "cache.tier",
    "cache.max_waiters",
    "console.listen",
    "lens.enabled",
    "lens.memory",
    "lens.snapshot",
    "lens.system",
    "postgres.listen",
    "postgres.workers",
    "postgres.share_addresses",
    "postgres.unix_socket_mode",
    "postgres.unix_socket_group",
];

/// What a reload has changed. Serialises as the console's answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Difference {
    /// Keys whose values are in force now.
    pub changed: Vec<String>,
    /// How many values are as they were.
    pub unchanged: usize,
    /// Keys whose values come into force at a restart.
    pub needs_restart: Vec<String>,
}

/// Which planes there are: what belongs to one that is not there needs a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planes {
    /// Whether there is a cache, whose memory is laid out.
    pub cache: bool,
    /// Whether there is a pooler.
    pub postgres: bool,
}

impl Planes {
    fn is_fixed(self, path: &str) -> bool {
        match path.split('.').next() {
            Some("cache") if !self.cache => false,
            Some("postgres") if !self.postgres => true,
            _ => FIXED.iter().any(|fixed| path == *fixed || path.starts_with(&format!("{fixed}."))),
        }
    }
}

impl Difference {
    /// Notes secrets that have changed, which are not shown; what has changed as a whole is not told again.
    pub(super) fn note_secrets(&mut self, secrets: Vec<String>) {
        let told: Vec<_> =
            self.changed.iter().chain(&self.needs_restart).map(|known| format!("{known}.")).collect();
        let is_new = |secret: &String| !told.iter().any(|known| format!("{secret}.").starts_with(known));
        let new: Vec<_> = secrets.into_iter().filter(is_new).collect();
        self.changed.extend(new);
    }

    /// Compares what was read with what is in force, and makes it what is in force then.
    pub(super) fn apply(in_force: &mut Value, read: &Value, planes: Planes) -> Self {
        let mut difference = Self::default();
        difference.compare(String::new(), in_force, read, planes);
        difference
    }

    fn compare(&mut self, path: String, in_force: &mut Value, read: &Value, planes: Planes) {
        match (&mut *in_force, read) {
            (Value::Object(known), Value::Object(now)) => self.compare_tables(&path, known, now, planes),
            // A list of tables: each is a whole.
            (Value::Array(known), Value::Array(now)) if is_tables(known) && is_tables(now) => {
                let changes = changes(known, now);
                self.unchanged += changes.kept;
                self.changed.extend(changes.at.iter().map(|at| format!("{path}[{at}]")));
                self.changed.extend(changes.removed.iter().map(|at| format!("{path}[{at}] (removed)")));
                known.clone_from(now);
            }
            _ => {
                let same = in_force == read;
                if !self.note(path, same, planes) {
                    in_force.clone_from(read);
                }
            }
        }
    }

    fn compare_tables(
        &mut self,
        path: &str,
        known: &mut Map<String, Value>,
        now: &Map<String, Value>,
        planes: Planes,
    ) {
        let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let gone: Vec<String> = known.keys().filter(|key| !now.contains_key(*key)).cloned().collect();
        for key in gone {
            if !self.note(below(&key), false, planes) {
                known.remove(&key);
            }
        }
        for (key, value) in now {
            match known.get_mut(key) {
                Some(known) => self.compare(below(key), known, value, planes),
                None => {
                    if !self.note(below(key), false, planes) {
                        known.insert(key.clone(), value.clone());
                    }
                }
            }
        }
    }

    /// Notes a value; whether what is in force stays.
    fn note(&mut self, path: String, same: bool, planes: Planes) -> bool {
        let fixed = planes.is_fixed(&path);
        match (same, fixed) {
            (true, _) => self.unchanged += 1,
            (false, true) => self.needs_restart.push(path),
            (false, false) => self.changed.push(path),
        }
        same || fixed
    }

    /// The difference in a sentence.
    pub(super) fn sentence(&self) -> String {
        let mut parts = Vec::new();
        match self.changed.as_slice() {
            [] => parts.push("nothing has changed".to_owned()),
            changed => parts.push(format!("changed: {}", changed.join(", "))),
        }
        if !self.needs_restart.is_empty() {
            parts.push(format!("needs a restart: {}", self.needs_restart.join(", ")));
        }
        parts.join("; ")
    }
}

/// Whether a list may be one of tables.
fn is_tables(list: &[Value]) -> bool {
    list.iter().all(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ALL: Planes = Planes { cache: true, postgres: true };

    fn reloaded(in_force: &Value, read: &Value, planes: Planes) -> (Difference, Value) {
        let mut now = in_force.clone();
        let difference = Difference::apply(&mut now, read, planes);
        (difference, now)
    }

    #[test]
    fn keys_routes_and_pools_are_named() {
        let before = json!({
            "edge": { "workers": 0, "route": [{ "pool": "a" }, { "pool": "b" }], "trusted_proxies": ["a"] },
            "pools": { "app": { "targets": ["1"], "balance": "random" }, "old": { "targets": ["1"] } },
        });
        let after = json!({
            "edge": { "workers": 0, "route": [{ "pool": "a" }, { "pool": "a" }, { "pool": "c" }], "trusted_proxies": [] },
            "pools": { "app": { "targets": ["1", { "address": "2" }], "balance": "random" }, "new": {} },
        });
        let (difference, now) = reloaded(&before, &after, ALL);
        let expected = [
            "edge.route[1]",
            "edge.route[2]",
            "edge.trusted_proxies",
            "pools.old",
            "pools.app.targets",
            "pools.new",
        ];
        assert_eq!(difference.changed, expected);
        assert_eq!((difference.unchanged, difference.needs_restart.len()), (3, 0));
        assert_eq!(now, after);
        assert_eq!(reloaded(&now, &after, ALL).0.changed, Vec::<String>::new());
    }

    #[test]
    fn routes_are_told_by_what_they_are() {
        let routes = |names: &str| json!({ "edge": { "route": names.chars().map(|name| json!({ "pool": name })).collect::<Vec<_>>() } });
        for (before, after, expected) in [
            ("abc", "xabc", &["edge.route[0]"][..]),
            ("abc", "abxc", &["edge.route[2]"]),
            ("abc", "axc", &["edge.route[1]"]),
            ("abc", "bc", &["edge.route[0] (removed)"]),
            ("abcd", "xbd", &["edge.route[0]", "edge.route[2] (removed)"]),
        ] {
            let (difference, now) = reloaded(&routes(before), &routes(after), ALL);
            assert_eq!(difference.changed, expected, "{before} {after}");
            assert_eq!(now, routes(after));
        }
    }

    #[test]
    fn secrets_are_told_once() {
        let mut difference = Difference { changed: vec!["pools.new".into()], ..Difference::default() };
        let secrets = ["pools.new.sticky.secret", "pools.newer.sticky.secret", "idempotency.redis"];
        difference.note_secrets(secrets.map(String::from).to_vec());
        assert_eq!(difference.changed, ["pools.new", "pools.newer.sticky.secret", "idempotency.redis"]);
    }

    #[test]
    fn what_needs_a_restart_says_so_until_there_was_one() {
        let before =
            json!({ "cache": { "memory": "1MiB", "max_refreshes": 1 }, "console": { "listen": "off" } });
        let after =
            json!({ "cache": { "memory": "2MiB", "max_refreshes": 2 }, "console": { "listen": "a" } });
        let (difference, now) = reloaded(&before, &after, ALL);
        assert_eq!(difference.changed, ["cache.max_refreshes"]);
        assert_eq!(difference.needs_restart, ["cache.memory", "console.listen"]);
        assert_eq!(
            difference.sentence(),
            "changed: cache.max_refreshes; needs a restart: cache.memory, console.listen"
        );
        let (again, _) = reloaded(&now, &after, ALL);
        assert_eq!((again.changed.len(), again.needs_restart.len()), (0, 2));
        let (back, _) = reloaded(&now, &before, ALL);
        assert!(back.needs_restart.is_empty());
    }

    /// The order of keys in a document depends on how the JSON library was built.
    fn sorted(mut keys: Vec<String>) -> Vec<String> {
        keys.sort();
        keys
    }

    #[test]
    fn planes_that_are_not_there_need_a_restart_to_come() {
        let before = json!({ "cache": { "memory": "1MiB" }, "postgres": { "pool_size": 20 } });
        let after = json!({
            "cache": { "memory": "2MiB" },
            "postgres": { "pool_size": 30, "listen": "127.0.0.1:6432" },
        });
        let none = Planes { cache: false, postgres: false };
        let (difference, now) = reloaded(&before, &after, none);
        assert_eq!(difference.changed, ["cache.memory"], "a cache that comes with this reload has it");
        assert_eq!(sorted(difference.needs_restart), ["postgres.listen", "postgres.pool_size"]);
        assert_eq!(now["postgres"], before["postgres"]);
        let (difference, now) = reloaded(&after, &before, ALL);
        assert_eq!(sorted(difference.needs_restart), ["cache.memory", "postgres.listen"]);
        assert_eq!(now["postgres"], json!({ "pool_size": 20, "listen": "127.0.0.1:6432" }));
    }
}
