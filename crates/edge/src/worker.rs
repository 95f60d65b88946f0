//! One core: everything a request needs is here, and nothing is shared with the other cores but the state of
//! targets.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Waker};
use std::time::{Duration, Instant, SystemTime};

use deepwater_core::Context;
use deepwater_core::random::Random;
use deepwater_upstream::Picker;
use slab::Slab;
use tokio::sync::Notify;

use crate::access_log::LogBuffer;
use crate::exchange::UNROUTED;
use crate::guard::auth::AuthLocal;
use crate::head::{Request, Response};
use crate::idempotency::Keeper;
use crate::io::Slabs;
use crate::measure::{EdgeMetrics, PoolMetrics, RouteMetrics};
use crate::origin::Idle;
use crate::plan::{Limits, Plan, PoolPlan};
use crate::plane::Force;
use crate::sticky::Tokens;
use crate::tunnel::Carriers;

/// Scratch memory kept for reuse; more is freed.
const SCRATCH_KEPT: usize = 256;

/// What a request is read into and written from, kept for reuse.
#[derive(Default)]
pub(crate) struct Scratch {
    pub request: Request,
    pub response: Response,
    /// Bytes on their way to the client.
    pub out: Vec<u8>,
    /// Bytes on their way to the origin.
    pub origin_out: Vec<u8>,
}

/// The plan in force, with this core's share of it.
pub(crate) struct Local {
    pub plan: Arc<Plan>,
    pub routes: Vec<RouteMetrics>,
    /// Of requests that match no route.
    pub unrouted: RouteMetrics,
    pub pools: Vec<Rc<PoolLocal>>,
    pub auths: Vec<Rc<AuthLocal>>,
    /// The way to idempotency keys, if any route honours them.
    pub keeper: Option<Rc<Keeper>>,
}

/// This core's share of a pool.
pub(crate) struct PoolLocal {
    pub plan: Arc<PoolPlan>,
    pub picker: RefCell<Picker>,
    /// Shared with the same pool before a change that left its connections as good as they were.
    pub idle: Rc<Idle>,
    pub tokens: Tokens,
    pub metrics: PoolMetrics,
}

/// One core.
pub(crate) struct Worker {
    pub context: Context,
    pub slabs: Slabs,
    pub carriers: Carriers,
    pub random: RefCell<Random>,
    pub metrics: EdgeMetrics,
    pub log: RefCell<LogBuffer>,
    /// Which log that is a buffer of.
    log_number: Cell<u64>,
    /// When the last request was over: the time, for what happens right after it.
    pub finished_at: Cell<Instant>,
    local: RefCell<Rc<Local>>,
    // Boxed, so that lending one moves a pointer.
    #[allow(clippy::vec_box)]
    scratch: RefCell<Vec<Box<Scratch>>>,
    draining: Cell<bool>,
    sleepers: Rc<RefCell<Slab<Option<Waker>>>>,
    /// Guards that a drain waits for.
    busy: Cell<usize>,
    all_closed: Notify,
    date: RefCell<(u64, [u8; 29])>,
    /// Where cache keys are written, kept for reuse.
    key: Cell<Vec<u8>>,
}

impl Worker {
    pub fn new(context: Context, force: &Force, seed: u64) -> Rc<Self> {
        let metrics = EdgeMetrics::register(&context.metrics);
        let local = Local::build(&context, Arc::clone(&force.plan), seed, None);
        let slabs = Slabs::default();
        Rc::new(Self {
            carriers: Carriers::new(&slabs),
            slabs,
            random: RefCell::new(Random::from_seed(seed)),
            metrics,
            log: RefCell::new(force.log.log.buffer()),
            log_number: Cell::new(force.log.number),
            finished_at: Cell::new(Instant::now()),
            local: RefCell::new(Rc::new(local)),
            scratch: RefCell::default(),
            draining: Cell::new(false),
            sleepers: Rc::default(),
            busy: Cell::new(0),
            all_closed: Notify::new(),
            date: RefCell::new((0, [b' '; 29])),
            key: Cell::default(),
            context,
        })
    }

    /// The plan in force.
    #[inline]
    pub fn local(&self) -> Rc<Local> {
        Rc::clone(&self.local.borrow())
    }

    /// Puts something else in force for requests to come; pools that did not change keep their connections.
    pub fn adopt(&self, force: &Force) {
        let seed = self.random.borrow_mut().next_u64();
        let old = self.local();
        let new = Local::build(&self.context, Arc::clone(&force.plan), seed, Some(&old));
        *self.local.borrow_mut() = Rc::new(new);
        if self.log_number.replace(force.log.number) != force.log.number {
            // Dropped, the buffer hands over what it holds.
            self.log.replace(force.log.log.buffer());
        }
    }

    /// The limits in force.
    #[inline]
    pub fn limits(&self) -> Limits {
        self.local.borrow().plan.limits
    }

    /// Scratch memory, the most recently used first.
    #[inline]
    pub fn scratch(&self) -> Box<Scratch> {
        self.scratch.borrow_mut().pop().unwrap_or_default()
    }

    /// Gives scratch memory back.
    #[inline]
    pub fn put_scratch(&self, scratch: Box<Scratch>) {
        let mut kept = self.scratch.borrow_mut();
        if kept.len() < SCRATCH_KEPT {
            kept.push(scratch);
        }
    }

    /// Memory for a cache key, empty.
    pub fn take_key(&self) -> Vec<u8> {
        let mut key = self.key.take();
        key.clear();
        key
    }

    /// Gives the memory of a key back.
    pub fn put_key(&self, key: Vec<u8>) {
        self.key.set(key);
    }

    /// Whether connections should end after the request under way.
    #[inline]
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Lets connections end after the request under way, and wakes those that wait for one.
    pub fn drain(&self) {
        self.draining.set(true);
        for (_, sleeper) in &mut *self.sleepers.borrow_mut() {
            if let Some(waker) = sleeper.take() {
                waker.wake();
            }
        }
    }

    /// Counts a connection as open until the guard is dropped.
    pub fn connection(self: &Rc<Self>) -> OpenConnection {
        self.metrics.accepted.increment();
        self.metrics.connections.add(1);
        OpenConnection { worker: Rc::clone(self), _busy: self.busy() }
    }

    /// Keeps a drain waiting until the guard is dropped.
    pub fn busy(self: &Rc<Self>) -> Busy {
        self.busy.set(self.busy.get() + 1);
        Busy { worker: Rc::clone(self) }
    }

    /// Resolves when no connection is open, and nothing else is under way that a drain waits for.
    pub async fn closed(&self) {
        while self.busy.get() > 0 {
            self.all_closed.notified().await;
        }
    }

    /// A place to leave a waker while idle.
    pub fn sleeper(&self) -> Sleeper {
        let key = self.sleepers.borrow_mut().insert(None);
        Sleeper { sleepers: Rc::clone(&self.sleepers), key }
    }

    /// The `Date` of now (RFC 9110 §6.6.1), made once a second.
    pub fn date(&self) -> [u8; 29] {
        let now = SystemTime::now();
        let second = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut date = self.date.borrow_mut();
        if date.0 != second {
            let text = httpdate::fmt_http_date(now);
            // An IMF-fixdate always has 29 characters.
            date.1.copy_from_slice(&text.as_bytes()[..29]);
            date.0 = second;
        }
        date.1
    }

    /// What must be done now and then: closes idle origin connections that are too old.
    pub fn sweep(&self) {
        let now = Instant::now();
        for pool in &self.local().pools {
            pool.idle.sweep(now);
            pool.metrics.idle.set(pool.idle.len() as i64);
        }
        self.log.borrow_mut().flush();
    }
}

impl Local {
    fn build(context: &Context, plan: Arc<Plan>, seed: u64, old: Option<&Local>) -> Self {
        let mut random = Random::from_seed(seed);
        let pools = plan.pools.iter().map(|pool| {
            let kept = old.and_then(|old| old.pools.iter().find(|known| Arc::ptr_eq(&known.plan, pool)));
            kept.cloned().unwrap_or_else(|| {
                let similar = old.and_then(|old| {
                    old.pools
                        .iter()
                        .find(|known| known.plan.connects_like(pool))
                        .map(|known| Rc::clone(&known.idle))
                });
                Rc::new(PoolLocal {
                    picker: RefCell::new(pool.targets.picker(random.next_u64())),
                    idle: similar.unwrap_or_default(),
                    tokens: Tokens::default(),
                    metrics: PoolMetrics::register(&context.metrics, &pool.name),
                    plan: Arc::clone(pool),
                })
            })
        });
        let pools = pools.collect();
        let routes = plan
            .routes
            .iter()
            .map(|route| {
                let caches = route.cache.is_some();
                RouteMetrics::register(&context.metrics, &route.name, (caches, route.keys.is_some()))
            })
            .collect();
        let unrouted = RouteMetrics::register(&context.metrics, UNROUTED, (false, false));
        let auths = plan.auths.iter().map(|auth| {
            let kept = old.and_then(|old| old.auths.iter().find(|known| known.is_of(auth)));
            kept.cloned().unwrap_or_else(|| Rc::new(AuthLocal::new(Arc::clone(auth), context)))
        });
        let auths = auths.collect();
        let keeper = plan.keys.as_ref().map(|keys| {
            let same = old.filter(|old| old.plan.keys.as_ref().is_some_and(|old| Arc::ptr_eq(old, keys)));
            same.and_then(|old| old.keeper.clone())
                .unwrap_or_else(|| keys.on_core(&context.events, random.next_u64()))
        });
        Self { plan, routes, unrouted, pools, auths, keeper }
    }
}

/// Where an idle connection leaves its waker, so that a drain reaches it.
pub(crate) struct Sleeper {
    sleepers: Rc<RefCell<Slab<Option<Waker>>>>,
    key: usize,
}

impl Sleeper {
    /// Asks to be woken when draining begins.
    #[inline]
    pub fn register(&self, cx: &TaskContext<'_>) {
        let mut sleepers = self.sleepers.borrow_mut();
        let place = &mut sleepers[self.key];
        if !place.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *place = Some(cx.waker().clone());
        }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.sleepers.borrow_mut().remove(self.key);
    }
}

/// An open client connection.
pub(crate) struct OpenConnection {
    pub worker: Rc<Worker>,
    _busy: Busy,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.worker.metrics.connections.add(-1);
    }
}

/// Something under way that a drain waits for.
pub(crate) struct Busy {
    worker: Rc<Worker>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        let worker = &self.worker;
        worker.busy.set(worker.busy.get() - 1);
        if worker.busy.get() == 0 {
            worker.all_closed.notify_one();
        }
    }
}

/// How often [`Worker::sweep`] is due.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_millis(500);
