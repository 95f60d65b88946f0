//! What the servers of a pool are known to accept, so that what a client sends need not wait for it to be accepted again.

use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use super::Change;

/// What was accepted of late by servers of one pool.
#[derive(Debug, Default)]
pub(crate) struct Accepted {
    /// Settings (by hash) that were accepted as a whole.
    settings: AtomicU64,
    /// Names, in their order, that the pool's own user may change: a server that let it will let it again.
    names: ArcSwap<Vec<Box<str>>>,
}

/// As many names are remembered. Beyond, it is begun anew.
const MOST_NAMES: usize = 1_000;

/// Settings that are refused or not by more than their value: rights, and what must exist. They are never relied on.
const CHECKED: [&str; 5] = [
    "default_table_access_method",
    "default_tablespace",
    "default_text_search_config",
    "session_replication_role",
    "temp_tablespaces",
];

impl Accepted {
    /// Whether these settings (by hash) were accepted last.
    pub(crate) fn is_last(&self, settings: u64) -> bool {
        self.settings.load(Ordering::Relaxed) == settings
    }

    /// Whether all that is changed could be changed before.
    pub(crate) fn knows(&self, change: &Change<'_>) -> bool {
        let known = self.names.load();
        change.names().all(|name| known.binary_search_by(|known| (**known).cmp(name)).is_ok())
    }

    /// A server has accepted settings.
    pub(crate) fn note(&self, settings: u64) {
        self.settings.store(settings, Ordering::Relaxed);
    }

    /// A server has made a change, with no more rights than the pool's own user has.
    pub(crate) fn learn(&self, change: &Change<'_>) {
        if self.knows(change) || change.holds_rights() {
            return;
        }
        self.names.rcu(|known| {
            let mut names = Vec::clone(known);
            for name in change.names().filter(|name| !CHECKED.contains(name)) {
                if let Err(at) = names.binary_search_by(|known| (**known).cmp(name)) {
                    names.insert(at, name.into());
                }
            }
            if names.len() > MOST_NAMES { Vec::new() } else { names }
        });
    }

    /// A server has refused what was thought to be accepted.
    pub(crate) fn forget(&self) {
        self.settings.store(0, Ordering::Relaxed);
        self.names.store(Vec::new().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn settings(names: &[&str]) -> Settings {
        let mut settings = Settings::default();
        names.iter().for_each(|name| settings.set(name, "x"));
        settings
    }

    #[test]
    fn what_could_be_changed_once_can_be_changed_again_both_ways() {
        let accepted = Accepted::default();
        let (none, some) = (Settings::default(), settings(&["timezone", "app.tenant"]));
        assert!(!accepted.knows(&none.change_to(&some).unwrap()));
        accepted.learn(&none.change_to(&some).unwrap());
        assert!(accepted.knows(&some.change_to(&none).unwrap()));
        assert!(!accepted.knows(&none.change_to(&settings(&["timezone", "other"])).unwrap()));
        accepted.forget();
        assert!(!accepted.knows(&some.change_to(&none).unwrap()));
    }

    #[test]
    fn rights_and_what_must_exist_are_never_relied_on() {
        let accepted = Accepted::default();
        let none = Settings::default();
        for names in [["role", "timezone"], ["session_replication_role", "app.x"]] {
            let wanted = settings(&names);
            let change = none.change_to(&wanted).unwrap();
            accepted.learn(&change);
            assert!(!accepted.knows(&change), "{names:?}");
        }
    }

    #[test]
    fn the_number_of_names_is_bounded() {
        let (accepted, none) = (Accepted::default(), Settings::default());
        for number in 0..3 * MOST_NAMES {
            accepted.learn(&none.change_to(&settings(&[&format!("app.n{number}")])).unwrap());
            assert!(accepted.names.load().len() <= MOST_NAMES);
        }
    }
}
