//! How the process is brought to its end, and what else is done from outside: by signals.

use std::sync::Arc;

use super::{Mode, actions};
use crate::shared::Shared;

/// When the process ends that was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// At once.
    Now,
    /// When no server connection is in use: as PAUSE, and clients that wait are let go.
    ServersReleased,
    /// When the last client has left of its own accord.
    ClientsLeft,
}

/// Brings the process to its end.
pub(crate) fn end(shared: &Shared, ending: Ending) {
    let mut wanted = shared.controls.wanted();
    if ending == Ending::Now || matches!(wanted.mode, Mode::Suspended(_)) {
        drop(wanted);
        return shared.context.shutdown.stop();
    }
    wanted.ending = Some(ending);
    if ending == Ending::ServersReleased {
        wanted.mode = Mode::Paused;
    }
    drop(wanted);
    shared.controls.closed.send_replace(true);
    actions::apply(shared);
}

/// What an administrator may do, for whoever hears signals or serves an API. Clones act on the same pool.
#[derive(Clone)]
pub struct Control {
    pub(super) shared: Arc<Shared>,
}

impl Control {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared) }
    }

    /// Hands out no server connection of a database, or of any, and closes them as they become free. Clients wait.
    ///
    /// # Errors
    /// When there is no such database, or everything is paused already.
    pub fn pause(&self, database: Option<&str>) -> Result<(), String> {
        actions::pause(&self.shared, database)
    }

    /// Takes [`Control::pause`] or [`Control::kill`] back.
    ///
    /// # Errors
    /// When there is no such database, or it is not paused.
    pub fn resume(&self, database: Option<&str>) -> Result<(), String> {
        actions::resume(&self.shared, database)
    }

    /// Has the server connections of a database, or all, closed as they become free, and new ones opened.
    ///
    /// # Errors
    /// When there is no such database.
    pub fn reconnect(&self, database: Option<&str>) -> Result<(), String> {
        actions::reconnect(&self.shared, database)
    }

    /// Drops all clients and server connections of a database, or all, and pauses it.
    ///
    /// # Errors
    /// When there is no such database, or everything is paused already.
    pub fn kill(&self, database: Option<&str>) -> Result<(), String> {
        actions::kill(&self.shared, database)
    }

    /// Reads the configuration again and puts it in force.
    ///
    /// # Errors
    /// A sentence on why not; then nothing has changed.
    pub fn reload(&self) -> Result<(), String> {
        actions::reload(&self.shared)
    }

    /// Brings the process to its end; asked a second time, at once.
    pub fn shut_down(&self, ending: Ending) {
        let again = self.shared.controls.is_ending();
        end(&self.shared, if again { Ending::Now } else { ending });
    }

    /// Whether a database is paused, be it with all others.
    pub fn is_paused(&self, database: &str) -> bool {
        self.shared.controls.is_paused(database)
    }
}
