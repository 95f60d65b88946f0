//! Starting the edge: one thread per core for the data path, one task on the caller's runtime for everything slow.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deepwater_core::config::{Checker, Place, Problems};
use deepwater_core::metrics::{Distribution, Recent, Registry};
use deepwater_core::random::Random;
use deepwater_core::{Call, Context, Endpoint, Events, Reply};
use deepwater_upstream::Pool;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::LocalOptions;
use tokio::sync::{Semaphore, watch};

use crate::access_log::AccessLog;
use crate::cache;
use crate::config::{self, Config, Pools};
use crate::exchange::UNROUTED;
use crate::listener;
use crate::measure::{CLASSES, names};
use crate::plan::{Builder, Built, ListenerPlan, Plan};
use crate::probe::HttpProbe;
use crate::worker::{SWEEP_EVERY, Worker};

/// How long the last lines of the access log may take to be written.
const LOG_FLUSH: Duration = Duration::from_secs(2);
/// Between two looks at certificate files.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(10);

deepwater_core::event! {
    /// The edge accepts connections.
    pub struct EdgeStarted { address: String, protocol: String }
    edge_started: Info, "listening on {address} ({protocol})"
}

/// Why the edge did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be meant.
    #[error("{0}")]
    Config(#[from] Problems),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}\n  fix: {fix}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's word.
        reason: String,
        /// What to do.
        fix: String,
    },
    /// The access log cannot be opened.
    #[error(
        "cannot open the access log `{path}`: {source}\n  fix: create its directory, or change edge.access_log.path"
    )]
    AccessLog {
        /// The file.
        path: String,
        /// The system's word.
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// Reports everything in the configuration that cannot be meant, without starting anything.
pub fn validate(
    config: &Config,
    pools: &Pools,
    cache: &config::Cache,
    directory: &std::path::Path,
    root: &Place<'_>,
) {
    let context = Context::new(0, Events::silent());
    let builder = Builder {
        directory,
        context: &context,
        edge: root.at("edge"),
        pools: root.at("pools"),
        cache: root.at("cache"),
        random_secret: b"unused",
        old: None,
    };
    builder.build(config, pools, cache);
}

/// The running edge.
pub struct Handle {
    plan: Arc<Plan>,
    context: Context,
    listeners: Vec<(SocketAddr, Arc<ListenerPlan>)>,
    threads: Vec<std::thread::JoinHandle<()>>,
    log: AccessLog,
    /// Kept open: workers take another plan from it.
    _plans: watch::Sender<Arc<Plan>>,
}

/// Starts the edge. Must be called on the control runtime; connections are served by threads of its own.
///
/// # Errors
/// When the configuration is wrong, an address is taken or the log cannot be opened. Then nothing runs.
pub fn start(
    config: &Config,
    pools: &Pools,
    cache_config: &config::Cache,
    directory: PathBuf,
    context: Context,
) -> Result<Handle, StartError> {
    let checker = Checker::without_document();
    let mut random = Random::from_seed(context.seed);
    let built = {
        let random_secret = random_secret();
        let builder = Builder {
            directory: &directory,
            context: &context,
            edge: checker.at("edge"),
            pools: checker.at("pools"),
            cache: checker.at("cache"),
            random_secret: &random_secret,
            old: None,
        };
        builder.build(config, pools, cache_config)
    };
    let Some(Built { plan, listeners }) = built else {
        checker.finish()?;
        return Err(StartError::Config(Problems::from(Vec::new())));
    };
    let log = AccessLog::open(&config.access_log, &directory)
        .map(|log| log.with_clock(Arc::clone(&context.clock)))
        .map_err(|source| StartError::AccessLog { path: config.access_log.path.clone(), source })?;
    context.metrics.collect({
        let log = log.clone();
        move |sink| {
            let help = "Access log lines dropped because the log was too slow.";
            sink.counter(names::LOG_DROPPED, help, &[], log.dropped());
        }
    });
    if let Some(shared) = &plan.cache {
        cache::collect(shared, &context.metrics);
    }
    let cores = match config.workers {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        workers => workers,
    };
    let mut sockets: Vec<Vec<(std::net::TcpListener, Arc<ListenerPlan>)>> =
        (0..cores).map(|_| Vec::new()).collect();
    let mut opened = Vec::new();
    for listener in listeners {
        let shared = listener::open(listener.address, cores)
            .map_err(|error| listen_error(listener.address, &error))?;
        let address = shared.first().and_then(|socket| socket.local_addr().ok()).unwrap_or(listener.address);
        opened.push((address, Arc::clone(&listener)));
        for (core, socket) in shared.into_iter().enumerate() {
            sockets[core].push((socket, Arc::clone(&listener)));
        }
    }
    let connections = Arc::new(Semaphore::new(connection_limit(config.max_connections)));
    let plans = watch::Sender::new(Arc::clone(&plan));
    let mut threads = Vec::new();
    for (core, sockets) in sockets.into_iter().enumerate() {
        let (context, plans, log) = (context.clone(), plans.subscribe(), log.clone());
        let (connections, seed) = (Arc::clone(&connections), random.next_u64());
        let thread = std::thread::Builder::new().name(format!("edge-{core}")).spawn(move || {
            let work = context.shutdown.work();
            run_core(context, plans, seed, log, sockets, connections);
            drop(work);
        });
        threads.push(thread.map_err(StartError::Thread)?);
    }
    for pool in &plan.pools {
        let probe = HttpProbe::for_pool(pool);
        tokio::spawn(Arc::clone(&pool.targets).run(probe, context.shutdown.clone()));
    }
    for (address, listener) in &opened {
        if let Some(tls) = &listener.tls {
            tokio::spawn(Arc::clone(tls).watch(CERTIFICATES_EVERY, context.clone()));
        }
        let protocol = protocol_name(listener);
        context.events.emit(EdgeStarted { address: address.to_string(), protocol: protocol.into() });
    }
    Ok(Handle { plan, context, listeners: opened, threads, log, _plans: plans })
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

fn listen_error(address: SocketAddr, error: &io::Error) -> StartError {
    let fix = match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there: stop it, or choose another port",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need a privilege: use a higher port, or grant CAP_NET_BIND_SERVICE"
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address: use one of its own, or 0.0.0.0 for all"
        }
        _ => "check the address",
    };
    StartError::Listen { address, reason: error.to_string(), fix: fix.into() }
}

/// The life of one core.
fn run_core(
    context: Context,
    mut plans: watch::Receiver<Arc<Plan>>,
    seed: u64,
    log: AccessLog,
    sockets: Vec<(std::net::TcpListener, Arc<ListenerPlan>)>,
    connections: Arc<Semaphore>,
) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let Ok(runtime) = runtime else {
        context.shutdown.stop();
        return;
    };
    runtime.block_on(async move {
        let plan = Arc::clone(&plans.borrow_and_update());
        let worker = Worker::new(context, plan, seed, log.buffer());
        let shutdown = worker.context.shutdown.clone();
        let mut accepting = Vec::new();
        for (socket, plan) in sockets {
            match TcpListener::from_std(socket) {
                Ok(listener) => {
                    let accept =
                        listener::accept(Rc::clone(&worker), listener, plan, Arc::clone(&connections));
                    accepting.push(tokio::task::spawn_local(accept));
                }
                Err(_) => shutdown.stop(),
            }
        }
        let sweeper = tokio::task::spawn_local({
            let worker = Rc::clone(&worker);
            async move {
                let mut ticks = tokio::time::interval(SWEEP_EVERY);
                loop {
                    ticks.tick().await;
                    worker.sweep();
                }
            }
        });
        let mut draining = std::pin::pin!(shutdown.draining());
        loop {
            tokio::select! {
                changed = plans.changed() => match changed {
                    Ok(()) => worker.adopt(Arc::clone(&plans.borrow_and_update())),
                    Err(_) => draining.as_mut().await,
                },
                () = &mut draining => break,
            }
        }
        accepting.iter().for_each(tokio::task::JoinHandle::abort);
        worker.drain();
        tokio::select! {
            () = worker.closed() => {}
            () = shutdown.stopping() => {}
        }
        sweeper.abort();
        worker.sweep();
    });
}

fn protocol_name(listener: &ListenerPlan) -> &'static str {
    match (listener.config.protocol, listener.tls.is_some()) {
        (crate::config::ListenProtocol::Http, false) => "http",
        (crate::config::ListenProtocol::Http, true) => "https",
        (crate::config::ListenProtocol::Tcp, false) => "tcp",
        (crate::config::ListenProtocol::Tcp, true) => "tls",
    }
}

impl Handle {
    /// Where it listens, in the configuration's order; port 0 has become a real one.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|(address, _)| *address).collect()
    }

    /// Waits for the threads to end; they do when the context's shutdown has drained or stopped.
    pub fn join(self) {
        for thread in self.threads {
            // A thread that panicked has told so itself.
            let _ = thread.join();
        }
        self.log.flush(LOG_FLUSH);
    }

    /// Why requests could not be served now: a sentence per pool without an available target.
    pub fn not_ready(&self) -> Vec<String> {
        let empty = |pool: &&Arc<crate::plan::PoolPlan>| {
            !pool.targets.targets().iter().any(|target| target.is_available())
        };
        let sentence =
            |pool: &Arc<crate::plan::PoolPlan>| format!("no target of pool {} is available", pool.name);
        self.plan.pools.iter().filter(empty).map(sentence).collect()
    }

    /// Totals and listeners, for `/api/status`.
    pub fn status(&self) -> impl Fn() -> Value + Send + Sync + use<> {
        let metrics = self.context.metrics.clone();
        let listeners = self.listeners.clone();
        let (recent, clock) = (Recent::default(), Arc::clone(&self.context.clock));
        move || {
            let durations = recent.of(clock.now(), metrics.distribution(names::DURATION, &[]));
            let listeners: Vec<Value> = listeners
                .iter()
                .map(|(address, plan)| {
                    let certificates = plan.tls.as_ref().map(|tls| tls.status());
                    json!({
                        "address": address,
                        "protocol": protocol_name(plan),
                        "tls": plan.tls.is_some(),
                        "certificates": certificates,
                    })
                })
                .collect();
            json!({
                "requests": metrics.sum(names::REQUESTS, &[]),
                "in_flight": metrics.level(names::IN_FLIGHT, &[]),
                "latency": percentiles(&durations),
                "connections": {
                    "open": metrics.level(names::CONNECTIONS, &[]),
                    "accepted": metrics.sum(names::ACCEPTED, &[]),
                },
                "bytes": { "in": metrics.sum(names::RECEIVED, &[]), "out": metrics.sum(names::SENT, &[]) },
                "listeners": listeners,
            })
        }
    }

    /// Pages and commands for the console.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let pools = Arc::clone(&self.plan);
        let routes = Arc::clone(&self.plan);
        let metrics = self.context.metrics.clone();
        let log = self.log.clone();
        let clock = Arc::clone(&self.context.clock);
        let recent: Vec<Recent> = self.plan.routes.iter().map(|_| Recent::default()).collect();
        let recent_unrouted = Recent::default();
        let [cache_page, cache_purge] = cache::endpoints(&self.plan, &self.context.metrics);
        vec![
            Endpoint::post(
                "/api/edge/access-log/reopen",
                "Open the access log anew, after rotating it",
                move |_| {
                    log.reopen();
                    Reply::ok(&json!({ "reopened": true }))
                },
            ),
            Endpoint::get("/api/edge/pools", "Pools, their targets and how they are", move || {
                let pools: Vec<_> = pools.pools.iter().map(|pool| pool.targets.status()).collect();
                json!({ "pools": pools })
            }),
            Endpoint::get("/api/edge/routes", "Routes, their requests and latencies", move || {
                let mut rows: Vec<Value> = routes
                    .routes
                    .iter()
                    .zip(&recent)
                    .map(|(route, recent)| {
                        let pool = match &route.action {
                            crate::plan::Action::Pool(index) => Some(routes.pools[*index].name.as_str()),
                            _ => None,
                        };
                        route_row(&metrics, clock.now(), recent, &route.name, pool)
                    })
                    .collect();
                rows.push(route_row(&metrics, clock.now(), &recent_unrouted, UNROUTED, None));
                json!({ "routes": rows })
            }),
            cache_page,
            cache_purge,
            self.target_command(
                "/api/edge/pools/{pool}/targets/{target}/drain",
                "Send a target no new requests",
                Pool::drain,
            ),
            self.target_command(
                "/api/edge/pools/{pool}/targets/{target}/undrain",
                "Send a drained target requests again",
                Pool::undrain,
            ),
        ]
    }

    fn target_command(
        &self,
        path: &'static str,
        about: &'static str,
        act: impl Fn(&Pool, &str) -> bool + Send + Sync + 'static,
    ) -> Endpoint {
        let plan = Arc::clone(&self.plan);
        Endpoint::post(path, about, move |call: Call| {
            let [pool_name, target] = call.parameters.as_slice() else {
                return Reply::error(400, "the path must name a pool and a target");
            };
            let Some(pool) = plan.pools.iter().find(|pool| pool.name == *pool_name) else {
                return Reply::error(404, &format!("there is no pool named `{pool_name}`"));
            };
            if act(&pool.targets, target) {
                Reply::ok(&pool.targets.status())
            } else {
                Reply::error(404, &format!("pool `{pool_name}` has no target `{target}`"))
            }
        })
    }
}

/// Percentiles in milliseconds; null without observations.
fn percentiles(durations: &Distribution) -> Value {
    let ms = |q| durations.quantile(q).map(|duration| duration.as_secs_f64() * 1e3);
    json!({ "p50_ms": ms(0.5), "p95_ms": ms(0.95), "p99_ms": ms(0.99) })
}

fn route_row(metrics: &Registry, now: Instant, recent: &Recent, route: &str, pool: Option<&str>) -> Value {
    let count = |class| metrics.sum(names::REQUESTS, &[("route", route), ("status", class)]);
    let requests: serde_json::Map<String, Value> =
        CLASSES.iter().map(|class| ((*class).to_owned(), count(class).into())).collect();
    let durations = recent.of(now, metrics.distribution(names::DURATION, &[("route", route)]));
    let mut row = json!({
        "name": route,
        "pool": pool,
        "requests": requests,
        "in_flight": metrics.level(names::IN_FLIGHT, &[("route", route)]),
    });
    if let (Some(row), Value::Object(percentiles)) = (row.as_object_mut(), percentiles(&durations)) {
        row.extend(percentiles);
    }
    row
}
