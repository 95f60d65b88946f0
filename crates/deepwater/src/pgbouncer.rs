//! `deepwater pgbouncer`: in PgBouncer's place, with its command line, its file and its log.

mod account;
mod addresses;
mod daemon;
mod log;
mod pidfile;
mod serve;
mod source;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use deepwater_pool::pgbouncer::{self, Loaded};
use rustix::process::Pid;

use crate::cli::{Failure, VERSION, print};

/// What PgBouncer's command line holds.
#[derive(Debug, clap::Args)]
#[command(disable_version_flag = true, args_override_self = true, after_help = SIGNALS)]
pub(crate) struct Arguments {
    /// Run in the background (as a daemon); needs `pidfile`, and `logfile` or `syslog`.
    #[arg(short, long)]
    daemon: bool,
    /// Take over from a process that runs: listen beside it, then let it finish with its clients and end.
    #[arg(short = 'R', long)]
    reboot: bool,
    /// Do not log to standard error.
    #[arg(short, long)]
    quiet: bool,
    /// Log more; may be repeated.
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Become this user of the system; goes before `user` of the file.
    #[arg(short, long, value_name = "USERNAME")]
    user: Option<String>,
    /// Show the version, then end.
    #[arg(short = 'V', long)]
    version: bool,
    /// Set by the command itself, in the background.
    #[arg(long, hide = true)]
    detached: bool,
    /// `pgbouncer.ini`.
    #[arg(value_name = "CONFIG_FILE", required_unless_present = "version")]
    config: Option<PathBuf>,
}

const SIGNALS: &str = "\
Signals, as PgBouncer's:
  HUP    read the files again, and open the log anew
  TERM   take no new clients, end when the last one has left
  INT    take no new clients, end when the last transaction is over
  QUIT   end at once (TERM and INT too, the second time)
  USR1   pause: finish what is under way, hold what comes
  USR2   resume";

/// Called under PgBouncer's name (a link to the binary), the command is the one that stands in for it.
pub(crate) fn arguments() -> Vec<OsString> {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    let name = arguments.first().map(Path::new).and_then(Path::file_name);
    if name.is_some_and(|name| name == "pgbouncer") {
        arguments.insert(1, "pgbouncer".into());
    }
    arguments
}

/// How the process was asked to run.
struct Options {
    /// Nothing to standard error.
    quiet: bool,
    /// Tell the command that waits once clients are served.
    detached: bool,
    /// The process to end once clients are served.
    predecessor: Option<Pid>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let file = match &arguments.config {
        Some(file) if !arguments.version => file,
        // Scripts read the first line.
        _ => return print(version().as_bytes()),
    };
    if arguments.detached {
        daemon::leave_terminal()?;
    }
    let mut loaded = load(file)?;
    let verbose = usize::from(loaded.process.verbose) + usize::from(arguments.verbose);
    loaded.set("verbose", &verbose.to_string()).map_err(Failure::Usage)?;
    if arguments.daemon {
        daemon::check(&loaded.process)?;
    }
    // Threads have their creator's user: before there are any.
    if let Some(user) = arguments.user.as_ref().or(loaded.process.user.as_ref()) {
        account::become_user(user)?;
    }
    let predecessor = predecessor(&loaded, arguments.reboot)?;
    if arguments.daemon && !arguments.detached {
        return daemon::detach();
    }
    let quiet = arguments.quiet || arguments.detached;
    serve::serve(loaded, &Options { quiet, detached: arguments.detached, predecessor })
}

fn version() -> String {
    let (stands_for, own) = (pgbouncer::VERSION, env!("CARGO_PKG_VERSION"));
    format!("PgBouncer {stands_for} (Deepwater {own})\ndeepwater {VERSION}\n")
}

/// Reads a file of PgBouncer's.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn load(file: &Path) -> Result<Loaded, Failure> {
    pgbouncer::load(file).map_err(|problems| Failure::Usage(problems.to_string()))
}

/// The process that runs already, if it is to be taken over from.
fn predecessor(loaded: &Loaded, reboot: bool) -> Result<Option<Pid>, Failure> {
    let Some(path) = &loaded.process.pidfile else { return Ok(None) };
    let found = pidfile::look(path)
        .map_err(|error| Failure::Running(format!("cannot read pidfile '{}': {error}", path.display())))?;
    match found {
        pidfile::Found::Nothing => Ok(None),
        pidfile::Found::Running(Some(pid)) if reboot => Ok(Some(pid)),
        pidfile::Found::Running(_) => Err(pidfile::taken(path)),
    }
}
