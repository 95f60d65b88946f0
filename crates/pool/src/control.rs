//! What an administrator does to pools: from the administration database, through the console's API, or by signals.
//!
//! A command changes what is asked for ([`Controls`]); pools follow it, and the [`keeper`] sees to the rest: that paused
//! pools close their connections, and that the process ends when it is to end.

mod actions;
mod ending;
mod endpoints;
mod events;
mod keeper;
mod port;
#[cfg(test)]
mod tests;
mod wait;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::ledger::Refusal;
use crate::plan::Face;
use crate::pools::Pool;
use crate::shared::Shared;

pub(crate) use actions::{
    check, disable, enable, is_changeable, kill, kill_client, pause, reconnect, reload, resume, set,
    settings, suspend,
};
pub(crate) use ending::end;
pub use ending::{Control, Ending};
pub(crate) use endpoints::endpoints;
pub(crate) use events::AdministratorCommanded;
pub(crate) use keeper::{close_stale, run as keep};
pub use port::{SettingRow, Settings};
pub(crate) use wait::{are_released, are_renewed, until};

/// What administrators have asked for.
#[derive(Default)]
pub(crate) struct Controls {
    wanted: Mutex<Wanted>,
    /// Held while pools are made to follow `wanted`: the last change is the one that stays.
    applying: Mutex<()>,
    /// Something was asked for.
    asked: Notify,
    /// The keeper has looked at everything once more.
    looked: Notify,
    /// Commands that wait for the keeper.
    waiting: AtomicUsize,
    /// No further clients are accepted over TCP.
    closed: watch::Sender<bool>,
    /// Where the configuration comes from, if it can be changed and read again.
    settings: OnceLock<Arc<dyn Settings>>,
    /// The control runtime.
    runtime: OnceLock<Handle>,
    /// Tasks that follow the certificates in force.
    watches: Mutex<JoinSet<()>>,
    administrators: AtomicUsize,
    /// Commands that administrators gave.
    pub commands: AtomicU64,
}

/// What is asked for.
#[derive(Debug, Default)]
struct Wanted {
    mode: Mode,
    /// Databases that are paused on their own.
    paused: HashSet<String>,
    /// Databases that new clients are refused for.
    disabled: HashSet<String>,
    ending: Option<Ending>,
}

/// What all databases are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    /// Serving.
    #[default]
    Active,
    /// No server connection is handed out, and those that are free are closed.
    Paused,
    /// No server connection is handed out, since then.
    Suspended(Instant),
}

impl Controls {
    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().expect("no panic while controls are held")
    }

    /// Says where the configuration comes from, if it can be changed, and which runtime is the control runtime's.
    pub(crate) fn begin(&self, settings: Option<Arc<dyn Settings>>, runtime: Handle) {
        // There is one start.
        let _ = self.runtime.set(runtime);
        settings.into_iter().for_each(|settings| drop(self.settings.set(settings)));
    }

    /// The control runtime: of the plane's start, or of the caller.
    pub(crate) fn runtime(&self) -> Handle {
        self.runtime.get().cloned().unwrap_or_else(Handle::current)
    }

    /// Keeps tasks that follow certificates; those before end.
    pub(crate) fn keep_watches(&self, watches: JoinSet<()>) {
        *self.watches.lock().expect("no panic while watches are held") = watches;
    }

    /// What all databases are in.
    pub(crate) fn mode(&self) -> Mode {
        self.wanted().mode
    }

    /// Whether a database was paused on its own.
    pub(crate) fn is_paused_alone(&self, database: &str) -> bool {
        self.wanted().paused.contains(database)
    }

    /// Whether no server connection of a database is to be handed out.
    pub(crate) fn is_paused(&self, database: &str) -> bool {
        let wanted = self.wanted();
        wanted.mode != Mode::Active || wanted.paused.contains(database)
    }

    /// Whether new clients of a database are refused.
    pub(crate) fn is_disabled(&self, database: &str) -> bool {
        self.wanted().disabled.contains(database)
    }

    /// Whether the process is on its way out, and only administrators are let in.
    pub(crate) fn is_ending(&self) -> bool {
        self.wanted().ending.is_some()
    }

    /// Resolves when no further clients are to be accepted.
    pub(crate) fn closing(&self) -> impl Future<Output = ()> + use<> {
        let mut closed = self.closed.subscribe();
        async move {
            // Without a sender nobody can ask for it any more, and nobody waits.
            let _ = closed.wait_for(|closed| *closed).await;
        }
    }

    /// Counts an administrator as connected until the guard is dropped.
    pub(crate) fn administrator(shared: &Arc<Shared>) -> Administrating {
        shared.controls.administrators.fetch_add(1, Ordering::SeqCst);
        Administrating { shared: Arc::clone(shared) }
    }

    /// How many administrators are connected.
    pub(crate) fn administrators(&self) -> usize {
        self.administrators.load(Ordering::SeqCst)
    }

    /// Ends all clients of a pool's database, and has the pool's server connections closed.
    pub(crate) fn kill_pool(&self, shared: &Shared, pool: &Arc<Pool>, why: &str) {
        pool.renew();
        shared.ledger.refuse_all(pool.id, &Refusal::Killed);
        for client in shared.clients.all() {
            if client.database == pool.key.database {
                client.kill(code(shared), why);
            }
        }
        keeper::close_free(shared, pool);
    }
}

impl std::fmt::Debug for Controls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controls").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

/// The SQLSTATE of ends that an administrator brings about.
fn code(shared: &Shared) -> &'static str {
    match shared.plan.load().face {
        Face::Native => "57P01",
        Face::PgBouncer => "08P01",
    }
}

/// An administrator who is connected.
pub(crate) struct Administrating {
    shared: Arc<Shared>,
}

impl Drop for Administrating {
    fn drop(&mut self) {
        let left = self.shared.controls.administrators.fetch_sub(1, Ordering::SeqCst) - 1;
        // Nobody would be there to take it back (as with PgBouncer).
        if left == 0 && matches!(self.shared.controls.mode(), Mode::Suspended(_)) {
            // Refused only when somebody else has just done it.
            let _ = resume(&self.shared, None);
        }
    }
}
