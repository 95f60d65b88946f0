//! The lens as a plane: a thread of its own that measures once a second, and the pages that show what it found.
//!
//! The data planes do not know it. If it stops, they do not notice.

mod events;
mod keep;
mod pages;
mod sampler;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use deepwater_core::ask::Ask;
use deepwater_core::{Context, Endpoint};
use serde_json::Value;
use tokio::sync::watch;

use crate::advice::{Ledger, Page};
use crate::cliffs::Cliffs;
use crate::config::Config;
use crate::facts::{FactSource, Facts};
use crate::out::cliffs::Shown;
use crate::out::webhook::{Webhook, WebhookError};
use crate::sources::Unknown;
use crate::store::Store;

use keep::Keep;

/// What the lens looks through.
pub struct Ports {
    /// What is configured.
    pub facts: FactSource,
    /// Asks the databases' servers; none without a pooler.
    pub ask: Option<Ask>,
    /// Directory of the configuration file: relative paths start there.
    pub directory: PathBuf,
    /// Tells somebody of cliffs.
    pub webhook: Webhook,
}

/// A lens that looks. Dropping it stops it.
#[must_use = "dropping the handle stops the lens"]
pub struct Lens {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread finds and the pages show.
pub(crate) struct Shared {
    context: Context,
    config: ArcSwap<Config>,
    webhook: Webhook,
    /// The cliffs as metrics.
    shown: Shown,
    /// None where nothing is kept beyond a restart.
    keep: Option<Keep>,
    state: RwLock<State>,
}

pub(crate) struct State {
    store: Store,
    cliffs: Cliffs,
    advice: Page,
    ledger: Ledger,
    facts: Arc<Facts>,
    unknown: Vec<Unknown>,
}

/// If the lens panics while it writes, its pages show what it knew, and `/api/status` goes on.
impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what is remembered of advice, if there is a file for it; and whether it is kept now.
    fn keep_advice(&self) -> bool {
        let keep = self.keep.as_ref();
        let memory = || self.read().ledger.memory().clone();
        keep.is_some_and(|keep| keep.write_advice(memory, &self.context.events))
    }
}

/// Begins to measure.
///
/// # Errors
/// The system has no thread left.
pub fn start(config: &Config, context: Context, ports: Ports) -> std::io::Result<Lens> {
    let state = State {
        store: Store::new(usize::try_from(config.memory.bytes()).unwrap_or(usize::MAX)),
        cliffs: Cliffs::default(),
        advice: Page::default(),
        ledger: Ledger::default(),
        facts: Arc::default(),
        unknown: Vec::new(),
    };
    let shared = Arc::new(Shared {
        config: ArcSwap::from_pointee(config.clone()),
        webhook: ports.webhook.clone(),
        shown: Shown::new(&context.metrics),
        keep: config.snapshot.as_ref().map(|file| Keep::at(ports.directory.join(file))),
        state: RwLock::new(state),
        context,
    });
    let (stop, stopped) = watch::channel(false);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sampled = Arc::clone(&shared);
    let thread = std::thread::Builder::new().name("lens".into()).spawn(move || {
        runtime.block_on(sampler::run(sampled, ports, stopped));
    })?;
    Ok(Lens { shared, stop, thread: Some(thread) })
}

impl Lens {
    /// Goes by another configuration from now on. How much memory there is for measurements, and where the system's files are,
    /// stay until a restart.
    ///
    /// # Errors
    /// The webhook's URL or token is not usable; then nothing changes.
    pub fn reload(&self, config: &Config, directory: &Path) -> Result<(), WebhookError> {
        self.shared.webhook.reload(config.webhook.as_ref(), directory)?;
        self.shared.config.store(Arc::new(config.clone()));
        Ok(())
    }

    /// Pages for the console.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        pages::endpoints(&self.shared)
    }

    /// The whole in short, for `/api/status`.
    pub fn status(&self) -> impl Fn() -> Value + Send + Sync + use<> {
        pages::status(&self.shared)
    }
}

impl Drop for Lens {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // If it panicked, it has said so itself.
            let _ = thread.join();
        }
    }
}
