//! The console: one small HTTP/1.1 server with the dashboard, the administration API and `/metrics`.
//!
//! A request passes, in this order: [`serve`] (connections and their limits), [`guard`] (may this caller
//! ask?), [`router`] (which page or command?), then the page of [`pages`] or the endpoint of a plane.

mod answer;
mod app;
mod asset;
mod config;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod measure;
mod pages;
mod path;
mod process;
mod router;
mod serve;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deepwater_core::config::SecretValue;
use deepwater_core::handover::{Bound, Lent};
use deepwater_core::{Context, Endpoint, Handover};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use config::{Config, Listen};
pub use error::StartError;
pub use pages::Readiness;
pub(crate) use path::query_value;

use app::App;
use guard::Guard;
use measure::ConsoleStarted;
use serve::Server;

/// The name the socket is handed over by.
const PLANE: &str = "console";

/// Reads the snapshot of one plane for `/api/status`.
pub type StatusSource = Arc<dyn Fn() -> serde_json::Value + Send + Sync>;

/// Which build this is, for `/api/status`, `/metrics` and the page's header.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    /// Version, such as `0.1.0`.
    pub version: &'static str,
    /// Short commit hash; `unknown` outside a repository.
    pub commit: &'static str,
}

/// What the planes hand to the console.
#[derive(Clone)]
pub struct Ports {
    /// Which build this is.
    pub build: Build,
    /// Pages and commands, mounted by path.
    pub endpoints: Vec<Endpoint>,
    /// Snapshots that `/api/status` shows, each under its name.
    pub statuses: Vec<(&'static str, StatusSource)>,
    /// Directory of the configuration file: a relative `file:` token starts there.
    pub directory: PathBuf,
    /// Whether traffic should be sent here; asked at every `/readyz`.
    pub readiness: Arc<dyn Fn() -> Readiness + Send + Sync>,
}

/// A console that runs. Dropping it closes the console.
#[derive(Debug)]
#[must_use = "dropping the handle closes the console"]
pub struct Handle {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    address: SocketAddr,
    closing: watch::Sender<bool>,
    server: JoinHandle<()>,
    app: Arc<App>,
    /// As configured.
    wanted: SocketAddr,
    /// A successor may have the socket until the console closes.
    _lent: Lent,
}

impl Handle {
    /// The address that was bound, with its real port; `None` when the configuration says `"off"`.
    pub fn address(&self) -> Option<SocketAddr> {
        self.running.as_ref().map(|running| running.address)
    }

    /// Asks for another token from now on; browsers that are signed in are not any more. Its address stays until a restart.
    ///
    /// # Errors
    /// The token cannot be read, or there is none and others can reach the address; then nothing changes.
    pub fn reload(&self, config: &Config, directory: &Path) -> Result<(), StartError> {
        let Some(running) = &self.running else { return Ok(()) };
        running.app.guard_with(guard(running.wanted, config, directory)?);
        Ok(())
    }

    /// Closes the console: no new connections, calls under way are answered within a second.
    pub async fn close(self) {
        if let Some(running) = self.running {
            running.closing.send_replace(true);
            let _ = running.server.await;
        }
    }

    /// Resolves when the console has closed because the process drained or stopped; at once when it is off.
    ///
    /// The console outlives the drain of the other planes, so that the drain can be watched.
    pub async fn closed(&mut self) {
        if let Some(running) = &mut self.running {
            let _ = (&mut running.server).await;
            self.running = None;
        }
    }
}

fn guard(wanted: SocketAddr, config: &Config, directory: &Path) -> Result<Guard, StartError> {
    let token = config.token.as_ref().map(|token| token.resolve(directory)).transpose()?;
    Guard::new(wanted, token.as_ref().map(SecretValue::expose))
}

/// Binds the address and serves on the caller's runtime until the process has drained.
///
/// # Errors
/// The address is in use, forbidden or not of this machine; a token is missing off loopback or cannot be
/// read; two endpoints claim one path.
pub async fn start(config: Config, context: Context, ports: Ports) -> Result<Handle, StartError> {
    process::measure(&context.metrics, ports.build);
    let Listen::At(wanted) = config.listen else {
        return Ok(Handle { running: None });
    };
    let guard = guard(wanted, &config, &ports.directory)?;
    let app = Arc::new(App::new(&context, &ports, guard)?);
    let failed = |source| StartError::bind(wanted, source);
    let (listener, lent) = listen(wanted, &context.handover).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;

    let (closing, close) = watch::channel(false);
    let server = Server::new(listener, Arc::clone(&app), &context);
    let server = tokio::spawn(server.run(close));
    context.events.emit(ConsoleStarted { address: address.to_string() });
    Ok(Handle { running: Some(Running { address, closing, server, app, wanted, _lent: lent }) })
}

/// Listens, on the socket that does already if there is one.
async fn listen(wanted: SocketAddr, handover: &Handover) -> std::io::Result<(TcpListener, Lent)> {
    let name = wanted.to_string();
    let listener = match handover.take(PLANE, &name, &Bound::Tcp(wanted)).pop() {
        Some(socket) => {
            let socket = std::net::TcpListener::from(socket);
            socket.set_nonblocking(true)?;
            TcpListener::from_std(socket)?
        }
        None => TcpListener::bind(wanted).await?,
    };
    let lent = handover.lend(PLANE, &name, [&listener])?;
    Ok((listener, lent))
}
