//! Health checks over HTTP: one GET over a fresh connection, its status and, if asked for, its JSON judged.

mod connect;
pub(crate) mod exchange;
pub mod status;
pub mod verdict;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use deepwater_core::config;
use deepwater_upstream::{Endpoint, Probe, ProbeFuture, Report, Target, TcpProbe};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::time::{Instant, timeout_at};

use crate::config::{Health, HealthKind, OriginProtocol, ProxyProtocolOut};
use crate::plan::PoolPlan;

use exchange::{Answer, ExchangeError, Get};
use status::StatusSetError;
use verdict::{Verdict, judge_body};

pub use status::StatusSet;

const USER_AGENT: &str = "deepwater/health";
/// Bytes of a body that is judged.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Finds the name that the certificate of a target, given as configured, must have.
type ServerNames = Box<dyn Fn(&str) -> Option<ServerName<'static>> + Send + Sync>;

/// TLS to the servers that are checked: that of the pool's own connections.
pub(crate) struct ProbeTls {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) server_names: ServerNames,
}

/// Checks servers with a GET request. A redirect is an answer like any other and is not followed.
pub(crate) struct HttpProbe {
    path: String,
    host: Option<String>,
    expected: StatusSet,
    json: Vec<(String, String)>,
    protocol: OriginProtocol,
    proxy_protocol: ProxyProtocolOut,
    tls: Option<ProbeTls>,
}

impl HttpProbe {
    /// The probe of a pool: as its `health` asks, by opening a connection where that names no request.
    pub(crate) fn for_pool(pool: &Arc<PoolPlan>) -> Arc<dyn Probe> {
        let Some(health) = pool.config.health.as_ref().filter(|health| health.kind == HealthKind::Http)
        else {
            return Arc::new(TcpProbe);
        };
        let tls = pool.tls.as_ref().map(|tls| {
            let pool = Arc::clone(pool);
            let server_names = move |target: &str| pool.tls.as_ref().and_then(|tls| tls.server_name(target));
            ProbeTls { config: Arc::clone(&tls.config), server_names: Box::new(server_names) }
        });
        let probe = Self::new(health, pool.protocol, pool.proxy_protocol, tls);
        Arc::new(probe.expect("the statuses were checked with the configuration"))
    }

    /// A probe as configured, that connects as the pool does.
    ///
    /// # Errors
    /// When `health.status` names no set of statuses.
    pub(crate) fn new(
        health: &Health,
        protocol: OriginProtocol,
        proxy_protocol: ProxyProtocolOut,
        tls: Option<ProbeTls>,
    ) -> Result<Self, StatusSetError> {
        Ok(Self {
            path: health.path.clone(),
            host: health.host.clone(),
            expected: StatusSet::parse(&health.status)?,
            json: health.json.iter().map(|(path, value)| (path.clone(), value.clone())).collect(),
            protocol,
            proxy_protocol,
            tls,
        })
    }

    /// Checks the server configured as `name` and dialled at `endpoint`.
    pub(crate) async fn check(&self, name: &str, endpoint: &Endpoint, deadline: Instant) -> Report {
        let start = Instant::now();
        let answer = match timeout_at(deadline, self.ask(name, endpoint)).await {
            Ok(answer) => answer,
            Err(_) => {
                let waited = deadline.saturating_duration_since(start);
                return Report::unhealthy(format!("timed out after {}", rounded(waited)), start.elapsed());
            }
        };
        let latency = start.elapsed();
        match answer {
            Ok(answer) => self.judge(&answer, latency),
            Err(error) => Report::unhealthy(error.to_string(), latency),
        }
    }

    async fn ask(&self, name: &str, endpoint: &Endpoint) -> Result<Answer, ExchangeError> {
        let connection = self.connect(name, endpoint).await?;
        let host = self.host.as_deref().unwrap_or_else(|| connect::default_host(name, self.tls.is_some()));
        let get = Get {
            host,
            path: &self.path,
            user_agent: USER_AGENT,
            wants_body: !self.json.is_empty(),
            max_body_bytes: MAX_BODY_BYTES,
        };
        if connection.http2 {
            exchange::http2(connection.transport, self.tls.is_some(), get).await
        } else {
            exchange::http1(connection.transport, get).await
        }
    }

    fn judge(&self, answer: &Answer, latency: Duration) -> Report {
        let verdict = match answer.body.as_ref().ok().and_then(Option::as_ref) {
            Some(body) => judge_body(body, &self.json),
            None => Verdict::default(),
        };
        let (status, expected) = (answer.status.as_u16(), &self.expected);
        let mut report = if !expected.contains(status) {
            Report::unhealthy(format!("{status}: expected {expected}"), latency)
        } else if let (Err(error), false) = (&answer.body, self.json.is_empty()) {
            Report::unhealthy(format!("{status}: {error}"), latency)
        } else if let Some(complaint) = verdict.complaint {
            Report::unhealthy(format!("{status}: {complaint}"), latency)
        } else {
            Report::healthy(format!("{status} in {}", rounded(latency)), latency)
        };
        report.failing = verdict.failing;
        report
    }
}

impl Probe for HttpProbe {
    fn probe<'a>(&'a self, target: &'a Target, deadline: Instant) -> ProbeFuture<'a> {
        Box::pin(self.check(&target.name, &target.endpoint, deadline))
    }
}

/// In whole milliseconds, which is as exact as anybody reads it: `1 ms`, `2s`.
fn rounded(duration: Duration) -> String {
    match duration.as_micros().div_ceil(1_000) {
        millis if millis < 1_000 => format!("{millis} ms"),
        millis => config::Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)).to_string(),
    }
}
