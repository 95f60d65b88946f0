//! How large a cache should be: a trace of requests, replayed through the real [`Store`] at several sizes.
//!
//! The trace is read once, whatever its length; each line is looked up in every store and stored where it is
//! missing. Only keys' hashes and sizes are kept, never bodies: a replay takes about 150 bytes per object and
//! store that would hold it.

mod line;
mod render;
mod trace;

#[cfg(test)]
mod generate;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::io::{self, BufRead};
use std::sync::Arc;

use foldhash::quality::FixedState;

use crate::store::{Insert, Store};

pub use line::Format;
pub use render::render;
pub use trace::{Access, Lines, Trace};

/// A size is worth its memory when it has this share of the hit ratio of the largest.
pub const KNEE: f64 = 0.95;

/// What to replay with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The capacities to try, bytes. In any order; doubles count once.
    pub sizes_bytes: Vec<u64>,
}

impl Default for Options {
    /// 1 MiB to 4 GiB, each the double of the one before.
    fn default() -> Self {
        Self { sizes_bytes: (20..=32).map(|shift| 1 << shift).collect() }
    }
}

/// What a replay found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// By size, smallest first; sizes larger than the first that holds everything are left out.
    pub rows: Vec<Row>,
    /// What became of the lines of all files.
    pub lines: Lines,
    /// The format of each file; `None` for one without a valid line.
    pub formats: Vec<Option<Format>>,
    /// Requests replayed.
    pub requests: u64,
    /// What they asked for, bytes.
    pub requested_bytes: u64,
    /// Different keys among them.
    pub distinct: u64,
    /// The sizes of these, bytes.
    pub distinct_bytes: u64,
}

/// One size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The capacity, bytes.
    pub size_bytes: u64,
    /// Requests replayed.
    pub requests: u64,
    /// Requests answered from the cache.
    pub hits: u64,
    /// What the requests asked for, bytes.
    pub requested_bytes: u64,
    /// What of it was answered from the cache, bytes.
    pub hit_bytes: u64,
    /// Objects stored at the end.
    pub objects: u64,
    /// Objects dropped to make room.
    pub evictions: u64,
    /// Times an object was too large to be stored.
    pub too_heavy: u64,
}

impl Row {
    /// Hits by requests, from 0 to 1.
    pub fn hit_ratio(&self) -> f64 {
        ratio(self.hits, self.requests)
    }

    /// Bytes from the cache by bytes, from 0 to 1.
    pub fn byte_hit_ratio(&self) -> f64 {
        ratio(self.hit_bytes, self.requested_bytes)
    }
}

impl Report {
    /// The size that is worth its memory: the smallest with [`KNEE`] of the largest's hit ratio. `None` if
    /// nothing was hit.
    pub fn knee(&self) -> Option<&Row> {
        let most = self.rows.last()?.hit_ratio();
        self.rows.iter().find(|row| most > 0.0 && row.hit_ratio() >= KNEE * most)
    }

    /// What no size can exceed: the first request for an object is never a hit.
    pub fn ceiling_hit_ratio(&self) -> f64 {
        ratio(self.requests - self.distinct, self.requests)
    }

    /// The hit ratio each size gains over the one before, per doubling; `None` for the first.
    pub fn gains(&self) -> Vec<Option<f64>> {
        let gain = |pair: &[Row]| {
            let doublings = (pair[1].size_bytes as f64 / pair[0].size_bytes as f64).log2();
            (pair[1].hit_ratio() - pair[0].hit_ratio()) / doublings
        };
        let first = self.rows.first().map(|_| None);
        first.into_iter().chain(self.rows.windows(2).map(|pair| Some(gain(pair)))).collect()
    }
}

/// Replays a trace.
///
/// # Errors
///
/// It cannot be read. Lines that make no sense are counted, not errors.
pub fn run(reader: impl BufRead, options: &Options) -> io::Result<Report> {
    run_all([reader], options)
}

/// Replays several files, one after the other, as one trace. Each may have its own format.
///
/// # Errors
///
/// One cannot be read.
pub fn run_all<R: BufRead>(readers: impl IntoIterator<Item = R>, options: &Options) -> io::Result<Report> {
    let mut replay = Replay::new(options);
    let (mut lines, mut formats) = (Lines::default(), Vec::new());
    for reader in readers {
        let mut trace = Trace::new(reader);
        while let Some(access) = trace.next()? {
            replay.request(&access);
        }
        lines += trace.lines();
        formats.push(trace.format());
    }
    Ok(replay.report(lines, formats))
}

/// A replay under way.
struct Replay {
    stores: Vec<(Row, Store<()>)>,
    /// One value for all: only weights count.
    nothing: Arc<()>,
    hasher: FixedState,
    /// The size of each object, as far as it is known.
    sizes: HashMap<u64, u64, FixedState>,
    requests: u64,
    requested_bytes: u64,
}

impl Replay {
    fn new(options: &Options) -> Self {
        let mut sizes = options.sizes_bytes.clone();
        sizes.sort_unstable();
        sizes.dedup();
        let store = |size_bytes: &u64| {
            let row = Row {
                size_bytes: *size_bytes,
                requests: 0,
                hits: 0,
                requested_bytes: 0,
                hit_bytes: 0,
                objects: 0,
                evictions: 0,
                too_heavy: 0,
            };
            (row, Store::new(usize::try_from(*size_bytes).unwrap_or(usize::MAX)))
        };
        Self {
            stores: sizes.iter().map(store).collect(),
            nothing: Arc::new(()),
            hasher: FixedState::default(),
            sizes: HashMap::default(),
            requests: 0,
            requested_bytes: 0,
        }
    }

    fn request(&mut self, access: &Access<'_>) {
        let hash = self.hasher.hash_one(access.key);
        let size = self.sizes.entry(hash).or_insert(0);
        // A part, or no body at all, says only that the object is not smaller.
        *size = if access.whole { access.size_bytes } else { access.size_bytes.max(*size) };
        let weight = usize::try_from(*size).unwrap_or(usize::MAX).saturating_add(access.key.len());
        self.requests += 1;
        self.requested_bytes = self.requested_bytes.saturating_add(access.size_bytes);
        let key = hash.to_ne_bytes();
        for (row, store) in &mut self.stores {
            if store.with(&key, |()| ()).is_some() {
                row.hits += 1;
                row.hit_bytes = row.hit_bytes.saturating_add(access.size_bytes);
            } else if store.insert(&key, Arc::clone(&self.nothing), weight) == Insert::TooHeavy {
                row.too_heavy += 1;
            }
        }
    }

    fn report(self, lines: Lines, formats: Vec<Option<Format>>) -> Report {
        let (requests, requested_bytes) = (self.requests, self.requested_bytes);
        let finish = |(row, store): (Row, Store<()>)| {
            let evictions = store.counters().evicted;
            Row { requests, requested_bytes, objects: store.len() as u64, evictions, ..row }
        };
        let mut rows: Vec<Row> = self.stores.into_iter().map(finish).collect();
        if let Some(whole) = rows.iter().position(|row| row.evictions + row.too_heavy == 0) {
            rows.truncate(whole + 1);
        }
        Report {
            rows,
            lines,
            formats,
            requests,
            requested_bytes,
            distinct: self.sizes.len() as u64,
            distinct_bytes: self.sizes.values().fold(0, |sum, size| sum.saturating_add(*size)),
        }
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
