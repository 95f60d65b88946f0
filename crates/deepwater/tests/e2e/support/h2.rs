//! Both ends of HTTP/2, on the `h2` crate.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::client::SendRequest;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::soon;
use super::wire::Stream;

/// A client's connection.
#[derive(Clone)]
pub struct H2Client {
    pub requests: SendRequest<Bytes>,
}

/// A response that was read to its end.
#[derive(Debug)]
pub struct Whole {
    pub head: Response<()>,
    pub body: Vec<u8>,
    pub trailers: Option<HeaderMap>,
}

impl H2Client {
    /// Speaks HTTP/2 over a connection.
    pub async fn over(stream: impl Stream + 'static) -> Self {
        let handshake = h2::client::handshake(Box::new(stream) as Box<dyn Stream>);
        let (requests, connection) = soon("the HTTP/2 preface", handshake).await.unwrap();
        tokio::spawn(async move {
            // Each stream tells of its own end.
            let _ = connection.await;
        });
        Self { requests }
    }

    /// Begins a request; its body, if any, is still to be sent.
    pub async fn begin(
        &self,
        request: Request<()>,
        ends: bool,
    ) -> (h2::client::ResponseFuture, SendStream<Bytes>) {
        let mut requests = soon("room for a stream", self.requests.clone().ready()).await.unwrap();
        requests.send_request(request, ends).unwrap()
    }

    /// Sends a request without body and reads the whole response.
    pub async fn ask(&self, request: Request<()>) -> Whole {
        let (response, _) = self.begin(request, true).await;
        whole(response).await
    }

    pub async fn get(&self, path: &str) -> Whole {
        self.ask(request("GET", path)).await
    }
}

/// A request to `shop.example`.
pub fn request(method: &str, path: &str) -> Request<()> {
    Request::builder().method(method).uri(format!("http://shop.example{path}")).body(()).unwrap()
}

async fn whole(response: h2::client::ResponseFuture) -> Whole {
    let (head, body) = soon("the response", response).await.expect("a response").into_parts();
    let (body, trailers) = read_all(body).await.expect("a whole body");
    Whole { head: Response::from_parts(head, ()), body, trailers }
}

/// Reads a body to its end.
///
/// # Errors
/// When the stream is reset.
pub async fn read_all(mut body: RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut bytes = Vec::new();
    while let Some(data) = soon("body data", body.data()).await {
        let data = data?;
        bytes.extend_from_slice(&data);
        body.flow_control().release_capacity(data.len())?;
    }
    Ok((bytes, soon("trailers", body.trailers()).await?))
}

/// Sends data as the other end makes room for it.
///
/// # Errors
/// When the stream is reset.
pub async fn send_all(stream: &mut SendStream<Bytes>, mut data: Bytes, ends: bool) -> Result<(), h2::Error> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = soon("room to send", poll_fn(|cx| stream.poll_capacity(cx))).await;
        let room = room.ok_or(h2::Error::from(h2::Reason::CANCEL))??;
        let part = data.split_to(room.min(data.len()));
        let last = ends && data.is_empty();
        stream.send_data(part, last)?;
    }
    Ok(())
}

/// An HTTP/2 server. Dropping it closes everything.
pub struct H2Origin {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl H2Origin {
    /// A server that follows a script for every request.
    pub async fn start<F, S>(tls: Option<TlsAcceptor>, script: F) -> Self
    where
        F: Fn(Request<RecvStream>, SendResponse<Bytes>) -> S + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        Self::limited(tls, DEFAULT_STREAMS, script).await
    }

    /// A server that takes so many requests at once on a connection.
    pub async fn limited<F, S>(tls: Option<TlsAcceptor>, streams: u32, script: F) -> Self
    where
        F: Fn(Request<RecvStream>, SendResponse<Bytes>) -> S + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::<AtomicUsize>::default();
        let script = Arc::new(script);
        let accepting = {
            let connections = Arc::clone(&connections);
            async move {
                let mut visits = JoinSet::new();
                while let Ok((tcp, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::SeqCst);
                    let stream: Box<dyn Stream> = match &tls {
                        None => Box::new(tcp),
                        Some(tls) => match tls.accept(tcp).await {
                            Ok(stream) => Box::new(stream),
                            Err(_) => continue,
                        },
                    };
                    visits.spawn(serve(stream, streams, Arc::clone(&script)));
                }
            }
        };
        Self { address, connections, task: tokio::spawn(accepting) }
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// What servers commonly allow.
const DEFAULT_STREAMS: u32 = 128;

async fn serve<F, S>(stream: Box<dyn Stream>, streams: u32, script: Arc<F>)
where
    F: Fn(Request<RecvStream>, SendResponse<Bytes>) -> S,
    S: Future<Output = ()> + Send + 'static,
{
    let handshake = h2::server::Builder::new().max_concurrent_streams(streams).handshake(stream);
    let Ok(mut connection) = handshake.await else { return };
    let mut streams = JoinSet::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        streams.spawn(script(request, respond));
    }
}

impl Drop for H2Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}
