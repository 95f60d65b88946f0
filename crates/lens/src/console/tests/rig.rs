//! A console on a free port, and a client that shows every byte of the exchange.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deepwater_core::{Context, Endpoint, Events};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::{Build, Config, Handle, Listen, Ports, Readiness, start};

/// Longer than anything a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Rig {
    pub(super) context: Context,
    pub(super) console: Handle,
}

pub(super) fn ports(endpoints: Vec<Endpoint>) -> Ports {
    Ports {
        build: Build { version: "1.2.3", commit: "abc1234" },
        endpoints,
        statuses: vec![("edge", Arc::new(|| serde_json::json!({ "requests": 42 })))],
        directory: PathBuf::new(),
        readiness: Arc::new(Readiness::ready),
    }
}

pub(super) fn config(token: Option<&str>) -> Config {
    let token = token.map(|token| token.parse().unwrap());
    Config { listen: "127.0.0.1:0".parse().unwrap(), token }
}

impl Rig {
    pub(super) async fn plain() -> Self {
        Self::with(config(None), ports(Vec::new())).await
    }

    pub(super) async fn with(config: Config, ports: Ports) -> Self {
        let context = Context::new(7, Events::silent());
        let console = start(config, context.clone(), ports).await.unwrap();
        Self { context, console }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.console.address().unwrap()
    }

    pub(super) fn listen(&self) -> Listen {
        Listen::At(self.address())
    }

    pub(super) async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], "").await
    }

    /// One request on a connection of its own. `Host` is the console's unless given.
    pub(super) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            request += &format!("Host: {}\r\n", self.address());
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        let mut client = self.connect().await;
        client.write(&format!("{request}\r\n{body}")).await;
        Answer::parse(&client.rest().await)
    }

    pub(super) async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.address()).await.unwrap() }
    }
}

pub(super) struct Client {
    stream: TcpStream,
}

impl Client {
    /// Writes as much as the server takes.
    pub(super) async fn write(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes()).await;
    }

    /// Everything up to the end of the connection.
    pub(super) async fn rest(&mut self) -> String {
        let mut text = Vec::new();
        let read = self.stream.read_to_end(&mut text);
        let _ = tokio::time::timeout(PATIENCE, read).await.expect("the server ends the connection");
        String::from_utf8(text).unwrap()
    }

    /// Everything up to and including a text.
    pub(super) async fn until(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.ends_with(end) {
            let byte = tokio::time::timeout(PATIENCE, self.stream.read_u8()).await;
            text.push(char::from(byte.expect("an answer in time").expect("an answer")));
        }
        text
    }
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The value of a header, `""` without it.
    pub(super) fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}
