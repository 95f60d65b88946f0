//! Starting the pool: one thread or several for the data path, one task on the caller's runtime for everything slow.

mod listen;
mod run;
mod status;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deepwater_core::ask::Ask;
use deepwater_core::config::{Checker, Problems};
use deepwater_core::handover::{Lent, Passenger};
use deepwater_core::random::Random;
use deepwater_core::{Context, Endpoint};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::config::Config;
use crate::control::{self, Control, Settings};
use crate::events::PoolStarted;
use crate::plan::{self, Face, Plan};
use crate::shared::Shared;

pub use listen::Bound;
pub(crate) use listen::PLANE;
use listen::{Opened, SocketFile};
pub(crate) use status::mode_name;

/// Between two looks at certificate files.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(10);
/// Cores for which one thread is enough: a thread passes tens of thousands of queries a second, and the servers and
/// clients beside it need their cores too.
const CORES_PER_WORKER: usize = 4;

/// Why the pool did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be meant.
    #[error("{0}")]
    Config(#[from] Problems),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}\n  fix: {fix}")]
    Listen {
        /// The address as configured.
        address: String,
        /// The system's word.
        reason: String,
        /// What to do.
        fix: String,
    },
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// The running pool.
pub struct Handle {
    shared: Arc<Shared>,
    addresses: Vec<Bound>,
    files: Vec<SocketFile>,
    threads: Vec<std::thread::JoinHandle<()>>,
    /// A successor may have the sockets until this process ends.
    _lent: Vec<Lent>,
}

/// Starts the pool. Must be called on the control runtime; connections are served by threads of its own. Where the
/// configuration comes from matters to administrators who change it or have it read again.
///
/// # Errors
/// When the configuration is wrong or an address is taken. Then nothing runs.
pub fn start(
    config: &Config,
    directory: PathBuf,
    face: Face,
    context: Context,
    settings: Option<Arc<dyn Settings>>,
) -> Result<Handle, StartError> {
    let plan = read(config, &directory, face)?;
    let workers = match config.workers {
        0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(CORES_PER_WORKER)),
        workers => workers,
    };
    let Opened { sockets, bound: addresses, files, lent } = listen::open(config, workers, &context.handover)?;
    let mut random = Random::from_seed(context.seed);
    let shared = Shared::new(context, plan);
    // Set once: this process has just begun.
    let _ = shared.doors.set(listen::descriptors(&sockets));
    shared.controls.begin(settings, tokio::runtime::Handle::current());
    let arrivals = arrivals(&shared, workers);
    let mut threads = Vec::new();
    for (id, (sockets, passengers)) in sockets.into_iter().zip(arrivals).enumerate() {
        let intake = run::Intake { sockets, passengers };
        let (shared, seed) = (Arc::clone(&shared), random.next_u64());
        let thread = std::thread::Builder::new().name(format!("pool-{id}")).spawn(move || {
            let work = shared.context.shutdown.work();
            run::run(id, Arc::clone(&shared), seed, intake);
            drop(work);
        });
        threads.push(thread.map_err(StartError::Thread)?);
    }
    watch_certificates(&shared);
    status::collect(&shared);
    tokio::spawn(control::keep(Arc::clone(&shared)));
    for bound in &addresses {
        shared.context.events.emit(PoolStarted { address: bound.to_string() });
    }
    Ok(Handle { shared, addresses, files, threads, _lent: lent })
}

/// Deals the clients that a predecessor sends out to the threads.
fn arrivals(shared: &Shared, workers: usize) -> Vec<mpsc::UnboundedReceiver<Passenger>> {
    let mut passengers = shared.context.handover.passengers(PLANE);
    let (threads, receivers): (Vec<_>, Vec<_>) = (0..workers).map(|_| mpsc::unbounded_channel()).unzip();
    tokio::spawn(async move {
        for thread in threads.iter().cycle() {
            let Some(passenger) = passengers.recv().await else { return };
            // A thread that has ended serves nobody.
            let _ = thread.send(passenger);
        }
    });
    receivers
}

fn read(config: &Config, directory: &std::path::Path, face: Face) -> Result<Plan, StartError> {
    let checker = Checker::without_document();
    let plan = plan::build(config, directory, face, &checker.at("postgres"));
    checker.finish()?;
    plan.ok_or_else(|| StartError::Config(Problems::from(Vec::new())))
}

/// Follows the files of the certificates in force, until others are.
fn watch_certificates(shared: &Arc<Shared>) {
    let plan = shared.plan.load();
    let mut watches = tokio::task::JoinSet::new();
    let control = shared.controls.runtime();
    for tls in plan.client_tls.iter() {
        watches.spawn_on(Arc::clone(tls).watch(CERTIFICATES_EVERY, shared.context.clone()), &control);
    }
    for tls in plan.server_tls.values() {
        watches.spawn_on(Arc::clone(tls).watch(CERTIFICATES_EVERY, shared.context.clone()), &control);
    }
    // Those of the configuration before end with this.
    shared.controls.keep_watches(watches);
}

/// Puts another configuration in force.
pub(crate) fn reload(
    shared: &Arc<Shared>,
    config: &Config,
    directory: &std::path::Path,
) -> Result<(), StartError> {
    let face = shared.plan.load().face;
    let plan = read(config, directory, face)?;
    shared.adopt(plan);
    watch_certificates(shared);
    Ok(())
}

impl Handle {
    /// Where it listens, in the configuration's order; port 0 has become a real one.
    pub fn addresses(&self) -> &[Bound] {
        &self.addresses
    }

    /// Puts another configuration in force, without dropping a client: pools keep their connections where the server is
    /// the same. Addresses and threads stay as they are.
    ///
    /// # Errors
    /// When the configuration is wrong; then nothing changes.
    pub fn reload(&self, config: &Config, directory: &std::path::Path) -> Result<(), StartError> {
        reload(&self.shared, config, directory)
    }

    /// What an administrator may do, for whoever hears signals.
    pub fn control(&self) -> Control {
        Control::new(&self.shared)
    }

    /// Why clients could not be served now: a sentence per database whose server cannot be connected to.
    pub fn not_ready(&self) -> Vec<String> {
        status::not_ready(&self.shared)
    }

    /// Totals and pools, for `/api/status`.
    pub fn status(&self) -> impl Fn() -> Value + Send + Sync + use<> {
        status::status(&self.shared, &self.addresses)
    }

    /// Asks the servers of databases how they are, on connections beside the pools.
    pub fn ask(&self) -> Ask {
        self.shared.questions.port(&self.shared.context.metrics)
    }

    /// Pages and commands for the console.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let mut endpoints = status::endpoints(&self.shared);
        endpoints.extend(control::endpoints(&self.control()));
        endpoints
    }

    /// Waits for the threads to end; they do when the context's shutdown has drained or stopped.
    pub fn join(self) {
        for thread in self.threads {
            // A thread that panicked has told so itself.
            let _ = thread.join();
        }
        // Those of a successor are the same.
        if !self.shared.context.handover.has_left() {
            self.files.iter().for_each(SocketFile::remove);
        }
    }
}
