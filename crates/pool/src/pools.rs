//! The pools there are.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use deepwater_pgwire::auth::StoredPassword;
use deepwater_pgwire::auth::scram::Keys;
use foldhash::HashMap;

use crate::config::PoolMode;
use crate::ledger::{PoolId, PoolKey};
use crate::plan::{DatabasePlan, Deadlines};
use crate::settings::{Accepted, Parameters};

/// A pool: what its connections and clients share beside the ledger's books.
pub(crate) struct Pool {
    pub id: PoolId,
    pub key: PoolKey,
    pub settings: ArcSwap<PoolSettings>,
    /// Connections with an older epoch are closed when they are free.
    pub epoch: AtomicU64,
    /// What a client is told of the server when it logs in; from the first connection there was.
    pub welcome: Mutex<Option<Arc<Parameters>>>,
    /// The last client's welcome.
    pub last_welcome: Mutex<Option<Arc<Welcome>>>,
    /// SCRAM keys of a client that logged in as this pool's user: good to log in to servers with.
    pub keys: Mutex<Option<Keys>>,
    /// What `auth.query` gave as stored for this pool's user, who is not in the configuration.
    pub stored: Mutex<Option<StoredPassword>>,
    /// Clients that use it.
    pub clients: AtomicU64,
    /// Microseconds since the process began when it was first seen without clients; 0 while it has some.
    pub unused_since: AtomicU64,
    /// Settings that servers of this pool are known to accept.
    pub accepted: Accepted,
}

/// What clients that begin with the same settings are told of the server, all the same.
pub(crate) struct Welcome {
    /// What the server says.
    pub server: Arc<Parameters>,
    /// The settings (by hash) the clients begin with.
    pub settings: u64,
    /// What they are told: the server's, with their own settings in their place.
    pub parameters: Arc<Parameters>,
    /// The same as messages.
    pub messages: Box<[u8]>,
}

/// What the plan says of a pool.
pub(crate) struct PoolSettings {
    pub database: Arc<DatabasePlan>,
    pub mode: PoolMode,
    pub deadlines: Deadlines,
    /// Statements kept on a server; 0 for no tracking of them.
    pub max_prepared: usize,
    /// Texts that come again without a name are prepared once.
    pub auto_prepare: bool,
    pub max_message: usize,
    /// What a server that was idle for so long is tested with.
    pub check: Option<(Box<str>, Duration)>,
    /// Every server is reset before it serves the next client.
    pub reset_always: bool,
    pub no_simple_queries: bool,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({}, {})", self.key.database, self.key.user)
    }
}

impl Pool {
    pub(crate) fn new(id: PoolId, key: PoolKey, settings: PoolSettings) -> Self {
        Self {
            id,
            key,
            settings: ArcSwap::from_pointee(settings),
            epoch: AtomicU64::new(0),
            welcome: Mutex::new(None),
            last_welcome: Mutex::new(None),
            keys: Mutex::new(None),
            stored: Mutex::new(None),
            clients: AtomicU64::new(0),
            unused_since: AtomicU64::new(0),
            accepted: Accepted::default(),
        }
    }

    /// Has all connections there are closed as soon as they are free.
    pub(crate) fn renew(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// What a client is told of the server, once that is known.
    pub(crate) fn welcome(&self) -> Option<Arc<Parameters>> {
        self.welcome.lock().expect("no panic while it is held").clone()
    }
}

/// All pools, by database and user.
#[derive(Debug, Default)]
pub(crate) struct Pools {
    all: RwLock<HashMap<PoolKey, Arc<Pool>>>,
}

impl Pools {
    pub(crate) fn get(&self, key: &PoolKey) -> Option<Arc<Pool>> {
        self.all.read().expect("no panic while pools are held").get(key).cloned()
    }

    /// The pool of a key, made if there is none.
    pub(crate) fn get_or(&self, key: &PoolKey, make: impl FnOnce() -> Pool) -> Arc<Pool> {
        let mut all = self.all.write().expect("no panic while pools are held");
        Arc::clone(all.entry(key.clone()).or_insert_with(|| Arc::new(make())))
    }

    /// Forgets a pool that nobody holds, when `forget` has done so too.
    pub(crate) fn remove_unused(&self, key: &PoolKey, forget: impl FnOnce(PoolId) -> bool) {
        let mut all = self.all.write().expect("no panic while pools are held");
        // Whoever wants it asks here first: nobody can begin to use it now.
        let unused = all.get(key).filter(|pool| Arc::strong_count(pool) == 1).map(|pool| pool.id);
        if unused.is_some_and(forget) {
            all.remove(key);
        }
    }

    /// All of them, in the order of their keys.
    pub(crate) fn all(&self) -> Vec<Arc<Pool>> {
        let mut all: Vec<_> =
            self.all.read().expect("no panic while pools are held").values().cloned().collect();
        all.sort_by(|a, b| a.key.cmp(&b.key));
        all
    }
}
