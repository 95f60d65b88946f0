//! Origin servers on loopback that follow a script, however odd.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::soon;
use super::wire::{Head, Message, Wire};

/// What a well-behaved origin says, as it goes over the wire.
pub type Answer = String;

/// 200 with a body of known length.
pub fn ok(body: &str) -> Answer {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A server. Dropping it closes its socket and all its connections.
pub struct Origin {
    pub address: SocketAddr,
    diary: Arc<Diary>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Diary {
    heard: Mutex<Vec<Message>>,
    connections: AtomicUsize,
    news: Notify,
}

/// A connection to an origin, from the origin's side.
pub struct Visit {
    wire: Wire,
    /// How many came before.
    pub number: usize,
    diary: Arc<Diary>,
}

impl Deref for Visit {
    type Target = Wire;
    fn deref(&self) -> &Wire {
        &self.wire
    }
}

impl DerefMut for Visit {
    fn deref_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}

impl Visit {
    /// The next request; `None` when the edge closes the connection.
    pub async fn request(&mut self) -> Option<Message> {
        let request = self.wire.try_request().await?;
        self.diary.heard.lock().unwrap().push(request.clone());
        self.diary.news.notify_waiters();
        Some(request)
    }

    /// Waits for a request and says something.
    pub async fn reply(&mut self, answer: impl AsRef<[u8]>) -> Option<Message> {
        let request = self.request().await?;
        self.wire.send(answer).await;
        Some(request)
    }

    /// The head of the next request, leaving its body unread.
    pub async fn request_head(&mut self) -> Head {
        self.wire.head().await
    }

    /// Keeps the connection open until the other side ends it.
    pub async fn linger(&mut self) {
        self.wire.closes().await;
    }
}

impl Origin {
    /// A server that follows a script on every connection.
    pub async fn scripted<F, S>(script: F) -> Self
    where
        F: Fn(Visit) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        Self::on(ANYWHERE, None, script).await
    }

    /// A server that answers each request, and keeps the connection.
    pub async fn answering(answer: impl Fn(&Message) -> Answer + Send + Sync + 'static) -> Self {
        Self::on(ANYWHERE, None, serving(answer)).await
    }

    /// The same at a given address, such as that of an origin that is gone.
    pub async fn answering_at(
        address: SocketAddr,
        answer: impl Fn(&Message) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::on(address, None, serving(answer)).await
    }

    /// A server that answers each request over TLS.
    pub async fn secure(
        tls: TlsAcceptor,
        answer: impl Fn(&Message) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::on(ANYWHERE, Some(tls), serving(answer)).await
    }

    /// A server that answers with its name.
    pub async fn named(name: &str) -> Self {
        let name = name.to_owned();
        Self::answering(move |_| ok(&name)).await
    }

    /// A server that sends back the bytes it gets, and ends when they end.
    pub async fn echo() -> Self {
        Self::scripted(|mut visit| async move {
            loop {
                let bytes = visit.some_bytes().await;
                if bytes.is_empty() {
                    return visit.finish().await;
                }
                visit.send(bytes).await;
            }
        })
        .await
    }

    /// A server that answers with this and breaks the connection off.
    pub async fn resetting(answer: &'static str) -> Self {
        let listener = TcpListener::bind(ANYWHERE).await.unwrap();
        let address = listener.local_addr().unwrap();
        let diary = Arc::<Diary>::default();
        let task = tokio::spawn(async move {
            while let Ok((mut tcp, _)) = listener.accept().await {
                let mut seen = [0; 4_096];
                let _ = tcp.read(&mut seen).await;
                let _ = tcp.write_all(answer.as_bytes()).await;
                socket2::SockRef::from(&tcp).set_linger(Some(std::time::Duration::ZERO)).unwrap();
            }
        });
        Self { address, diary, task }
    }

    /// An address where nothing listens.
    pub async fn nowhere() -> SocketAddr {
        let listener = TcpListener::bind(ANYWHERE).await.unwrap();
        listener.local_addr().unwrap()
    }

    async fn on<F, S>(address: SocketAddr, tls: Option<TlsAcceptor>, script: F) -> Self
    where
        F: Fn(Visit) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let diary = Arc::<Diary>::default();
        let accepting = {
            let diary = Arc::clone(&diary);
            async move {
                let mut visits = JoinSet::new();
                while let Ok((tcp, _)) = listener.accept().await {
                    let number = diary.connections.fetch_add(1, Ordering::SeqCst);
                    diary.news.notify_waiters();
                    tcp.set_nodelay(true).unwrap();
                    let wire = match &tls {
                        None => Wire::new(tcp),
                        // A client that does not like our certificate leaves.
                        Some(tls) => match tls.accept(tcp).await {
                            Ok(stream) => Wire::new(stream),
                            Err(_) => continue,
                        },
                    };
                    visits.spawn(script(Visit { wire, number, diary: Arc::clone(&diary) }));
                }
            }
        };
        Self { address, diary, task: tokio::spawn(accepting) }
    }

    /// Closes everything at once.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// The requests so far.
    pub fn heard(&self) -> Vec<Message> {
        self.diary.heard.lock().unwrap().clone()
    }

    /// The request, when there was exactly one.
    pub fn only_request(&self) -> Message {
        let mut heard = self.heard();
        assert_eq!(heard.len(), 1, "one request: {heard:?}");
        heard.remove(0)
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.diary.connections.load(Ordering::SeqCst)
    }

    /// Waits until so many requests were heard.
    pub async fn hears(&self, requests: usize) {
        let enough = || self.diary.heard.lock().unwrap().len() >= requests;
        self.notes(&format!("request {requests} at the origin"), enough).await;
    }

    async fn notes(&self, what: &str, noted: impl Fn() -> bool) {
        soon(what, async {
            loop {
                let news = self.diary.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if noted() {
                    return;
                }
                news.await;
            }
        })
        .await;
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The script of a server that answers each request.
fn serving(
    answer: impl Fn(&Message) -> Answer + Send + Sync + 'static,
) -> impl Fn(Visit) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + 'static {
    let answer = Arc::new(answer);
    move |mut visit| {
        let answer = Arc::clone(&answer);
        Box::pin(async move {
            while let Some(request) = visit.request().await {
                let answer = answer(&request);
                visit.send(answer).await;
            }
        })
    }
}
