//! Waiting until what was asked for has happened.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::ledger::Counts;
use crate::pools::Pool;
use crate::shared::Shared;

/// Resolves when the condition holds; it is looked at whenever the keeper has gone round.
pub(crate) async fn until(shared: &Arc<Shared>, holds: impl Fn(&Shared) -> bool) {
    let _waiting = Waiting::new(shared);
    loop {
        let looked = shared.controls.looked.notified();
        tokio::pin!(looked);
        // Before the look: what changes in between must wake.
        looked.as_mut().enable();
        if holds(shared) {
            return;
        }
        looked.await;
    }
}

/// Keeps the keeper going while a command waits.
struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.controls.waiting.fetch_add(1, Ordering::SeqCst);
        shared.controls.asked.notify_one();
        Self(shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.controls.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Pools of a database, or all.
pub(super) fn pools_of<'a>(
    shared: &Shared,
    database: Option<&'a str>,
) -> impl Iterator<Item = Arc<Pool>> + use<'a> {
    let of_database = move |pool: &Arc<Pool>| database.is_none_or(|name| *pool.key.database == *name);
    shared.pools.all().into_iter().filter(of_database)
}

/// Whether the pools of a database, or all, hold no server connection; `idle` ones may be kept.
pub(crate) fn are_released(shared: &Shared, database: Option<&str>, idle: bool) -> bool {
    let now = shared.context.clock.now();
    let held = |counts: Counts| if idle { counts.used + counts.connecting } else { counts.total() };
    pools_of(shared, database).all(|pool| held(shared.ledger.counts(pool.id, now)) == 0)
}

/// Whether no server connection of a database, or of any, is left that is to be closed when it is free.
pub(crate) fn are_renewed(shared: &Shared, database: Option<&str>) -> bool {
    let stale = |pool: &Arc<Pool>| {
        let epoch = pool.epoch.load(Ordering::SeqCst);
        shared.servers.all().iter().any(|(key, server)| *key == pool.key && server.is_older_than(epoch))
    };
    !pools_of(shared, database).any(|pool| stale(&pool))
}
