//! Starting the edge and changing it while it runs: one thread per core for the data path, tasks on the caller's runtime
//! for everything slow.

mod error;
mod force;
mod gates;
mod keys;
mod pages;
mod reload;
mod serve;
mod sockets;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deepwater_core::config::{Checker, Place, Problems};
use deepwater_core::random::Random;
use deepwater_core::{Context, Endpoint, Events};
use serde_json::Value;
use tokio::sync::{Semaphore, watch};

use crate::access_log::AccessLog;
use crate::cache;
use crate::config::{self, Tables};
use crate::listener::Places;
use crate::measure::names;
use crate::plan::{Builder, Built, ListenerPlan, PoolPlan};
use crate::probe::HttpProbe;
use crate::tls::ServerTls;

use error::listen_error;
use force::{Listening, Log, Tasks};
use serve::Core;
use sockets::Opened;

pub use error::StartError;
pub(crate) use force::{Force, InForce};

/// How long the last lines of the access log may take to be written.
const LOG_FLUSH: Duration = Duration::from_secs(2);
/// Between two looks at certificate files.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(10);
/// Between two looks at whether health checks have run.
const CHECKED_EVERY: Duration = Duration::from_millis(20);

deepwater_core::event! {
    /// The edge accepts connections.
    pub struct EdgeStarted { address: String, protocol: String }
    edge_started: Info, "listening on {address} ({protocol})"
}

deepwater_core::event! {
    /// The edge accepts no more connections at an address.
    pub struct EdgeStopped { address: String }
    edge_stopped: Info, "no longer listening on {address}"
}

/// Reports everything in the configuration that cannot be meant, without starting anything.
pub fn validate(tables: Tables<'_>, directory: &Path, root: &Place<'_>) {
    let context = Context::new(0, Events::silent());
    let builder = Builder {
        directory,
        context: &context,
        edge: root.at("edge"),
        pools: root.at("pools"),
        cache: root.at("cache"),
        auth: root.at("auth"),
        idempotency: root.at("idempotency"),
        random_secret: b"unused",
        old: None,
    };
    builder.build(tables);
}

/// The running edge.
pub struct Handle {
    context: Context,
    force: InForce,
    cores: usize,
    threads: Vec<std::thread::JoinHandle<()>>,
    adopted: watch::Receiver<Vec<u64>>,
    /// Key of sticky cookies without a configured one.
    secret: Vec<u8>,
    running: Mutex<Running>,
}

/// What runs on the control runtime for what is in force.
#[derive(Default)]
struct Running {
    pools: Tasks<PoolPlan>,
    certificates: Tasks<ServerTls>,
}

impl Running {
    fn follow(&mut self, force: &Force, context: &Context) {
        self.pools.reconcile(force.plan.pools.iter().cloned(), |pool| {
            let (probe, shutdown) = (HttpProbe::for_pool(&pool), context.shutdown.clone());
            Arc::clone(&pool.targets).run(probe, shutdown)
        });
        let served = force.listeners.iter().filter_map(|listening| listening.plan.tls.clone());
        self.certificates.reconcile(served, |tls| tls.watch(CERTIFICATES_EVERY, context.clone()));
    }
}

/// Starts the edge. Must be called on the control runtime; connections are served by threads of its own.
///
/// # Errors
/// When the configuration is wrong, an address is taken or the log cannot be opened. Then nothing runs.
pub fn start(tables: Tables<'_>, directory: PathBuf, context: Context) -> Result<Handle, StartError> {
    let config = tables.edge;
    let secret = context.handover.keep("edge sticky secret", || random_secret().to_vec());
    let Built { plan, listeners, .. } = build(tables, &directory, &context, &secret, None)?;
    let log = open_log(&config.access_log, &directory, &context)?;
    if let Some(shared) = &plan.cache {
        cache::collect(shared, &context.metrics);
    }
    let cores = match config.workers {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        workers => workers,
    };
    let listeners = open(listeners, cores, &context, &[])?;
    let log = Log { log, config: config.access_log.clone(), number: 0, dropped_before: 0 };
    let force = InForce::new(Force { number: 0, plan, listeners, log });
    gates::collect(&force, &context.metrics);
    context.metrics.collect({
        let force = force.clone();
        move |sink| {
            let help = "Access log lines dropped because the log was too slow.";
            sink.counter(names::LOG_DROPPED, help, &[], force.now().log.dropped());
        }
    });
    let connections = Arc::new(Places::new(connection_limit(config.max_connections)));
    let (adopted_by, adopted) = watch::channel(vec![0; cores]);
    let mut random = Random::from_seed(context.seed);
    let mut threads = Vec::new();
    for id in 0..cores {
        let core = Core {
            id,
            context: context.clone(),
            force: force.follow(),
            adopted: adopted_by.clone(),
            seed: random.next_u64(),
            connections: Arc::clone(&connections),
        };
        let thread = std::thread::Builder::new().name(format!("edge-{id}")).spawn(move || {
            let work = core.context.shutdown.work();
            core.run();
            drop(work);
        });
        threads.push(thread.map_err(StartError::Thread)?);
    }
    let mut running = Running::default();
    let now = force.now();
    running.follow(&now, &context);
    now.plan.auths.iter().for_each(|auth| auth.comes_into_force(&context));
    now.listeners.iter().for_each(|listening| told_started(listening, &context));
    Ok(Handle { context, force, cores, threads, adopted, secret, running: Mutex::new(running) })
}

/// Makes the configuration valid, on top of what is in force.
fn build(
    tables: Tables<'_>,
    directory: &Path,
    context: &Context,
    secret: &[u8],
    old: Option<&Force>,
) -> Result<Built, StartError> {
    let checker = Checker::without_document();
    let builder = Builder {
        directory,
        context,
        edge: checker.at("edge"),
        pools: checker.at("pools"),
        cache: checker.at("cache"),
        auth: checker.at("auth"),
        idempotency: checker.at("idempotency"),
        random_secret: secret,
        old: old.map(|old| &*old.plan),
    };
    let built = builder.build(tables);
    drop(builder);
    let Some(built) = built else {
        checker.finish()?;
        return Err(StartError::Config(Problems::from(Vec::new())));
    };
    Ok(built)
}

/// Opens what is not open yet.
fn open(
    plans: Vec<Arc<ListenerPlan>>,
    cores: usize,
    context: &Context,
    before: &[Listening],
) -> Result<Vec<Listening>, StartError> {
    let mut kept: Vec<&Listening> = before.iter().collect();
    let open_one = |plan: Arc<ListenerPlan>| {
        if let Some(at) = kept.iter().position(|known| known.opened.configured == plan.address) {
            let known = kept.remove(at);
            // With its sessions, which clients resume.
            let same = known.plan.config == plan.config;
            let plan = if same { Arc::clone(&known.plan) } else { plan };
            return Ok(Listening { opened: Arc::clone(&known.opened), plan });
        }
        let beside = before.iter().any(|known| known.address().port() == plan.address.port());
        let opened = Opened::open(&plan, cores, &context.handover, beside)
            .map_err(|error| listen_error(plan.address, &error))?;
        Ok(Listening { opened: Arc::new(opened), plan })
    };
    plans.into_iter().map(open_one).collect()
}

fn open_log(
    config: &config::AccessLog,
    directory: &Path,
    context: &Context,
) -> Result<AccessLog, StartError> {
    AccessLog::open(config, directory)
        .map(|log| log.with_clock(Arc::clone(&context.clock)))
        .map_err(|source| StartError::AccessLog { path: config.path.clone(), source })
}

fn told_started(listening: &Listening, context: &Context) {
    let (address, protocol) = (listening.address().to_string(), listening.protocol().to_owned());
    context.events.emit(EdgeStarted { address, protocol });
}

/// How many client connections may be open: as configured, or as the limit on open files suggests.
fn connection_limit(configured: usize) -> usize {
    let limit = match configured {
        0 => {
            let files =
                rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(1 << 20);
            // Most clients are idle and need no second file for an origin: a quarter is left for those that do.
            usize::try_from(files.saturating_sub(256) / 4 * 3).unwrap_or(usize::MAX)
        }
        configured => configured,
    };
    limit.clamp(1, Semaphore::MAX_PERMITS)
}

/// Key of sticky cookies without a configured one: from the system, since it must not be guessed.
fn random_secret() -> [u8; 32] {
    let mut secret = [0; 32];
    // The system's generator fails only where TLS could not work either.
    aws_lc_rs::rand::fill(&mut secret).expect("the system has a source of randomness");
    secret
}

impl Handle {
    /// Where it listens, in the configuration's order; port 0 has become a real one.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.force.now().listeners.iter().map(Listening::address).collect()
    }

    /// Waits until every target that is checked has been checked once, and every name looked up.
    pub async fn checked(&self) {
        let mut ticks = tokio::time::interval(CHECKED_EVERY);
        loop {
            ticks.tick().await;
            let plan = self.force.plan();
            let unknown = plan.pools.iter().any(|pool| {
                let status = pool.targets.status();
                let mut names = status.names.iter();
                names.any(|name| name.addresses.is_empty() && name.error.is_none())
                    || pool.config.health.is_some()
                        && status.targets.iter().any(|target| target.check.is_none())
            });
            if !unknown {
                return;
            }
        }
    }

    /// Waits until there are keys for all `[auth]` that routes ask for, for so long at most.
    ///
    /// # Errors
    /// When some cannot be had by then.
    pub async fn has_keys(&self, within: Duration) -> Result<(), StartError> {
        keys::wait(&self.force.plan(), None, within, &self.context).await
    }

    /// Waits for the threads to end; they do when the context's shutdown has drained or stopped.
    pub fn join(self) {
        for thread in self.threads {
            // A thread that panicked has told so itself.
            let _ = thread.join();
        }
        self.force.now().log.log.flush(LOG_FLUSH);
    }

    /// Why requests could not be served now: a sentence per pool without an available target, and per `[auth]` whose keys
    /// were never fetched.
    pub fn not_ready(&self) -> Vec<String> {
        let plan = self.force.plan();
        let empty =
            |pool: &&Arc<PoolPlan>| !pool.targets.targets().iter().any(|target| target.is_available());
        let sentence = |pool: &Arc<PoolPlan>| format!("no target of pool {} is available", pool.name);
        let keys = plan.auths.iter().filter_map(|auth| auth.not_ready());
        plan.pools.iter().filter(empty).map(sentence).chain(keys).collect()
    }

    /// Totals and listeners, for `/api/status`.
    pub fn status(&self) -> impl Fn() -> Value + Send + Sync + use<> {
        pages::status(&self.context, &self.force)
    }

    /// Pages and commands for the console.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        pages::endpoints(&self.context, &self.force)
    }
}
