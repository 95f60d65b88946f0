//! The life of the process that stands in for PgBouncer.

use std::sync::Arc;
use std::time::SystemTime;

use deepwater_core::event::Format;
use deepwater_core::{Context, Events, Level, event};
use deepwater_pool::pgbouncer::{Loaded, VERSION};
use deepwater_pool::{Ending, Face, Handle};
use rustix::process::{Signal as Number, geteuid, kill_process};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::log::Log;
use super::pidfile::Pidfile;
use super::source::Source;
use super::{Options, addresses, daemon};
use crate::cli::Failure;
use crate::notify::Manager;

event! {
    /// The process serves.
    pub struct ProcessUp { version: String, deepwater: String }
    process_up: Info, "process up: PgBouncer {version}, as Deepwater {deepwater} stands in for it"
}

event! {
    /// The process may do everything on this system.
    pub struct RunsAsRoot { fix: String }
    runs_as_root: Warn, "running as root; {fix}"
}

event! {
    /// A signal came.
    pub struct SignalCame { signal: String, what: String }
    signal_came: Info, "got {signal}, {what}"
}

/// Runs the pooler until a signal or an administrator ends it.
///
/// # Errors
/// When it cannot start.
pub(super) fn serve(loaded: Loaded, options: &Options) -> Result<(), Failure> {
    let log = Log::open(&loaded.process, options.quiet)?;
    let level = if loaded.process.verbose > 0 { Level::Debug } else { Level::Info };
    let events = Events::logged(log.clone(), level, Format::Json);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seed = since.as_nanos() as u64 ^ u64::from(std::process::id()) << 32;
    let context = Context::new(seed, events);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Heard before anything is accepted, so that nothing under way is lost.
        let signals = Signals::new()?;
        let running = Running::start(loaded, log, context.clone(), options);
        match running {
            Ok(running) => running.until_ended(signals).await,
            Err(failure) => {
                context.shutdown.stop();
                return Err(failure);
            }
        }
        Ok(())
    })
}

struct Running {
    context: Context,
    manager: Manager,
    handle: Handle,
    _pidfile: Option<Pidfile>,
}

impl Running {
    fn start(loaded: Loaded, log: Log, context: Context, options: &Options) -> Result<Self, Failure> {
        let directory = std::env::current_dir()?;
        let mut config = loaded.config.clone();
        addresses::resolve(&mut config)?;
        // Whoever is taken over from listens there still.
        config.share_addresses |= options.predecessor.is_some();
        let path = loaded.process.pidfile.clone();
        let source = Arc::new(Source::new(loaded, log, context.events.clone()));
        let handle =
            deepwater_pool::start(&config, directory, Face::PgBouncer, context.clone(), Some(source))
                .map_err(|error| Failure::Usage(error.to_string()))?;
        let pidfile = path.as_deref().map(Pidfile::write).transpose()?;
        let running = Self { context, manager: Manager::of_this_process(), handle, _pidfile: pidfile };
        let (version, deepwater) = (VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        running.context.events.emit(ProcessUp { version, deepwater });
        if geteuid().is_root() {
            running.context.events.emit(RunsAsRoot { fix: "set `user`, or start it as another".into() });
        }
        running.manager.ready();
        if options.detached {
            daemon::serving()?;
        }
        if let Some(predecessor) = options.predecessor {
            // One that has ended meanwhile needs no telling.
            let _ = kill_process(predecessor, Number::TERM);
        }
        Ok(running)
    }

    async fn until_ended(self, mut signals: Signals) {
        let shutdown = self.context.shutdown.clone();
        loop {
            tokio::select! {
                wanted = signals.next() => self.obey(wanted),
                () = shutdown.drained() => break,
            }
        }
        shutdown.stop();
        self.handle.join();
    }

    /// Does what PgBouncer does on a signal.
    fn obey(&self, wanted: Wanted) {
        let control = self.handle.control();
        let tell = |signal: &str, what: &str| {
            self.context.events.emit(SignalCame { signal: signal.into(), what: what.into() });
        };
        match wanted {
            Wanted::Reload => {
                tell("SIGHUP", "re-reading config");
                self.manager.reloading();
                // What is wrong is told by the pool; the configuration before stays in force.
                let _ = control.reload();
                self.manager.ready();
            }
            Wanted::Pause => match control.pause(None) {
                Ok(()) => tell("SIGUSR1", "pausing all activity"),
                Err(_) => tell("SIGUSR1", "but already paused/suspended"),
            },
            Wanted::Resume => match control.resume(None) {
                Ok(()) => tell("SIGUSR2", "continuing from PAUSE"),
                Err(_) => tell("SIGUSR2", "but not paused/suspended"),
            },
            Wanted::End(signal, ending) => {
                tell(
                    signal,
                    match ending {
                        Ending::ClientsLeft => "shutting down, waiting for all clients to disconnect",
                        Ending::ServersReleased => {
                            "shutting down, waiting for all server connections to be released"
                        }
                        Ending::Now => "fast exit",
                    },
                );
                self.manager.stopping();
                control.shut_down(ending);
            }
        }
    }
}

/// The signals PgBouncer knows.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    first: Signal,
    second: Signal,
}

/// What a signal asks for.
enum Wanted {
    Reload,
    Pause,
    Resume,
    /// By this signal.
    End(&'static str, Ending),
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            first: signal(SignalKind::user_defined1())?,
            second: signal(SignalKind::user_defined2())?,
        })
    }

    async fn next(&mut self) -> Wanted {
        tokio::select! {
            _ = self.hangup.recv() => Wanted::Reload,
            _ = self.first.recv() => Wanted::Pause,
            _ = self.second.recv() => Wanted::Resume,
            _ = self.terminate.recv() => Wanted::End("SIGTERM", Ending::ClientsLeft),
            _ = self.interrupt.recv() => Wanted::End("SIGINT", Ending::ServersReleased),
            _ = self.quit.recv() => Wanted::End("SIGQUIT", Ending::Now),
        }
    }
}
