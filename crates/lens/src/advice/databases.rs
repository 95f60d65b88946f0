//! What rules about databases share: a look at each of them, and what is known of all pools of one.

use super::{Advice, Verdict};
use crate::facts::Database;
use crate::picture::Picture;
use crate::signal::{self, Signal};

/// What there is to say of one database: advice, or why there is no need; else what is missing to tell.
pub(super) type Finding = Result<Result<Advice, String>, String>;

/// A look at each database.
pub(super) fn each(picture: &Picture<'_>, look: impl Fn(&Database) -> Finding) -> Verdict {
    let (mut found, mut missing, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for database in &picture.facts.databases {
        match look(database) {
            Ok(Ok(advice)) => found.push(advice),
            Ok(Err(reason)) => reasons.push(reason),
            Err(why) => missing.push(why),
        }
    }
    if picture.facts.databases.is_empty() {
        reasons.push("no database goes through Deepwater".into());
    }
    Verdict::of(found, &missing, || reasons.join("; "))
}

/// A look at each server of databases, through the first of those it has. `none` says that there is no need.
pub(super) fn each_server(
    databases: &[Database],
    look: impl Fn(&Database) -> Result<Option<Advice>, String>,
    none: &str,
) -> Verdict {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for (at, database) in databases.iter().enumerate() {
        if databases[..at].iter().any(|before| before.server == database.server) {
            continue;
        }
        match look(database) {
            Ok(advice) => found.extend(advice),
            Err(why) => missing.push(why),
        }
    }
    Verdict::of(found, &missing, || none.into())
}

/// How many cores of a database's server are wanted, and how many there are; else what is missing to tell.
pub(super) fn cores(picture: &Picture<'_>, database: &Database) -> Result<(f64, f64), String> {
    let name = &database.name;
    let cores = database.cores.ok_or_else(|| {
        format!("how many cores the server of {name} has is not known: set `server_cores` in [postgres.databases.{name}]")
    })?;
    Ok((of_sessions(picture, &signal::DB_CPU_WAIT, name)?, cores as f64))
}

/// What the sessions of a database's server do, by a signal; else that one has no right to see it.
pub(super) fn of_sessions(
    picture: &Picture<'_>,
    signal: &'static Signal,
    database: &str,
) -> Result<f64, String> {
    picture.minute(signal, database).ok_or_else(|| {
        format!("what the sessions of {database} do is not known: GRANT pg_monitor TO the pool's user")
    })
}

/// Labels of a signal that are of a database: its pools, its tables.
pub(super) fn labels(picture: &Picture<'_>, signal: &'static Signal, database: &str) -> Vec<String> {
    let prefix = format!("{database}/");
    let all = picture.store.labels(signal);
    all.iter().filter(|label| label.starts_with(&prefix)).map(ToString::to_string).collect()
}

/// The sum of a signal over them; none when it is known of none.
pub(super) fn sum(picture: &Picture<'_>, signal: &'static Signal, database: &str) -> Option<f64> {
    let of = labels(picture, signal, database);
    of.iter().filter_map(|label| picture.minute(signal, label)).reduce(|a, b| a + b)
}
