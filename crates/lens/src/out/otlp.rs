//! Metrics sent to an OpenTelemetry collector over OTLP/HTTP (protobuf), when the standard environment variables name one.
//!
//! One task builds a batch every interval and posts it until it is taken, refused, or the next one is due: totals are
//! cumulative, so the newest batch says all that older ones would.

mod convert;
mod event;
mod export;
pub mod message;
mod resource;
mod settings;

#[cfg(test)]
mod tests;

use std::time::Duration;

use deepwater_core::Context;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use settings::Settings;

use crate::console::Build;
use event::OtlpSettingIgnored;
use export::Exporter;

/// The last batch of a process may take so long.
const FAREWELL: Duration = Duration::from_secs(2);

/// An export that runs, or none that was asked for.
#[derive(Debug)]
#[must_use = "dropping the handle ends the export without its last batch"]
pub struct Handle {
    running: Option<(watch::Sender<bool>, JoinHandle<()>)>,
}

/// Begins to export on the current runtime if the settings say so. What of them cannot be used is told by events, and
/// never keeps the process from starting: these variables are often meant for a whole group of programs.
pub fn start(settings: Settings, build: Build, context: &Context) -> Handle {
    for (variable, reason) in &settings.ignored {
        let (variable, reason) = ((*variable).to_owned(), reason.clone());
        context.events.emit(OtlpSettingIgnored { variable, reason });
    }
    let running = settings.target.map(|target| {
        let (closing, close) = watch::channel(false);
        (closing, tokio::spawn(Exporter::new(target, build, context).run(close)))
    });
    Handle { running }
}

impl Handle {
    /// Sends what was counted since the last batch, within two seconds, and ends.
    pub async fn close(self) {
        if let Some((closing, mut task)) = self.running {
            closing.send_replace(true);
            if tokio::time::timeout(FAREWELL, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}
