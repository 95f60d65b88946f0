//! Asking a target how it is.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

use crate::address::Endpoint;
use crate::target::Target;

/// The answer to a check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Whether the target can serve.
    pub healthy: bool,
    /// Why, or why not, in a few words.
    pub detail: String,
    /// The target's own checks that fail, as it names them.
    pub failing: Vec<String>,
    /// How long the check took.
    pub latency: Duration,
}

impl Report {
    /// The target can serve.
    pub fn healthy(detail: impl Into<String>, latency: Duration) -> Self {
        Self { healthy: true, detail: detail.into(), failing: Vec::new(), latency }
    }

    /// The target cannot serve.
    pub fn unhealthy(detail: impl Into<String>, latency: Duration) -> Self {
        Self { healthy: false, detail: detail.into(), failing: Vec::new(), latency }
    }
}

/// A check under way.
pub type ProbeFuture<'a> = Pin<Box<dyn Future<Output = Report> + Send + 'a>>;

/// How a target is checked; speaks whatever protocol the target does.
pub trait Probe: Send + Sync {
    /// Checks once. A check that is not done by the deadline is dropped and counts as failed.
    fn probe<'a>(&'a self, target: &'a Target, deadline: Instant) -> ProbeFuture<'a>;
}

/// A target is healthy if it accepts a connection.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpProbe;

impl Probe for TcpProbe {
    fn probe<'a>(&'a self, target: &'a Target, deadline: Instant) -> ProbeFuture<'a> {
        Box::pin(async move {
            let start = Instant::now();
            let connected = async {
                match &target.endpoint {
                    Endpoint::Tcp(address) => TcpStream::connect(address).await.map(drop),
                    Endpoint::Unix(path) => UnixStream::connect(path).await.map(drop),
                }
            };
            match timeout_at(deadline, connected).await {
                Ok(Ok(())) => Report::healthy("accepts connections", start.elapsed()),
                Ok(Err(error)) => Report::unhealthy(format!("no connection: {error}"), start.elapsed()),
                Err(_) => Report::unhealthy("no connection in time", start.elapsed()),
            }
        })
    }
}
