//! Tells somebody's URL when a cliff comes nearer or goes away, or when the answers are in trouble or no longer: one POST
//! for each change of a level.
//!
//! A slow receiver holds up nobody: changes wait in a queue of 64, and the oldest makes room. Each is posted until it is
//! taken, at most four times.

mod change;
mod config;
mod deliver;
mod event;
mod queue;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use deepwater_core::Context;
use deepwater_core::config::SecretError;

pub use change::Change;
pub use config::Config;

use deliver::Receiver;
use queue::Queue;

/// Why the webhook cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The variable or file behind `url` or `token` has no value.
    #[error("lens.webhook.{key}: {source}")]
    Secret {
        /// Of the two.
        key: &'static str,
        /// Why not.
        source: SecretError,
    },
    /// The URL cannot be posted to.
    #[error("lens.webhook.url: {0}\n  fix: write it like \"https://alerts.example/deepwater\"")]
    Url(String),
    /// The token cannot stand in a header.
    #[error(
        "lens.webhook.token: it has characters a header cannot carry\n  fix: use letters, digits and punctuation"
    )]
    Token,
}

/// Where changes are told. Clones share the queue.
#[derive(Clone)]
pub struct Webhook {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Queue,
    /// None: nobody wants to be told.
    receiver: ArcSwapOption<Receiver>,
}

impl Webhook {
    /// Begins to deliver, on the current runtime, until the process has drained. Relative paths start at `directory`.
    ///
    /// # Errors
    /// The URL or a secret is not usable; then nothing runs.
    pub fn start(config: Option<&Config>, directory: &Path, context: &Context) -> Result<Self, WebhookError> {
        let shared = Arc::new(Shared {
            queue: Queue::new(&context.metrics),
            receiver: ArcSwapOption::from_pointee(receiver(config, directory)?),
        });
        tokio::spawn(deliver::run(Arc::clone(&shared), context.clone()));
        Ok(Self { shared })
    }

    /// Tells another receiver from now on, or nobody.
    ///
    /// # Errors
    /// The URL or a secret is not usable; then nothing changes.
    pub fn reload(&self, config: Option<&Config>, directory: &Path) -> Result<(), WebhookError> {
        self.shared.receiver.store(receiver(config, directory)?.map(Arc::new));
        Ok(())
    }

    /// Tells a change, soon; never waits.
    pub fn tell(&self, change: Change) {
        if self.shared.receiver.load().is_some() {
            self.shared.queue.push(change);
        }
    }
}

/// Finds out whether a configuration can be used.
///
/// # Errors
/// The URL or a secret is not usable.
pub fn check(config: Option<&Config>, directory: &Path) -> Result<(), WebhookError> {
    receiver(config, directory).map(drop)
}

fn receiver(config: Option<&Config>, directory: &Path) -> Result<Option<Receiver>, WebhookError> {
    config.map(|config| Receiver::new(config, directory)).transpose()
}
