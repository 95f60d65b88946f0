//! A PostgreSQL server of the demo's own: private, forgetful, and gone with the demo.
//!
//! The server does not notice when whoever started it ends. So a process stands between, the [`guard`]: it holds the
//! server as its child and, like an instance of the shop, sees the end of its input when the demo has ended in
//! whatever way. Nobody but this system's user can reach the server, which listens on a socket in a closed folder.

mod guard;
mod programs;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

pub(super) use guard::{GuardArguments, guard};

/// The database, and the user who owns it.
pub(super) const DATABASE: &str = "shop";
/// The number in the name of the server's socket.
pub(super) const PORT: u16 = 5432;
/// How the guard is told the password of the database's user.
const PASSWORD: &str = "SHOP_DATABASE_PASSWORD";
/// What the guard's first line begins with, before the socket's folder.
const LISTENING: &str = "listening ";

/// For a cluster to be made, and the server in it to start.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// For the server to end, and its files to be removed.
const END_DEADLINE: Duration = Duration::from_secs(5);

/// A server that runs.
pub(super) struct Server {
    /// Where its socket is.
    pub folder: PathBuf,
    /// Of the user who owns the database.
    pub password: String,
    guard: Child,
    /// Held open: its end is the guard's sign to end the server.
    input: Option<ChildStdin>,
}

impl Server {
    /// Makes a cluster and starts a server in it, with an empty database.
    ///
    /// # Errors
    /// PostgreSQL is not here, or does not start; in a sentence.
    pub(super) async fn start(executable: &Path, password: String) -> Result<Self, String> {
        let programs = programs::find()?;
        let starting = Self::spawn(executable, programs.as_os_str(), password);
        let late = || format!("it was not ready within {} s", START_DEADLINE.as_secs());
        let started = timeout(START_DEADLINE, starting).await.unwrap_or_else(|_| Err(late()));
        started.map_err(|reason| format!("PostgreSQL does not start: {reason}"))
    }

    async fn spawn(executable: &Path, programs: &OsStr, password: String) -> Result<Self, String> {
        let mut guard = Command::new(executable)
            .arg("demo-postgres")
            .arg("--programs")
            .arg(programs)
            .env(PASSWORD, &password)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C is for the parent. When it drops this, the end of the input says so: killed, the guard could not
            // end its server.
            .process_group(0)
            .spawn()
            .map_err(|error| error.to_string())?;
        let (input, output) = (guard.stdin.take(), guard.stdout.take());
        let mut line = String::new();
        let output = output.ok_or("it has no output")?;
        BufReader::new(output).read_line(&mut line).await.map_err(|error| error.to_string())?;
        match line.trim_end().strip_prefix(LISTENING) {
            Some(folder) => Ok(Self { folder: folder.into(), password, guard, input }),
            None if line.is_empty() => Err("it ended at once".into()),
            None => Err(line.trim_end().to_owned()),
        }
    }

    /// How it ended, if it did so without being told.
    pub(super) fn ended_by_itself(&mut self) -> Option<ExitStatus> {
        let status = self.input.as_ref().and_then(|_| self.guard.try_wait().ok()?)?;
        self.input = None;
        Some(status)
    }

    /// Ends it and removes its files.
    pub(super) async fn end(mut self) {
        self.input = None;
        // A guard that takes longer does what it has to without being watched.
        let _ = timeout(END_DEADLINE, self.guard.wait()).await;
    }
}
