//! Named versions that are part of keys: moving one on leaves everything stored under the old one behind.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

/// How many names there may be.
pub const MOST_NAMES: usize = 4096;

type Counters = HashMap<Box<str>, Arc<AtomicU64>>;

/// Counters by name. Reading takes no lock.
#[derive(Debug, Default)]
pub struct Versions {
    counters: ArcSwap<Counters>,
    adding: Mutex<()>,
}

/// There are [`MOST_NAMES`] already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are {MOST_NAMES} named versions already: advance one of those")]
pub struct TooManyNames;

impl Versions {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A name's version; 0 for one that was never moved on.
    pub fn current(&self, name: &str) -> u64 {
        self.counters.load().get(name).map_or(0, |counter| counter.load(Ordering::Acquire))
    }

    /// Moves a name on and returns its new version.
    ///
    /// # Errors
    ///
    /// The name is new and there are too many.
    pub fn advance(&self, name: &str) -> Result<u64, TooManyNames> {
        if let Some(counter) = self.counters.load().get(name) {
            return Ok(next(counter));
        }
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = self.counters.load();
        if let Some(counter) = counters.get(name) {
            return Ok(next(counter));
        }
        if counters.len() >= MOST_NAMES {
            return Err(TooManyNames);
        }
        let mut counters = Counters::clone(&counters);
        counters.insert(name.into(), Arc::new(AtomicU64::new(1)));
        self.counters.store(Arc::new(counters));
        Ok(1)
    }

    /// How many names were moved on.
    pub fn len(&self) -> usize {
        self.counters.load().len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All names and their versions, by name.
    pub fn all(&self) -> Vec<(String, u64)> {
        let counters = self.counters.load();
        let mut all: Vec<_> = counters
            .iter()
            .map(|(name, counter)| (name.to_string(), counter.load(Ordering::Acquire)))
            .collect();
        all.sort_unstable();
        all
    }
}

fn next(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::AcqRel) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_move_on_apart() {
        let versions = Versions::new();
        assert_eq!((versions.current("a"), versions.is_empty()), (0, true));
        assert_eq!(
            (versions.advance("b"), versions.advance("a"), versions.advance("b")),
            (Ok(1), Ok(1), Ok(2))
        );
        assert_eq!((versions.current("a"), versions.current("b"), versions.current("c")), (1, 2, 0));
        assert_eq!(versions.all(), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    }

    #[test]
    fn there_are_only_so_many() {
        let versions = Versions::new();
        for n in 0..MOST_NAMES {
            assert_eq!(versions.advance(&n.to_string()), Ok(1));
        }
        assert_eq!(versions.advance("one more"), Err(TooManyNames));
        assert_eq!(versions.advance("7"), Ok(2));
        assert_eq!(versions.len(), MOST_NAMES);
    }

    #[test]
    fn no_step_is_lost() {
        let versions = Versions::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).all(|n| versions.advance(&(n % 10).to_string()).is_ok()));
            }
        });
        assert!((0..10).all(|n| versions.current(&n.to_string()) == 400));
    }
}
