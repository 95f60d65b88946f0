//! The commands. Refusals are in PgBouncer's words.

use std::sync::Arc;
use std::time::Instant;

use super::events::PoolReloadFailed;
use super::keeper::{close_free, close_stale};
use super::port::{self, SettingRow};
use super::wait::pools_of;
use super::{Mode, code};
use crate::config::Config;
use crate::plan::ADMINISTRATION;
use crate::plane;
use crate::shared::Shared;

/// What a client is told that has to go with its database.
const KILLED: &str = "database removed";

/// Makes every pool follow what is asked for.
pub(super) fn apply(shared: &Shared) {
    let controls = &shared.controls;
    let _one_at_a_time = controls.applying.lock().expect("no panic while controls are applied");
    for pool in shared.pools.all() {
        let paused = controls.is_paused(&pool.key.database);
        shared.ledger.pause(pool.id, paused, shared.context.clock.now());
    }
    controls.asked.notify_one();
}

/// A database must be one that clients can ask for, and not the administration's.
pub(crate) fn check<'d>(
    shared: &Shared,
    database: impl Into<Option<&'d str>>,
    verb: &str,
) -> Result<(), String> {
    let Some(database) = database.into() else { return Ok(()) };
    if database == ADMINISTRATION {
        return Err(format!("cannot {verb} admin db: {database}"));
    }
    exists(shared, database)
}

fn exists(shared: &Shared, database: &str) -> Result<(), String> {
    let known = database == ADMINISTRATION || shared.plan.load().database(database).is_some();
    if known { Ok(()) } else { Err(format!("no such database: {database}")) }
}

fn is_active(shared: &Shared) -> Result<(), String> {
    if shared.controls.mode() == Mode::Active { Ok(()) } else { Err("already suspended/paused".into()) }
}

/// Hands out no server connection of a database, or of any.
pub(crate) fn pause(shared: &Shared, database: Option<&str>) -> Result<(), String> {
    is_active(shared)?;
    match database {
        None => shared.controls.wanted().mode = Mode::Paused,
        Some(database) => {
            check(shared, database, "pause")?;
            shared.controls.wanted().paused.insert(database.to_owned());
        }
    }
    apply(shared);
    Ok(())
}

/// As [`pause`] for all databases, but idle server connections stay open.
pub(crate) fn suspend(shared: &Shared) -> Result<(), String> {
    is_active(shared)?;
    let mut wanted = shared.controls.wanted();
    if !wanted.paused.is_empty() {
        return Err("cannot suspend with paused databases".into());
    }
    wanted.mode = Mode::Suspended(Instant::now());
    drop(wanted);
    apply(shared);
    Ok(())
}

/// Serves a database, or all, again.
pub(crate) fn resume(shared: &Shared, database: Option<&str>) -> Result<(), String> {
    match database {
        None => {
            let mut wanted = shared.controls.wanted();
            if wanted.ending.is_some() {
                return Err("pooler is shutting down".into());
            }
            if wanted.mode == Mode::Active {
                return Err("pooler is not paused/suspended".into());
            }
            wanted.mode = Mode::Active;
        }
        Some(database) => {
            exists(shared, database)?;
            if !shared.controls.wanted().paused.remove(database) {
                return Err(format!("database {database} is not paused"));
            }
        }
    }
    apply(shared);
    Ok(())
}

/// Has server connections of a database, or all, closed as they become free.
pub(crate) fn reconnect(shared: &Shared, database: Option<&str>) -> Result<(), String> {
    check(shared, database, "reconnect")?;
    for pool in pools_of(shared, database) {
        pool.renew();
        // It may lead elsewhere now.
        shared.ledger.forget_failure(pool.id);
        close_stale(shared, &pool);
    }
    Ok(())
}

/// Drops the clients and server connections of a database, or of all that are in use, and pauses it.
pub(crate) fn kill(shared: &Shared, database: Option<&str>) -> Result<(), String> {
    is_active(shared)?;
    if let Some(database) = database {
        check(shared, database, "kill")?;
        shared.controls.wanted().paused.insert(database.to_owned());
    }
    let pools: Vec<_> = pools_of(shared, database).collect();
    let names = pools.iter().map(|pool| pool.key.database.to_string());
    shared.controls.wanted().paused.extend(names);
    apply(shared);
    for pool in &pools {
        shared.controls.kill_pool(shared, pool, KILLED);
        close_free(shared, pool);
    }
    Ok(())
}

/// Disconnects one client.
pub(crate) fn kill_client(shared: &Shared, id: u64) -> Result<(), String> {
    let client = shared.clients.all().into_iter().find(|client| client.id == id);
    let client = client.ok_or("client not found")?;
    client.kill(code(shared), "admin forced disconnect");
    Ok(())
}

/// Refuses new clients of a database.
pub(crate) fn disable(shared: &Shared, database: &str) -> Result<(), String> {
    check(shared, database, "disable")?;
    shared.controls.wanted().disabled.insert(database.to_owned());
    Ok(())
}

/// Lets new clients of a database in again.
pub(crate) fn enable(shared: &Shared, database: &str) -> Result<(), String> {
    check(shared, database, "enable")?;
    shared.controls.wanted().disabled.remove(database);
    Ok(())
}

/// The rows of `SHOW CONFIG`.
pub(crate) fn settings(shared: &Shared) -> Vec<SettingRow> {
    match shared.controls.settings.get() {
        Some(settings) => settings.show(),
        None => port::native(&shared.plan.load().config),
    }
}

/// Whether SET and RELOAD can do anything.
pub(crate) fn is_changeable(shared: &Shared) -> bool {
    shared.controls.settings.get().is_some()
}

/// Changes a setting until the next reload.
pub(crate) fn set(shared: &Arc<Shared>, key: &str, value: &str) -> Result<(), String> {
    let settings = shared.controls.settings.get().ok_or_else(|| elsewhere("SET"))?;
    adopt(shared, settings.set(key, value))
}

/// Reads the configuration again.
pub(crate) fn reload(shared: &Arc<Shared>) -> Result<(), String> {
    let settings = shared.controls.settings.get().ok_or_else(|| elsewhere("RELOAD"))?;
    adopt(shared, settings.reload())
}

fn elsewhere(command: &str) -> String {
    format!(
        "{command} is not possible here: change [postgres] in Deepwater's configuration file and send the process SIGHUP"
    )
}

fn adopt(shared: &Arc<Shared>, config: Result<Config, String>) -> Result<(), String> {
    let put_in_force = |config: Config| {
        let directory = shared.plan.load().directory.clone();
        plane::reload(shared, &config, &directory).map_err(|error| error.to_string())
    };
    let adopted = config.and_then(put_in_force);
    if let Err(reason) = &adopted {
        shared.context.events.emit(PoolReloadFailed { reason: reason.clone() });
    }
    // Databases may have come that are paused already.
    apply(shared);
    adopted
}
