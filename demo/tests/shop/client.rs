//! A running shop, and the few things a client does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use deepwater_shop::{Options, serve};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::http::request::Builder;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Nothing in these tests takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Shop {
    pub(crate) address: SocketAddr,
    shutdown: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

impl Shop {
    pub(crate) async fn open(instance: &str) -> Self {
        Self::open_with(instance, None).await
    }

    pub(crate) async fn open_with(instance: &str, demo_token: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::open_on(listener, instance, demo_token)
    }

    pub(crate) fn open_on(listener: TcpListener, instance: &str, demo_token: Option<&str>) -> Self {
        let address = listener.local_addr().unwrap();
        let options = Options {
            listen: address,
            instance: instance.to_owned(),
            jwt_secret: "the same for all instances".to_owned(),
            prices: BTreeMap::new(),
            database: None,
            demo_token: demo_token.map(str::to_owned),
        };
        let (shutdown, told) = oneshot::channel();
        let served = tokio::spawn(serve(listener, options, async move {
            let _ = told.await;
        }));
        Self { address, shutdown, served }
    }

    /// Begins the shutdown; resolves when the shop has ended.
    pub(crate) fn close(self) -> impl Future<Output = ()> {
        let _ = self.shutdown.send(());
        async { within(self.served).await.unwrap().unwrap() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path)).await
    }

    pub(crate) async fn send(&self, request: Builder) -> Answer {
        self.send_body(request, "").await
    }

    pub(crate) async fn post_json(&self, path: &str, json: &str) -> Answer {
        self.send_body(Request::post(path).header("content-type", "application/json"), json).await
    }

    pub(crate) async fn send_body(&self, request: Builder, body: &str) -> Answer {
        let (parts, body) = self.begin(request, body).await.into_parts();
        let bytes = within(body.collect()).await.unwrap().to_bytes();
        Answer(Response::from_parts(parts, bytes))
    }

    /// Sends a request on a connection of its own; returns once the head of the response is there.
    pub(crate) async fn begin(&self, request: Builder, body: &str) -> Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let body = Full::new(Bytes::from(body.to_owned()));
        let request = request.header(HOST, self.address.to_string()).body(body).unwrap();
        within(sender.send_request(request)).await.unwrap()
    }
}

pub(crate) struct Answer(Response<Bytes>);

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    /// The value of a header, empty when absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.0.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(self.0.body()).unwrap()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.body()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(self.0.body()).unwrap()
    }

    /// What a browser would send back of the cookie set.
    pub(crate) fn cookie(&self) -> &str {
        self.header("set-cookie").split(';').next().unwrap()
    }
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it took too long")
}
