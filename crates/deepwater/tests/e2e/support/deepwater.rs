//! The real binary, as a user runs it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::metrics::Metrics;
use super::origin::Origin;
use super::soon;
use super::wire::{Message, Wire};

/// No lens, where memory is measured.
pub const UNWATCHED: &str = "[lens]\nenabled = false\n";

/// A listener on a free port; one thread, so that what is counted is exact.
pub const LISTEN: &str = "[edge]\nworkers = 1\n[[edge.listen]]\naddress = \"127.0.0.1:0\"\n";
/// Everything to the pool `app`.
pub const ROUTE: &str = "[[edge.route]]\npool = \"app\"\n";

/// A pool of these origins; further keys may follow.
pub fn pool(name: &str, targets: &[SocketAddr]) -> String {
    let targets: Vec<_> = targets.iter().map(|address| format!("\"{address}\"")).collect();
    format!("[pools.{name}]\ntargets = [{}]\n", targets.join(", "))
}

/// A directory of its own for a configuration file and what it names.
pub struct Home {
    directory: TempDir,
    environment: Vec<(String, String)>,
}

impl Home {
    pub fn new() -> Self {
        Self { directory: TempDir::with_prefix("deepwater-e2e-").unwrap(), environment: Vec::new() }
    }

    /// Sets a variable of the environment for what runs here.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file, and the directories it is in.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
}

/// A command that has ended.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command of the binary to its end.
pub async fn run(directory: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deepwater"));
    command.args(arguments).current_dir(directory).stdin(Stdio::null()).kill_on_drop(true);
    let output = soon("the command to end", command.output()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A running `deepwater run`. Dropping it ends the process; a failed test shows its log.
pub struct Deepwater {
    child: Child,
    home: Home,
    lines: watch::Receiver<Vec<String>>,
    printed: watch::Receiver<Vec<String>>,
    /// The listeners, in the order of the file.
    pub edges: Vec<SocketAddr>,
    pub console: SocketAddr,
}

impl Deepwater {
    /// Runs a configuration until it listens.
    pub async fn start(config: &str) -> Self {
        Self::start_in(Home::new(), config).await
    }

    /// The same without the lens, where memory is measured: what measuring takes is bounded, and another story's.
    pub async fn unwatched(origin: &Origin) -> Self {
        Self::start(&format!("{LISTEN}{UNWATCHED}{ROUTE}{}", pool("app", &[origin.address]))).await
    }

    /// The shortest configuration there is, in front of an origin.
    pub async fn fronting(origin: &Origin) -> Self {
        Self::start(&format!("{LISTEN}{ROUTE}{}", pool("app", &[origin.address]))).await
    }

    /// Runs a configuration that names files of its directory.
    pub async fn start_in(home: Home, config: &str) -> Self {
        let listeners = config.matches("[[edge.listen]]").count();
        let file = home.write("deepwater.toml", format!("[console]\nlisten = \"127.0.0.1:0\"\n{config}"));
        let file = file.to_str().unwrap();
        Self::spawn(home, &["run", "-c", file], listeners).await
    }

    /// Runs the binary with these arguments until it listens.
    pub async fn spawn(home: Home, arguments: &[&str], listeners: usize) -> Self {
        let mut deepwater = Self::launch(home, arguments);
        let console = deepwater.log_line("console_started").await;
        deepwater.console = address_in(&console);
        let started = |line: &&String| line.contains("edge_started");
        let lines = deepwater.lines.borrow().clone();
        deepwater.edges = lines.iter().filter(started).map(|line| address_in(line)).collect();
        assert_eq!(deepwater.edges.len(), listeners, "one line per listener: {lines:?}");
        // Whoever answers has finished starting.
        deepwater.page("/healthz").await;
        deepwater
    }

    /// Runs the binary with these arguments, and waits for nothing.
    pub fn launch(home: Home, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deepwater"));
        command.args(arguments).current_dir(home.directory.path());
        command.envs(home.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let lines = lines_of(child.stderr.take().unwrap());
        let printed = lines_of(child.stdout.take().unwrap());
        let console = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { child, home, lines, printed, edges: Vec::new(), console }
    }

    /// The first listener.
    pub fn edge(&self) -> SocketAddr {
        self.edges[0]
    }

    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    pub fn home(&self) -> &Home {
        &self.home
    }

    /// A connection to the first listener.
    pub async fn client(&self) -> Wire {
        self.client_of(0).await
    }

    /// A connection to a listener.
    pub async fn client_of(&self, listener: usize) -> Wire {
        Wire::new(self.dial(listener).await)
    }

    pub async fn dial(&self, listener: usize) -> TcpStream {
        let stream = soon("a connection", TcpStream::connect(self.edges[listener])).await.unwrap();
        // One that was reset at once tells so when it is read.
        let _ = stream.set_nodelay(true);
        stream
    }

    /// A request over a connection of its own.
    pub async fn ask(&self, request: impl AsRef<[u8]>) -> Message {
        self.client().await.ask(request).await
    }

    /// A path, over a connection of its own.
    pub async fn get(&self, path: &str) -> Message {
        self.client().await.get(path).await
    }

    /// The first line of the log, past or to come, that holds a text.
    pub async fn log_line(&self, text: &str) -> String {
        line_with(&self.lines, text).await
    }

    /// The first line of standard output, past or to come, that holds a text.
    pub async fn printed_line(&self, text: &str) -> String {
        line_with(&self.printed, text).await
    }

    /// A page of the console.
    pub async fn page(&self, path: &str) -> Message {
        self.console_call("GET", path, "Connection: close\r\n\r\n").await
    }

    /// A JSON page of the console.
    pub async fn json(&self, path: &str) -> Value {
        let page = self.page(path).await;
        assert_eq!(page.status(), 200, "{path}: {page:?}");
        serde_json::from_str(page.text()).unwrap()
    }

    /// A command to the console.
    pub async fn command(&self, path: &str) -> Message {
        self.command_with(path, "").await
    }

    /// A command to the console that says more.
    pub async fn command_with(&self, path: &str, body: &str) -> Message {
        let fields = format!("X-Deepwater: 1\r\nContent-Length: {}\r\n", body.len());
        self.console_call("POST", path, &(fields + "Connection: close\r\n\r\n" + body)).await
    }

    async fn console_call(&self, method: &str, path: &str, rest: &str) -> Message {
        let stream = soon("the console", TcpStream::connect(self.console)).await.unwrap();
        let host = self.console;
        Wire::new(stream).ask(format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{rest}")).await
    }

    /// The metrics, parsed strictly.
    pub async fn metrics(&self) -> Metrics {
        let page = self.page("/metrics").await;
        assert_eq!(page.status(), 200);
        assert!(page.get("content-type").is_some_and(|kind| kind.starts_with("text/plain; version=0.0.4")));
        Metrics::parse(page.text())
    }

    /// Waits until a metric has a value; counters are moved just after a client has its answer.
    pub async fn counts(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        let mut last = None;
        let reached = async {
            while last != Some(value) {
                last = self.metrics().await.get(name, labels);
            }
        };
        if tokio::time::timeout(super::PATIENCE, reached).await.is_err() {
            panic!("{name} {labels:?} should become {value}, but is {last:?}");
        }
    }

    /// Waits until a target of a pool is in a state.
    pub async fn target_becomes(&self, pool: &str, target: SocketAddr, state: &str) {
        let what = format!("{target} of {pool} to become {state}");
        soon(&what, async { while self.target(pool, target).await["state"] != state {} }).await;
    }

    /// A target's row in `/api/edge/pools`.
    pub async fn target(&self, pool: &str, target: SocketAddr) -> Value {
        let pools = self.json("/api/edge/pools").await;
        let pool = pools["pools"].as_array().unwrap().iter().find(|row| row["name"] == pool).unwrap();
        let targets = pool["targets"].as_array().unwrap();
        targets.iter().find(|row| row["address"] == target.to_string()).unwrap().clone()
    }

    /// Asks the process to end.
    pub fn terminate(&self) {
        let pid = Pid::from_raw(self.pid().cast_signed()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }

    /// Waits for the process to end; its exit code.
    pub async fn ends(&mut self) -> Option<i32> {
        soon("the process to end", self.child.wait()).await.unwrap().code()
    }

    /// Kills the process, which gets no time for a last word; what it leaves behind.
    pub async fn killed(&mut self) -> Home {
        self.child.kill().await.unwrap();
        std::mem::replace(&mut self.home, Home::new())
    }

    /// Memory in use, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// A number of the system's on its memory, in bytes.
    pub(super) fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }
}

/// The lines of a stream so far.
fn lines_of(stream: impl AsyncRead + Unpin + Send + 'static) -> watch::Receiver<Vec<String>> {
    let mut stream = BufReader::new(stream).lines();
    let (sender, lines) = watch::channel(Vec::new());
    tokio::spawn(async move {
        while let Ok(Some(line)) = stream.next_line().await {
            sender.send_modify(|lines: &mut Vec<String>| lines.push(line));
        }
    });
    lines
}

async fn line_with(lines: &watch::Receiver<Vec<String>>, text: &str) -> String {
    let mut coming = lines.clone();
    let found = soon(text, coming.wait_for(|lines| lines.iter().any(|line| line.contains(text)))).await;
    match found {
        Ok(lines) => lines.iter().find(|line| line.contains(text)).cloned().unwrap_or_default(),
        Err(_) => panic!("the process ended before it said {text:?}: {:#?}", lines.borrow()),
    }
}

/// The first socket address in a line.
pub(super) fn address_in(line: &str) -> SocketAddr {
    let words = line.split(|c: char| c.is_whitespace() || matches!(c, '"' | '/' | ','));
    let mut addresses = words.filter_map(|word| word.parse().ok());
    addresses.next().unwrap_or_else(|| panic!("no address in {line:?}"))
}

impl Drop for Deepwater {
    fn drop(&mut self) {
        // The process is ended by its handle.
        if std::thread::panicking() {
            eprintln!("--- what deepwater said:\n{}\n---", self.lines.borrow().join("\n"));
        }
    }
}
