//! `deepwater run`: wires the planes together and waits for the end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use deepwater_core::event::Format;
use deepwater_core::{Context, Endpoint, Events, Level};
use deepwater_lens::{Build, Ports, Readiness, StatusSource};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::{Failure, RunArguments};
use crate::settings::{Settings, directory_of};

deepwater_core::event! {
    /// The process was asked to end.
    pub struct Draining { signal: String, seconds: u64 }
    draining: Info, "{signal}: finishing requests under way, for {seconds} s at most (again to end at once)"
}

deepwater_core::event! {
    /// The configuration file was read again.
    pub struct Reloaded { file: String }
    reloaded: Info, "{file} was read again: [postgres] is as it says, the other tables need a restart"
}

deepwater_core::event! {
    /// The configuration file was read again and cannot be meant; nothing has changed.
    pub struct ReloadRefused { reason: String }
    reload_refused: Warn, "nothing was reloaded: {reason}"
}

deepwater_core::event! {
    /// The system allows fewer open files than connections are configured for.
    pub struct DescriptorsShort { limit: u64, wanted: u64 }
    descriptors_short: Warn, "the system allows {limit} open files, {wanted} are needed for edge.max_connections; raise `ulimit -n`"
}

pub(crate) fn run(arguments: &RunArguments) -> Result<(), Failure> {
    let (settings, directory, file) = if arguments.to.is_empty() && arguments.postgres.is_none() {
        let file = arguments.config.clone().unwrap_or_else(|| PathBuf::from("deepwater.toml"));
        (Settings::read(&file)?, directory_of(&file), Some(file))
    } else {
        (Settings::fronting(arguments)?, PathBuf::from("."), None)
    };
    let format = if arguments.log_json { Format::Json } else { Format::Text };
    let events = Events::logged(std::io::stderr(), Level::Info, format);
    let context = Context::new(seed(), events);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Listened for before anything is accepted, so that nothing under way is lost.
        let signals = Signals::new()?;
        let planes = Planes::start(&settings, &directory, context, Vec::new()).await?;
        planes.serve_until(signals, file.as_deref(), settings.edge.drain_timeout.get()).await
    })
}

/// A seed that differs from run to run.
fn seed() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64 ^ u64::from(std::process::id()) << 32
}

/// The signals a process is told by.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Resolves when the process is to end; it reloads for each SIGHUP until then.
    async fn end(&mut self, reload: impl Fn()) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => reload(),
            }
        }
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// The planes of one process.
pub(crate) struct Planes {
    pub context: Context,
    pub edge: Arc<deepwater_edge::Handle>,
    pub pool: Option<Arc<deepwater_pool::Handle>>,
    pub console: deepwater_lens::Handle,
}

impl Planes {
    /// Starts what the settings say, on the current runtime. `extra` endpoints are mounted beside the planes' own.
    ///
    /// # Errors
    /// When a plane cannot start; then none runs.
    pub(crate) async fn start(
        settings: &Settings,
        directory: &Path,
        context: Context,
        extra: Vec<Endpoint>,
    ) -> Result<Self, Failure> {
        raise_descriptor_limit(settings, &context.events);
        let edge = deepwater_edge::start(
            &settings.edge,
            &settings.pools,
            &settings.cache,
            directory.to_owned(),
            context.clone(),
        )
        .map_err(|error| Failure::Usage(error.to_string()))?;
        let edge = Arc::new(edge);
        let mut statuses: Vec<(&'static str, StatusSource)> = vec![("edge", Arc::new(edge.status()))];
        let effective = serde_json::to_value(settings).unwrap_or_default();
        let mut endpoints = edge.endpoints();
        let pool = start_pool(settings, directory, &context)?;
        if let Some(pool) = &pool {
            statuses.push(("postgres", Arc::new(pool.status())));
            endpoints.extend(pool.endpoints());
        }
        endpoints.push(Endpoint::get(
            "/api/config",
            "The effective configuration, secrets hidden",
            move || effective.clone(),
        ));
        endpoints.extend(extra);
        let ports = Ports {
            build: Build { version: env!("CARGO_PKG_VERSION"), commit: env!("DEEPWATER_COMMIT") },
            endpoints,
            statuses,
            directory: directory.to_owned(),
            readiness: {
                let (edge, pool) = (Arc::clone(&edge), pool.clone());
                Arc::new(move || {
                    let mut reasons = edge.not_ready();
                    reasons.extend(pool.iter().flat_map(|pool| pool.not_ready()));
                    Readiness::waiting(reasons)
                })
            },
        };
        match deepwater_lens::start(settings.console.clone(), context.clone(), ports).await {
            Ok(console) => Ok(Self { context, edge, pool, console }),
            Err(error) => {
                context.shutdown.stop();
                Err(Failure::Usage(error.to_string()))
            }
        }
    }

    /// Serves until SIGTERM or SIGINT, then drains; a second signal ends at once. SIGHUP reads the file again.
    async fn serve_until(
        self,
        mut signals: Signals,
        file: Option<&Path>,
        drain: Duration,
    ) -> Result<(), Failure> {
        let shutdown = self.context.shutdown.clone();
        let name = tokio::select! {
            name = signals.end(|| self.reload(file)) => name,
            () = shutdown.draining() => "stopped",
        };
        self.context.events.emit(Draining { signal: name.into(), seconds: drain.as_secs() });
        shutdown.drain(drain);
        tokio::select! {
            () = shutdown.drained() => {}
            _ = signals.next() => {}
        }
        self.stop().await;
        Ok(())
    }

    /// Reads the file again. The PostgreSQL plane takes up what changed; the others do so at a restart.
    fn reload(&self, file: Option<&Path>) {
        let Some(file) = file else {
            let reason = "there is no file: what was given on the command line holds until a restart";
            return self.context.events.emit(ReloadRefused { reason: reason.into() });
        };
        let reloaded = Settings::read(file).and_then(|settings| match &self.pool {
            Some(pool) => pool
                .reload(&settings.postgres, &directory_of(file))
                .map_err(|error| Failure::Usage(error.to_string())),
            None => Ok(()),
        });
        match reloaded {
            Ok(()) => self.context.events.emit(Reloaded { file: file.display().to_string() }),
            Err(Failure::Usage(reason) | Failure::Running(reason)) => {
                self.context.events.emit(ReloadRefused { reason });
            }
        }
    }

    /// Ends everything now.
    pub(crate) async fn stop(self) {
        self.context.shutdown.stop();
        self.console.close().await;
        if let Some(edge) = Arc::into_inner(self.edge) {
            edge.join();
        }
        if let Some(pool) = self.pool.and_then(Arc::into_inner) {
            pool.join();
        }
    }
}

/// The PostgreSQL plane, when the settings have one.
fn start_pool(
    settings: &Settings,
    directory: &Path,
    context: &Context,
) -> Result<Option<Arc<deepwater_pool::Handle>>, Failure> {
    if settings.postgres.listen.is_none() {
        return Ok(None);
    }
    let face = deepwater_pool::Face::Native;
    match deepwater_pool::start(&settings.postgres, directory.to_owned(), face, context.clone(), None) {
        Ok(pool) => Ok(Some(Arc::new(pool))),
        Err(error) => {
            context.shutdown.stop();
            Err(Failure::Usage(error.to_string()))
        }
    }
}

/// Lets the process open as many files as it may, and tells when its connections need more.
fn raise_descriptor_limit(settings: &Settings, events: &Events) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Raising the soft limit to the hard one is always allowed.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    // One for the client, one for the server, some for the rest.
    let wanted = 2 * settings.edge.max_connections as u64 + 256;
    if allowed < wanted {
        events.emit(DescriptorsShort { limit: allowed, wanted });
    }
}
