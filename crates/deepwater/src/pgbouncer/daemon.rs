//! Running in the background (`-d`): the command starts itself again, detached, waits until that listens, and ends.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use deepwater_pool::pgbouncer::Process;
use rustix::process::setsid;
use rustix::stdio::{dup2_stderr, dup2_stdout};

use crate::cli::Failure;

/// Said by the process in the background once it serves.
const READY: &str = "ready";
/// How the command tells itself that it is that process.
pub(super) const DETACHED: &str = "--detached";

/// Refuses to go where nobody would hear of it any more.
///
/// # Errors
/// Without a pidfile, or without a log.
pub(super) fn check(process: &Process) -> Result<(), Failure> {
    if process.pidfile.is_none() {
        return Err(Failure::Usage(
            "daemon needs pidfile configured\n  fix: set pidfile, or leave out -d".into(),
        ));
    }
    if process.logfile.is_none() && process.syslog.is_none() {
        return Err(Failure::Usage(
            "daemon needs logfile or syslog configured\n  fix: set logfile or syslog = 1, or leave out -d"
                .into(),
        ));
    }
    Ok(())
}

/// Starts the process in the background, and waits until it serves. If it ends before, this process ends with its code.
///
/// # Errors
/// When it cannot be started.
pub(super) fn detach() -> Result<(), Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1)).arg(DETACHED);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    if line.trim_end() == READY {
        return Ok(());
    }
    let status = child.wait()?;
    // It has said why on the same standard error; nothing is to be added.
    std::process::exit(status.code().unwrap_or(1))
}

/// Leaves the terminal. Called first thing in the background.
///
/// # Errors
/// Never for a process that was started by another.
pub(super) fn leave_terminal() -> io::Result<()> {
    setsid()?;
    Ok(())
}

/// Lets the waiting command end, and speaks to nobody but the log from now on.
///
/// # Errors
/// When there is no `/dev/null`.
pub(super) fn serving() -> io::Result<()> {
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    // A command that was interrupted waits no more.
    let _ = writeln!(io::stdout(), "{READY}");
    dup2_stdout(&nowhere)?;
    dup2_stderr(&nowhere)?;
    Ok(())
}
