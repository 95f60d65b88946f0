//! Counters, gauges and histograms that cost a few instructions on the hot path.
//!
//! Each registration hands out a *cell of its own* that one thread writes without a locked instruction;
//! a scrape adds up the cells of equal name and labels. A cell that is dropped (a worker ended, a route was
//! reloaded away) leaves its counts behind, so counters never go back.

mod histogram;
mod recent;
mod registry;
mod snapshot;
mod text;

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

pub use histogram::{Distribution, Histogram};
pub use recent::Recent;
pub use registry::{Registry, Sink};
pub use snapshot::{Family, Kind, Reading, Sample};
pub use text::{openmetrics, prometheus};

/// Marks a handle as writable by one thread at a time: it may move to another, not be shared.
type OneWriter = PhantomData<Cell<()>>;

/// A count that only grows. Written by the one thread that registered it.
#[derive(Debug)]
pub struct Counter {
    cell: Arc<AtomicU64>,
    one_writer: OneWriter,
}

impl Counter {
    fn new(cell: Arc<AtomicU64>) -> Self {
        Self { cell, one_writer: PhantomData }
    }

    /// Adds one.
    #[inline]
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `n`.
    #[inline]
    pub fn add(&self, n: u64) {
        // The only writer needs no read-modify-write instruction.
        self.cell.store(self.cell.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }
}

/// A value that goes up and down. Written by the one thread that registered it.
#[derive(Debug)]
pub struct Gauge {
    cell: Arc<AtomicI64>,
    one_writer: OneWriter,
}

impl Gauge {
    fn new(cell: Arc<AtomicI64>) -> Self {
        Self { cell, one_writer: PhantomData }
    }

    /// Adds `n`, which may be negative.
    #[inline]
    pub fn add(&self, n: i64) {
        self.cell.store(self.cell.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// This cell's share of the value.
    pub fn get(&self) -> i64 {
        self.cell.load(Ordering::Relaxed)
    }
}
