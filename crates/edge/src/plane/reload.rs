//! Changing the edge while it runs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::cache;
use crate::config::Tables;
use crate::plan::Built;

use super::force::{Force, Listening, Log};
use super::{EdgeStopped, Handle, StartError, build, keys, open, open_log, told_started};

/// How long keys of an `[auth]` that is new may take to be fetched.
const FIRST_KEYS: Duration = Duration::from_secs(10);
/// How long cores may take to take up a change: a core that is this busy does so when it can.
const ADOPTION: Duration = Duration::from_secs(5);

impl Handle {
    /// Puts another configuration in force, without dropping a connection: pools, targets, statistics, stickiness and
    /// idle connections of what did not change are kept, as are listeners whose address did not. `edge.workers`,
    /// `edge.max_connections` and what the cache was made with (`cache.memory`, `cache.tier`, `cache.max_waiters`) stay as
    /// they were at the start. When this returns all cores serve by it.
    ///
    /// # Errors
    /// When the configuration is wrong, keys cannot be fetched, an address is taken or the log cannot be opened; then nothing
    /// has changed.
    pub async fn reload(&self, tables: Tables<'_>, directory: &Path) -> Result<(), StartError> {
        let old = self.force.now();
        let context = &self.context;
        let Built { plan, listeners, terms } = build(tables, directory, context, &self.secret, Some(&old))?;
        keys::wait(&plan, Some(&old.plan), FIRST_KEYS, context).await?;
        let listeners = open(listeners, self.cores, context, &old.listeners)?;
        let number = old.number + 1;
        let wanted = &tables.edge.access_log;
        let log = if old.log.config == *wanted {
            old.log.clone()
        } else {
            let log = open_log(wanted, directory, context)?;
            Log { log, config: wanted.clone(), number, dropped_before: old.log.dropped() }
        };
        // From here on nothing can fail.
        for pool in &plan.pools {
            if !old.plan.pools.iter().any(|known| Arc::ptr_eq(known, pool)) {
                pool.targets.update(pool.spec.clone());
                if let (Some(gate), Some(concurrency)) = (&pool.gate, &pool.config.concurrency) {
                    gate.change(concurrency, &pool.config.waiting, context.seed);
                }
            }
        }
        match (&plan.cache, terms) {
            (Some(cache), Some(terms)) => cache.adopt(terms),
            (Some(cache), None) => cache::collect(cache, &context.metrics),
            (None, _) => {}
        }
        let known = |listening: &Listening, all: &[Listening]| {
            all.iter().any(|other| Arc::ptr_eq(&other.opened, &listening.opened))
        };
        for listening in &listeners {
            let same = old.listeners.iter().find(|other| Arc::ptr_eq(&other.plan, &listening.plan));
            if let Some(tls) = same.and_then(|same| same.plan.tls.as_ref()) {
                // Its certificates were read just now without a fault.
                let _ = tls.reload(context);
            }
        }
        let opened: Vec<Listening> =
            listeners.iter().filter(|listening| !known(listening, &old.listeners)).cloned().collect();
        let closed: Vec<SocketAddr> = old
            .listeners
            .iter()
            .filter(|listening| !known(listening, &listeners))
            .inspect(|listening| listening.opened.take_back())
            .map(Listening::address)
            .collect();
        self.force.replace(Force { number, plan, listeners, log });
        let now = self.force.now();
        self.running.lock().expect("no panic while tasks are held").follow(&now, context);
        let new_auth = |auth: &&_| !old.plan.auths.iter().any(|known| Arc::ptr_eq(known, auth));
        now.plan.auths.iter().filter(new_auth).for_each(|auth| auth.comes_into_force(context));
        self.adopted(number).await;
        opened.iter().for_each(|listening| told_started(listening, context));
        for address in closed {
            context.events.emit(EdgeStopped { address: address.to_string() });
        }
        // The last of a log waits until its lines are written.
        tokio::task::spawn_blocking(move || drop(old));
        Ok(())
    }

    /// Waits until all cores have taken up a change.
    async fn adopted(&self, number: u64) {
        let mut adopted = self.adopted.clone();
        let all = adopted.wait_for(|adopted| adopted.iter().all(|core| *core >= number));
        // Cores that have ended take up nothing any more.
        let _ = tokio::time::timeout(ADOPTION, all).await;
    }
}
