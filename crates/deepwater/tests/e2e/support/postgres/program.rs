//! Programs that applications and their administrators use.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::super::deepwater::Run;
use super::super::soon;
use super::folder::tools;
use super::place::Place;

/// Runs a program that finds its database in the environment, to its end.
async fn run(program: &Path, place: &Place, arguments: &[&str], input: &str) -> Run {
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    command.env("PGHOST", place.address.ip().to_string()).env("PGPORT", place.address.port().to_string());
    command.env("PGUSER", &place.user).env("PGPASSWORD", &place.password).env("PGDATABASE", &place.database);
    command.env("DATABASE_URL", place.url()).env("NODE_PATH", tools().join("node/node_modules"));
    command.env("PSQLRC", "/dev/null").env("PGCONNECT_TIMEOUT", "20").env("LC_ALL", "C.UTF-8");
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let mut stdin = child.stdin.take().unwrap();
    let feed = async {
        // A program that has ended reads no more.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
    };
    let ended = async { tokio::join!(feed, child.wait_with_output()).1 };
    let output = soon("the program to end", ended).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

impl Run {
    /// What it printed, provided that nothing failed.
    pub fn good(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self.stdout
    }
}

fn debian(program: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").unwrap().flatten();
    let programs = versions.map(|entry| entry.path().join("bin").join(program));
    programs.filter(|path| path.exists()).max().unwrap_or_else(|| panic!("{program} is missing"))
}

fn script(name: &str) -> String {
    format!("{}/tests/clients/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// psql, with commands on its standard input, plain output, and an end at the first error.
pub async fn psql(place: &Place, commands: &str) -> Run {
    psql_over(place, "", commands).await
}

/// The same over a connection with these options, written as libpq takes them.
pub async fn psql_over(place: &Place, options: &str, commands: &str) -> Run {
    let options = format!("dbname={} {options}", place.database);
    let arguments = ["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", &options];
    run(&debian("psql"), place, &arguments, commands).await
}

pub async fn pgbench(place: &Place, arguments: &[&str]) -> Run {
    run(&debian("pgbench"), place, arguments, "").await
}

/// A script of `tests/clients`.
pub async fn python(place: &Place, name: &str, arguments: &[&str]) -> Run {
    let script = script(name);
    run(&tools().join("python/bin/python"), place, &[&[script.as_str()], arguments].concat(), "").await
}

/// A script of `tests/clients`.
pub async fn node(place: &Place, name: &str, arguments: &[&str]) -> Run {
    let script = script(name);
    run(Path::new("node"), place, &[&[script.as_str()], arguments].concat(), "").await
}
