//! A Redis of our own, on a free port of loopback.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::{Identity, soon};

/// A server. It ends with the test, since it is at the other end of a pipe.
pub(super) struct Redis {
    port: u16,
    _process: Child,
    _directory: TempDir,
}

/// How a start ended.
enum Start {
    Ready(Redis),
    /// Between finding a free port and listening on it another has taken it.
    PortTaken,
    /// It ended for another reason, the last it said.
    Ended(String),
}

impl Redis {
    pub async fn start() -> Self {
        match Self::start_with("--port", &[]).await {
            Ok(server) => server,
            Err(reason) => panic!("no Redis could be started ({reason}): run ./scripts/need-redis"),
        }
    }

    /// One that speaks TLS only, as who it is; the reason when this system's Redis cannot.
    pub async fn secure(identity: &Identity) -> Result<Self, String> {
        let files = TempDir::with_prefix("deepwater-redis-tls-").unwrap();
        let write = |name: &str, content: &str| {
            let path = files.path().join(name);
            std::fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (cert, key) = (write("cert.pem", &identity.cert), write("key.pem", &identity.key));
        let tls =
            ["--port", "0", "--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-auth-clients", "no"];
        // Once it is ready it has read them.
        Self::start_with("--tls-port", &tls).await
    }

    async fn start_with(port: &str, more: &[&str]) -> Result<Self, String> {
        for _ in 0..20 {
            match soon("Redis to start", Self::try_start(port, more)).await {
                Start::Ready(server) => return Ok(server),
                Start::PortTaken => {}
                Start::Ended(reason) => return Err(reason),
            }
        }
        Err("every port was taken".into())
    }

    async fn try_start(port_option: &str, more: &[&str]) -> Start {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let directory = TempDir::with_prefix("deepwater-redis-").unwrap();
        let mut process = Command::new("sh")
            .args(["-c", "redis-server \"$@\" 2>&1 & read -r _; kill $!; wait", "redis"])
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(more)
            .args([port_option, &port.to_string(), "--dir"])
            .arg(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut last = String::new();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.contains("Ready to accept connections") {
                // What it says later goes nowhere, and does not block it.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Start::Ready(Self { port, _process: process, _directory: directory });
            }
            if line.contains("Failed listening") {
                return Start::PortTaken;
            }
            if line.contains("Bad directive") {
                return Start::Ended(line);
            }
            last = line;
        }
        Start::Ended(last)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn secure_url(&self) -> String {
        format!("rediss://127.0.0.1:{}", self.port)
    }
}
