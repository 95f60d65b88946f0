//! One visitor's connection: HTTP/1.1, kept alive, opened again when it is gone.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HeaderValue;
use hyper::http::response::Parts;
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

pub(super) type OutgoingRequest = Request<Full<Bytes>>;

/// The load's target cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address to send load to; one looks like http://127.0.0.1:8080")]
pub struct TargetError(String);

impl TargetError {
    pub(super) fn new(address: String) -> Self {
        Self(address)
    }
}

/// Where requests go.
#[derive(Debug)]
pub(super) struct Target {
    /// `host:port`
    address: String,
    /// What the `Host` header says.
    pub(super) host: HeaderValue,
}

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, TargetError> {
        let refused = || TargetError(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| refused())?;
        let authority = uri.authority().ok_or_else(refused)?;
        if uri.scheme_str() != Some("http") || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(refused());
        }
        let address = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| refused())?;
        Ok(Self { address, host })
    }
}

/// The exchange did not end in a complete response.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("cannot connect")]
    Connect(#[from] std::io::Error),
    #[error("the exchange broke off")]
    Exchange(#[from] hyper::Error),
}

/// A connection, open or not yet.
#[derive(Default)]
pub(super) struct Connection {
    open: Option<Open>,
}

struct Open {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Sends the request and reads the response to its end.
    ///
    /// A server may close a kept connection at any time. As browsers do, a request that met such a
    /// connection is sent once more on a new one: if it never left, or if it is a GET (RFC 9112 §9.3.1).
    pub(super) async fn exchange(
        &mut self,
        target: &Target,
        request: OutgoingRequest,
    ) -> Result<Parts, Broken> {
        if let Some(kept) = self.open.take() {
            let again = request.clone();
            let repeatable = request.method() == Method::GET;
            match self.attempt(kept, request).await {
                Err(failure) if failure.unsent || (repeatable && failure.cause.is_incomplete_message()) => {
                    return self.attempt(Open::connect(target).await?, again).await.map_err(Failure::into);
                }
                outcome => return outcome.map_err(Failure::into),
            }
        }
        self.attempt(Open::connect(target).await?, request).await.map_err(Failure::into)
    }

    /// Connects, unless it is connected.
    pub(super) async fn open(&mut self, target: &Target) -> Result<(), Broken> {
        if self.open.is_none() {
            self.open = Some(Open::connect(target).await?);
        }
        Ok(())
    }

    /// Forgets the connection: the next exchange opens a new one.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// One exchange on one connection, which is kept afterwards only if everything went well.
    async fn attempt(&mut self, mut open: Open, request: OutgoingRequest) -> Result<Parts, Failure> {
        open.sender.ready().await.map_err(|cause| Failure { cause, unsent: true })?;
        let sent = open.sender.try_send_request(request).await;
        let response = sent.map_err(|mut refused| Failure {
            unsent: refused.take_message().is_some(),
            cause: refused.into_error(),
        })?;
        let (parts, mut body) = response.into_parts();
        while let Some(frame) = body.frame().await {
            frame.map_err(|cause| Failure { cause, unsent: false })?;
        }
        self.open = Some(open);
        Ok(parts)
    }
}

struct Failure {
    cause: hyper::Error,
    /// The request did not leave this process.
    unsent: bool,
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Exchange(failure.cause)
    }
}

impl Open {
    async fn connect(target: &Target) -> Result<Self, Broken> {
        let stream = TcpStream::connect(&target.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its errors reach the exchange that suffers from them.
        let driver = tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Self { sender, driver })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_plain_http_address() {
        let target = Target::parse("http://localhost/").unwrap();
        assert_eq!(target.address, "localhost:80");
        assert_eq!(Target::parse("http://127.0.0.1:8080").unwrap().host, "127.0.0.1:8080");
        for bad in ["127.0.0.1:8080", "https://localhost", "http://localhost/shop", "", "http://"] {
            assert_eq!(Target::parse(bad).unwrap_err(), TargetError(bad.to_owned()));
        }
    }
}
