//! The cache, from outside.

mod asking;
mod clients;
mod conformance;
mod hostile;
mod keys;
mod large;
mod purging;
mod racing;
mod ranges;
mod seeing;
mod stale;
mod stampede;
mod storing;
mod vary;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use crate::support::{Answer, Deepwater, LISTEN, Message, Origin, Visit, Wire, pool, soon};

/// Lets time pass. Only for what is about time itself: a lifetime that ends.
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// A configuration with one route, that caches so.
fn config(origin: &Origin, cache: &str) -> String {
    format!("{LISTEN}[[edge.route]]\npool = \"app\"\ncache = {cache}\n{}", pool("app", &[origin.address]))
}

/// An edge with one route, that caches so.
async fn caching(origin: &Origin, cache: &str) -> Deepwater {
    Deepwater::start(&config(origin, cache)).await
}

/// 200 with these field lines and a body.
fn with(fields: &str, body: &str) -> Answer {
    say("200 OK", fields, body)
}

/// An answer with these field lines, separated by line feeds, and a body.
fn say(status: &str, fields: &str, body: &str) -> Answer {
    let fields: String = fields.lines().map(|line| format!("{}\r\n", line.trim())).collect();
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{fields}\r\n{body}", body.len())
}

/// 200 that everybody may have for a minute.
fn fresh(body: &str) -> Answer {
    with("Cache-Control: max-age=60", body)
}

/// A GET with these field lines, separated by line feeds.
fn get(path: &str, fields: &str) -> String {
    ask("GET", path, fields)
}

fn ask(method: &str, path: &str, fields: &str) -> String {
    let fields: String = fields.lines().map(|line| format!("{}\r\n", line.trim())).collect();
    format!("{method} {path} HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n")
}

/// What the cache says it did, without its name and the lifetime that is left.
fn did(answer: &Message) -> String {
    let value = answer.get("cache-status").unwrap_or_else(|| panic!("no Cache-Status: {answer:?}"));
    let mut members = value.split("; ");
    assert_eq!(members.next(), Some("deepwater-edge"), "{value}");
    members.filter(|member| !member.starts_with("ttl=")).collect::<Vec<_>>().join("; ")
}

/// Whether the cache has answered by itself.
fn is_hit(answer: &Message) -> bool {
    did(answer).starts_with("hit")
}

/// Purges; what the console says of it.
async fn purge(edge: &Deepwater, what: Value) -> Value {
    let answer = edge.command_with("/api/cache/purge", &what.to_string()).await;
    assert_eq!(answer.status(), 200, "{what}: {answer:?}");
    serde_json::from_str(answer.text()).unwrap()
}

/// Waits until so many requests are being served: nothing happens between that and their place in a fetch.
async fn under_way(edge: &Deepwater, requests: u32) {
    edge.counts("deepwater_edge_in_flight", &[("route", "/*")], requests.into()).await;
}

/// What an origin waits at.
#[derive(Clone)]
struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    fn shut() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    fn open(&self) {
        self.0.send_replace(true);
    }

    async fn pass(&self) {
        let mut gate = self.0.subscribe();
        soon("the gate to open", gate.wait_for(|open| *open)).await.unwrap();
    }
}

/// An origin that follows a script on every connection, and has a gate to wait at.
async fn at_gate<S>(gate: &Gate, script: impl Fn(Visit, Gate) -> S + Send + 'static) -> Origin
where
    S: Future<Output = ()> + Send + 'static,
{
    let gate = gate.clone();
    Origin::scripted(move |visit| script(visit, gate.clone())).await
}

/// An origin whose answers wait at a gate.
async fn gated(gate: &Gate, answer: impl Fn(&Message) -> Answer + Send + Sync + 'static) -> Origin {
    let answer = Arc::new(answer);
    at_gate(gate, move |mut visit, gate| {
        let answer = Arc::clone(&answer);
        async move {
            while let Some(request) = visit.request().await {
                gate.pass().await;
                visit.send(answer(&request)).await;
            }
        }
    })
    .await
}

/// An origin with one version of a body, of which it says so to whoever knows one.
async fn versioned(fields: &'static str, body: &'static str) -> Origin {
    Origin::answering(move |request| match request.get("if-none-match") {
        Some(_) => "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n".into(),
        None => with(&format!("ETag: \"v1\"\n{fields}"), body),
    })
    .await
}

/// An origin that answers with its answers in turn, the last one over and over.
async fn in_turn(answers: &[Answer]) -> Origin {
    let answers = answers.to_vec();
    let asked = std::sync::atomic::AtomicUsize::new(0);
    Origin::answering(move |_| {
        let at = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        answers[at.min(answers.len() - 1)].clone()
    })
    .await
}

/// Clients that have asked for a path, each over a connection of its own.
async fn crowd(edge: &Deepwater, clients: usize, path: &str) -> Vec<Wire> {
    let mut crowd = Vec::new();
    for _ in 0..clients {
        let mut client = edge.client().await;
        client.send(get(path, "")).await;
        crowd.push(client);
    }
    crowd
}

/// What they hear.
async fn answers(crowd: Vec<Wire>) -> Vec<Message> {
    let mut answers = Vec::new();
    for mut client in crowd {
        answers.push(client.response().await);
    }
    answers
}
