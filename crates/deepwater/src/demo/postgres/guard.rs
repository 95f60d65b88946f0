//! The process that holds the server, and ends it when the demo has ended.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc;

use rustix::process::{Pid, Signal, kill_process};

use super::{DATABASE, LISTENING, PASSWORD, PORT};
use crate::cli::Failure;
use crate::demo::shop::{random_text, say};

/// What the server says when it can be connected to.
const READY: &str = "database system is ready to accept connections";
/// Fast, and forgetful should the machine fail: everything is thrown away at the end. No connection from elsewhere.
const SETTINGS: [&str; 8] = [
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_connections=20",
    "shared_buffers=32MB",
];
/// System users the server may run as when the demo runs as root, whom it refuses.
const USERS: [&str; 2] = ["postgres", "nobody"];
/// Lines of the server's last words that are kept.
const LAST_WORDS: usize = 3;

/// What the guard is told on its command line.
#[derive(Debug, clap::Args)]
pub(crate) struct GuardArguments {
    /// The folder of `initdb` and `postgres`.
    #[arg(long)]
    programs: PathBuf,
}

/// The life of the guard: until its input ends, or its server does.
pub(crate) fn guard(arguments: &GuardArguments) -> Result<(), Failure> {
    let password = std::env::var(PASSWORD).map_err(|_| {
        Failure::Usage(format!("`demo-postgres` is a part of `deepwater demo`: {PASSWORD} is not set"))
    })?;
    let started = Cluster::make(&arguments.programs, &password).and_then(Cluster::start);
    match started {
        Ok(running) => {
            say(&format!("{LISTENING}{}", running.cluster.folder.display()))?;
            running.watch()
        }
        Err(reason) => {
            // The parent reads the first line.
            say(&reason.replace('\n', " "))?;
            Err(Failure::Running(reason))
        }
    }
}

/// A folder with a cluster. Dropping it removes the folder.
struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    /// Who the server runs as, if not as this process's user.
    user: Option<User>,
}

struct User {
    uid: u32,
    gid: u32,
}

/// A cluster with its server.
struct Running {
    server: Child,
    /// Until it is watched.
    log: Option<BufReader<ChildStderr>>,
    cluster: Cluster,
}

/// What ends the guard.
enum End {
    /// The demo is gone.
    Told,
    /// The server is gone; what it said last.
    Server(Vec<String>),
}

impl Cluster {
    /// Makes a cluster with an empty database and its owner.
    fn make(programs: &Path, password: &str) -> Result<Self, String> {
        let user = if rustix::process::geteuid().is_root() { Some(User::find()?) } else { None };
        let name = format!("deepwater-demo-{}", random_text().map_err(|error| error.to_string())?);
        let folder = std::env::temp_dir().join(name);
        let failed = |error: io::Error| format!("{}: {error}", folder.display());
        // Closed to everybody else: whoever can open the socket is believed.
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(failed)?;
        let cluster = Self { folder: folder.clone(), programs: programs.to_owned(), user };
        if let Some(user) = &cluster.user {
            chown(&folder, Some(user.uid), Some(user.gid)).map_err(failed)?;
        }
        let mut initdb = cluster.command("initdb");
        initdb.args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]);
        run(initdb.arg("--pgdata").arg(cluster.data()), "")?;
        // A command a line; neither name nor password needs quoting.
        let role = format!("CREATE ROLE {DATABASE} LOGIN PASSWORD '{password}';\n");
        let database = format!("CREATE DATABASE {DATABASE} OWNER {DATABASE};\n");
        let mut single = cluster.command("postgres");
        single.args(["--single", "-F", "-D"]).arg(cluster.data()).arg("postgres");
        run(&mut single, &(role + &database))?;
        Ok(cluster)
    }

    /// Starts the server and waits until it lets in.
    fn start(self) -> Result<Running, String> {
        let mut command = self.command("postgres");
        command.args(["-p", &PORT.to_string(), "-D"]).arg(self.data());
        command.arg("-c").arg(format!("unix_socket_directories={}", self.folder.display()));
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut server = command.spawn().map_err(|error| error.to_string())?;
        let log = server.stderr.take().map(BufReader::new);
        let mut running = Running { server, log, cluster: self };
        let mut said = Vec::new();
        loop {
            match running.line() {
                Some(line) if line.contains(READY) => return Ok(running),
                Some(line) => remember(&mut said, line),
                None => return Err(said.join("; ")),
            }
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        // Its log is read by a program.
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir(&self.folder);
        if let Some(user) = &self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // What cannot be removed is left to the system, which cleans its temporary folder.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Running {
    /// The next line of the server's log; `None` when it has closed it, which it does when it ends.
    fn line(&mut self) -> Option<String> {
        next_line(self.log.as_mut()?)
    }

    /// Waits for the end of the demo, or of the server.
    fn watch(mut self) -> Result<(), Failure> {
        let (ended, ends) = mpsc::channel();
        let told = ended.clone();
        std::thread::Builder::new().name("parent".into()).spawn(move || {
            // An error means as well that nobody holds the other end.
            while matches!(io::stdin().read(&mut [0; 64]), Ok(1..)) {}
            let _ = told.send(End::Told);
        })?;
        let log = self.log.take();
        // A log that nobody reads would fill its pipe and hold up the server.
        std::thread::Builder::new().name("log".into()).spawn(move || {
            let mut said = Vec::new();
            for line in log.into_iter().flat_map(|mut log| std::iter::from_fn(move || next_line(&mut log))) {
                remember(&mut said, line);
            }
            let _ = ended.send(End::Server(said));
        })?;
        match ends.recv() {
            Ok(End::Server(said)) => Err(Failure::Running(format!("PostgreSQL ended: {}", said.join("; ")))),
            Ok(End::Told) | Err(_) => Ok(()),
        }
    }
}

impl Drop for Running {
    /// Ends the server at once, and waits for it: its files are removed next.
    fn drop(&mut self) {
        let pid = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw);
        // It may have ended by itself.
        let _ = pid.map(|pid| kill_process(pid, Signal::QUIT));
        let _ = self.server.wait();
    }
}

impl User {
    fn find() -> Result<Self, String> {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let nobody = || format!("it must not run as root, and there is no user {}", USERS.join(" or "));
        USERS.iter().find_map(|name| Self::named(name, &passwd)).ok_or_else(nobody)
    }

    fn named(name: &str, passwd: &str) -> Option<Self> {
        let line = passwd.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let mut ids = line.split(':').skip(1).map(str::parse);
        Some(Self { uid: ids.next()?.ok()?, gid: ids.next()?.ok()? })
    }
}

/// Runs a program to its end, with this input.
fn run(command: &mut Command, input: &str) -> Result<(), String> {
    let name = command.get_program().display().to_string();
    let failed = |reason: &dyn std::fmt::Display| format!("{name}: {reason}");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed(&error))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read has failed, and says why.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| failed(&error))?;
    if output.status.success() {
        return Ok(());
    }
    let mut said = Vec::new();
    for line in String::from_utf8_lossy(&output.stderr).lines().filter(|line| !line.trim().is_empty()) {
        remember(&mut said, line.to_owned());
    }
    Err(failed(&said.join("; ")))
}

fn next_line(log: &mut BufReader<ChildStderr>) -> Option<String> {
    let mut line = Vec::new();
    let read = log.read_until(b'\n', &mut line).ok()?;
    (read > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// Keeps the last few.
fn remember(said: &mut Vec<String>, line: String) {
    if said.len() == LAST_WORDS {
        said.remove(0);
    }
    said.push(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\nnobodyelse:x:7:8::/:\nnobody:x:65534:65533:n:/:/bin/false\n";
        let ids = |name| User::named(name, passwd).map(|user| (user.uid, user.gid));
        assert_eq!(ids("nobody"), Some((65_534, 65_533)));
        assert_eq!(ids("postgres"), None);
        assert_eq!(User::named("x", "x:y:z").map(|user| user.uid), None);
    }

    #[test]
    fn the_reason_of_a_failure_is_in_its_last_words() {
        let mut script = Command::new("sh");
        script.args(["-c", "cat >&2; echo one >&2; echo two >&2; exit 3"]);
        let said = run(&mut script, "zero\nhalf\n").unwrap_err();
        assert_eq!(said, "sh: half; one; two");
        assert_eq!(run(&mut Command::new("true"), "unread"), Ok(()));
    }
}
