//! `[users]`.

use super::connstr::pairs;
use super::databases::{limit, time, unknown};
use super::draft::Draft;
use super::ini::Entry;
use super::settings::mode;
use super::value::duration;
use crate::config::User;
use crate::lines::Fault;

const KNOWN: [&str; 9] = [
    "pool_size",
    "reserve_pool_size",
    "pool_mode",
    "max_user_connections",
    "max_user_client_connections",
    "query_timeout",
    "transaction_timeout",
    "idle_transaction_timeout",
    "client_idle_timeout",
];

pub(super) fn read(draft: &mut Draft<'_>, entries: &[Entry]) {
    for entry in entries {
        draft.at(format!("[users] {}", entry.key), Some(&entry.spot));
        match user(entry) {
            Ok(user) => {
                draft.config.users.insert(entry.key.clone(), user);
            }
            Err(fault) => draft.report(fault),
        }
    }
}

fn user(entry: &Entry) -> Result<User, Fault> {
    if entry.key.is_empty() {
        return Err(Fault::new("the user has no name").fix("write `name = pool_size=…`"));
    }
    let mut user = User::default();
    let time = |key: &str, value: &str| time(key, value).map(|seconds| Some(duration(seconds).into()));
    for (key, value) in pairs(&entry.value)? {
        match key.as_str() {
            "pool_mode" => user.mode = Some(mode(&value.to_ascii_lowercase())?),
            "pool_size" => user.pool_size = limit(&key, &value)?,
            "reserve_pool_size" => user.reserve_pool_size = limit(&key, &value)?,
            "max_user_connections" => user.max_user_connections = limit(&key, &value)?,
            "max_user_client_connections" => user.max_user_client_connections = limit(&key, &value)?,
            "query_timeout" => user.query_timeout = time(&key, &value)?,
            "transaction_timeout" => user.transaction_timeout = time(&key, &value)?,
            "idle_transaction_timeout" => user.idle_transaction_timeout = time(&key, &value)?,
            "client_idle_timeout" => user.client_idle_timeout = time(&key, &value)?,
            "query_wait_timeout" => {
                return Err(Fault::new(format!("`{key}` is not supported: it is one of PgBouncer 1.26"))
                    .fix("remove it"));
            }
            _ => return Err(unknown(&key, &KNOWN)),
        }
    }
    Ok(user)
}
