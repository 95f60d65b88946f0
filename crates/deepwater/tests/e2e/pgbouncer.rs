//! `deepwater pgbouncer`: in PgBouncer's place, as its scripts and administrators know it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, geteuid, kill_process, pidfd_open};
use tokio::process::Command;

use crate::support::pg_wire::Pg;
use crate::support::pg_wire::say::query;
use crate::support::postgres::{Database, Place, Postgres, Version};
use crate::support::{Home, PATIENCE, run, soon};

/// The number in the name of the Unix socket; there is one directory for each test.
const PORT: u16 = 6432;

/// A directory with `pgbouncer.ini`, users and these settings, in front of a database.
fn written(database: &Database, settings: &str) -> Home {
    let home = Home::new();
    home.write(
        "users.txt",
        format!("\"admin\" \"admin\"\n\"{}\" \"{}\"\n", database.user, database.password),
    );
    let ini = format!(
        "[databases]\nshop = host={} port={} dbname={}\n[pgbouncer]\nunix_socket_dir = {}\nauth_file = users.txt\n\
         pidfile = pool.pid\nlogfile = pool.log\nadmin_users = admin\n{settings}\n",
        database.address.ip(),
        database.address.port(),
        database.database,
        home.path("").display(),
    );
    home.write("pgbouncer.ini", ini);
    home
}

fn socket(home: &Home) -> PathBuf {
    home.path(&format!(".s.PGSQL.{PORT}"))
}

/// A session through the Unix socket.
async fn session(home: &Home, database: &str, user: &str, password: &str) -> Pg {
    let mut session = Pg::dial_unix(&socket(home)).await;
    let text = |text: &str| text.to_owned();
    let address = ([127, 0, 0, 1], 0).into();
    let place = Place { address, database: text(database), user: text(user), password: text(password) };
    session.begin(&place, &[]).await.unwrap();
    session
}

async fn admin(home: &Home) -> Pg {
    session(home, "pgbouncer", "admin", "admin").await
}

/// A row of SHOW CONFIG.
async fn setting(home: &Home, key: &str) -> String {
    let rows = admin(home).await.rows("SHOW CONFIG").await;
    let row = rows.into_iter().find(|row| row[0].as_deref() == Some(key)).unwrap();
    row[1].clone().unwrap_or_default()
}

/// A process in the background; ended with the test.
struct Daemon(Pid);

impl Daemon {
    /// Starts one, and knows it by its pidfile.
    async fn start(home: &Home, arguments: &[&str]) -> Self {
        let arguments: Vec<_> = ["pgbouncer", "-d"].iter().chain(arguments).copied().collect();
        let result = run(&home.path(""), &arguments).await;
        assert_eq!(
            (result.code, result.stdout.as_str(), result.stderr.as_str()),
            (Some(0), "", ""),
            "{}",
            log(home)
        );
        let number = std::fs::read_to_string(home.path("pool.pid")).unwrap();
        Self(Pid::from_raw(number.trim().parse().unwrap()).unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.0, signal).unwrap();
    }

    async fn ends(&self) {
        // It may have ended already.
        let Ok(process) = pidfd_open(self.0, PidfdFlags::empty()) else { return };
        let patience = Timespec::try_from(PATIENCE).unwrap();
        let ended = tokio::task::spawn_blocking(move || {
            poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&patience)).unwrap()
        });
        assert_eq!(ended.await.unwrap(), 1, "the process does not end");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Nearly always it has ended already.
        let _ = kill_process(self.0, Signal::KILL);
    }
}

fn log(home: &Home) -> String {
    std::fs::read_to_string(home.path("pool.log")).unwrap_or_default()
}

/// Waits until the log holds a text; it is written by a thread of its own.
async fn logged(home: &Home, text: &str) {
    soon(text, async {
        while !log(home).contains(text) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_version_is_what_scripts_look_for() {
    let home = Home::new();
    for flag in ["-V", "--version"] {
        let result = run(&home.path(""), &["pgbouncer", flag]).await;
        let first = result.stdout.lines().next().unwrap();
        let words: Vec<_> = first.split(' ').collect();
        assert_eq!((result.code, words[0]), (Some(0), "PgBouncer"), "{first}");
        assert!(words[1].split('.').all(|part| part.parse::<u32>().is_ok()), "{first}");
        assert_eq!(words[1].split('.').count(), 3, "{first}");
    }
    // Under PgBouncer's name it is PgBouncer.
    let link = home.path("pgbouncer");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_deepwater"), &link).unwrap();
    let output = soon("the version", Command::new(&link).arg("-V").output()).await.unwrap();
    assert!(output.stdout.starts_with(b"PgBouncer "), "{output:?}");
}

#[tokio::test]
async fn what_cannot_be_meant_is_told_at_once_and_nothing_starts() {
    let home = Home::new();
    home.write(
        "pgbouncer.ini",
        "[databases]\nshop = host=h colour=red\n[pgbouncer]\nauth_type = pam\npool_moed = x\n",
    );
    let result = run(&home.path(""), &["pgbouncer", "pgbouncer.ini"]).await;
    assert_eq!(result.code, Some(2));
    for says in [
        "pgbouncer.ini:2: [databases] shop: there is no `colour`",
        "pgbouncer.ini:4: auth_type: auth_type `pam` is not supported: ",
        "pgbouncer.ini:5: pool_moed: there is no setting `pool_moed`",
        "or write pool_mode",
    ] {
        assert!(result.stderr.contains(says), "{says}\n{}", result.stderr);
    }
    let result = run(&home.path(""), &["pgbouncer"]).await;
    assert_eq!(result.code, Some(2), "{result:?}");

    home.write("pgbouncer.ini", "[pgbouncer]\nlogfile = pool.log\n");
    let result = run(&home.path(""), &["pgbouncer", "-d", "pgbouncer.ini"]).await;
    assert_eq!(result.code, Some(2));
    assert!(result.stderr.contains("daemon needs pidfile configured"), "{result:?}");
    home.write("pgbouncer.ini", "[pgbouncer]\npidfile = pool.pid\n");
    let result = run(&home.path(""), &["pgbouncer", "-d", "pgbouncer.ini"]).await;
    assert!(result.stderr.contains("daemon needs logfile or syslog"), "{result:?}");

    // What fails in the background is told in the foreground.
    home.write(
        "pgbouncer.ini",
        "[pgbouncer]\npidfile = pool.pid\nlogfile = pool.log\nunix_socket_dir = /no/such\n",
    );
    let result = run(&home.path(""), &["pgbouncer", "-d", "pgbouncer.ini"]).await;
    assert_eq!(result.code, Some(2), "{result:?}");
    assert!(result.stderr.contains("cannot listen on unix:/no/such/"), "{result:?}");
    assert!(!home.path("pool.pid").exists());
}

#[tokio::test]
async fn a_daemon_serves_reloads_and_ends_when_its_clients_have_left() {
    let database = Version::Newest.database().await;
    let home = written(&database, "default_pool_size = 5");
    let daemon = Daemon::start(&home, &["pgbouncer.ini"]).await;
    let mut client = session(&home, "shop", &database.user, &database.password).await;
    assert_eq!(client.value("SELECT 1 + 1").await, "2");
    assert_eq!(setting(&home, "default_pool_size").await, "5");
    let fds = admin(&home).await.rows("SHOW FDS").await;
    let linked = |task: &str| {
        let mut rows = fds.iter().filter(|row| row[1].as_deref() == Some(task));
        rows.find(|row| row[3].as_deref() == Some("shop"))
            .map(|row| (row[0].clone(), row[7].clone()))
            .unwrap()
    };
    let ((client_fd, to_server), (server_fd, to_client)) = (linked("client"), linked("server"));
    assert_eq!((to_server, to_client), (server_fd, client_fd), "in session mode they stay together");

    let second = run(&home.path(""), &["pgbouncer", "pgbouncer.ini"]).await;
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("exists, another instance running?"), "{second:?}");

    // The log has been moved away, and the file has changed.
    logged(&home, "process up: PgBouncer ").await;
    std::fs::rename(home.path("pool.log"), home.path("pool.log.1")).unwrap();
    let ini = std::fs::read_to_string(home.path("pgbouncer.ini")).unwrap();
    home.write(
        "pgbouncer.ini",
        ini.replace("default_pool_size = 5", "default_pool_size = 6\npidfile = other.pid"),
    );
    daemon.signal(Signal::HUP);
    logged(&home, "pidfile: changes at the next start of the process only").await;
    assert_eq!(setting(&home, "default_pool_size").await, "6");
    let line = log(&home).lines().next().unwrap().to_owned();
    let words: Vec<_> = line.split(' ').collect();
    assert_eq!((words[0].len(), words[1].len(), words[2]), (10, 12, "UTC"), "{line}");
    assert_eq!(words[3], format!("[{}]", daemon.0.as_raw_nonzero()), "{line}");

    // A file that is wrong changes nothing.
    home.write("pgbouncer.ini", "[pgbouncer]\nnonsense = 1\n");
    daemon.signal(Signal::HUP);
    logged(&home, "there is no setting `nonsense`").await;
    assert_eq!(setting(&home, "default_pool_size").await, "6");

    daemon.signal(Signal::USR1);
    logged(&home, "got SIGUSR1, pausing all activity").await;
    daemon.signal(Signal::USR2);
    logged(&home, "got SIGUSR2, continuing from PAUSE").await;
    assert_eq!(client.value("SELECT 2 + 2").await, "4");

    daemon.signal(Signal::TERM);
    logged(&home, "got SIGTERM, shutting down, waiting for all clients to disconnect").await;
    assert_eq!(client.value("SELECT 3 + 3").await, "6", "clients are not hurried");
    client.leave().await;
    daemon.ends().await;
    assert!(!home.path("pool.pid").exists() && !socket(&home).exists());
}

#[tokio::test]
async fn clients_hear_of_their_servers_what_pgbouncer_says() {
    let database = Postgres::own("", "").await.database().await;
    let place = format!("host={} port={}", database.address.ip(), database.address.port());
    let single = format!("single = {place} dbname={} pool_mode=statement", database.database);
    let home = written(&database, &format!("pool_mode = transaction\n[databases]\n{single}\n* = {place}"));
    let daemon = Daemon::start(&home, &["pgbouncer.ini"]).await;

    // The first to ask for a database that there is not hears the server's own words.
    let missing = "database \"nowhere\" does not exist";
    let cached = format!("server login has been failing, cached error: {missing} (server_login_retry)");
    for words in [format!("C:3D000 M:{missing}"), format!("C:08P01 M:{cached}")] {
        let mut stranger = Pg::dial_unix(&socket(&home)).await;
        let refused = stranger.begin(&database.of("nowhere"), &[]).await.unwrap_err().to_string();
        assert!(refused.contains(&words), "{refused}");
    }

    let mut client = session(&home, "single", &database.user, &database.password).await;
    client.say(query("BEGIN")).await;
    let heard: Vec<_> = client.hear_out().await.iter().map(ToString::to_string).collect();
    assert!(heard.last().unwrap().contains("transaction blocks not allowed"), "{heard:#?}");
    assert!(!heard.iter().any(|words| words.starts_with("Ready")), "it never was: {heard:#?}");

    let mut client = session(&home, "shop", &database.user, &database.password).await;
    client.run("BEGIN").await;
    database.server.stop_immediate().await;
    let heard: Vec<_> = client.hear_out().await.iter().map(ToString::to_string).collect();
    assert!(heard.last().unwrap().contains("C:08P01 M:server conn crashed?"), "{heard:#?}");
    daemon.signal(Signal::QUIT);
    daemon.ends().await;
}

#[tokio::test]
async fn simple_queries_are_disallowed_in_pgbouncers_words() {
    let database = Version::Newest.database().await;
    let home = written(&database, "disable_pqexec = 1");
    let daemon = Daemon::start(&home, &["pgbouncer.ini"]).await;
    let mut client = session(&home, "shop", &database.user, &database.password).await;
    client.say(query("SELECT 1")).await;
    let heard = client.hear_out().await;
    assert!(heard[0].to_string().contains("C:08P01 M:PQexec disallowed"), "{heard:?}");
    daemon.signal(Signal::QUIT);
    daemon.ends().await;
}

#[tokio::test]
async fn a_reload_is_in_force_once_it_is_answered() {
    let database = Version::Newest.database().await;
    let home = written(&database, "pool_mode = transaction\nserver_login_retry = 60");
    let daemon = Daemon::start(&home, &["pgbouncer.ini"]).await;
    let mut client = session(&home, "shop", &database.user, &database.password).await;
    let mut admin = admin(&home).await;
    let ini = std::fs::read_to_string(home.path("pgbouncer.ini")).unwrap();
    let (own, other) = (format!("dbname={}", database.database), "dbname=postgres");
    for _ in 0..5 {
        assert_eq!(client.value("SELECT current_database()").await, database.database);
        home.write("pgbouncer.ini", ini.replace(&own, other));
        admin.run("RELOAD").await;
        // A connection to the database of before is free.
        assert_eq!(client.value("SELECT current_database()").await, "postgres");
        home.write("pgbouncer.ini", &ini);
        admin.run("RELOAD").await;
    }

    // What could not be connected to is tried again at once.
    home.write("pgbouncer.ini", ini.replace(&own, "dbname=nowhere"));
    admin.run("RELOAD").await;
    client.say(query("SELECT current_database()")).await;
    logged(&home, "\"nowhere\" does not exist").await;
    home.write("pgbouncer.ini", &ini);
    admin.run("RELOAD").await;
    let heard = client.hear_until(b'Z').await;
    assert!(heard.iter().any(|reply| reply.to_string().contains(&database.database)), "{heard:?}");

    // Who is there when the database goes is told so.
    home.write("pgbouncer.ini", ini.replace("shop =", "other ="));
    admin.run("RELOAD").await;
    let heard = client.hear_out().await;
    assert!(heard.last().unwrap().to_string().contains("M:database removed"), "{heard:?}");
    daemon.signal(Signal::QUIT);
    daemon.ends().await;
}

#[tokio::test]
async fn an_interrupt_ends_between_transactions() {
    let database = Version::Newest.database().await;
    let home = written(&database, "pool_mode = transaction");
    let daemon = Daemon::start(&home, &["pgbouncer.ini"]).await;
    let idle = session(&home, "shop", &database.user, &database.password).await;
    let mut busy = session(&home, "shop", &database.user, &database.password).await;
    busy.run("BEGIN").await;
    daemon.signal(Signal::INT);
    logged(&home, "got SIGINT, shutting down").await;
    assert_eq!(busy.value("SELECT 1").await, "1", "its transaction goes on");
    busy.run("COMMIT").await;
    daemon.ends().await;
    drop(idle);
}

#[tokio::test]
async fn another_takes_over_without_a_client_noticing() {
    let database = Version::Newest.database().await;
    let home = written(&database, "");
    let old = Daemon::start(&home, &["pgbouncer.ini"]).await;
    let mut client = session(&home, "shop", &database.user, &database.password).await;
    assert_eq!(client.value("SELECT 1").await, "1");

    let ini = std::fs::read_to_string(home.path("pgbouncer.ini")).unwrap();
    home.write("pgbouncer.ini", format!("{ini}\ndefault_pool_size = 9\n"));
    let new = Daemon::start(&home, &["-R", "pgbouncer.ini"]).await;
    assert_ne!(old.0, new.0);
    assert_eq!(setting(&home, "default_pool_size").await, "9", "new clients come to the new process");
    assert_eq!(client.value("SELECT 2").await, "2", "the old one serves its own");
    client.leave().await;
    old.ends().await;
    assert_eq!(setting(&home, "default_pool_size").await, "9", "the socket is the new one's");
    let number = std::fs::read_to_string(home.path("pool.pid")).unwrap();
    assert_eq!(number.trim(), new.0.as_raw_nonzero().to_string());
    new.signal(Signal::QUIT);
    new.ends().await;
    assert!(!home.path("pool.pid").exists() && !socket(&home).exists());
}

#[tokio::test]
async fn another_user_is_become_before_anything_is_opened() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let database = Version::Newest.database().await;
    let home = written(&database, "");
    std::fs::set_permissions(home.path(""), std::fs::Permissions::from_mode(0o777)).unwrap();
    let daemon = Daemon::start(&home, &["-u", "nobody", "pgbouncer.ini"]).await;
    let mut client = session(&home, "shop", &database.user, &database.password).await;
    assert_eq!(client.value("SELECT 1").await, "1");
    let threads = std::fs::read_dir(format!("/proc/{}/task", daemon.0.as_raw_nonzero())).unwrap();
    for thread in threads {
        let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        let id = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap().to_owned();
        assert!(!id("Uid:").split_whitespace().any(|id| id == "0"), "{status}");
        assert!(!id("Gid:").split_whitespace().any(|id| id == "0"), "{status}");
        assert!(!id("Groups:").split_whitespace().any(|id| id == "0"), "{status}");
    }
    let result = run(&home.path(""), &["pgbouncer", "-u", "no-such-user", "pgbouncer.ini"]).await;
    assert!(result.stderr.contains("there is no user `no-such-user`"), "{result:?}");
    daemon.signal(Signal::QUIT);
    daemon.ends().await;
}

#[tokio::test]
async fn its_file_becomes_one_of_deepwaters() {
    let home = Home::new();
    home.write("users.txt", "\"app\" \"secret\"\n");
    home.write(
        "pgbouncer.ini",
        "[databases]\nshop = host=127.0.0.1 user=app password='it''s secret' pool_size=3\n* = host=/tmp\n[pgbouncer]\n\
         listen_addr = 127.0.0.1\nauth_file = users.txt\npkt_buf = 8192\nlogfile = pool.log\npool_mode = session\n",
    );
    let translated = run(&home.path(""), &["check", "--from-pgbouncer", "pgbouncer.ini"]).await;
    assert_eq!((translated.code, translated.stderr.as_str()), (Some(0), ""));
    assert!(!translated.stdout.contains("it's secret"), "{}", translated.stdout);
    assert!(translated.stdout.contains("# pgbouncer.ini:7: pkt_buf: has no effect"), "{}", translated.stdout);
    home.write("deepwater.toml", &translated.stdout);

    let checked = run(&home.path(""), &["check", "-c", "deepwater.toml"]).await;
    assert_eq!(checked.code, Some(2), "the password is not set: {checked:?}");
    let check = |home: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deepwater"));
        command.args(["check", "-c", "deepwater.toml"]).current_dir(home).env("PASSWORD_SHOP", "it's secret");
        command
    };
    let checked = soon("the check", check(&home.path("")).output()).await.unwrap();
    assert!(checked.status.success(), "{checked:?}\n{}", translated.stdout);
}
