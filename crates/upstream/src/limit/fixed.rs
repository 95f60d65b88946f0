//! A limit that stands.

use super::{Concurrency, Limiter, Sample};

#[derive(Debug)]
pub(crate) struct Fixed {
    limit: u32,
}

impl Fixed {
    pub(crate) fn new(settings: &Concurrency, _seed: u64) -> Self {
        Self { limit: settings.max.max(1) }
    }
}

impl Limiter for Fixed {
    fn initial(&self) -> u32 {
        self.limit
    }

    fn observe(&self, _sample: &Sample) -> Option<u32> {
        None
    }
}
