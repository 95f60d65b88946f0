//! One HTTP/1.1 call to a server nearby: the console, or an instance of the shop.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// For the whole exchange, unless more is asked for. Whoever asks is a person who waits.
const DEADLINE: Duration = Duration::from_secs(5);
/// More than the largest status page, bytes.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// What is asked.
pub(crate) struct Call<'a> {
    pub method: Method,
    /// `host:port`
    pub address: &'a str,
    /// Path with query.
    pub path: &'a str,
    /// A header field that opens the door.
    pub key: Option<(HeaderName, HeaderValue)>,
    /// JSON text; empty for none.
    pub json: String,
    /// How long the whole exchange may take.
    pub within: Duration,
}

impl<'a> Call<'a> {
    pub(crate) fn get(address: &'a str, path: &'a str) -> Self {
        let (method, within) = (Method::GET, DEADLINE);
        Self { method, address, path, key: None, json: String::new(), within }
    }

    pub(crate) fn post(address: &'a str, path: &'a str, json: String) -> Self {
        Self { method: Method::POST, json, ..Self::get(address, path) }
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// No connection, or no complete answer, as a clause for a sentence.
    pub(crate) async fn send(self) -> Result<(StatusCode, Bytes), String> {
        let within = self.within;
        match tokio::time::timeout(within, self.exchange()).await {
            Ok(result) => result,
            Err(_) => Err(format!("no answer within {} s", within.as_secs())),
        }
    }

    async fn exchange(self) -> Result<(StatusCode, Bytes), String> {
        let stream = TcpStream::connect(self.address).await.map_err(|error| error.to_string())?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let request = self.request()?;
        let exchange = async {
            let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_LIMIT);
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok((status, body))
        };
        // The connection does its work beside the exchange, and ends with it.
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            result = &mut exchange => result,
            _ = connection => exchange.await,
        }
    }

    fn request(self) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::builder().method(self.method).uri(self.path).header(HOST, self.address);
        if let Some((name, value)) = self.key {
            request = request.header(name, value);
        }
        if !self.json.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request.body(Full::new(Bytes::from(self.json))).map_err(|error| error.to_string())
    }
}
