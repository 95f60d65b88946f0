//! Clients of every kind that ask all the time, and count whatever goes wrong.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::soon;
use super::wire::{Ending, Message, Wire};
use super::{read_all, request};

/// Clients of each kind.
const CLIENTS: usize = 4;
/// How long a client that is not in a hurry thinks between two requests.
const THOUGHT: Duration = Duration::from_millis(20);

/// Clients at work.
pub struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

struct Shared {
    address: SocketAddr,
    over: AtomicBool,
    served: AtomicUsize,
    connections: AtomicUsize,
    failures: Mutex<Vec<String>>,
    news: Notify,
}

/// What came of it.
pub struct Outcome {
    pub served: usize,
    pub connections: usize,
    pub failures: Vec<String>,
}

impl Load {
    /// Clients that keep their connections (in a hurry or not), that come anew for each request, and that speak HTTP/2.
    pub fn on(address: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            address,
            over: AtomicBool::default(),
            served: AtomicUsize::default(),
            connections: AtomicUsize::default(),
            failures: Mutex::default(),
            news: Notify::new(),
        });
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(Arc::clone(&shared).keep(None));
            clients.spawn(Arc::clone(&shared).keep(Some(THOUGHT)));
            clients.spawn(Arc::clone(&shared).come_anew());
            clients.spawn(Arc::clone(&shared).http2());
        }
        Self { shared, clients }
    }

    /// Waits until so many more requests were served.
    pub async fn serves(&self, more: usize) {
        let wanted = self.shared.served.load(SeqCst) + more;
        soon("requests to be served", async {
            while self.shared.served.load(SeqCst) < wanted && self.shared.failures.lock().unwrap().is_empty()
            {
                self.shared.news.notified().await;
            }
        })
        .await;
    }

    /// Ends it, every client after its answer.
    pub async fn end(mut self) -> Outcome {
        self.shared.over.store(true, SeqCst);
        soon("the clients to end", async { while self.clients.join_next().await.is_some() {} }).await;
        let failures = std::mem::take(&mut *self.shared.failures.lock().unwrap());
        let (served, connections) = (&self.shared.served, &self.shared.connections);
        Outcome { served: served.load(SeqCst), connections: connections.load(SeqCst), failures }
    }
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.over.load(SeqCst)
    }

    fn served(&self) {
        self.served.fetch_add(1, SeqCst);
        self.news.notify_one();
    }

    fn failed(&self, what: String) {
        self.failures.lock().unwrap().push(what);
        self.news.notify_one();
    }

    async fn connect(&self) -> Option<TcpStream> {
        self.connections.fetch_add(1, SeqCst);
        match soon("a connection", TcpStream::connect(self.address)).await {
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                Some(stream)
            }
            Err(error) => {
                self.failed(format!("connecting: {error}"));
                None
            }
        }
    }

    /// Asks once; whether the connection may be used again.
    async fn ask(&self, kind: &str, client: &mut Wire, close: bool) -> bool {
        let close = if close { "Connection: close\r\n" } else { "" };
        client.send(format!("GET /x HTTP/1.1\r\nHost: a\r\n{close}\r\n")).await;
        match client.try_response_to("GET").await {
            Some(Message { head, body, ending: Ending::Whole, .. })
                if head.status() == 200 && body == b"ok" =>
            {
                self.served();
                !head.lists("connection", "close")
            }
            other => {
                self.failed(format!("{kind}: {other:?}"));
                false
            }
        }
    }

    async fn keep(self: Arc<Self>, thought: Option<Duration>) {
        while self.goes_on() {
            let Some(stream) = self.connect().await else { continue };
            let mut client = Wire::new(stream);
            while self.goes_on() && self.ask("keeping", &mut client, false).await {
                if let Some(thought) = thought {
                    tokio::time::sleep(thought).await;
                }
            }
        }
    }

    async fn come_anew(self: Arc<Self>) {
        while self.goes_on() {
            let Some(stream) = self.connect().await else { continue };
            self.ask("coming anew", &mut Wire::new(stream), true).await;
        }
    }

    async fn http2(self: Arc<Self>) {
        while self.goes_on() {
            let Some(stream) = self.connect().await else { continue };
            let (requests, connection) = match soon("HTTP/2", h2::client::handshake(stream)).await {
                Ok(both) => both,
                Err(error) => {
                    self.failed(format!("HTTP/2 handshake: {error}"));
                    continue;
                }
            };
            let connection = tokio::spawn(connection);
            while self.goes_on() {
                // Told to go before anything was sent: it goes.
                let Ok(mut ready) = soon("room for a stream", requests.clone().ready()).await else { break };
                let Ok((response, _)) = ready.send_request(request("GET", "/x"), true) else { break };
                let body = match soon("a response", response).await {
                    Ok(response) if response.status() == 200 => read_all(response.into_body()).await,
                    Ok(response) => {
                        self.failed(format!("HTTP/2: {}", response.status()));
                        break;
                    }
                    Err(error) => Err(error),
                };
                match body {
                    Ok((body, _)) if body == b"ok" => self.served(),
                    other => {
                        self.failed(format!("HTTP/2: {other:?}"));
                        break;
                    }
                }
            }
            drop(requests);
            connection.abort();
        }
    }
}
