//! `pgbouncer.ini` as the administration database changes it (SET) and reads it again (RELOAD).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deepwater_core::{Events, event};
use deepwater_pool::pgbouncer::{ConfigRow, Loaded};
use deepwater_pool::{Config, SettingRow, Settings};

use super::log::Log;
use crate::cli::Failure;

event! {
    /// A setting does less than it says.
    pub struct SettingNoted { note: String }
    setting_noted: Warn, "{note}"
}

/// The file, what SET made of it, and the log it names.
pub(super) struct Source {
    loaded: Mutex<Loaded>,
    log: Log,
    events: Events,
}

impl Source {
    pub(super) fn new(loaded: Loaded, log: Log, events: Events) -> Self {
        let source = Self { loaded: Mutex::new(loaded), log, events };
        source.tell_notes(&source.loaded());
        source
    }

    fn loaded(&self) -> MutexGuard<'_, Loaded> {
        // Changes are made to a copy, and put in place whole.
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_notes(&self, loaded: &Loaded) {
        for note in &loaded.notes {
            self.events.emit(SettingNoted { note: note.to_string() });
        }
    }
}

impl Settings for Source {
    fn show(&self) -> Vec<SettingRow> {
        self.loaded().show().into_iter().map(ConfigRow::into).collect()
    }

    fn set(&self, key: &str, value: &str) -> Result<Config, String> {
        let mut loaded = self.loaded();
        loaded.set(key, value)?;
        Ok(loaded.config.clone())
    }

    fn reload(&self) -> Result<Config, String> {
        let mut loaded = self.loaded();
        let mut fresh = loaded.clone();
        fresh.reload().map_err(|problems| problems.to_string())?;
        self.log.reopen(&fresh.process).map_err(|failure| match failure {
            Failure::Usage(reason) | Failure::Running(reason) => reason,
        })?;
        self.tell_notes(&fresh);
        *loaded = fresh;
        Ok(loaded.config.clone())
    }

    fn stats_period(&self) -> Duration {
        self.loaded().process.stats_period
    }
}
