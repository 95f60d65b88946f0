//! Starting the pool: one thread or several for the data path, one task on the caller's runtime for everything slow.

mod listen;
mod run;
mod status;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deepwater_core::config::{Checker, Problems};
use deepwater_core::random::Random;
use deepwater_core::{Context, Endpoint};
use serde_json::Value;

use crate::config::Config;
use crate::events::PoolStarted;
use crate::plan::{self, Face, Plan};
use crate::shared::Shared;

pub use listen::Bound;

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
    threads: Vec<std::thread::JoinHandle<()>>,
}

/// Starts the pool. Must be called on the control runtime; connections are served by threads of its own.
///
/// # Errors
/// When the configuration is wrong or an address is taken. Then nothing runs.
pub fn start(config: &Config, directory: PathBuf, face: Face, context: Context) -> Result<Handle, StartError> {
    let plan = read(config, &directory, face)?;
    let workers = match config.workers {
        0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(CORES_PER_WORKER)),
        workers => workers,
    };
    let (mut sockets, addresses) = listen::open(config, workers)?;
    let mut random = Random::from_seed(context.seed);
    let shared = Shared::new(context, plan);
    let mut threads = Vec::new();
    for id in 0..workers {
        let (shared, sockets, seed) = (Arc::clone(&shared), std::mem::take(&mut sockets[id]), random.next_u64());
        let thread = std::thread::Builder::new().name(format!("pool-{id}")).spawn(move || {
            let work = shared.context.shutdown.work();
            run::run(id, Arc::clone(&shared), seed, sockets);
            drop(work);
        });
        threads.push(thread.map_err(StartError::Thread)?);
    }
    watch_certificates(&shared);
    status::collect(&shared);
    for bound in &addresses {
        shared.context.events.emit(PoolStarted { address: bound.to_string() });
    }
    Ok(Handle { shared, addresses, threads })
}

fn read(config: &Config, directory: &std::path::Path, face: Face) -> Result<Plan, StartError> {
    let checker = Checker::without_document();
    let plan = plan::build(config, directory, face, &checker.at("postgres"));
    checker.finish()?;
    plan.ok_or_else(|| StartError::Config(Problems::from(Vec::new())))
}

/// Follows the files of the certificates in force.
fn watch_certificates(shared: &Arc<Shared>) {
    let plan = shared.plan.load();
    for tls in plan.client_tls.iter() {
        tokio::spawn(Arc::clone(tls).watch(CERTIFICATES_EVERY, shared.context.clone()));
    }
    for tls in plan.server_tls.values() {
        tokio::spawn(Arc::clone(tls).watch(CERTIFICATES_EVERY, shared.context.clone()));
    }
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
        let face = self.shared.plan.load().face;
        let plan = read(config, directory, face)?;
        self.shared.adopt(plan);
        watch_certificates(&self.shared);
        Ok(())
    }

    /// Why clients could not be served now: a sentence per database whose server cannot be connected to.
    pub fn not_ready(&self) -> Vec<String> {
        status::not_ready(&self.shared)
    }

    /// Totals and pools, for `/api/status`.
    pub fn status(&self) -> impl Fn() -> Value + Send + Sync + use<> {
        status::status(&self.shared, &self.addresses)
    }

    /// Pages and commands for the console.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        status::endpoints(&self.shared)
    }

    /// Waits for the threads to end; they do when the context's shutdown has drained or stopped.
    pub fn join(self) {
        for thread in self.threads {
            // A thread that panicked has told so itself.
            let _ = thread.join();
        }
        for bound in &self.addresses {
            bound.remove();
        }
    }
}
