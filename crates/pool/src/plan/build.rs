//! From what was written to what is meant; reports everything that cannot be meant, at once.

mod auth;
mod tls;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use deepwater_core::config::{Place, SecretError};
use deepwater_pgwire::auth::{BadSecret, StoredPassword};

use super::{DatabasePlan, Face, Plan};
use crate::config::{AuthMethod, Config, Database};

/// The name of the administration database.
pub(crate) const ADMINISTRATION: &str = "pgbouncer";
/// The database that stands for all that have no entry.
const FALLBACK: &str = "*";

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    /// Its password is not to be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Its password looks as a SCRAM secret and is none.
    #[error(transparent)]
    Password(#[from] BadSecret),
    /// Its password is given twice.
    #[error("the password is given in the URL and as `password`")]
    TwoPasswords,
}

/// What a configuration means; none when something was reported. `directory` is what relative paths start from.
pub(crate) fn build(config: &Config, directory: &Path, face: Face, place: &Place<'_>) -> Option<Plan> {
    let auth = auth::build(config, directory, place);
    let tls = tls::build(config, directory, place);
    let databases = databases(config, directory, face, place);
    let limits = limits(config, place);
    let ((passwords, hba, ident), (client_tls, server_tls)) = (auth?, tls?);
    let databases = databases?;
    limits?;
    Some(Plan {
        max_clients: max_clients(config),
        config: config.clone(),
        directory: directory.to_owned(),
        face,
        databases,
        fallback: config.databases.get(FALLBACK).cloned(),
        passwords,
        hba,
        ident,
        client_tls,
        server_tls,
    })
}

/// Reports everything that cannot be meant.
pub fn validate(config: &Config, directory: &Path, place: &Place<'_>) {
    build(config, directory, Face::Native, place);
}

/// A database with everything it needs fetched.
///
/// # Errors
/// When its password is not to be had.
pub(super) fn database(
    name: &str,
    config: Database,
    directory: &Path,
    is_fallback: bool,
) -> Result<DatabasePlan, DatabaseError> {
    let password = match (&config.password, &config.primary.password) {
        (Some(_), Some(_)) => return Err(DatabaseError::TwoPasswords),
        (Some(secret), None) => Some(StoredPassword::parse(secret.resolve(directory)?.expose())?),
        (None, Some(password)) => Some(StoredPassword::parse(password)?),
        (None, None) => None,
    };
    Ok(DatabasePlan {
        name: name.into(),
        server_name: config.primary.database.clone().unwrap_or_else(|| name.to_owned()),
        user: config.primary.user.as_deref().map(Arc::from),
        password,
        config,
        is_fallback,
        next_host: AtomicUsize::new(0),
    })
}

fn databases(
    config: &Config,
    directory: &Path,
    face: Face,
    place: &Place<'_>,
) -> Option<HashMap<Arc<str>, Arc<DatabasePlan>>> {
    let place = place.at("databases");
    // PgBouncer's file as it is installed names none, and serves its administrators.
    if face == Face::Native && config.listen.is_some() && config.databases.is_empty() {
        let fix = "add [postgres.databases.<name>] with `primary = \"postgres://…\"`";
        place.problem_with_fix("there is no database for clients to ask for", fix);
        return None;
    }
    let built =
        config.databases.iter().map(|(name, database)| one(config, name, database, directory, &place));
    let built: Vec<_> = built.collect();
    let built = built.into_iter().collect::<Option<Vec<_>>>()?;
    let named = built.into_iter().filter(|database| &*database.name != FALLBACK);
    Some(named.map(|database| (Arc::clone(&database.name), Arc::new(database))).collect())
}

fn one(
    config: &Config,
    name: &str,
    wanted: &Database,
    directory: &Path,
    place: &Place<'_>,
) -> Option<DatabasePlan> {
    let place = place.at(name);
    let mut sound = true;
    let mut problem = |place: &Place<'_>, what: String, fix: &str| {
        place.problem_with_fix(what, fix);
        sound = false;
    };
    if name == ADMINISTRATION {
        let what = format!("`{ADMINISTRATION}` is the name of the administration database");
        problem(
            &place,
            what,
            "give clients another name for it; `primary` may lead to a database of this name",
        );
    }
    if config.auth.method == AuthMethod::Any && wanted.primary.user.is_none() {
        let what = "with `auth.method = \"any\"` all clients become the user in the URL, and there is none"
            .to_owned();
        problem(&place.at("primary"), what, "write it as postgres://user@host/database");
    }
    if wanted.password.is_some() && wanted.primary.user.is_none() {
        let what = "a password without its user".to_owned();
        problem(&place.at("password"), what, "write the user into `primary`: postgres://user@host/database");
    }
    if wanted.pool_size == Some(0) {
        let what = "a pool of no connections serves nobody".to_owned();
        problem(&place.at("pool_size"), what, "write 1 or more");
    }
    if let Some(asked_in) = &wanted.auth_database
        && !is_known(config, asked_in)
    {
        unknown(config, &place.at("auth_database"), asked_in);
        sound = false;
    }
    let built = database(name, wanted.clone(), directory, name == FALLBACK);
    if let Err(error) = &built {
        let place = place.at("password");
        match error {
            DatabaseError::Secret(error) => place.secret_problem(error),
            DatabaseError::TwoPasswords => place.problem_with_fix(error.to_string(), "keep one of them"),
            DatabaseError::Password(_) => place.problem(error.to_string()),
        }
    }
    built.ok().filter(|_| sound)
}

/// Whether a database of this name can be asked for.
pub(super) fn is_known(config: &Config, name: &str) -> bool {
    config.databases.contains_key(name) || config.databases.contains_key(FALLBACK)
}

fn unknown(config: &Config, place: &Place<'_>, name: &str) {
    let known = config.databases.keys().map(String::as_str);
    place.unknown_name("database", name, "[postgres.databases]", known);
}

/// Limits under which nothing could be served.
fn limits(config: &Config, place: &Place<'_>) -> Option<()> {
    let mut sound = true;
    for (key, value, why) in [
        ("pool_size", config.pool_size, "a pool of no connections serves nobody"),
        ("max_connecting", config.max_connecting, "no connection could ever be opened"),
        ("application_servers", config.application_servers, "this one shares the database's host at least"),
    ] {
        if value == 0 {
            place.at(key).problem_with_fix(why, "write 1 or more");
            sound = false;
        }
    }
    for (name, user) in &config.users {
        if user.pool_size == Some(0) {
            let place = place.at("users").at(name).at("pool_size");
            place.problem_with_fix("a pool of no connections serves nobody", "write 1 or more");
            sound = false;
        }
    }
    if !u32::from_str_radix(&config.unix_socket_mode, 8).is_ok_and(|mode| mode <= 0o777) {
        let what = format!("`{}` are no permissions", config.unix_socket_mode);
        place.at("unix_socket_mode").problem_with_fix(what, "write them in octal, such as \"0770\"");
        sound = false;
    }
    sound.then_some(())
}

/// Client connections that may be open: as configured, or three quarters of the files the process may open.
fn max_clients(config: &Config) -> usize {
    if config.max_clients > 0 {
        return config.max_clients;
    }
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    files.map_or(usize::MAX, |files| usize::try_from(files / 4 * 3).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests;
