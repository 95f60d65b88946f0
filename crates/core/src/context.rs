//! What every plane is handed when it starts.

use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::event::Events;
use crate::handover::Handover;
use crate::metrics::Registry;
use crate::shutdown::Shutdown;

/// Time, randomness, measurement and the end of the process: nothing a plane uses is global.
#[derive(Clone)]
pub struct Context {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Seed of every random choice; a fixed one makes a run repeatable.
    pub seed: u64,
    /// Where metrics are registered.
    pub metrics: Registry,
    /// Where facts are told.
    pub events: Events,
    /// When to drain and when to stop.
    pub shutdown: Shutdown,
    /// Sockets that are open already, and those that are for a successor.
    pub handover: Handover,
}

impl Context {
    /// A context on the system's clock. What is told to the events is counted in its metrics.
    pub fn new(seed: u64, events: Events) -> Self {
        let metrics = Registry::default();
        let counted = events.clone();
        metrics.collect(move |sink| counted.collect(sink));
        Self {
            clock: Arc::new(SystemClock),
            seed,
            metrics,
            events,
            shutdown: Shutdown::default(),
            handover: Handover::default(),
        }
    }
}
