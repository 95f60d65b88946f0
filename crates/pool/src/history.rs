//! What was counted, at moments of the past: for averages over the last period, and for advice on sizes.

mod figures;
mod minutes;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use crate::ledger::PoolKey;
use crate::shared::Shared;

use figures::FIGURES;
pub(crate) use figures::{Figure, Sums, averages, figures};
pub(crate) use minutes::Minute;
use minutes::Minutes;

/// What was counted, at moments of the past.
#[derive(Default)]
pub(crate) struct History {
    /// The last two moments that averages are counted from; an average spans between one period and two.
    moments: Mutex<Option<[Moment; 2]>>,
    minutes: Mutex<HashMap<PoolKey, Minutes>>,
}

/// The sums of every database at one moment.
#[derive(Clone)]
struct Moment {
    at: Instant,
    databases: HashMap<Arc<str>, Sums>,
}

/// What was counted of a database, or of all.
pub(crate) struct Average {
    /// Since the start.
    pub totals: Sums,
    /// By second, or by transaction, query or wait, over the last period.
    pub rows: Sums,
}

impl History {
    fn moments(&self) -> MutexGuard<'_, Option<[Moment; 2]>> {
        self.moments.lock().expect("no panic while the history is held")
    }

    /// Begins: everything there is now is of the past.
    pub(crate) fn start(&self, shared: &Shared) {
        let now = moment(shared);
        *self.moments() = Some([now.clone(), now]);
    }

    /// A period of averages is over.
    pub(crate) fn note_averages(&self, shared: &Shared) {
        let now = moment(shared);
        let mut moments = self.moments();
        *moments = moments.take().map(|[_, newer]| [newer, now]);
    }

    /// Totals and averages of a database, or of all.
    pub(crate) fn average(&self, shared: &Shared, database: Option<&str>) -> Average {
        let totals = sums(shared, database);
        let moments = self.moments();
        let Some([older, _]) = moments.as_ref() else { return Average { totals, rows: Sums::default() } };
        let before = match database {
            Some(database) => older.databases.get(database).copied().unwrap_or_default(),
            None => older.databases.values().fold(Sums::default(), figures::add),
        };
        let elapsed = shared.context.clock.now().saturating_duration_since(older.at);
        Average { totals, rows: averages(&totals, &before, elapsed) }
    }

    /// Begins to measure a pool.
    pub(crate) fn meet(&self, shared: &Shared, key: &PoolKey) {
        let now = minutes::read(shared, key, shared.context.clock.now());
        self.minutes().entry(key.clone()).or_default().note(now);
    }

    /// Looks which pools have been measured for a minute.
    pub(crate) fn note_minutes(&self, shared: &Shared) {
        let now = shared.context.clock.now();
        let pools = shared.pools.all();
        let mut minutes = self.minutes();
        minutes.retain(|key, _| pools.iter().any(|pool| pool.key == *key));
        for pool in pools {
            let minutes = minutes.entry(pool.key.clone()).or_default();
            if minutes.is_due(now) {
                minutes.note(minutes::read(shared, &pool.key, now));
            }
        }
    }

    /// The last whole minute of a pool.
    pub(crate) fn latest(&self, key: &PoolKey) -> Option<Minute> {
        self.minutes().get(key).and_then(Minutes::latest)
    }

    /// The minute of the last hour in which a pool was wanted most.
    pub(crate) fn busiest(&self, key: &PoolKey) -> Option<Minute> {
        self.minutes().get(key).and_then(Minutes::busiest)
    }

    fn minutes(&self) -> MutexGuard<'_, HashMap<PoolKey, Minutes>> {
        self.minutes.lock().expect("no panic while the history is held")
    }
}

fn moment(shared: &Shared) -> Moment {
    let pools = shared.pools.all();
    let databases = pools.iter().map(|pool| Arc::clone(&pool.key.database));
    let databases = databases.map(|name| (Arc::clone(&name), sums(shared, Some(&name)))).collect();
    Moment { at: shared.context.clock.now(), databases }
}

fn sums(shared: &Shared, database: Option<&str>) -> Sums {
    let label = database.map(|database| ("database", database));
    let labels = label.as_slice();
    FIGURES.each_ref().map(|figure| shared.context.metrics.sum(figure.metric, labels))
}
