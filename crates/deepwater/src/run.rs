//! `deepwater run`: wires the planes together and waits for the end.

mod channel;
mod difference;
mod facts;
mod hidden;
mod inherit;
mod reload;
mod sequence;
mod signals;
mod upgrade;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use deepwater_core::event::Format;
use deepwater_core::{Context, Endpoint, Events, Level};
use deepwater_lens::console::{self, Build, Ports, Readiness, StatusSource};
use deepwater_lens::out::{otlp, webhook::Webhook};
use deepwater_lens::{Config as LensConfig, Lens};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::cli::{Failure, RunArguments};
use crate::notify::Manager;
use crate::settings::{DEFAULT_FILE, Settings, directory_of};

use inherit::Origin;
use reload::Configuration;
pub(crate) use reload::{Asked, command};
use signals::{Signals, Wanted};
use upgrade::{Program, UpgradeFailed, UpgradeStarted, Upgraded};
use watch::Watch;

/// How long a process that is to take over may take to fetch the keys of tokens.
const FIRST_KEYS: Duration = Duration::from_secs(10);
/// How long the last lines of the log may take to be written.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long a successor may take to take the last connections.
const LAST_PASSENGERS: Duration = Duration::from_secs(5);

deepwater_core::event! {
    /// The process was asked to end, and takes new connections a while longer.
    pub struct Leaving { signal: String, seconds: f64 }
    leaving: Info, "{signal}: not ready any more; new connections are taken for {seconds} s yet (again to end at once)"
}

deepwater_core::event! {
    /// The process was asked to end.
    pub struct Draining { signal: String, seconds: u64 }
    draining: Info, "{signal}: finishing requests under way, for {seconds} s at most (again to end at once)"
}

deepwater_core::event! {
    /// The system allows fewer open files than connections are configured for.
    pub struct DescriptorsShort { limit: u64, wanted: u64 }
    descriptors_short: Warn, "the system allows {limit} open files, {wanted} are needed for edge.max_connections; raise `ulimit -n`"
}

pub(crate) fn run(arguments: &RunArguments) -> Result<(), Failure> {
    let program = Program::of_this_process(arguments.upgrade_timeout.get())?;
    let origin = Origin::of_this_process()?;
    let (settings, directory, file) = if arguments.to.is_empty() && arguments.postgres.is_none() {
        let file = arguments.config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        (Settings::read(&file)?, directory_of(&file), Some(file))
    } else {
        (Settings::fronting(arguments)?, PathBuf::from("."), None)
    };
    let format = if arguments.log_json { Format::Json } else { Format::Text };
    let events = Events::logged(std::io::stderr(), Level::Info, format);
    let mut context = Context::new(seed(), events);
    context.handover = origin.handover.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let events = context.events.clone();
    let result = runtime.block_on(async {
        // Listened for before anything is accepted, so that nothing under way is lost.
        let signals = Signals::new()?;
        let (command, asked) = command();
        let mut planes = Planes::start(&settings, &directory, context, vec![command]).await?;
        planes.configuration.of_file(file.clone());
        planes.manager = Manager::of_this_process();
        let watch = Watch::new(file.filter(|_| arguments.watch));
        let told = Told { signals, asked, watch };
        match planes.take_over(origin, program.timeout).await {
            Ok(()) => planes.serve_until(told, &program).await,
            Err(failure) => {
                planes.stop().await;
                Err(failure)
            }
        }
    });
    // Else the last words would be lost.
    events.flush(LAST_WORDS);
    result
}

/// A seed that differs from run to run.
fn seed() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64 ^ u64::from(std::process::id()) << 32
}

/// What a running process is told by.
struct Told {
    signals: Signals,
    asked: mpsc::Receiver<Asked>,
    watch: Watch,
}

/// The planes of one process.
pub(crate) struct Planes {
    pub context: Context,
    pub edge: Arc<deepwater_edge::Handle>,
    pub pool: Option<Arc<deepwater_pool::Handle>>,
    pub console: console::Handle,
    pub lens: Option<Lens>,
    otlp: otlp::Handle,
    configuration: Configuration,
    manager: Manager,
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
        let edge = deepwater_edge::start(settings.edge_tables(), directory.to_owned(), context.clone())
            .map_err(|error| Failure::Usage(error.to_string()))?;
        let edge = Arc::new(edge);
        let mut statuses: Vec<(&'static str, StatusSource)> = vec![("edge", Arc::new(edge.status()))];
        let mut endpoints = edge.endpoints();
        let pool = start_pool(settings, directory, &context)?;
        if let Some(pool) = &pool {
            statuses.push(("postgres", Arc::new(pool.status())));
            endpoints.extend(pool.endpoints());
        }
        let configuration = Configuration::new(settings, facts::listeners(settings, &edge, pool.as_deref()));
        let lens = start_lens(&settings.lens, &context, directory, &configuration, pool.as_deref())?;
        if let Some(lens) = &lens {
            statuses.push(("lens", Arc::new(lens.status())));
            endpoints.extend(lens.endpoints());
        }
        endpoints.push(configuration.page());
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
        let build = ports.build;
        match console::start(settings.console.clone(), context.clone(), ports).await {
            Ok(console) => {
                let exporting = otlp::Settings::read(|name| std::env::var(name).ok(), directory);
                let otlp = otlp::start(exporting, build, &context);
                let manager = Manager::nobody();
                Ok(Self { context, edge, pool, console, lens, otlp, configuration, manager })
            }
            Err(error) => {
                context.shutdown.stop();
                Err(Failure::Usage(error.to_string()))
            }
        }
    }

    /// Lets connections be accepted, once there is nothing to wait for any more. Whoever is to take over from another
    /// process must serve as well as that one does; that one waits for so long.
    async fn take_over(&self, origin: Origin, patience: Duration) -> Result<(), Failure> {
        origin.close_rest(&self.context.events);
        if origin.has_predecessor() {
            // Half of it: the reason is to arrive before the other loses patience.
            let keys = self.edge.has_keys(FIRST_KEYS.min(patience / 2)).await;
            if let Err(error) = keys
                && origin.refuse(&error.to_string())
            {
                return Err(Failure::Running(format!("this process does not take over: {error}")));
            }
            self.edge.checked().await;
        }
        origin.take_over(&self.context.events).await?;
        self.manager.ready();
        Ok(())
    }

    /// Serves until SIGTERM or SIGINT, then drains; a second signal ends at once. Reloads whenever told to, and leaves to
    /// another process on SIGUSR2.
    async fn serve_until(self, mut told: Told, program: &Program) -> Result<(), Failure> {
        let shutdown = self.context.shutdown.clone();
        let mut carrying = None;
        let name = loop {
            tokio::select! {
                wanted = told.signals.next() => match wanted {
                    Wanted::End(name) => break name,
                    // What came of it was told by an event.
                    Wanted::Reload => tokio::select! {
                        _ = self.reload() => {}
                        name = told.signals.end() => break name,
                    },
                    Wanted::Upgrade => match self.upgrade(program, &mut told.signals).await {
                        Leave::No => {}
                        Leave::ToSuccessor(carrier) => {
                            carrying = Some(carrier);
                            break "SIGUSR2";
                        }
                        Leave::Told(name) => break name,
                    },
                },
                Some(answer) = told.asked.recv() => tokio::select! {
                    // Whoever asked may have left.
                    result = self.reload() => drop(answer.send(result)),
                    name = told.signals.end() => break name,
                },
                () = told.watch.changed() => tokio::select! {
                    _ = self.reload() => {}
                    name = told.signals.end() => break name,
                },
                () = shutdown.draining() => break "stopped",
            }
        };
        // Nobody waits for a reload that will not come.
        drop(told.asked);
        let edge = self.configuration.settings().edge;
        tokio::select! {
            () = self.drain(name, edge.drain_delay.get(), edge.drain_timeout.get()) => {}
            _ = told.signals.end() => {}
        }
        self.context.handover.close_passage();
        if let Some(carrier) = carrying {
            // Nobody puts anything onto the passage any more. A successor that takes nothing holds nobody up.
            let _ = tokio::time::timeout(LAST_PASSENGERS, carrier).await;
        }
        self.stop().await;
        Ok(())
    }

    /// Finishes what is under way; what comes meanwhile is taken for a while, or is a successor's.
    async fn drain(&self, name: &str, delay: Duration, timeout: Duration) {
        let shutdown = &self.context.shutdown;
        if !self.context.handover.has_left() {
            self.manager.stopping();
            if !delay.is_zero() && shutdown.is_running() {
                shutdown.leave();
                self.context.events.emit(Leaving { signal: name.into(), seconds: delay.as_secs_f64() });
                tokio::time::sleep(delay).await;
            }
        }
        // A successor has them by now; without one, closed sockets must be closed.
        self.context.handover.withdraw();
        self.context.events.emit(Draining { signal: name.into(), seconds: timeout.as_secs() });
        shutdown.drain(timeout);
        shutdown.drained().await;
    }

    /// Starts another process and waits until it serves in this one's place.
    async fn upgrade(&self, program: &Program, signals: &mut Signals) -> Leave {
        let events = &self.context.events;
        let failed = |reason| {
            events.emit(UpgradeFailed { reason });
            Leave::No
        };
        let mut successor = match program.start(&self.context.handover) {
            Ok(successor) => successor,
            Err(reason) => return failed(reason),
        };
        let pid = successor.pid();
        events.emit(UpgradeStarted { program: program.name(), pid });
        let ready = tokio::select! {
            ready = successor.ready(program.timeout) => ready,
            name = signals.end() => {
                successor.end().await;
                return Leave::Told(name);
            }
        };
        // Before the other accepts: what comes between waits in the sockets' queues.
        match ready.and_then(|()| successor.let_serve()) {
            Ok(()) => {
                let (passage, passengers) = mpsc::unbounded_channel();
                self.context.handover.leave_with(passage);
                self.manager.succeeded_by(pid);
                events.emit(Upgraded { pid });
                Leave::ToSuccessor(tokio::spawn(successor.carry(passengers)))
            }
            Err(reason) => {
                successor.end().await;
                failed(reason)
            }
        }
    }

    /// Ends everything now.
    pub(crate) async fn stop(self) {
        self.context.shutdown.stop();
        tokio::join!(self.console.close(), self.otlp.close());
        drop(self.lens);
        if let Some(edge) = Arc::into_inner(self.edge) {
            edge.join();
        }
        if let Some(pool) = self.pool.and_then(Arc::into_inner) {
            pool.join();
        }
    }
}

/// Whether a process that was told to upgrade is to leave.
enum Leave {
    /// It goes on.
    No,
    /// Another serves, and is sent what goes on.
    ToSuccessor(JoinHandle<()>),
    /// It was told to end, by this signal.
    Told(&'static str),
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

/// The lens, unless the settings want none.
fn start_lens(
    config: &LensConfig,
    context: &Context,
    directory: &Path,
    configuration: &Configuration,
    pool: Option<&deepwater_pool::Handle>,
) -> Result<Option<Lens>, Failure> {
    if !config.enabled {
        return Ok(None);
    }
    let webhook = Webhook::start(config.webhook.as_ref(), directory, context);
    let ports = deepwater_lens::Ports {
        facts: configuration.facts(),
        ask: pool.map(deepwater_pool::Handle::ask),
        directory: directory.to_owned(),
        webhook: webhook.map_err(|error| Failure::Usage(error.to_string()))?,
    };
    Ok(Some(deepwater_lens::start(config, context.clone(), ports)?))
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
