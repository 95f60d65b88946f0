//! What of the cache may change while it is in use.

use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;

use deepwater_cache::purge::Mode;
use ipnet::IpNet;

use super::{HttpCache, KeyForm};

/// Ways to write keys that are remembered; beyond it everything stored is purged.
const MOST_FORMS: usize = 1_024;

/// What of the cache may change while it is in use.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    /// Whose clients may purge a URL with the method `PURGE`.
    pub purge_from: Vec<IpNet>,
    /// How the routes write keys, and did: a URL is purged as each of them writes it.
    pub keys: Vec<KeyForm>,
    /// Background refreshes under way at once.
    pub max_refreshes: usize,
}

impl Terms {
    /// With routes that write keys so.
    pub fn new(
        purge_from: Vec<IpNet>,
        keys: impl IntoIterator<Item = KeyForm>,
        max_refreshes: usize,
    ) -> Self {
        let mut terms = Self { purge_from, keys: Vec::new(), max_refreshes };
        terms.remember(keys);
        terms
    }

    fn remember(&mut self, forms: impl IntoIterator<Item = KeyForm>) {
        for form in forms {
            if !self.keys.contains(&form) {
                self.keys.push(form);
            }
        }
    }
}

impl HttpCache {
    /// Changes to other terms. What is stored stays, and is purged by its URL even if no route writes its key so now: one
    /// may again after the next change.
    pub fn adopt(&self, mut terms: Terms) {
        let before = self.terms.load();
        terms.remember(before.keys.iter().cloned());
        if terms.keys.len() > MOST_FORMS {
            // Those that are in force come first; what others have stored must not come back.
            terms.keys.truncate(MOST_FORMS);
            self.epochs.purge_everything(Mode::Hard);
            self.store.clear();
        }
        self.knows_purge.store(!terms.purge_from.is_empty(), Relaxed);
        self.terms.store(std::sync::Arc::new(terms));
    }

    /// Whether a client may use the method `PURGE`.
    pub fn may_purge(&self, client: IpAddr) -> bool {
        self.terms.load().purge_from.iter().any(|network| network.contains(&client))
    }

    /// Whether the method `PURGE` is in use.
    pub fn knows_purge(&self) -> bool {
        self.knows_purge.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Instant, SystemTime};

    fn form(route: u64) -> KeyForm {
        KeyForm { route, ..KeyForm::default() }
    }

    #[test]
    fn forms_are_remembered_up_to_a_limit() {
        let config = crate::config::Cache::default();
        let now = (Instant::now(), SystemTime::now());
        let cache = HttpCache::new(&config, Terms::new(Vec::new(), [form(0), form(0)], 1), now);
        assert_eq!(cache.terms.load().keys, [form(0)]);
        cache.adopt(Terms::new(vec!["10.0.0.0/8".parse().unwrap()], [form(1)], 1));
        assert_eq!(cache.terms.load().keys, [form(1), form(0)]);
        assert!(cache.knows_purge() && cache.may_purge("10.1.2.3".parse().unwrap()));
        for route in 2..2_000 {
            cache.adopt(Terms::new(Vec::new(), [form(route)], 1));
        }
        assert_eq!(cache.terms.load().keys.len(), MOST_FORMS);
        assert_eq!(cache.terms.load().keys[0], form(1_999));
        assert!(!cache.knows_purge());
    }
}
