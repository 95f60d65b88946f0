//! What a pool does by itself: checks, lookups, and whatever becomes due.

use std::collections::HashMap;
use std::hash::Hash;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use deepwater_core::Shutdown;
use deepwater_core::random::Random;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};

use super::Pool;
use crate::address::Address;
use crate::health::HealthCheck;
use crate::probe::{Probe, Report};
use crate::resolve::ResolveError;
use crate::target::Target;

/// Addresses are asked for again no sooner and no later than this, whatever their TTL.
const SHORTEST_TTL: Duration = Duration::from_secs(1);
const LONGEST_TTL: Duration = Duration::from_secs(300);
/// The wait after a failed lookup doubles from the shortest TTL up to this.
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// With nothing due, look again after this.
const LONGEST_SLEEP: Duration = Duration::from_secs(3_600);

/// Looks after the pool until the shutdown has drained.
pub(super) async fn supervise(pool: &Arc<Pool>, probe: &Arc<dyn Probe>, shutdown: &Shutdown) {
    let mut checks = Tasks::default();
    let mut lookups = Tasks::default();
    let mut changed = pool.changed.subscribe();
    let mut drained = pin!(shutdown.drained());
    loop {
        changed.mark_unchanged();
        let (health, targets, names) = work(pool);
        let wanted = health.iter().flat_map(|settings| {
            targets.iter().map(|target| (target.id, settings.clone(), Arc::clone(target)))
        });
        checks.reconcile(wanted, |settings, target: Arc<Target>| {
            check(Arc::clone(pool), Arc::clone(probe), target, settings)
        });
        let wanted = names.into_iter().map(|name| (name.clone(), (), name));
        lookups.reconcile(wanted, |(), name| look_up(Arc::clone(pool), name));

        let now = pool.now();
        let due = pool.pulse.due.load(std::sync::atomic::Ordering::Relaxed);
        let wait = Duration::from_nanos(due.saturating_sub(now)).min(LONGEST_SLEEP);
        tokio::select! {
            () = &mut drained => return,
            _ = changed.changed() => {}
            () = sleep(wait) => pool.tick(),
        }
    }
}

/// What is to be checked, and how; what is to be looked up.
fn work(pool: &Pool) -> (Option<HealthCheck>, Vec<Arc<Target>>, Vec<String>) {
    let control = pool.control();
    let is_name = |name: &&String| matches!(name.parse(), Ok(Address::Name { .. }));
    let names = control.lookups().keys().filter(is_name).cloned().collect();
    (control.spec().health.clone(), control.targets().cloned().collect(), names)
}

/// Tasks by key; a task whose settings change starts over. Dropped, all end.
struct Tasks<K, S> {
    set: JoinSet<()>,
    running: HashMap<K, (S, AbortHandle)>,
}

impl<K, S> Default for Tasks<K, S> {
    fn default() -> Self {
        Self { set: JoinSet::new(), running: HashMap::new() }
    }
}

impl<K: Eq + Hash, S: PartialEq + Clone> Tasks<K, S> {
    /// Ends what is no longer wanted and starts what is not running.
    fn reconcile<T, F>(&mut self, wanted: impl Iterator<Item = (K, S, T)>, start: impl Fn(S, T) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut before = std::mem::take(&mut self.running);
        for (key, settings, input) in wanted {
            let running = match before.remove(&key) {
                Some((same, handle)) if same == settings && !handle.is_finished() => (same, handle),
                stale => {
                    stale.inspect(|(_, handle)| handle.abort());
                    let handle = self.set.spawn(start(settings.clone(), input));
                    (settings, handle)
                }
            };
            self.running.insert(key, running);
        }
        before.values().for_each(|(_, handle)| handle.abort());
        while self.set.try_join_next().is_some() {}
    }
}

/// Checks one target for ever.
async fn check(pool: Arc<Pool>, probe: Arc<dyn Probe>, target: Arc<Target>, settings: HealthCheck) {
    let mut random = Random::from_seed(pool.seed ^ target.id.get());
    loop {
        let start = Instant::now();
        let deadline = start + settings.timeout.get();
        let report = timeout_at(deadline, probe.probe(&target, deadline)).await.unwrap_or_else(|_| {
            Report::unhealthy(format!("no answer within {}", settings.timeout), start.elapsed())
        });
        pool.checked(target.id, report);
        let jitter = settings.jitter.ratio() * (2.0 * random.unit() - 1.0);
        sleep(settings.every.get().max(SHORTEST_PAUSE).mul_f64(1.0 + jitter)).await;
    }
}

/// Checks that follow each other without a pause would be an attack.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// Resolves one configured name for ever.
async fn look_up(pool: Arc<Pool>, name: String) {
    let Ok(Address::Name { host, .. }) = name.parse() else { return };
    let mut retry = SHORTEST_TTL;
    loop {
        let answer = pool.resolver.resolve(&host).await.and_then(|resolved| {
            if resolved.addresses.is_empty() {
                Err(ResolveError("the name has no addresses".into()))
            } else {
                Ok(resolved)
            }
        });
        let wait = match answer {
            Ok(resolved) => {
                retry = SHORTEST_TTL;
                pool.resolved(&name, &resolved.addresses);
                resolved.ttl.clamp(SHORTEST_TTL, LONGEST_TTL)
            }
            Err(error) => {
                let wait = retry;
                retry = (retry * 2).min(LONGEST_RETRY);
                pool.resolve_failed(&name, &error, wait);
                wait
            }
        };
        sleep(wait).await;
    }
}
