//! A Redis of our own, on a free port of loopback.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::soon;

/// A server. It ends with the test, since it is at the other end of a pipe.
pub(super) struct Redis {
    port: u16,
    _process: Child,
    _directory: TempDir,
}

impl Redis {
    pub async fn start() -> Self {
        // Between finding a free port and listening on it another may have taken it.
        for _ in 0..20 {
            if let Some(server) = soon("Redis to start", Self::try_start()).await {
                return server;
            }
        }
        panic!("no Redis could be started: run ./scripts/need-redis");
    }

    async fn try_start() -> Option<Self> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let directory = TempDir::with_prefix("deepwater-redis-").unwrap();
        let mut process = Command::new("sh")
            .args(["-c", "redis-server \"$@\" & read -r _; kill $!; wait", "redis"])
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &port.to_string(), "--dir"])
            .arg(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.contains("Ready to accept connections") {
                // What it says later goes nowhere, and does not block it.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Some(Self { port, _process: process, _directory: directory });
            }
            if line.contains("Failed listening") {
                return None;
            }
        }
        None
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}
