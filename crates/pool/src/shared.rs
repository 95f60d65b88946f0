//! What all threads of the pool share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Instant;

use arc_swap::ArcSwap;
use deepwater_core::Context;

use crate::ask::Questions;
use crate::clients::Clients;
use crate::control::{Controls, close_stale};
use crate::history::History;
use crate::ledger::{Ledger, PoolKey};
use crate::login::LoginState;
use crate::notify::Listeners;
use crate::plan::{DatabasePlan, Plan};
use crate::plane::Bound;
use crate::pools::{Pool, PoolSettings, Pools};
use crate::server::{Server, ServerInfo};
use crate::statements::Statements;

/// A time: as the system tells it, and in microseconds since the process began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub at: Instant,
    pub micros: u64,
}

/// What all threads share.
pub(crate) struct Shared {
    pub context: Context,
    /// When the process began: times seen by others are counted from here.
    pub began: Instant,
    pub plan: ArcSwap<Plan>,
    pub ledger: Ledger<Box<Server>>,
    pub pools: Pools,
    pub clients: Clients,
    pub servers: Servers,
    pub statements: Statements,
    pub listeners: Listeners,
    /// Numbers and addresses of the sockets that clients come to.
    pub doors: OnceLock<Vec<(i32, Bound)>>,
    pub questions: Questions,
    pub login: LoginState,
    pub controls: Controls,
    pub history: History,
}

impl Shared {
    pub(crate) fn new(context: Context, plan: Plan) -> Arc<Self> {
        let clients = Clients::default();
        if context.handover.is_waiting() {
            // Anywhere, so that hardly a number is one of the other's clients.
            clients.count_from((context.seed & 0x3fff_ffff) as u32);
        }
        Arc::new(Self {
            context,
            began: Instant::now(),
            plan: ArcSwap::from_pointee(plan),
            ledger: Ledger::default(),
            pools: Pools::default(),
            clients,
            servers: Servers::default(),
            statements: Statements::default(),
            listeners: Listeners::default(),
            doors: OnceLock::new(),
            questions: Questions::default(),
            login: LoginState::default(),
            controls: Controls::default(),
            history: History::default(),
        })
    }

    /// The pool of a client: of its database, and of the user that servers are logged in to as.
    pub(crate) fn pool(&self, database: &Arc<DatabasePlan>, client_user: &str) -> Arc<Pool> {
        self.pool_as(database, database.user.clone().unwrap_or_else(|| client_user.into()))
    }

    /// The pool whose servers are logged in to as this user, whatever user the database has.
    pub(crate) fn pool_as(&self, database: &Arc<DatabasePlan>, user: Arc<str>) -> Arc<Pool> {
        let key = PoolKey { database: Arc::clone(&database.name), user };
        if let Some(pool) = self.pools.get(&key) {
            return pool;
        }
        let plan = self.plan.load();
        self.pools.get_or(&key, || {
            let id = self.ledger.pool(&key, plan.limits(database, &key.user));
            if self.controls.is_paused(&key.database) {
                self.ledger.pause(id, true, self.context.clock.now());
            }
            self.history.meet(self, &key);
            Pool::new(id, key.clone(), settings(&plan, database, &key.user))
        })
    }

    /// Puts another plan in force. Pools keep their connections where the server is the same; the others are closed as
    /// they become free. Pools whose database is gone lose their clients.
    pub(crate) fn adopt(&self, plan: Plan) {
        self.plan.store(Arc::new(plan));
        let plan = self.plan.load();
        for pool in self.pools.all() {
            let old = pool.settings.load();
            let Some(database) = plan.database(&pool.key.database) else {
                self.controls.kill_pool(self, &pool, "database removed");
                continue;
            };
            self.ledger.pool(&pool.key, plan.limits(&database, &pool.key.user));
            pool.settings.store(Arc::new(settings(&plan, &database, &pool.key.user)));
            // Whatever kept it from being connected to may be mended.
            self.ledger.forget_failure(pool.id);
            // Not before: whoever opens a connection in the new epoch must know the new server.
            if !database.is_same_server(&old.database) {
                pool.renew();
                close_stale(self, &pool);
            }
        }
    }

    /// Says goodbye to a server and forgets it, on whatever thread. The ledger must know.
    pub(crate) fn close(&self, mut server: Box<Server>) {
        self.servers.leave(server.info.id);
        let mut goodbye = Vec::with_capacity(5);
        deepwater_pgwire::message::frontend::write::terminate(&mut goodbye);
        // Whether it takes the goodbye or not: it is closed now.
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let _ = server.stream.write_now(&mut cx, &goodbye);
        let _ = server.stream.flush_now(&mut cx);
    }

    /// A time just read.
    #[inline]
    pub(crate) fn moment(&self, at: Instant) -> Moment {
        Moment { at, micros: self.micros(at) }
    }

    /// Microseconds since the process began.
    pub(crate) fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_micros()).unwrap_or(u64::MAX)
    }
}

fn settings(plan: &Plan, database: &Arc<DatabasePlan>, user: &str) -> PoolSettings {
    let check = plan.config.check_query.trim();
    PoolSettings {
        database: Arc::clone(database),
        mode: plan.mode(database, user),
        deadlines: plan.deadlines(user),
        max_prepared: plan.config.max_prepared_statements,
        auto_prepare: database.config.auto_prepare.unwrap_or(plan.config.auto_prepare),
        max_message: usize::try_from(plan.config.max_message_size.bytes()).unwrap_or(usize::MAX),
        check: (!check.is_empty()).then(|| (check.into(), plan.config.timeouts.server_check.get())),
        reset_always: plan.config.reset_query_always,
        no_simple_queries: plan.config.disable_simple_query,
    }
}

/// All server connections, as others may see them.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    all: RwLock<HashMap<u64, (PoolKey, Arc<ServerInfo>)>>,
    next: AtomicU64,
}

impl Servers {
    /// A number for a new connection.
    pub(crate) fn next_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn enter(&self, key: &PoolKey, server: &Arc<ServerInfo>) {
        let mut all = self.all.write().expect("no panic while servers are held");
        all.insert(server.id, (key.clone(), Arc::clone(server)));
    }

    pub(crate) fn leave(&self, id: u64) {
        self.all.write().expect("no panic while servers are held").remove(&id);
    }

    /// Everything, in the order of opening.
    pub(crate) fn all(&self) -> Vec<(PoolKey, Arc<ServerInfo>)> {
        let mut all: Vec<_> =
            self.all.read().expect("no panic while servers are held").values().cloned().collect();
        all.sort_by_key(|(_, server)| server.id);
        all
    }
}
